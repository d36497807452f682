//! What happened in a real cluster, from what people have after the fact.
//!
//! Texts of evidence ([`read`]) become [`Fact`]s: a [`Sign`] with its time and its place. The same signs are read out of the model's
//! traces of the manifest with each fault that concerns it ([`courses`]). [`judge`] holds the two against each other: which causes fit
//! best, what speaks for and against each, and which command would tell the rest apart.
//!
//! What is not understood is counted and shown, never dropped. Words are KubeVirt's and the kubelet's
//! (kubevirt-health.md 8.4 and 8.6). It must not know files, nor how an answer is printed.

mod clock;
mod console;
mod course;
mod event;
mod evidence;
mod fact;
mod fit;
mod log;
mod objects;
mod predicted;
mod sign;
mod table;

pub use clock::When;
pub use course::{Cause, Course, Suspect, courses};
pub use evidence::read;
pub use fact::{Fact, Facts, Unread, Whose};
pub use fit::{Answer, Candidate, Missing, Weighed, judge};
pub use objects::Manifest;
pub use sign::{Said, Sign, Source, Victim};

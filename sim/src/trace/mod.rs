//! What happened, as types and in the same words in both worlds.
//!
//! The text of an event is a row of words; the first is its *lane*: `vm`, `vmi`, `pod`, `readiness`, `liveness`,
//! `endpoints`, `qemu`, `guest`, `fault`, `user`, `traffic`. Each kind of event is declared once, in [`event`](Event); its text,
//! the words that a scenario may name it by and what editors offer all come from there. It must not know who makes
//! events, nor scenarios.

mod event;
mod kubevirt;
mod qemu;
mod record;
mod vocabulary;
mod word;

pub use event::Event;
pub use kubevirt::{
    Answer, Condition, Connection, NotReady, Pause, PauseReason, Phase, Ready, Request, SyncFailure, VmReady, VmReason,
    VmStatus, VmiReason,
};
pub use qemu::{DomainEvent, Exit, PanicAction, ShutdownCause};
pub use record::{Counted, Entry, Keeps, Trace};
pub use vocabulary::{Text, check, kinds, texts};
pub use word::{Outage, Word};

//! One guest from description to evidence: [`VmSpec`] -> [`Prepared`] -> [`Live`] -> [`Evidence`], each consuming the last.

mod live;
mod prepared;
mod spec;
mod verify;

pub use live::{Evidence, GuestEvent, Live};
pub use prepared::{Prepared, StartError};
pub use spec::{Image, VmSpec, memory_mib};
pub use verify::{NotReady, verify};

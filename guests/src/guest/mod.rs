//! One guest from description to running process: [`VmSpec`] -> [`Prepared`] -> [`Live`], each consuming the last. Its evidence is
//! on disk from the first moment; dropping [`Live`] ends the process and leaves only that.

mod cpus;
mod disk_fault;
mod error;
mod live;
pub(crate) mod migration;
mod prepared;
mod spec;
mod threads;
mod verify;

pub(crate) use disk_fault::DiskBelow;
pub use error::StartError;
pub use live::{GuestEvent, Live};
pub use prepared::Prepared;
pub use spec::{BootMode, Captured, VmSpec, memory_mib};
pub use threads::{Moment, Waited};
pub use verify::{Expected, NotReady, VerifyMode, verify};

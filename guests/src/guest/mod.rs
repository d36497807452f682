//! One guest from description to running process: [`VmSpec`] -> [`Prepared`] -> [`Live`], each consuming the last. Its evidence is
//! on disk from the first moment; dropping [`Live`] ends the process and leaves only that.

mod live;
mod prepared;
mod spec;
mod threads;
mod verify;

pub use live::{GuestEvent, Live};
pub use prepared::{Prepared, StartError};
pub use spec::{Birth, VmSpec, memory_mib};
pub use threads::{Moment, VcpuThreads, Waited};
pub use verify::{Expected, Look, NotReady, verify};

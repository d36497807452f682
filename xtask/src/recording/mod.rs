//! A real cluster as a third world: what `kubectl get KIND -w -o json` printed of VM, VMI and events, held against the model of a
//! scenario. It must not know how a scenario runs.

mod held;
mod read;
mod shown;

pub use held::{Held, hold};
pub use read::{Recording, read};

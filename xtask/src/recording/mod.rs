//! A real cluster as a third world: what `kubectl get vm,vmi,events -w -o json` printed, held against what the model shows of a
//! scenario. It must not know how a scenario runs.

mod held;
mod read;
mod shown;

pub use held::{Held, hold};
pub use read::{Recording, read};

//! Where two runs of one scenario differ: in what happened, and in how long it took.

pub(crate) mod align;
pub mod divergence;
pub mod intervals;
pub mod normal;

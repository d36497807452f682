//! What is said of a fault, in whole sentences, and what it comes to in a few numbers: of VMs that the model runs.

mod outcomes;
mod runs;

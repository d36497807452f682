//! The answer of a run in plain words: what broke, who noticed and why then, what was done, how long each part took, what nobody
//! noticed, and what would have been faster.
//!
//! It reads the trace, the manifest and the scenario, and decides nothing: a verdict is the judge's. What would have been faster
//! is tried in virtual time, never guessed. Terminal, `results.json`, JUnit and the report show the same words.

mod episode;
mod explanation;
mod faster;
mod outcome;
mod shape;
mod unnoticed;
mod words;

pub use explanation::explain;
pub use outcome::{Outcome, WATCHED, differences, outcome};
pub use shape::{Explanation, Part, Section};

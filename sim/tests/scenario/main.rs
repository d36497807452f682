//! A scenario while it runs: its script's steps, and who still answers.

mod alive;
mod script;

//! `check` against tables: rules, hazards, documents, and whatever may come.

mod documents;
mod garbage;
mod hazards;
mod manifest;
mod rules;

//! Do the tests notice a fault?
//!
//! Two kinds of faults are tried. [`operators`] has cargo-mutants change every operator, branch and return value of `sim`, and
//! compares what survives with [`baseline`], where each survivor is explained. [`behaviour`] holds some thirty faults that no
//! such operator makes, or that are outside of `sim`, each described by what a user would suffer; they are made in a copy of the
//! sources ([`copy`]), so that neither the sources nor the ordinary build is touched.

pub mod baseline;
pub mod behaviour;
pub mod copy;
pub mod operators;

//! How long things take, computed from a manifest's numbers (kubevirt-health.md 3.5, 5, 7).
//!
//! Formulas only. A property test holds them against the virtual world: calculator and simulator must not disagree.

mod detection;

pub use detection::{Answer, Span, before_boot, detection};

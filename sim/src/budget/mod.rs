//! How long things take, computed from a manifest's numbers (kubevirt-health.md 3.5, 5, 6, 7).
//!
//! Formulas only. A property test holds them against the virtual world: calculator and simulator must not disagree.

mod assumptions;
mod basis;
mod by_fault;
mod detection;
mod plan;
mod race;
mod ready;

pub use assumptions::{Assumptions, Pets};
pub use basis::{Basis, Given};
pub use by_fault::{FaultRow, by_fault};
pub(crate) use detection::LIBVIRT_AGENT_LIMIT;
pub use detection::{Answer, Span, before_boot, detection};
pub use plan::{Break, Detector, Row, notices_silence, rows};
pub use race::{
    Contender, RaceRow, RaceVariant, TimerTipping, Tipping, contenders, first, tipping, who_wins, who_wins_grid,
};
pub use ready::ready;

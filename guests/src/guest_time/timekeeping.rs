//! By which clock guests live.

use std::path::PathBuf;

/// How much guest time a second of a vCPU's CPU time is, so that a guest under TCG boots about as fast as one under KVM on the
/// same host (guest-time.md).
pub const LIKE_KVM: f64 = 0.25;

/// By which clock guests live.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Timekeeping {
    /// The host's.
    #[default]
    Real,
    /// Their own, which the runner steers: TCG only.
    Guest {
        /// What is loaded into QEMU, as [`super::install`] gave it.
        object: PathBuf,
        /// How much guest time a second of a vCPU's CPU time is.
        speed: f64,
        /// How much guest time may pass in a second of the host's, for who watches; `None`: as much as can.
        pace: Option<f64>,
    },
}

impl Timekeeping {
    /// `real`, or `guest`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Timekeeping::Real => "real",
            Timekeeping::Guest { .. } => "guest",
        }
    }
}

//! The numbers that a manifest does not say and a budget needs.

use crate::cluster::Churn;
use std::time::Duration;

/// What a manifest does not say.
#[derive(Debug, Clone, Copy)]
pub struct Assumptions {
    /// From a guest's start until it answers.
    pub boot: Duration,
    /// From a request to shut down until a healthy guest is off.
    pub shutdown: Duration,
    /// The petter's timeout for the device, seconds.
    pub heartbeat: u32,
    /// How it is petted.
    pub pets: Pets,
    /// `kernel.panic`, seconds; 0: never, negative: at once.
    pub panic_timer: i32,
    /// The cluster's own delays.
    pub churn: Churn,
}

impl Default for Assumptions {
    fn default() -> Self {
        Assumptions {
            boot: Duration::from_secs(60),
            shutdown: Duration::from_secs(10),
            // watchdog.conf: `watchdog-timeout`, `interval`.
            heartbeat: 60,
            pets: Pets::Every(Duration::from_secs(1)),
            panic_timer: 0,
            churn: Churn::default(),
        }
    }
}

/// How a watchdog is petted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pets {
    /// So often.
    Every(Duration),
    /// Every half of the heartbeat (qemu-watchdog.md 8.4).
    EveryHalf,
    /// Nothing ever opens the device.
    Never,
}

impl Pets {
    /// Between two pets, with a heartbeat of so many seconds.
    pub fn interval(self, heartbeat: u32) -> Duration {
        match self {
            Pets::Every(interval) => interval,
            Pets::EveryHalf | Pets::Never => Duration::from_secs(heartbeat.into()) / 2,
        }
    }
}

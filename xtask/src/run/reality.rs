//! What guests run on: each host that is asked for, and why guests of an architecture cannot run there.

use super::catalogue::Case;
use crate::report::LOCAL;
use std::collections::BTreeMap;
use std::rc::Rc;
use vmhealth_guests::guest_time::Timekeeping;
use vmhealth_guests::host::container;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::scratch::{Scratch, lock_of};
use vmhealth_sim::manifest::Architecture;

/// One host that runs QEMU, and how guests are to run there.
#[derive(Debug, Clone, Default)]
pub struct Reality {
    /// Where they run: [`crate::report::LOCAL`], or `container:` and a release.
    pub host: String,
    /// What guests run on, by their architecture, or why they cannot.
    pub platforms: BTreeMap<Architecture, Result<Platform, HostError>>,
    /// Every guest boots from power-on; none is forked from a template.
    pub cold: bool,
    /// At most so many at once; `None`: as memory and cores allow.
    pub jobs: Option<usize>,
    /// Guests are held where their run ends, unless it simply passes.
    pub freeze: bool,
}

/// Why guests of an architecture cannot run on a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// This host does not run such guests at all: their scenarios are skipped.
    #[error("{0}")]
    Unsupported(String),
    /// It should, and something is missing or does not work: infrastructure.
    #[error("{0}")]
    NotReady(String),
}

impl From<vmhealth_guests::host::HostError> for HostError {
    fn from(error: vmhealth_guests::host::HostError) -> HostError {
        match error {
            vmhealth_guests::host::HostError::Unsupported(why) => HostError::Unsupported(why),
            other => HostError::NotReady(other.to_string()),
        }
    }
}

impl Reality {
    /// Whether all guests live in guest time: beside one that lives by the host's clock the cores must not be full.
    pub(crate) fn is_in_guest_time(&self) -> bool {
        self.platforms.values().flatten().all(|platform| platform.time != Timekeeping::Real)
    }

    /// What a case's guests run on, or why they cannot.
    pub fn platform(&self, case: &Case) -> Result<&Platform, HostError> {
        let architecture = case.architecture();
        match self.platforms.get(&architecture) {
            Some(platform) => platform.as_ref().map_err(Clone::clone),
            None => Err(HostError::Unsupported(format!("no {architecture} guests were asked for"))),
        }
    }
}

/// A line of progress.
pub type Progress = Rc<dyn Fn(&str)>;

/// Removes what containers a run has left, also those whose start was given up.
pub(crate) async fn remove_containers(reality: &Reality, scratch: &Scratch) {
    if reality.host != LOCAL
        && let Some(lock) = lock_of(scratch.path())
    {
        container::remove_run(&lock).await;
    }
}

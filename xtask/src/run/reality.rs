//! What guests run on: each host that is asked for, and why guests of an architecture cannot run there.

use super::catalogue::Case;
use crate::report::LOCAL;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;
use vmhealth_guests::guest_time::Timekeeping;
use vmhealth_guests::host::container;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::reality::Controls;
use vmhealth_guests::scratch::{Scratch, lock_of};
use vmhealth_sim::manifest::Architecture;
use vmhealth_sim::trace::Entry;

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

/// Who is told how a run goes.
#[derive(Clone)]
pub struct Progress {
    say: Rc<dyn Fn(&str)>,
    pub(crate) watcher: Option<Rc<dyn Watcher>>,
}

/// Somebody who watches the cases as they run on QEMU.
pub trait Watcher {
    /// A case's run begins; what it may be asked while it goes on comes through what is returned.
    fn begins(&self, case: &Case, begun: &Begun) -> io::Result<Controls>;
    /// Something happened in it.
    fn sees(&self, case: &Case, entry: &Entry);
    /// It has ended.
    fn ends(&self, case: &Case);
}

/// A case's run that begins.
#[derive(Debug)]
pub struct Begun<'a> {
    /// The clock that its guests live by.
    pub time: &'a Timekeeping,
    /// The folder that its evidence is written to.
    pub evidence: &'a Path,
}

impl Progress {
    /// Lines only.
    pub fn lines(say: impl Fn(&str) + 'static) -> Progress {
        Progress { say: Rc::new(say), watcher: None }
    }

    /// And somebody who watches.
    pub fn watched(self, watcher: Option<Rc<dyn Watcher>>) -> Progress {
        Progress { watcher, ..self }
    }

    /// A line.
    pub fn say(&self, line: &str) {
        (self.say)(line);
    }
}

/// Removes what containers a run has left, also those whose start was given up.
pub(crate) async fn remove_containers(reality: &Reality, scratch: &Scratch) {
    if reality.host != LOCAL
        && let Some(lock) = lock_of(scratch.path())
    {
        container::remove_run(&lock).await;
    }
}

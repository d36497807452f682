//! The conditions of a VMI, and whether its pod is an endpoint: computed as one value, and what changed is made known.

use super::{Deleted, Vmi, VmiCommand};
use crate::trace::{Condition, Event, NotReady, Pause, Phase, Ready, SyncFailure};

/// Conditions beside Ready, and whether they are there.
pub type Conditions = [(Condition, bool); 3];

/// What was last made known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    sync_failure: Option<SyncFailure>,
    paused: Pause,
    ready: Ready,
    /// The pod is among the ready endpoints.
    pub(super) endpoint: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Shown { sync_failure: None, paused: Pause::Gone, ready: Ready::False(NotReady::PodNotExists), endpoint: false }
    }
}

impl Vmi {
    /// The Ready condition's status.
    pub fn ready(&self) -> bool {
        self.shown.ready.is_true()
    }

    /// The Ready condition.
    pub fn ready_condition(&self) -> Ready {
        self.shown.ready
    }

    /// The Paused condition, as it was last made known.
    pub fn shows_paused(&self) -> bool {
        self.shown.paused != Pause::Gone
    }

    /// The conditions that the VM copies while it exists.
    pub fn copied_conditions(&self) -> Conditions {
        [
            (Condition::AgentConnected, self.lost.as_ref().map_or(self.agent_connected, |lost| lost.agent_connected)),
            (Condition::Paused, self.shows_paused()),
            (Condition::Synchronized, self.shown.sync_failure.is_some()),
        ]
    }

    /// Makes known what has changed.
    pub(super) fn show_conditions(&mut self) {
        let now = self.conditions();
        let before = std::mem::replace(&mut self.shown, now);
        if let Some(reason) = now.sync_failure.filter(|_| now.sync_failure != before.sync_failure) {
            self.show(Event::Unsynchronized(reason));
        }
        if now.paused != before.paused {
            self.show(Event::Paused(now.paused));
        }
        if now.ready != before.ready {
            self.show(Event::Ready(now.ready));
        }
        if now.endpoint != before.endpoint {
            self.show(Event::Endpoint(now.endpoint));
            self.command(VmiCommand::Endpoint { ready: now.endpoint });
        }
    }

    /// The Ready condition in the order of kubevirt-health.md 4.
    pub(super) fn conditions(&self) -> Shown {
        let pause = match &self.lost {
            Some(_) => self.shown.paused,
            None => self.pause_reason().map_or(Pause::Gone, Pause::There),
        };
        let paused = pause != Pause::Gone;
        let noticed = self.lost.as_ref().is_some_and(|lost| lost.noticed);
        let going = self.deleted != Deleted::Nothing;
        let container = self.pod.as_ref().map(|pod| match &self.lost {
            Some(lost) => (false, lost.container_ready),
            None => (pod.terminated(), pod.ready()),
        });
        let ready = match container {
            None => Ready::False(NotReady::PodNotExists),
            Some((terminated, _)) if going || terminated => Ready::False(NotReady::PodTerminating),
            Some(_) if self.phase() != Phase::Running => Ready::False(NotReady::GuestNotRunning),
            Some((_, false)) => Ready::False(NotReady::ContainersNotReady),
            Some((_, true)) if paused => Ready::False(NotReady::ReadinessGatesNotReady),
            Some((_, true)) if noticed => Ready::NodeLost,
            Some((_, true)) => Ready::True,
        };
        // The pod's own Ready: the container and the gate `virtual-machine-unpaused`; the phase plays no part in it.
        let endpoint = container.is_some_and(|(_, ready)| ready) && !paused && !noticed && !going;
        Shown { sync_failure: self.sync_failure, paused: pause, ready, endpoint }
    }
}

//! The conditions of a VMI, and whether its pod is an endpoint.

use super::{Phase, Vmi, VmiCommand};
use crate::trace::{Event, NotReady, Ready};

impl Vmi {
    /// The Ready condition in the order of kubevirt-health.md 4; the endpoint follows the pod's Ready.
    pub(super) fn show_conditions(&mut self) {
        let paused = self.domain.paused();
        if paused != self.shown_paused {
            self.shown_paused = paused;
            self.show(Event::Paused(paused));
        }
        let going = self.deleting || self.pod_deleted;
        let container = self.pod.as_ref().map(|p| (p.terminated(), p.ready()));
        let ready = match container {
            None => Ready::False(NotReady::PodNotExists),
            Some((terminated, _)) if going || terminated => Ready::False(NotReady::PodTerminating),
            Some(_) if self.phase != Phase::Running => Ready::False(NotReady::GuestNotRunning),
            Some((_, false)) => Ready::False(NotReady::ContainersNotReady),
            Some((_, true)) if paused => Ready::False(NotReady::ReadinessGatesNotReady),
            Some((_, true)) => Ready::True,
        };
        if ready != self.shown_ready {
            self.shown_ready = ready;
            self.show(Event::Ready(ready));
        }
        // The pod's own Ready: the container and the gate `virtual-machine-unpaused`; the phase plays no part in it.
        let endpoint = container.is_some_and(|(_, ready)| ready) && !paused && !going;
        if endpoint != self.shown_endpoint {
            self.shown_endpoint = endpoint;
            self.show(Event::Endpoint(endpoint));
            self.out.push(VmiCommand::Endpoint(endpoint));
        }
    }
}

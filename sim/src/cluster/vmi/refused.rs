//! A VMI that never gets its guest: a pod that Kubernetes refuses, a domain that libvirt refuses, a virt-launcher that dies.

use super::super::launcher::Futile;
use super::{Vmi, WARNING};
use crate::time::Time;
use crate::trace::{Event, SyncFailure, VmiReason};

impl Vmi {
    /// virt-launcher dies, and with it the container and QEMU; virt-handler will see that later.
    pub fn lose_launcher(&mut self, now: Time) {
        if self.phase.is_final() || self.launcher_lost.is_some() {
            return;
        }
        self.stop = None;
        self.refused = None;
        self.refused_pod = None;
        self.next_step = None;
        if let Some(pod) = &mut self.pod {
            pod.container_ended();
        }
        self.launcher_lost = Some(now + self.chance.launcher_noticed);
    }

    /// KubeVirt's VMI controller asks again and again (kubevirt-health.md 11.2 row 34).
    pub(super) fn create_refused_pod(&mut self, now: Time) {
        let Some((why, retries)) = &mut self.refused_pod else { return };
        if !retries.due(now) {
            return;
        }
        let message = format!("Error creating pod: Pod is invalid: {why}");
        self.tell(VmiReason::FailedCreate, WARNING, &message);
        if !std::mem::replace(&mut self.shown_unsynchronized, true) {
            self.show(Event::Unsynchronized(SyncFailure::FailedCreate));
        }
    }

    pub(super) fn define_refused_domain(&mut self, now: Time) {
        match self.refused.as_mut().and_then(|r| r.poll(now)) {
            Some(Futile::GivenUp) => self.lose_launcher(now),
            Some(Futile::Tried) => {
                let why = self.refusal.as_deref().unwrap_or_default();
                let message = format!("server error. command SyncVMI failed: {why:?}");
                self.tell(VmiReason::SyncFailed, WARNING, &message);
                if !std::mem::replace(&mut self.shown_unsynchronized, true) {
                    self.show(Event::Unsynchronized(SyncFailure::Domain));
                }
            }
            None => {}
        }
    }
}

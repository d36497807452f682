//! What the VirtualMachine object shows of itself: `printableStatus`, Ready, RestartRequired.

use super::Engine;
use crate::cluster::{Conditions, Phase, Vmi};
use crate::trace::{Condition, Event, VmReady, VmStatus};

/// Without a VMI.
pub(super) const NO_CONDITIONS: Conditions =
    [(Condition::AgentConnected, false), (Condition::Paused, false), (Condition::Synchronized, false)];

impl Engine {
    /// A VMI that was made from another template than the present one (kubevirt-health.md 2.8).
    pub(super) fn show_restart_required(&mut self) {
        let differs = self.made_from != self.template;
        let stays = self.restart_required && !self.version.takes_back_restart_required();
        self.set_restart_required(self.vmi.is_some() && (differs || stays));
    }

    pub(super) fn set_restart_required(&mut self, required: bool) {
        if required != self.restart_required {
            self.restart_required = required;
            self.log(self.now, Event::VmCondition(Condition::RestartRequired, required), String::new());
        }
    }

    /// printableStatus, first match (kubevirt-health.md 8.3; nothing here waits for volumes), and VM Ready. Without
    /// a VMI it is never Starting here: one that is to be created has just been.
    pub(super) fn show_status(&mut self) {
        let status = match &self.vmi {
            _ if self.controller.deleted() => VmStatus::Terminating,
            Some(v) if v.stopping() => VmStatus::Stopping,
            Some(v) if v.migrating() => VmStatus::Migrating,
            Some(v) if v.phase() == Phase::Running && v.shows_paused() => VmStatus::Paused,
            Some(v) if v.phase() == Phase::Running => VmStatus::Running,
            Some(v) if !v.phase().is_final() => VmStatus::Starting,
            _ if self.controller.crash_looping() => VmStatus::CrashLoopBackOff,
            _ => VmStatus::Stopped,
        };
        if self.status != Some(status) {
            self.status = Some(status);
            self.log(self.now, Event::VmStatus(status), String::new());
        }
        let copied = self.vmi.as_ref().map_or(NO_CONDITIONS, Vmi::copied_conditions);
        for ((name, now), (_, before)) in copied.into_iter().zip(std::mem::replace(&mut self.copied, copied)) {
            if now != before {
                self.log(self.now, Event::VmCondition(name, now), String::new());
            }
        }
        let ready = self.vmi.as_ref().map_or(VmReady::NoVmi, |v| VmReady::Vmi(v.ready_condition()));
        if self.vm_ready != Some(ready) {
            self.vm_ready = Some(ready);
            self.log(self.now, Event::VmReady(ready), String::new());
        }
    }
}

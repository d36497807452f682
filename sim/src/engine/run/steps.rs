//! The scenario's steps: what its user asks for, what it breaks, and what the world says came of that.

use super::super::io::{FaultNews, Request};
use super::super::timer::Timer;
use super::Engine;
use crate::cluster::{Migration, NodeMonitor, Vmi};
use crate::manifest::{self, Grace, PodProbe};
use crate::scenario::{
    Due, Fault, FaultKind, OomVictim, StepAction, TemplateEdit, UserRequest, Verdict, VmiAnnotation, VmiAnnotations,
};
use crate::time::Time;
use crate::trace::{Answer, Event, Outage};
use std::time::Duration;

impl Engine {
    /// Nothing is broken before the guest was seen to be what its profile says: until then a deviation is a set-up error.
    pub(super) fn step_may_begin(&self) -> bool {
        let unverified = !self.config.breaks_any_guest
            && self.settled_boot == 0
            && self.vmi.as_ref().is_some_and(|v| !v.phase().is_final());
        !(unverified && self.script.next_is_fault())
    }

    pub(super) fn begin_step(&mut self, due: Due) {
        match due.action {
            StepAction::User(request) => {
                self.user_asks(request);
                self.script.done(self.now);
            }
            StepAction::Fault(fault) => {
                if self.script.is_asked(due.step) {
                    self.judge.breaks_next(fault.clone());
                }
                self.log(self.now, Event::FaultBegun(fault.kind()), String::new());
                let lost_already =
                    matches!(fault, Fault::NodeLost { .. }) && self.vmi.as_ref().is_some_and(Vmi::node_is_lost);
                let nothing = self.no_guest().or_else(|| lost_already.then(|| "its node is lost already".into()));
                if let Some(why) = nothing {
                    return self.fault_without_guest(due.step, fault.kind(), &why);
                }
                match (&fault, &mut self.vmi) {
                    (Fault::KillLauncher | Fault::OomKill { of: OomVictim::Container }, Some(vmi)) => {
                        vmi.lose_launcher(self.now)
                    }
                    (Fault::NodeLost { by, .. }, Some(vmi)) => {
                        vmi.lose_node(*by, NodeMonitor::draw(self.now, &mut self.random));
                    }
                    _ => {}
                }
                if let Some(lasting) = fault.lasts() {
                    let over = Timer::FaultOver { vmi: self.created, step: due.step };
                    self.timers.set(over, self.now + lasting.0);
                }
                self.ask(Request::Inject { step: due.step, fault });
            }
        }
    }

    /// What a user asks the API for is answered and done.
    pub(super) fn user_asks(&mut self, request: UserRequest) {
        let phase = self.vmi.as_ref().map(Vmi::phase);
        let now = self.now;
        let on_vmi = |vmi: &mut Option<Vmi>, act: fn(&mut Vmi, Time) -> Answer| {
            vmi.as_mut().map_or(Answer::Refused, |v| act(v, now))
        };
        let name = request.request();
        let answer = match request {
            UserRequest::Start => self.controller.start(phase),
            UserRequest::Stop => self.controller.stop(phase, false),
            UserRequest::ForceStop { grace_period } => self.force_stop(grace_period),
            UserRequest::Drain { lasting } => self.drain(lasting.0),
            UserRequest::Annotate(VmiAnnotations { pause_guest_agent_probes }) => {
                self.pause_pings(manifest::go_bool(&pause_guest_agent_probes))
            }
            UserRequest::RemoveAnnotation(VmiAnnotation::PauseGuestAgentProbes) => self.pause_pings(false),
            UserRequest::Restart => self.controller.restart(phase),
            UserRequest::Pause => on_vmi(&mut self.vmi, |v, _| v.pause()),
            UserRequest::Unpause => on_vmi(&mut self.vmi, |v, _| v.unpause()),
            UserRequest::Migrate { lasting } => self.migrate(lasting.0, false),
            UserRequest::DeletePod => on_vmi(&mut self.vmi, Vmi::delete_pod),
            UserRequest::ForceDeletePod => on_vmi(&mut self.vmi, |v, _| v.force_delete_pod()),
            UserRequest::RestartKubelet { resets_ready } => {
                let random = &mut self.random;
                self.vmi.as_mut().map_or(Answer::Refused, |v| v.kubelet_restarts(now, !resets_ready, || random.f64()))
            }
            UserRequest::DeleteVmi => on_vmi(&mut self.vmi, Vmi::delete),
            UserRequest::Delete => {
                self.controller.delete();
                Answer::Accepted
            }
            UserRequest::Edit(edit) => self.edit(&edit),
            UserRequest::Scale(never) => match never {},
        };
        self.log(self.now, Event::User(name, answer), String::new());
        self.show_restart_required();
    }

    /// The VMI's grace period is patched whatever the API says to the stop (KubeVirt `StopVMRequestHandler`).
    fn force_stop(&mut self, seconds: u32) -> Answer {
        let grace = Grace { seconds: seconds.into() };
        let live = self.vmi.as_mut().filter(|v| !v.phase().is_final());
        let shorter = live.is_some_and(|v| v.set_grace(grace));
        self.controller.stop(self.vmi.as_ref().map(Vmi::phase), shorter)
    }

    /// What the eviction of its pod comes to (kubevirt-health.md 7.6).
    fn drain(&mut self, lasting: Duration) -> Answer {
        if self.made_from.migrates_on_drain {
            self.migrate(lasting, true);
            return Answer::Refused;
        }
        let now = self.now;
        self.vmi.as_mut().map_or(Answer::Refused, |v| v.delete_pod(now))
    }

    fn pause_pings(&mut self, paused: bool) -> Answer {
        let live = self.vmi.as_mut().filter(|v| !v.phase().is_final());
        live.map_or(Answer::Refused, |v| v.pause_pings(&self.made_from, paused))
    }

    /// One that is under way, or has failed and waits to be tried again, is the VMI's only one: KubeVirt admits no second ("in-flight
    /// migration detected", `migration-create-validator`), and a second eviction changes nothing.
    fn migrate(&mut self, lasting: Duration, evacuates: bool) -> Answer {
        let waits = self.timers.is_set(Timer::MigrationAgain { vmi: self.created });
        if waits || self.vmi.as_ref().is_some_and(Vmi::migrating) {
            return Answer::Refused;
        }
        self.begin_migration(Migration::new(lasting, evacuates))
    }

    /// The one that has failed begins once more.
    pub(super) fn migrate_again(&mut self) {
        if let Some(migration) = self.migration.clone() {
            self.begin_migration(migration);
        }
    }

    /// The target has the template that the VMI was made from; edits are not its business.
    fn begin_migration(&mut self, migration: Migration) -> Answer {
        let Some(vmi) = &mut self.vmi else { return Answer::Refused };
        let answer = vmi.begin_migration();
        if answer == Answer::Accepted {
            let liveness = self.made_from.liveness.as_ref().map(PodProbe::from);
            let container_at = self.now + self.config.churn.schedule + self.config.churn.container_start;
            let (over, failed) = migration.end(liveness.as_ref(), self.version, self.now, container_at);
            self.timers.set(Timer::MigrationOver { vmi: self.created, failed }, over);
            self.migration = Some(migration);
        }
        answer
    }

    /// Its migration is over. The guest has never left; its target, if that was killed, is replaced by another one later.
    pub(super) fn end_migration(&mut self, number: u32, failed: bool) {
        let Some(vmi) = self.vmi.as_mut().filter(|_| number == self.created) else { return };
        vmi.end_migration();
        let wait = self.migration.as_mut().filter(|_| failed).and_then(Migration::wait);
        if let Some(wait) = wait.filter(|_| !vmi.phase().is_final()) {
            self.timers.set(Timer::MigrationAgain { vmi: number }, self.now + wait);
        }
    }

    /// What was broken outside of a guest is whole again; with its VMI it is gone anyway.
    pub(super) fn end_fault(&mut self, vmi: u32, step: usize) {
        let there = self.created == vmi && self.vmi.as_ref().is_some_and(|v| !v.phase().is_final());
        if let Some(fault) = self.script.fault(step).filter(|_| there).cloned() {
            self.log(self.now, Event::FaultOver(Outage(fault.kind())), String::new());
            if let (Fault::NodeLost { .. }, Some(vmi)) = (&fault, &mut self.vmi) {
                vmi.node_is_back(self.now);
            }
            self.ask(Request::Mend { step, fault });
        }
    }

    pub(super) fn edit(&mut self, edit: &TemplateEdit) -> Answer {
        // Its probes were read when the scenario was.
        let Ok(template) = edit.apply(&self.template) else { return Answer::Refused };
        self.template = template;
        Answer::Accepted
    }

    /// Why there is nothing to break: the present VMI's domain does not run, or only waits to be quit.
    fn no_guest(&self) -> Option<String> {
        let Some(vmi) = &self.vmi else { return Some("there is no VMI".into()) };
        let (number, domain) = (self.created, vmi.domain());
        match domain.running() && !domain.waits_to_be_reaped() {
            true => None,
            false if vmi.phase().is_final() => Some(format!("VMI {number} is {}", vmi.phase())),
            false => Some(format!("the domain of VMI {number} has ended")),
        }
    }

    /// Who wrote the scenario is to blame, and neither the host nor the guest; whoever only asks may ask again.
    fn fault_without_guest(&mut self, step: usize, fault: FaultKind, why: &str) {
        let why = format!("there is no guest to break: {why}");
        self.log(self.now, Event::FaultFailed(fault), why.clone());
        match self.script.is_asked(step) {
            true => self.step_done(step),
            false => self.conclude(Verdict::Fail(format!("step {} (fault {fault}): {why}", step + 1))),
        }
    }

    fn step_done(&mut self, step: usize) {
        if self.script.is_asked(step) {
            self.judge.prolong(self.now);
        }
        self.script.done(self.now);
    }

    pub(super) fn fault_news(&mut self, step: usize, news: FaultNews) {
        let Some(fault) = self.script.fault(step).map(Fault::kind) else { return };
        match news {
            FaultNews::Confirmed(how) => {
                self.log(self.now, Event::FaultConfirmed(fault), how);
                self.step_done(step);
            }
            FaultNews::Failed(why) if self.script.is_asked(step) => {
                self.log(self.now, Event::FaultFailed(fault), why);
                self.step_done(step);
            }
            FaultNews::Failed(why) => {
                self.log(self.now, Event::FaultFailed(fault), why.clone());
                let reason = format!("{fault} could not be injected: {why}");
                // What a user has named in the guest, the user has to have put there.
                let is_users = matches!(fault, FaultKind::Unit | FaultKind::DropPort | FaultKind::Command);
                self.conclude(if is_users { Verdict::Fail(reason) } else { self.config.lack(reason) });
            }
            FaultNews::HostFailed(why) => {
                self.log(self.now, Event::FaultFailed(fault), why.clone());
                self.conclude(Verdict::Infra(format!("{fault} could not be injected: {why}")));
            }
            FaultNews::NoGuest => {
                let why = self.no_guest().unwrap_or_else(|| "it has just ended".into());
                self.fault_without_guest(step, fault, &why);
            }
        }
    }
}

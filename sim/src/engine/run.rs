//! The engine's run: inputs in, commands out, a trace of everything, a verdict.

mod deadlines;
mod status;
mod steady;
mod steps;

use super::io::*;
use super::timer::Timer;
use crate::cluster::{
    Chance, Churn, Conditions, Decision, DomainEvent, KubevirtVersion, Migration, Phase, Retries, VmController, Vmi,
    VmiOutput,
};
use crate::manifest::{VirtualMachine, VmiSpec};
use crate::scenario::{FinalState, Judge, Script, Spec, Step, Verdict};
use crate::time::{Time, earliest};
use crate::timers::Timers;
use crate::trace::{Condition, Entry, Event, Keeps, Trace, VmReady, VmReason, VmStatus};
use std::collections::VecDeque;
use std::time::Duration;

/// More rounds of reactions at one moment than anything real needs; reaching it is a named failure.
const MAX_ROUNDS: usize = 1000;

/// What shapes a run beside the manifest and the scenario.
#[derive(Debug, Clone)]
pub struct Config {
    /// How much slower the guest is than under KVM; stretches `withinGuest` and the boot deadline.
    pub guest_scale: f64,
    /// The cluster's own delays.
    pub churn: Churn,
    /// From a domain's start to a guest that is as its profile says, before scaling.
    pub boot_deadline: Duration,
    /// The image is not ours: what it lacks is its own failure, and no host's.
    pub users_image: bool,
    /// No run is longer.
    pub longest: Duration,
    /// What the trace keeps.
    pub keeps: Keeps,
    /// Faults come whatever state the guest is in. Otherwise nothing is broken before it was seen to be as its profile says.
    pub breaks_any_guest: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            guest_scale: 1.0,
            churn: Churn::default(),
            boot_deadline: Duration::from_secs(60),
            users_image: false,
            longest: Duration::from_secs(3600),
            keeps: Keeps::default(),
            breaks_any_guest: false,
        }
    }
}

/// Firmware, a bootloader, the distribution's own initramfs and all of its units take longer than an image made for this.
const USERS_IMAGE_LONGER: u32 = 2;

impl Config {
    /// For a scenario's guests.
    pub fn of(spec: &Spec, guest_scale: f64, users_image: bool) -> Config {
        let ours = Config::default();
        let longer = if users_image { USERS_IMAGE_LONGER } else { 1 };
        let boot_deadline = spec.boot_deadline.map_or(ours.boot_deadline * longer, |span| span.0);
        // Whoever asks to watch for long has asked for a long run.
        let longest = ours.longest + spec.observe.0 + spec.final_state.wait_up_to.unwrap_or_default().0;
        Config { guest_scale, boot_deadline, users_image, longest, ..ours }
    }

    /// What a guest lacks: of an image of ours that is our doing, of the user's its own failure.
    pub(super) fn lack(&self, reason: String) -> Verdict {
        if self.users_image { Verdict::Fail(reason) } else { Verdict::Infra(reason) }
    }

    /// The boot deadline on this host.
    pub fn scaled_boot_deadline(&self) -> Duration {
        self.boot_deadline.mul_f64(self.guest_scale)
    }
}

/// One VM under one scenario.
#[derive(Debug, Clone)]
pub struct Engine {
    /// `spec.template.spec`, as edited.
    template: VmiSpec,
    /// The template that the present VMI was made from.
    made_from: VmiSpec,
    restart_required: bool,
    version: KubevirtVersion,
    random: fastrand::Rng,
    config: Config,
    controller: VmController,
    vmi: Option<Vmi>,
    /// VMIs created so far; the number of the present one.
    created: u32,
    /// The VMI's webhook refuses every VMI of this template.
    refused: Option<Retries>,
    timers: Timers<Timer>,
    deletion_logged: bool,
    /// The VMI has been counted as a start failure or not.
    counted: bool,
    /// The boot that was last verified or given up.
    settled_boot: u32,
    script: Script,
    judge: Judge,
    status: Option<VmStatus>,
    /// The VMI's conditions that the VM shows as well (`syncConditions`).
    copied: Conditions,
    vm_ready: Option<VmReady>,
    traffic: Option<Connection>,
    /// Of the present VMI.
    migration: Option<Migration>,
    /// Something was done to a guest.
    touched: bool,
    trace: Trace,
    commands: VecDeque<Command>,
    verdict: Option<Verdict>,
    now: Time,
    /// What happens now is a template's past.
    replaying: bool,
    /// What is at the agent's port is vmhealth's own.
    no_agent: bool,
}

impl Engine {
    /// The engine of a scenario; the VM is created at [`Time::ZERO`].
    pub fn new(manifest: VirtualMachine, spec: &Spec, config: Config) -> Self {
        let mut engine = Engine {
            controller: VmController::new(manifest.run_strategy),
            script: Script::new(&spec.steps, manifest.vmi.liveness.is_some()),
            judge: Judge::new(spec, config.guest_scale),
            made_from: manifest.vmi.clone(),
            template: manifest.vmi,
            restart_required: false,
            version: spec.kubevirt_version,
            random: fastrand::Rng::with_seed(spec.seed),
            trace: Trace::new(config.keeps),
            config,
            vmi: None,
            created: 0,
            migration: None,
            refused: None,
            timers: Timers::default(),
            deletion_logged: false,
            counted: false,
            settled_boot: 0,
            status: None,
            copied: status::NO_CONDITIONS,
            vm_ready: None,
            traffic: None,
            touched: false,
            commands: VecDeque::new(),
            verdict: None,
            now: Time::ZERO,
            replaying: false,
            no_agent: spec.guest.no_agent,
        };
        engine.timers.set(Timer::RunDeadline, Time::ZERO + engine.config.longest);
        engine.advance(Time::ZERO);
        engine
    }

    /// The verdict, once there is one.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// What happened so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The scenario's steps, and among them those that were asked for while it ran, as they began.
    pub fn steps_as_they_went(&self) -> Vec<Step> {
        self.script.as_it_went()
    }

    /// What happened since this was asked last, which is then forgotten.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        self.trace.take()
    }

    /// What happened; the engine's work is over.
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    /// From here on what happens is (not) a replay of what happened in a template; the trace says so of every entry.
    pub fn set_replaying(&mut self, replaying: bool) {
        self.replaying = replaying;
    }

    /// The next thing to do; call until `None` after every input.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When [`Engine::advance`] has something to do next. What is not later than now was done, or waits for something else.
    pub fn next_wakeup(&self) -> Option<Time> {
        if self.verdict.is_some() {
            return None;
        }
        self.wakeup_beside(self.vmi.as_ref().and_then(|v| v.next_wakeup(self.now)))
    }

    /// When anything but the VMI is due, or this.
    fn wakeup_beside(&self, vmi: Option<Time>) -> Option<Time> {
        let script = self.script.next_wakeup().filter(|_| self.step_may_begin());
        let retry = self.controller.next_wakeup(self.now);
        let refused = self.refused.as_ref().filter(|_| self.creating()).map(Retries::next_wakeup);
        let judge = self.judge.next_wakeup(self.now);
        let all = [vmi, script, judge, retry, refused, self.timers.next()];
        earliest(all.map(|wakeup| wakeup.filter(|t| *t > self.now)))
    }

    /// Takes an input that arrived at `now`, and reacts to it.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Of { vmi, what } if vmi == self.created => self.vmi_input(what),
            // That VMI is gone.
            Input::Of { .. } => {}
            Input::Fault { step, news } => self.fault_news(step, news),
            Input::Connection { at, outcome } => self.connection(at, outcome),
            Input::Asked { fault } => self.script.ask(fault),
            Input::Requested { request } => self.user_asks(request),
            Input::Enough => self.judge.end(),
            Input::HostFailed { reason } => self.conclude(Verdict::Infra(reason)),
        }
        self.advance(now);
    }

    /// Takes what the present VMI reports.
    fn vmi_input(&mut self, what: VmiInput) {
        match what {
            VmiInput::Domain { at, event } => self.domain_event(at, event),
            VmiInput::Probe { kind, attempt } => {
                if let Some(vmi) = &mut self.vmi {
                    vmi.probe_answer(self.now, kind, attempt);
                }
            }
            VmiInput::GuestReady(report) => {
                self.guest_settled();
                self.log(self.now, Event::GuestReady, format!("boot {}; {}", report.boot_id, report.facts.join("; ")));
            }
            VmiInput::GuestNotReady { reason } => self.guest_not_ready(reason),
            VmiInput::GuestCrashed { reason } => self.conclude(Verdict::Fail(reason)),
            VmiInput::WatchdogHolder { name } => self.log(self.now, Event::WatchdogHolder(name), String::new()),
            VmiInput::Forked { from } => self.log(self.now, Event::GuestForked, from),
            VmiInput::Cold { reason } => self.log(self.now, Event::GuestCold, reason),
        }
    }

    /// Asks the world for something about the present VMI.
    fn ask(&mut self, what: Request) {
        self.commands.push_back(Command { vmi: self.created, what });
    }

    /// Does everything that is due at `now`.
    pub fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        for _ in 0..MAX_ROUNDS {
            if self.verdict.is_some() || !self.round() {
                self.judge();
                return;
            }
        }
        self.conclude(Verdict::Infra(format!("more than {MAX_ROUNDS} reactions at {} s", self.now)));
    }

    /// One round of reactions; `false` if nothing was due.
    fn round(&mut self) -> bool {
        let before = (self.trace.logged(), self.commands.len(), self.created);
        if self.step_may_begin()
            && let Some(due) = self.script.poll(self.now)
        {
            self.begin_step(due);
        }
        while let Some(timer) = self.timers.due(self.now) {
            self.timer_due(timer);
        }
        self.run_vmi();
        self.count_start_failures();
        self.run_controller();
        self.show_status();
        let due = self.timers.next().is_some_and(|t| t <= self.now);
        due || before != (self.trace.logged(), self.commands.len(), self.created)
    }

    fn run_vmi(&mut self) {
        let Some(vmi) = &mut self.vmi else { return };
        let VmiOutput { seen, commands } = vmi.poll(self.now);
        for (event, detail) in seen {
            self.log(self.now, event, detail);
        }
        for command in commands {
            self.ask(Request::Cluster(command));
        }
    }

    fn run_controller(&mut self) {
        if self.timers.is_set(Timer::VmiGone) {
            return;
        }
        match (self.decision(), self.template.refusal()) {
            (Decision::Create, Some(why)) => self.vmi_refused(&why),
            (Decision::Create, None) => {
                self.created += 1;
                self.settled_boot = 0;
                self.timers.clear(Timer::BootDeadline);
                let chance = Chance::draw(&mut self.random);
                self.vmi = Some(Vmi::new(&self.template, self.version, self.config.churn, chance, self.now));
                self.made_from = self.template.clone();
                self.counted = false;
                self.controller.created();
                self.set_restart_required(false);
                let message = "Normal: Started the virtual machine by creating the new virtual machine instance";
                self.log(self.now, Event::VmEvent(VmReason::SuccessfulCreate), message.into());
            }
            (Decision::Delete, _) => {
                let Some(vmi) = &mut self.vmi else { return };
                let phase = vmi.phase();
                if !vmi.deleting() {
                    if phase.is_final() {
                        self.controller.deleting(phase);
                    }
                    vmi.delete(self.now);
                }
                if phase.is_final() {
                    self.timers.set(Timer::VmiGone, self.now + self.config.churn.cleanup);
                }
                if !std::mem::replace(&mut self.deletion_logged, true) {
                    let message = "Normal: Stopped the virtual machine by deleting the virtual machine instance";
                    self.log(self.now, Event::VmEvent(VmReason::SuccessfulDelete), message.into());
                }
                self.run_vmi();
            }
            (Decision::Nothing, _) => {}
        }
    }

    /// The VM is there, its VMI never is (kubevirt-health.md 2.1, layer 5).
    fn vmi_refused(&mut self, why: &str) {
        let first = self.refused.is_none();
        if self.refused.get_or_insert_with(|| Retries::new(self.now)).due(self.now) {
            let message = format!("Warning: Error creating virtual machine instance: {why}");
            self.log(self.now, Event::VmEvent(VmReason::FailedCreate), message);
        }
        if first {
            self.log(self.now, Event::VmCondition(Condition::Failure, true), "FailedCreate".into());
        }
    }

    /// There is no VMI, and one is to be created.
    fn creating(&self) -> bool {
        self.vmi.is_none() && self.decision() == Decision::Create
    }

    /// A VMI that is being deleted goes when it is final, whatever the strategy.
    fn decision(&self) -> Decision {
        match &self.vmi {
            Some(vmi) if vmi.deleting() && vmi.phase().is_final() => Decision::Delete,
            vmi => self.controller.decide(self.now, vmi.as_ref().map(Vmi::phase)),
        }
    }

    /// Each VMI counts once: when it is found to run, or to have ended without.
    fn count_start_failures(&mut self) {
        let Some(vmi) = &self.vmi else { return };
        if vmi.phase() == Phase::Running {
            self.controller.running();
        } else if vmi.phase().is_final() && !std::mem::replace(&mut self.counted, true) {
            self.controller.found_final(self.now, vmi.ever_ran(), &mut self.random);
        }
    }

    fn domain_event(&mut self, at: Time, event: DomainEvent) {
        let Some(vmi) = &mut self.vmi else { return };
        // The cluster knows nothing of it.
        let is_ours = self.no_agent && matches!(event, DomainEvent::AgentPort { .. });
        let is_news = if is_ours { !vmi.phase().is_final() } else { vmi.domain_event(at, &event) };
        if !is_news {
            return;
        }
        let boot = vmi.domain().boots();
        let (ended, paused) = (vmi.phase().is_final(), vmi.paused());
        if !is_ours {
            self.log(at, Event::Qemu(event), String::new());
        }
        match event {
            // Nothing boots while the vCPUs stand still.
            DomainEvent::Stop if paused => self.timers.clear(Timer::BootDeadline),
            DomainEvent::Resume if boot <= self.settled_boot => {}
            DomainEvent::Started | DomainEvent::Reset { .. } | DomainEvent::Resume => {
                self.set_boot_deadline(1);
            }
            DomainEvent::AgentPort { open: true } if boot > self.settled_boot => {
                // From here on the world's own wait says what it waits for; ours only guards against its silence.
                self.set_boot_deadline(2);
                self.ask(Request::Verify);
            }
            // It may come back (a restart during boot), and then be looked at again.
            DomainEvent::AgentPort { open: false } if self.timers.is_set(Timer::BootDeadline) => {
                self.set_boot_deadline(1);
            }
            _ if ended => self.timers.clear(Timer::BootDeadline),
            _ => {}
        }
    }

    fn guest_settled(&mut self) {
        self.timers.clear(Timer::BootDeadline);
        if let Some(vmi) = &self.vmi {
            self.settled_boot = vmi.domain().boots();
        }
    }

    /// Before anything was done to the guest that is a set-up error, or what is wrong with the user's image; later the
    /// scenario's expectations judge it.
    fn guest_not_ready(&mut self, reason: String) {
        self.guest_settled();
        self.log(self.now, Event::GuestNotReady, reason.clone());
        if !self.touched {
            let reason = match self.config.users_image {
                true => reason,
                false => format!("the guest was not set up as its profile says: {reason}"),
            };
            self.conclude(self.config.lack(reason));
        }
    }

    /// Only changes are logged; a connection that reaches a VM which is not ready is a failure of its own.
    fn connection(&mut self, at: Time, outcome: Connection) {
        // As it was then: the answer may have taken a while.
        let ready = self.trace.entries().iter().rev().filter(|e| e.at <= at).find_map(|e| match e.event {
            Event::Ready(ready) => Some(ready.is_true()),
            _ => None,
        });
        if outcome == Connection::Delivered && ready != Some(true) {
            self.log(at, Event::Traffic(outcome), "while not ready".into());
            self.conclude(Verdict::Fail(format!("a connection reached the VM at {at} s although it was not ready")));
        } else if self.traffic != Some(outcome) {
            self.traffic = Some(outcome);
            self.log(at, Event::Traffic(outcome), String::new());
        }
    }

    fn judge(&mut self) {
        if self.verdict.is_some() {
            return;
        }
        let state = FinalState {
            vm: self.status.unwrap_or(VmStatus::Stopped),
            vmi: self.vmi.as_ref().map(Vmi::phase),
            vmis: self.created,
            ready: self.vmi.as_ref().is_some_and(Vmi::ready),
        };
        let verdict = self.judge.verdict(self.now, self.at_rest(), self.script.finished(), &state);
        if let Some(verdict) = verdict {
            self.conclude(verdict);
        }
    }

    /// Nothing can happen any more: no live VMI, none to come, no step whose time is set.
    fn at_rest(&self) -> bool {
        let live = self.vmi.as_ref().is_some_and(|v| !v.phase().is_final());
        !live
            && !self.timers.is_set(Timer::VmiGone)
            && self.script.next_wakeup().is_none()
            && !self.script.busy()
            // Releasing a VMI that is gone brings nothing new.
            && self.commands.iter().all(|c| c.what == Request::Discard)
            && self.decision() == Decision::Nothing
            && self.controller.next_wakeup(self.now).is_none()
    }

    fn log(&mut self, at: Time, event: Event, detail: String) {
        let entry = Entry { at, vmi: self.created, event, detail, replayed: self.replaying };
        self.touched |= matches!(entry.event, Event::FaultBegun(_) | Event::Killing);
        self.judge.observe(&entry);
        self.script.observe(&entry);
        self.trace.push(entry);
    }

    fn conclude(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
    }
}

//! Moves the model guests and says what QEMU would report, in QEMU's order.

mod bad_boots;
mod boot;
mod inside;
mod outside;
mod shutdown;
mod steady;

use super::driver::World;
use super::guest::{Guest, HTTP_CROSSINGS, InGuest, Kernel, Timings, WatchdogHolder};
use super::queue::Queue;
use crate::cluster::{DomainEvent, Exit, ProbeRequest, VmiCommand};
use crate::devices::LinuxWatchdog;
use crate::engine::{Command, Connection, FaultNews, GuestReport, Input, Request, VmiInput};
use crate::kubelet::{Attempt, Verdict};
use crate::manifest::{RebootPolicy, VmiSpec, WatchdogAction};
use crate::scenario::{Fault, FaultKind, Health, OomVictim, Spec};
use crate::time::{Time, earliest};
use crate::trace::ShutdownCause;
use bad_boots::BadBoots;
use boot::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
pub(super) use steady::Petting;

/// For one whole connection of the traffic client.
const CLIENT_LIMIT: Duration = Duration::from_secs(2);

/// What happens in the virtual world. Guest events carry the boot they belong to.
#[derive(Debug, Clone)]
enum Happening {
    /// An input is ready for the engine.
    Tell(Input),
    /// A guest's boot has come so far.
    Boot { vmi: u32, boot: u32, what: InGuest },
    /// Something in a guest's userspace.
    Guest { vmi: u32, boot: u32, what: InGuest },
    /// A step's fault takes effect, and is seen so long afterwards.
    Fault { vmi: u32, step: usize, fault: Fault, seen_after: Duration },
    /// libvirt has given up on the agent and presses the power button.
    Button { vmi: u32 },
    /// The next connection of the traffic client.
    Connect,
}

/// The virtual world of one scenario.
#[derive(Debug, Clone)]
pub struct Model {
    timings: Timings,
    spec: Arc<Spec>,
    vmi: Arc<VmiSpec>,
    guests: BTreeMap<u32, Guest>,
    endpoint: Option<u32>,
    queue: Queue<Happening>,
    /// Of VMs that boot beside others.
    shared: Option<Shared>,
    bad_boots: BadBoots,
}

impl World for Model {
    fn next_wakeup(&self) -> Option<Time> {
        earliest([self.queue.next_at(), self.next_device().map(|(at, _)| at)])
    }

    fn step(&mut self) -> Option<(Time, Input)> {
        if let Some((now, vmi)) = self.next_device()
            && self.queue.next_at().is_none_or(|at| now <= at)
        {
            self.device(now, vmi);
            return None;
        }
        let (now, happening) = self.queue.pop()?;
        match happening {
            Happening::Tell(input) => {
                self.before_telling(&input);
                return Some((now, input));
            }
            Happening::Boot { vmi, boot, what } => self.milestone_reached(now, vmi, boot, what),
            Happening::Guest { vmi, boot, what } => {
                let current = self.guests.get(&vmi).is_some_and(|g| g.boot == boot);
                if current {
                    self.in_guest(now, vmi, what);
                }
            }
            Happening::Button { vmi } => {
                if self.guests.get(&vmi).is_some_and(|g| g.kernel != Kernel::Off) {
                    self.power_button(now, vmi);
                }
            }
            Happening::Fault { vmi, step, fault, seen_after } => self.fault(now, vmi, step, &fault, seen_after),
            Happening::Connect => {
                if let Some(traffic) = &self.spec.traffic {
                    self.queue.push(now + traffic.every.0, Happening::Connect);
                }
                return Some((now, Input::Connection { at: now, outcome: self.connection() }));
            }
        }
        None
    }

    fn execute(&mut self, now: Time, command: Command) {
        let Command { vmi, what } = command;
        match what {
            Request::Cluster(command) => self.obey(now, vmi, command),
            Request::Verify => {
                if let Some(guest) = self.guests.get_mut(&vmi) {
                    guest.verifying = true;
                }
                self.verify(now, vmi);
            }
            Request::Inject { step, fault } => {
                let (effect, seen) = match fault.kind().takes_a_while() {
                    true => self.timings.fault,
                    false => (Duration::ZERO, self.timings.answer),
                };
                let seen_after = seen.saturating_sub(effect);
                if effect.is_zero() {
                    self.fault(now, vmi, step, &fault, seen_after);
                } else {
                    self.queue.push(now + effect, Happening::Fault { vmi, step, fault, seen_after });
                }
            }
            Request::Mend { step, fault } => self.mend_outside(vmi, step, &fault),
            Request::Discard => {
                self.guests.remove(&vmi);
            }
        }
    }
}

impl Model {
    /// A world in which nothing runs yet.
    pub fn new(vmi: &VmiSpec, spec: &Spec, timings: Timings) -> Self {
        let mut queue = Queue::default();
        if let Some(traffic) = &spec.traffic {
            queue.push(Time::ZERO + traffic.every.0, Happening::Connect);
        }
        Model {
            timings,
            spec: Arc::new(spec.clone()),
            vmi: Arc::new(vmi.clone()),
            guests: BTreeMap::new(),
            endpoint: None,
            queue,
            shared: None,
            bad_boots: BadBoots::default(),
        }
    }

    fn obey(&mut self, now: Time, vmi: u32, command: VmiCommand) {
        match command {
            VmiCommand::StartDomain { paused } => {
                let petting = self.spec.guest.petting();
                let model = self.vmi.watchdog_in_guest(petting.and_then(|p| p.device));
                self.guests.insert(vmi, Guest::new(&self.spec.guest, model, now));
                self.tell_domain(now, vmi, DomainEvent::Started);
                self.power_on(now, vmi);
                if paused {
                    self.pause(now, vmi);
                }
            }
            VmiCommand::Probe { kind, request, timeout } => {
                if let Some(guest) = self.guests.get_mut(&vmi) {
                    if request == ProbeRequest::Ping {
                        guest.pinged.insert(kind);
                    } else {
                        guest.pinged.remove(&kind);
                    }
                }
                let (length, attempt) = match (request, self.guests.get(&vmi)) {
                    (ProbeRequest::Answer { after, attempt }, _) => (after, attempt),
                    (request, Some(guest)) => guest.probe(&request, timeout, self.timings.answer),
                    // A VMI without a guest is not asked for more than that.
                    (_, None) => return,
                };
                self.tell(now + length, vmi, VmiInput::Probe { kind, attempt });
            }
            VmiCommand::AskToShutDown => self.ask_to_shut_down(now, vmi),
            VmiCommand::Destroy | VmiCommand::Reap => {
                self.tell_domain(now, vmi, DomainEvent::Shutdown { reason: ShutdownCause::HostSignal });
                self.exit(now, vmi, Exit::Status(0));
            }
            VmiCommand::Pause => self.pause(now, vmi),
            VmiCommand::Resume => self.resume(now, vmi),
            VmiCommand::Endpoint { ready } => self.endpoint = ready.then_some(vmi),
        }
    }

    fn fault(&mut self, now: Time, vmi: u32, step: usize, fault: &Fault, seen_after: Duration) {
        let there = self.guests.get(&vmi).is_some_and(|g| g.kernel != Kernel::Off);
        let refused = there.then(|| self.refused(vmi, fault)).flatten();
        let (at, news) = match (there, refused) {
            (true, None) => (now + seen_after, FaultNews::Confirmed("model".into())),
            (true, Some(why)) => (now, FaultNews::Failed(why.into())),
            (false, _) => (now, FaultNews::NoGuest),
        };
        if matches!(news, FaultNews::Confirmed(_)) {
            self.inject(now, vmi, step, fault);
        }
        self.queue.push(at, Happening::Tell(Input::Fault { step, news }));
    }

    fn tell(&mut self, at: Time, vmi: u32, what: VmiInput) {
        self.queue.push(at, Happening::Tell(what.of(vmi)));
    }

    fn tell_domain(&mut self, at: Time, vmi: u32, event: DomainEvent) {
        self.tell(at, vmi, VmiInput::Domain { at, event });
    }

    /// A process that has exited has no guest any more.
    fn before_telling(&mut self, input: &Input) {
        if let Input::Of { vmi, what: VmiInput::Domain { event: DomainEvent::Exited(_), .. } } = input {
            self.guests.remove(vmi);
        }
    }

    fn exit(&mut self, now: Time, vmi: u32, exit: Exit) {
        if let Some(guest) = self.guests.get_mut(&vmi) {
            guest.kernel = Kernel::Off;
            guest.watchdog = None;
        }
        self.tell_domain(now, vmi, DomainEvent::Exited(exit));
    }

    fn later(&mut self, now: Time, after: Duration, vmi: u32, what: InGuest) {
        if let Some(boot) = self.guests.get(&vmi).map(|g| g.boot) {
            self.queue.push(now + after, Happening::Guest { vmi, boot, what });
        }
    }

    fn in_guest(&mut self, now: Time, vmi: u32, what: InGuest) {
        let t = self.timings;
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        let goes_on = match what {
            InGuest::PanicTimer => guest.kernel == Kernel::Panicked,
            _ => matches!(guest.kernel, Kernel::Booting | Kernel::Up | Kernel::GoingDown),
        };
        if !goes_on {
            return;
        }
        // Guest time stands still: what was due in so long is still due in so long when it goes on.
        if let Some(since) = guest.paused_at {
            guest.deferred.push((now.since(since), what));
            return;
        }
        match what {
            InGuest::AgentUp => {
                guest.kernel = Kernel::Up;
                guest.agent = true;
                self.tell_domain(now, vmi, DomainEvent::AgentPort { open: true });
            }
            InGuest::AgentClosed => {
                guest.health = false;
                if std::mem::take(&mut guest.agent) {
                    self.tell_domain(now, vmi, DomainEvent::AgentPort { open: false });
                }
            }
            InGuest::HealthUp => guest.health = true,
            InGuest::PetterUp | InGuest::KeepaliveUp => {
                let keepalive = what == InGuest::KeepaliveUp;
                guest.holder = if keepalive { WatchdogHolder::Keepalive } else { WatchdogHolder::Petter };
                guest.open_watchdog(now);
                // Whoever held it before pets no more.
                guest.owes_a_pet = false;
                self.queue.take(|happening| steady::is_pet(happening, vmi, guest).then_some(()));
                let next_pet = guest.pet_interval(t.pet_interval);
                self.watch_device(vmi);
                self.later(now, next_pet, vmi, InGuest::Pet);
                if keepalive {
                    let name = "wd_keepalive".to_owned();
                    self.tell(now, vmi, VmiInput::WatchdogHolder { name });
                }
            }
            InGuest::Pet => {
                if guest.petting() && guest.is_starved() {
                    guest.owes_a_pet = true;
                } else if guest.petting() {
                    if let Some(watchdog) = &mut guest.watchdog {
                        watchdog.write(now, b"\0");
                    }
                    let next_pet = guest.pet_interval(t.pet_interval);
                    self.watch_device(vmi);
                    self.later(now, next_pet, vmi, InGuest::Pet);
                }
            }
            InGuest::Settled => self.verify(now, vmi),
            InGuest::Panic => self.panic(now, vmi),
            InGuest::RebootsAgain => self.reset(now, vmi),
            InGuest::PanicTimer => self.reset(now, vmi),
            InGuest::Over(kind) => self.mend(now, vmi, kind),
            InGuest::PortBack(port) => {
                if let Some(at) = guest.dropped.iter().position(|dropped| *dropped == port) {
                    guest.dropped.remove(at);
                }
            }
            // What is frozen still, nobody can thaw any more, nor unmount (qemu-watchdog.md 9).
            InGuest::PowerOff if guest.is_broken(FaultKind::FsFreeze) => {}
            InGuest::PowerOff => {
                guest.kernel = Kernel::Off;
                guest.watchdog = None;
                self.tell_domain(now, vmi, DomainEvent::Shutdown { reason: ShutdownCause::GuestShutdown });
                self.tell_domain(now, vmi, DomainEvent::Stop);
            }
        }
    }

    fn verify(&mut self, now: Time, vmi: u32) {
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        if guest.verifying && guest.is_as_profiled() {
            guest.verifying = false;
            let report = GuestReport { boot_id: format!("model-{vmi}-{}", guest.boot), facts: Vec::new() };
            self.tell(now, vmi, VmiInput::GuestReady(report));
        } else if guest.verifying {
            self.later(now, self.timings.pet_interval, vmi, InGuest::Settled);
        }
    }

    fn watch_device(&mut self, vmi: u32) {
        if let Some(guest) = self.guests.get_mut(&vmi) {
            guest.watched = guest.watchdog.as_ref().and_then(LinuxWatchdog::next_wakeup);
        }
    }

    /// The device that has something to do first, and when. Of one moment it comes first, whatever was due then for how long.
    fn next_device(&self) -> Option<(Time, u32)> {
        self.guests.iter().filter_map(|(vmi, guest)| Some((guest.watched?, *vmi))).min()
    }

    fn device(&mut self, now: Time, vmi: u32) {
        let action = self.vmi.watchdog_action();
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        guest.watched = None;
        let Some(watchdog) = &mut guest.watchdog else { return };
        // It may stand still, or have been reset: then this wake-up is too early, and nothing expires.
        if watchdog.expire(now, action) {
            self.fire(now, vmi);
        } else {
            self.watch_device(vmi);
        }
    }

    /// qemu-watchdog.md 16.2.
    fn fire(&mut self, now: Time, vmi: u32) {
        let action = self.vmi.watchdog_action();
        self.tell_domain(now, vmi, DomainEvent::Watchdog(action));
        match action {
            WatchdogAction::Poweroff => self.exit(now, vmi, Exit::Status(0)),
            WatchdogAction::Reset => self.reset(now, vmi),
            WatchdogAction::Shutdown => self.power_button(now, vmi),
            WatchdogAction::Pause => self.pause(now, vmi),
            WatchdogAction::None => {}
        }
    }

    fn reset(&mut self, now: Time, vmi: u32) {
        let reason = ShutdownCause::GuestReset;
        if self.guests.get(&vmi).is_some_and(|g| g.agent) {
            self.tell_domain(now, vmi, DomainEvent::AgentPort { open: false });
        }
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        if self.vmi.reboot_policy == RebootPolicy::Terminate {
            guest.kernel = Kernel::Off;
            guest.watchdog = None;
            self.tell_domain(now, vmi, DomainEvent::Shutdown { reason });
            self.tell_domain(now, vmi, DomainEvent::Stop);
            return;
        }
        guest.reset(now);
        self.tell_domain(now, vmi, DomainEvent::Reset { reason });
        self.power_on(now, vmi);
    }

    fn pause(&mut self, now: Time, vmi: u32) {
        let Some(guest) = self.guests.get_mut(&vmi).filter(|g| g.paused_at.is_none()) else { return };
        guest.paused_at = Some(now);
        if let Some(watchdog) = &mut guest.watchdog {
            watchdog.freeze(now);
        }
        self.tell_domain(now, vmi, DomainEvent::Stop);
    }

    fn resume(&mut self, now: Time, vmi: u32) {
        let failed = self.failed_write(vmi);
        let Some(guest) = self.guests.get_mut(&vmi).filter(|g| g.paused_at.is_some()) else { return };
        if let Some(failed) = failed {
            // The first thing that QEMU does is what failed before.
            for event in [DomainEvent::Resume, failed, DomainEvent::Stop] {
                self.tell_domain(now, vmi, event);
            }
            return;
        }
        guest.paused_at = None;
        if let Some(watchdog) = &mut guest.watchdog {
            watchdog.thaw(now);
        }
        for (after, what) in std::mem::take(&mut guest.deferred) {
            self.go_on(now, after, vmi, what);
        }
        self.answer_pings(now, vmi);
        self.tell_domain(now, vmi, DomainEvent::Resume);
        self.watch_device(vmi);
    }

    /// Pings that a paused guest has not answered yet are answered when it goes on.
    fn answer_pings(&mut self, now: Time, vmi: u32) {
        let Some(guest) = self.guests.get(&vmi) else { return };
        let ping = |what: &VmiInput| match what {
            VmiInput::Probe { kind, .. } if guest.pinged.contains(kind) => Some(*kind),
            _ => None,
        };
        let waiting = self.queue.take(|happening| match happening {
            Happening::Tell(Input::Of { vmi: of, what }) if *of == vmi => ping(what),
            _ => None,
        });
        for (_, kind) in waiting {
            let attempt = Attempt { verdict: Verdict::Success, text: String::new() };
            self.tell(now + self.timings.answer, vmi, VmiInput::Probe { kind, attempt });
        }
    }

    fn inject(&mut self, now: Time, vmi: u32, step: usize, fault: &Fault) {
        let t = self.timings;
        let Some(guest) = self.guests.get_mut(&vmi) else { return };
        match fault {
            Fault::KernelPanic => self.panic(now, vmi),
            Fault::KillWatchdog => self.kill_watchdog(now, vmi),
            Fault::StopWatchdog => guest.holder = WatchdogHolder::StoppedDaemon,
            Fault::KillAgent => self.bounce_agent(now, vmi, t.agent_restart),
            Fault::StopAgent { lasting } => self.bounce_agent(now, vmi, lasting.0),
            Fault::Health(Health::Stop) => guest.health = false,
            Fault::Health(Health::Start) => guest.health = true,
            Fault::Health(other) => guest.behaviour = other.clone(),
            Fault::KillQemu | Fault::OomKill { of: OomVictim::Container } => self.exit(now, vmi, Exit::Signal(9)),
            Fault::KillLauncher => {
                self.tell_domain(now, vmi, DomainEvent::Shutdown { reason: ShutdownCause::HostSignal });
                self.exit(now, vmi, Exit::Status(0));
            }
            Fault::NetworkLoss { .. } | Fault::IoError { .. } | Fault::NodeLost { .. } => {
                self.break_outside(now, vmi, step, fault)
            }
            Fault::SlowBoot { .. } | Fault::BootLoop(_) => self.spoil_boots(fault),
            Fault::GuestPoweroff => self.shut_down(now, vmi),
            Fault::GuestReboot => self.reset(now, vmi),
            Fault::LongReboot(update) => {
                guest.update = Some(*update);
                self.reset(now, vmi);
            }
            Fault::PowerButton => self.power_button(now, vmi),
            inside => self.break_inside(now, vmi, inside),
        }
    }

    fn connection(&self) -> Connection {
        let Some(guest) = self.endpoint.map(|vmi| self.guests.get(&vmi)) else { return Connection::Refused };
        let port = self.spec.traffic.as_ref().map(|t| t.port);
        let answers = guest.is_some_and(|g| g.health && g.userspace_runs() && g.reachable() && !g.node_cut_off)
            && port.is_some_and(|p| guest.is_some_and(|g| g.serves(p)) && self.vmi.forwards(p))
            && guest.is_some_and(|g| port.is_none_or(|p| !g.dropped.contains(&p)))
            && guest.is_some_and(|g| g.late_by(HTTP_CROSSINGS) < CLIENT_LIMIT && !g.is_broken(FaultKind::ForkBomb));
        if answers { Connection::Delivered } else { Connection::Lost }
    }
}

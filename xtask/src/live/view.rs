//! What a watcher sees now, reduced from what was seen so far. Pure: it is told the time.

use super::countdown::{Countdown, Petting};
use super::keys::Key;
use super::probe_lane::ProbeLane;
use crate::report::plain;
use std::collections::VecDeque;
use std::time::Duration;
use vmhealth_guests::reality::Control;
use vmhealth_sim::concern::Concern;
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::kubelet::ProbeKind;
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Connection, DomainEvent, Entry, Event, Outage, Phase, VmiReason};

/// Events that are kept.
const KEPT: usize = 200;
/// Lines of a console that are shown at most.
pub(super) const CONSOLE_LINES: usize = 60;
/// How fast guest time can be made to go; after the last, as fast as can be.
const PACES: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// So many faults may be asked for by keys in one run.
const MOST_FAULTS: usize = 50;

/// The VM as its watcher sees it.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) now: Time,
    pub(super) vm_status: String,
    pub(super) vmi: u32,
    pub(super) created: Time,
    pub(super) phase: Option<Phase>,
    pub(super) ready: String,
    pub(super) guest: &'static str,
    pub(super) probes: Vec<ProbeLane>,
    pub(super) watchdog: Option<Countdown>,
    /// In the endpoints.
    pub(super) endpoint: bool,
    pub(super) traffic: Option<(Time, Connection)>,
    /// The fault that begun last and is not over, and since when.
    pub(super) fault: Option<(Time, FaultKind, &'static str)>,
    pub(super) events: VecDeque<String>,
    pub(super) console: Vec<String>,
    /// What can be broken by key.
    pub(super) faults: Vec<Concern>,
    /// The list is open, with the mark on this line.
    pub(super) list: Option<usize>,
    /// `None`: the host's time, which nobody can steer.
    pub(super) pace: Option<Pace>,
    pub(super) quitting: bool,
    asked: usize,
}

/// How guest time goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    pub(super) held: bool,
    /// In a second of the host's; `None`: as much as can.
    pub(super) speed: Option<f64>,
}

/// What a key comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    Nothing,
    OfRun(Control),
    /// The run is to be broken off, as by Ctrl-C.
    Interrupt,
}

impl View {
    /// Before anything has happened. `watchdog_s` as in `About`; `pace`: guest time is steered, and goes so fast.
    pub(super) fn new(vm: &VirtualMachine, watchdog_s: Option<f64>, faults: Vec<Concern>, pace: Option<Pace>) -> View {
        let lane = |name, probe: &Option<_>| probe.as_ref().map(|probe| ProbeLane::new(name, probe));
        let probes = [lane("readiness", &vm.vmi.readiness), lane("liveness", &vm.vmi.liveness)];
        View {
            name: plain(&format!("{}/{}", vm.namespace, vm.name)),
            now: Time::ZERO,
            vm_status: String::new(),
            vmi: 0,
            created: Time::ZERO,
            phase: None,
            ready: String::new(),
            guest: "",
            probes: probes.into_iter().flatten().collect(),
            watchdog: watchdog_s.map(|s| Countdown::new(Duration::from_secs_f64(s))),
            endpoint: false,
            traffic: None,
            fault: None,
            events: VecDeque::new(),
            console: Vec::new(),
            faults,
            list: None,
            pace,
            quitting: false,
            asked: 0,
        }
    }

    /// Takes an entry of the trace.
    pub(super) fn take(&mut self, entry: &Entry) {
        self.now = self.now.max(entry.at);
        match &entry.event {
            Event::VmStatus(status) => self.vm_status = status.to_string(),
            Event::VmiEvent(VmiReason::SuccessfulCreate) => self.created = entry.at,
            Event::Phase(phase) => self.phase(*phase, entry),
            Event::Ready(ready) => self.ready = ready.to_string(),
            Event::Attempt(kind, _) => self.probe(*kind, |lane| lane.under_way = true),
            Event::Answered(kind, answer) => self.probe(*kind, |lane| lane.answered(*answer)),
            Event::Published(kind, result) => self.probe(*kind, |lane| lane.result = Some(*result)),
            Event::Endpoint(there) => self.endpoint = *there,
            Event::Traffic(outcome) => self.traffic = Some((entry.at, *outcome)),
            Event::Qemu(event) => self.qemu(event),
            Event::GuestReady => {
                self.guest = "ready";
                self.petted_by("the daemon");
            }
            Event::GuestNotReady => self.guest = "not as its profile says",
            Event::WatchdogHolder(name) if name == "nobody" => self.count_down(entry.at),
            Event::WatchdogHolder(name) => self.petted_by(name),
            Event::FaultBegun(kind) => self.fault = Some((entry.at, *kind, "begun")),
            Event::FaultConfirmed(kind) => self.confirmed(*kind, entry.at),
            Event::FaultFailed(kind) => self.fault = Some((entry.at, *kind, "could not be injected")),
            Event::FaultOver(Outage(kind)) => self.fault = Some((entry.at, *kind, "over")),
            _ => {}
        }
        if !matches!(entry.event, Event::Attempt(..) | Event::Answered(..)) {
            let detail = if entry.detail.is_empty() { String::new() } else { format!("  {}", entry.detail) };
            self.line(&format!("{:8.1}  {}{detail}", entry.at.as_secs_f64(), entry.event));
        }
    }

    /// A line for who waits.
    pub(super) fn line(&mut self, line: &str) {
        self.events.push_back(plain(line));
        if self.events.len() > KEPT {
            self.events.pop_front();
        }
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: Key) -> Asked {
        match (key, self.list) {
            (Key::Interrupt, _) => return Asked::Interrupt,
            (Key::Quit, _) if self.quitting => return Asked::Interrupt,
            (Key::Quit, _) => {
                self.quitting = true;
                return Asked::OfRun(Control::End);
            }
            (Key::List, None) if !self.faults.is_empty() => self.list = Some(0),
            (Key::List | Key::Back, _) => self.list = None,
            (Key::Up, Some(mark)) => self.list = Some(mark.saturating_sub(1)),
            (Key::Down, Some(mark)) => self.list = Some((mark + 1).min(self.faults.len().saturating_sub(1))),
            (Key::Choose, Some(mark)) => return self.breaks(mark),
            (Key::Pick(line), Some(_)) => return self.breaks(line),
            (Key::Hold, _) => return self.steer(|pace| pace.held = !pace.held, |pace| Control::Hold(pace.held)),
            (Key::Faster, _) => return self.steer(faster, |pace| Control::Pace(pace.speed)),
            (Key::Slower, _) => return self.steer(slower, |pace| Control::Pace(pace.speed)),
            _ => {}
        }
        Asked::Nothing
    }

    fn breaks(&mut self, line: usize) -> Asked {
        let Some(fault) = self.faults.get(line).map(|concern| concern.fault.clone()) else { return Asked::Nothing };
        self.list = None;
        if self.asked == MOST_FAULTS {
            self.line(&format!("          {MOST_FAULTS} faults by key are the most that one run has"));
            return Asked::Nothing;
        }
        self.asked += 1;
        Asked::OfRun(Control::Break(fault))
    }

    fn steer(&mut self, change: impl Fn(&mut Pace), control: impl Fn(&Pace) -> Control) -> Asked {
        let Some(pace) = &mut self.pace else { return Asked::Nothing };
        change(pace);
        Asked::OfRun(control(pace))
    }

    fn phase(&mut self, phase: Phase, entry: &Entry) {
        if entry.vmi != self.vmi {
            (self.vmi, self.created) = (entry.vmi, entry.at);
            self.probes.iter_mut().for_each(ProbeLane::begin_anew);
        }
        self.phase = Some(phase);
        if phase.is_final() {
            self.probes.iter_mut().for_each(|lane| lane.under_way = false);
            self.guest = "gone";
            self.disarm();
        }
    }

    fn probe(&mut self, kind: ProbeKind, change: impl Fn(&mut ProbeLane)) {
        let name = if kind == ProbeKind::Readiness { "readiness" } else { "liveness" };
        self.probes.iter_mut().filter(|lane| lane.name == name).for_each(change);
    }

    fn qemu(&mut self, event: &DomainEvent) {
        self.guest = match event {
            DomainEvent::Started | DomainEvent::Reset { .. } => "boots",
            DomainEvent::Panicked { .. } => "panicked",
            // It asks nobody who would hear it.
            DomainEvent::Powerdown if self.guest == "panicked" => return,
            DomainEvent::Powerdown | DomainEvent::Shutdown { .. } => "shuts down",
            DomainEvent::Stop => "stopped",
            DomainEvent::Resume => "runs on",
            DomainEvent::Exited(_) => "gone",
            DomainEvent::Watchdog(_) => {
                self.watchdog.iter_mut().for_each(|dog| dog.state = Petting::Fired);
                return;
            }
            _ => return,
        };
        if matches!(event, DomainEvent::Started | DomainEvent::Reset { .. } | DomainEvent::Exited(_)) {
            self.disarm();
        }
    }

    fn confirmed(&mut self, kind: FaultKind, at: Time) {
        match kind {
            FaultKind::KernelPanic => {
                self.guest = "panicked";
                self.count_down(at);
            }
            FaultKind::KernelHang => {
                self.guest = "hangs";
                self.count_down(at);
            }
            FaultKind::StopWatchdog => self.count_down(at),
            _ => {}
        }
        if let Some((_, fault, how)) = &mut self.fault
            && *fault == kind
        {
            *how = "confirmed";
        }
    }

    /// The last write was at most an interval before the fault.
    fn count_down(&mut self, at: Time) {
        let stops_pets = |kind: &FaultKind| {
            matches!(
                kind,
                FaultKind::KernelPanic
                    | FaultKind::KernelHang
                    | FaultKind::KillWatchdog
                    | FaultKind::StopWatchdog
                    | FaultKind::OomKill
            )
        };
        let begun = self.fault.as_ref().filter(|(_, kind, how)| stops_pets(kind) && *how != "over");
        let last = begun.map_or(at, |(begun, ..)| *begun);
        self.watchdog.iter_mut().for_each(|dog| dog.count_down(last));
    }

    fn petted_by(&mut self, who: &str) {
        self.watchdog.iter_mut().for_each(|dog| dog.state = Petting::By(plain(who)));
    }

    fn disarm(&mut self) {
        // That it has fired is worth seeing until another guest has it.
        let stays = |dog: &&mut Countdown| dog.state != Petting::Fired || self.guest == "boots";
        self.watchdog.iter_mut().filter(stays).for_each(|dog| dog.state = Petting::NotArmed);
    }
}

fn faster(pace: &mut Pace) {
    pace.speed = pace.speed.and_then(|speed| PACES.into_iter().find(|p| *p > speed));
}

fn slower(pace: &mut Pace) {
    let speed = pace.speed.unwrap_or(f64::MAX);
    pace.speed = Some(PACES.into_iter().rev().find(|p| *p < speed).unwrap_or(PACES[0]));
}

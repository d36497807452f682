//! What is said of an episode: plain words, each with its number and the manifest's place.

use super::episode::{Episode, Flip, Notice, Returned};
use super::shape::{Explanation, Section};
use crate::cluster::is_replaced;
use crate::fault::{Fault, FaultKind, Health};
use crate::kubelet::ProbeKind;
use crate::manifest::{PodProbe, Probe, VirtualMachine};
use crate::scenario::{Alive, Spec};
use crate::time::Time;
use crate::trace::{
    Answer, DomainEvent, Entry, Event, NotReady, Outage, Ready, Request, ShutdownCause, VmReason, VmiReason,
};
use std::time::Duration;

/// `12.3 s`
pub(super) fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

/// `1 attempt`, `2 attempts`
pub(super) fn counted(number: impl Into<u64>, thing: &str) -> String {
    match number.into() {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

/// The manifest's field of a probe.
pub(super) fn field(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Readiness => "readinessProbe",
        ProbeKind::Liveness => "livenessProbe",
    }
}

/// The probe of this kind that a VM has.
pub(super) fn probe(vm: &VirtualMachine, kind: ProbeKind) -> Option<&Probe> {
    match kind {
        ProbeKind::Readiness => vm.vmi.readiness.as_ref(),
        ProbeKind::Liveness => vm.vmi.liveness.as_ref(),
    }
}

/// ` (vm.yaml:14:9)`, or nothing.
pub(super) fn at(vm: &VirtualMachine, field: &str) -> String {
    vm.places.find(field).map_or(String::new(), |place| format!(" ({place})"))
}

/// The place of a field, or that its default counts.
fn threshold(vm: &VirtualMachine, kind: ProbeKind, number: u32) -> String {
    let name = format!("{}.failureThreshold", field(kind));
    match vm.places.find(&name) {
        Some(place) => format!("failureThreshold {number} ({place})"),
        None => format!("failureThreshold {number}, the default"),
    }
}

/// The answer in a sentence, of a run that ended then.
pub(super) fn headline(episode: &Episode<'_>, end: Time) -> String {
    let since = |t: Time| seconds(t.since(episode.at));
    let first = match episode.noticed() {
        None => "nobody noticed".to_owned(),
        Some((at, notice)) => format!("{} noticed first, after {}", who(&notice), since(at)),
    };
    let back = match (episode.returned, episode.cut_short) {
        (Returned::StayedReady, _) => "the VM stayed Ready".to_owned(),
        (Returned::At(at), _) => format!("the VM is back after {}", since(at)),
        (Returned::No, true) => "the VM was not back when the next fault came".to_owned(),
        (Returned::No, false) => format!("the VM was NOT back when the run ended, {} after it", since(end)),
    };
    format!("{} at {} s{}: {first}; {back}", what(episode.fault), episode.at, episode.before_it)
}

/// The fault, with what it did to the health server.
fn what(fault: &Fault) -> String {
    let Fault::Health(health) = fault else { return fault.kind().to_string() };
    match health {
        Health::Status(status) => format!("health status {status}"),
        Health::Redirect(to) => format!("health redirect {to}"),
        Health::Hang => "health hang".to_owned(),
        Health::Slow(span) => format!("health slow {}", seconds(span.0)),
        Health::Stop => "health stop".to_owned(),
        Health::Start => "health start".to_owned(),
    }
}

/// Who that is.
pub(super) fn who(notice: &Notice) -> &'static str {
    match notice {
        Notice::Probe(ProbeKind::Readiness, _) => "readiness",
        Notice::Probe(ProbeKind::Liveness, _) => "liveness",
        Notice::Watchdog => "the watchdog",
        Notice::Panic => "QEMU",
        Notice::NodeLost => "the node controller",
        Notice::IoError | Notice::PowerOff | Notice::QemuGone => "KubeVirt",
    }
}

/// Who noticed first and why then, and who noticed later.
pub(super) fn noticed(vm: &VirtualMachine, spec: &Spec, episode: &Episode<'_>) -> Vec<String> {
    let describe = |notice: &Notice| match notice {
        Notice::Probe(kind, flip) => flipped(vm, episode, *kind, flip),
        Notice::Watchdog => watchdog(vm, spec),
        Notice::Panic if vm.vmi.panic_device => {
            format!("QEMU: the panic device{} tells it of a panic at once", at(vm, "domain.devices.panicDevices"))
        }
        Notice::Panic => "QEMU: a panicked kernel on s390x stops its CPU, which QEMU sees at once".to_owned(),
        Notice::IoError => "KubeVirt: a write to a disk failed, and QEMU stopped the guest".to_owned(),
        Notice::NodeLost => "Kubernetes' node controller: no heartbeat of the node for 50 s".to_owned(),
        Notice::PowerOff => "KubeVirt: the guest powered itself off".to_owned(),
        Notice::QemuGone => "KubeVirt: the QEMU process is gone".to_owned(),
    };
    let Some((_, first)) = episode.noticed() else { return Vec::new() };
    let later = episode.noticed_later().into_iter();
    let later = later.map(|(at, n)| format!("then, after {}: {}", seconds(at.since(episode.at)), describe(&n)));
    [describe(&first)].into_iter().chain(later).collect()
}

fn flipped(vm: &VirtualMachine, episode: &Episode<'_>, kind: ProbeKind, flip: &Flip) -> String {
    let name = field(kind);
    let place = at(vm, name);
    let Some(timings) = probe(vm, kind).map(|p| PodProbe::from(p).timings) else {
        return format!("{name}{place} failed");
    };
    let (first, before) = flip.split(episode.at);
    let count = flip.begun.len();
    let times: Vec<String> = flip.begun.iter().skip(before).map(|t| seconds(t.since(episode.at))).collect();
    let mut text = format!(
        "{name}{place}: {} in a row, which is {}",
        counted(count as u64, "failed attempt"),
        threshold(vm, kind, timings.failure_threshold)
    );
    if before > 0 {
        text += &format!("; {before} of them failed before the fault");
    }
    if first.is_some() {
        text += &format!("; begun {} after the fault, periodSeconds is {}", times.join(", "), timings.period);
    }
    if !flip.text.is_empty() {
        text += &format!(": {:?}", flip.text);
    }
    text
}

fn watchdog(vm: &VirtualMachine, spec: &Spec) -> String {
    let place = at(vm, "domain.devices.watchdog");
    let model = vm.vmi.watchdog_in_guest(None).map_or("watchdog", |m| m.as_str());
    let action = vm.vmi.watchdog_action();
    let told = spec.guest.petting().map(|p| u64::from(p.heartbeat_seconds));
    let heartbeat = told.or(vm.vmi.user_data.heartbeat.map(|h| h.as_secs()));
    let why = match heartbeat {
        Some(heartbeat) => format!("nobody had petted it for its timeout of {heartbeat} s"),
        None => "nobody had petted it for its timeout".to_owned(),
    };
    format!("the watchdog {model}{place}: {why}; its action is {action}")
}

/// What was done about it, in its order.
pub(super) fn done(vm: &VirtualMachine, episode: &Episode<'_>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut say = |line: String| {
        if !lines.contains(&line) && lines.len() < MOST_LINES {
            lines.push(line);
        }
    };
    let (mut stopped, mut ended, mut asked) = (false, None, asked_before(episode.before));
    let mut is_lost = matches!(episode.fault, Fault::NodeLost { .. });
    for entry in episode.after {
        match &entry.event {
            Event::Endpoint(false) => say("taken out of the endpoints: clients of a Service go elsewhere".into()),
            Event::Qemu(DomainEvent::IoError | DomainEvent::NoSpace) => say(match episode.resumes() {
                0 => "QEMU stopped the guest, and virt-handler did not let it go on".to_owned(),
                n => format!("QEMU stopped the guest; virt-handler let it go on {}", counted(n as u64, "time")),
            }),
            Event::Ready(Ready::NodeLost) => {
                say("the VM is not Ready, and nothing else happens: nobody knows whether its guest still runs".into());
            }
            Event::Ready(Ready::False(NotReady::PodTerminating)) if !stopped && is_lost => {
                say("its pod was deleted, and goes only when its node says so, or somebody who knows that it is gone"
                    .into());
            }
            Event::FaultOver(Outage(FaultKind::NodeLost)) => {
                is_lost = false;
                say("the node came back".into());
            }
            Event::User(Request::RestartKubelet, Answer::Accepted) => {
                say("the kubelet started anew: what its probes had counted is forgotten".into());
            }
            Event::User(request, Answer::Accepted) => {
                if matches!(request, Request::Start | Request::Restart) {
                    asked = Some(*request);
                }
                // A start is told where it makes a VMI.
                if *request != Request::Start {
                    say(format!("a user asked for {request}"));
                }
            }
            Event::Killing => {
                stopped = true;
                let grace = vm.vmi.grace.seconds;
                let place = at(vm, "terminationGracePeriodSeconds");
                say(format!(
                    "the kubelet told the VM to stop; terminationGracePeriodSeconds gives it {grace} s{place}"
                ));
            }
            Event::Qemu(DomainEvent::Shutdown { reason: ShutdownCause::GuestShutdown }) if stopped => {
                say("the guest shut down in order".into());
            }
            Event::VmiEvent(VmiReason::Deleted)
                if stopped && entry.detail.contains("VirtualMachineInstance stopping") =>
            {
                say("the guest did not obey: destroyed when its grace period was over".into());
            }
            Event::Qemu(DomainEvent::Reset { .. }) => {
                say("the guest was reset in place: Kubernetes sees nothing of it".into());
            }
            Event::Phase(phase) if phase.is_final() => {
                ended = Some(*phase);
                say(format!("VMI {} is {phase}", entry.vmi));
            }
            Event::VmEvent(VmReason::SuccessfulCreate) => {
                ended = None;
                say(match asked.take() {
                    Some(request) => format!("a user's {request} made VMI {}", entry.vmi),
                    None => format!("runStrategy {} made VMI {}", vm.run_strategy, entry.vmi),
                });
            }
            _ => {}
        }
    }
    // One that is replaced may have ended too late for its successor to be seen.
    if let Some(phase) = ended.filter(|phase| !episode.cut_short && !is_replaced(vm.run_strategy, *phase)) {
        say(format!("no new VMI: runStrategy {} does not replace one that is {phase}", vm.run_strategy));
    }
    lines
}

/// What a user asked for that is to make a VMI, and has not made it yet.
fn asked_before(before: &[Entry]) -> Option<Request> {
    let last = before.iter().rev().find_map(|e| match &e.event {
        Event::VmEvent(VmReason::SuccessfulCreate) => Some(None),
        Event::User(request @ (Request::Start | Request::Restart), Answer::Accepted) => Some(Some(*request)),
        _ => None,
    });
    last.flatten()
}

/// A VM that is restarted again and again would fill a page.
const MOST_LINES: usize = 10;

/// Each part with the time since the fault, and how long it took.
pub(super) fn took(episode: &Episode<'_>) -> Vec<String> {
    let mut before = episode.at;
    let parts = episode.parts();
    let left_out = parts.len().saturating_sub(MOST_LINES);
    let line = |(at, what): (Time, String)| {
        let took = at.since(before);
        before = at;
        format!("{:>7}  {what} (+{})", seconds(at.since(episode.at)), seconds(took))
    };
    let mut lines: Vec<String> = parts.into_iter().take(MOST_LINES).map(line).collect();
    if left_out > 0 {
        lines.push(format!("... and {left_out} more"));
    }
    lines
}

/// A run in which nothing was broken.
pub(super) fn unbroken(vm: &VirtualMachine, spec: &Spec, entries: &[Entry], end: Time) -> Explanation {
    let mut alive = Alive::new(&spec.steps, vm.vmi.liveness.is_some());
    let mut first = None;
    for entry in entries {
        alive.observe(entry);
        if alive.is_back() {
            first.get_or_insert(entry.at);
        }
    }
    let headline = match (first, alive.is_back()) {
        (Some(at), true) => format!("nothing was broken; the VM was Ready after {}", seconds(at.since_origin())),
        (Some(at), false) => format!("nothing was broken; the VM was Ready after {at} s, and is NOT at the end"),
        (None, _) => format!("nothing was broken; the VM never was Ready ({end} s)"),
    };
    let mut lines = Vec::new();
    for kind in [ProbeKind::Readiness, ProbeKind::Liveness] {
        let last = entries.iter().rev().find_map(|e| match e.event {
            Event::Answered(of, answer) if of == kind => Some((answer, e)),
            _ => None,
        });
        if let Some((answer, entry)) = last.filter(|_| !alive.is_back()) {
            let said = if entry.detail.is_empty() { String::new() } else { format!(": {:?}", entry.detail) };
            lines.push(format!("{}{}: the last answer was {answer:?}{said}", field(kind), at(vm, field(kind))));
        }
    }
    let kills = entries.iter().filter(|e| e.event == Event::Killing).count();
    if kills > 0 {
        lines.push(format!("the VM was stopped {}", counted(kills as u64, "time")));
    }
    let sections = match lines.is_empty() {
        true => Vec::new(),
        false => vec![Section { title: "seen".to_owned(), lines }],
    };
    Explanation { headline, sections, parts: Vec::new() }
}

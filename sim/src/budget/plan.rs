//! From a fault to its detection, to what is done about it, to the guest being back: a row for each fault and detector.

use super::assumptions::{Assumptions, Pets};
use super::detection::{Answer, Span, detection};
use crate::cluster::{Phase, is_replaced};
use crate::devices::fires_after;
use crate::manifest::{
    Destination, Handler, Petter, PodProbe, Probe, RebootPolicy, VirtualMachine, VmiSpec, WatchdogAction, WatchdogModel,
};
use serde::Serialize;
use std::time::Duration;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Break {
    /// The service is gone, its port closed.
    ServiceStopped,
    /// The service accepts and never answers.
    ServiceHangs,
    /// The guest agent is gone.
    AgentStopped,
    /// The watchdog daemon stands still.
    DaemonStopped,
    /// The kernel has panicked and spins.
    KernelPanic,
    /// The guest lives, and its network does not.
    NetworkLost,
}

impl Break {
    /// All of them.
    pub const ALL: [Break; 6] = [
        Break::ServiceStopped,
        Break::ServiceHangs,
        Break::AgentStopped,
        Break::DaemonStopped,
        Break::KernelPanic,
        Break::NetworkLost,
    ];

    /// Whether the guest still obeys a request to shut down.
    fn obeys(self) -> bool {
        self != Break::KernelPanic
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Break::ServiceStopped => "service-stopped",
            Break::ServiceHangs => "service-hangs",
            Break::AgentStopped => "agent-stopped",
            Break::DaemonStopped => "daemon-stopped",
            Break::KernelPanic => "kernel-panic",
            Break::NetworkLost => "network-lost",
        }
    }
}

/// Who notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detector {
    /// The readiness probe.
    Readiness,
    /// The liveness probe.
    Liveness,
    /// The watchdog device.
    Watchdog,
    /// The panic device.
    PanicDevice,
    /// QEMU, of a guest on s390x whose kernel has nothing left to do.
    DisabledWait,
    /// The guest's own `kernel.panic`.
    #[serde(rename = "kernel.panic")]
    PanicTimer,
}

impl Detector {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Detector::Readiness => "readiness",
            Detector::Liveness => "liveness",
            Detector::Watchdog => "watchdog",
            Detector::PanicDevice => "panic-device",
            Detector::DisabledWait => "disabled-wait",
            Detector::PanicTimer => "kernel.panic",
        }
    }
}

/// A fault as one detector meets it. All times count from the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What breaks.
    pub fault: Break,
    /// Who is to notice.
    pub detector: Detector,
    /// When it notices; `None`: never.
    pub detected: Option<Span>,
    /// When what it does has had its effect; `None`: never.
    pub acted: Option<Span>,
    /// What that is; why it never notices, where that is not the fault's nature; else empty.
    pub action: &'static str,
    /// When the guest answers again without anybody's help; `None`: never.
    pub back: Option<Span>,
}

/// The table of a manifest: every fault with every detector that it has.
pub fn rows(vm: &VirtualMachine, assumptions: &Assumptions) -> Vec<Row> {
    Break::ALL.into_iter().flat_map(|fault| of_fault(vm, assumptions, fault)).collect()
}

fn of_fault(vm: &VirtualMachine, assumptions: &Assumptions, fault: Break) -> Vec<Row> {
    let vmi = &vm.vmi;
    let mut rows = Vec::new();
    let has_no_daemon = assumptions.pets == Pets::Never || vmi.user_data.petter == Some(Petter::Systemd);
    if fault == Break::DaemonStopped && has_no_daemon {
        return rows;
    }
    let probes = [(Detector::Readiness, &vmi.readiness), (Detector::Liveness, &vmi.liveness)];
    for (detector, probe) in probes.into_iter().filter_map(|(detector, p)| Some((detector, p.as_ref()?))) {
        rows.push(match meets(vmi, probe, fault) {
            Meets::Broken(answer) => {
                let detected = detection(&PodProbe::from(probe), answer);
                if detector == Detector::Liveness {
                    liveness(vm, assumptions, fault, detected)
                } else {
                    let detected = Some(detected);
                    Row { fault, detector, detected, acted: detected, action: "out of the endpoints", back: None }
                }
            }
            Meets::Nothing(action) => Row { fault, detector, detected: None, acted: None, action, back: None },
        });
    }
    if let Some(model) = vmi.watchdog_in_guest(None) {
        rows.push(watchdog(vm, model, assumptions, fault));
    }
    if vmi.reports_panics() && fault == Break::KernelPanic {
        let at = Some(Span::exactly(Duration::ZERO));
        let back = recreated(vm, assumptions, at, Phase::Failed);
        let detector = if vmi.panic_device { Detector::PanicDevice } else { Detector::DisabledWait };
        let action = "destroyed, VMI Failed";
        rows.push(Row { fault, detector, detected: at, acted: at, action, back });
    }
    if fault == Break::KernelPanic {
        rows.extend(panic_timer(vm, assumptions));
    }
    rows
}

/// A panicked kernel that reboots by itself; on s390x it stops before it looks at `kernel.panic` (qemu-watchdog.md 7.2, 7.4).
fn panic_timer(vm: &VirtualMachine, assumptions: &Assumptions) -> Option<Row> {
    if assumptions.panic_timer == 0 || vm.vmi.architecture.reports_panics() {
        return None;
    }
    let waits = u64::try_from(assumptions.panic_timer).map_or(AT_ONCE, Duration::from_secs);
    let at = Some(Span::exactly(waits));
    let (action, back) = match vm.vmi.reboot_policy {
        RebootPolicy::Terminate => {
            ("ended by its own reboot, VMI Succeeded", recreated(vm, assumptions, at, Phase::Succeeded))
        }
        _ if liveness_acts_within(vm, waits + assumptions.boot) => (OWN_REBOOT_STOPPED, None),
        _ => ("reboots by itself, in the same VMI", at.map(|a| a.and(assumptions.boot))),
    };
    let (fault, detector) = (Break::KernelPanic, Detector::PanicTimer);
    Some(Row { fault, detector, detected: at, acted: at, action, back })
}

/// What a probe meets in a guest that is broken so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meets {
    /// A guest that answers otherwise than before.
    Broken(Answer),
    /// What it met before; says why, where that is not the fault's nature.
    Nothing(&'static str),
}

/// It finds the guest well.
const WELL: Meets = Meets::Nothing("");

fn meets(vmi: &VmiSpec, probe: &Probe, fault: Break) -> Meets {
    let http = matches!(probe.handler, Handler::HttpGet(_));
    match vmi.destination(&probe.handler) {
        Some(Ok(Destination::Elsewhere { .. })) => Meets::Nothing("it asks another host"),
        Some(Err(_) | Ok(Destination::NotForwarded { .. })) => {
            Meets::Nothing("it fails from the start: its port does not reach the guest")
        }
        Some(Ok(Destination::Guest { .. })) => match fault {
            Break::ServiceStopped => Meets::Broken(Answer::Refusal),
            // The kernel goes on accepting.
            Break::ServiceHangs if !http => WELL,
            Break::ServiceHangs | Break::KernelPanic | Break::NetworkLost => Meets::Broken(Answer::Silence),
            Break::AgentStopped | Break::DaemonStopped => WELL,
        },
        None if probe.handler == Handler::GuestAgentPing && vmi.agent_probes_paused => {
            Meets::Nothing("an annotation pauses it")
        }
        None => match (fault, &probe.handler) {
            (Break::AgentStopped, _) => Meets::Broken(Answer::Refusal),
            (Break::KernelPanic, _) => Meets::Broken(Answer::Silence),
            (Break::NetworkLost, _) => Meets::Nothing("it goes over the agent"),
            (_, Handler::Exec { .. }) => Meets::Nothing("it depends on its command"),
            _ => WELL,
        },
    }
}

/// Whether a probe fails on a guest that is well, because its port does not reach it.
pub(super) fn never_succeeds(vmi: &VmiSpec, probe: &Probe) -> bool {
    matches!(vmi.destination(&probe.handler), Some(Err(_) | Ok(Destination::NotForwarded { .. })))
}

/// Whether a probe fails on a guest that does not answer at all.
pub fn notices_silence(vmi: &VmiSpec, probe: &Probe) -> bool {
    matches!(meets(vmi, probe, Break::KernelPanic), Meets::Broken(_))
}

/// kubevirt-health.md 5.2: how a VMI ends that liveness stops.
fn liveness(vm: &VirtualMachine, assumptions: &Assumptions, fault: Break, detected: Span) -> Row {
    let grace = vm.vmi.grace.handler();
    let (takes, end, action) = match (vm.vmi.grace.is_zero(), fault.obeys() && assumptions.shutdown < grace) {
        (true, _) => (Duration::ZERO, Phase::Succeeded, "destroyed, VMI Succeeded"),
        (false, true) => (assumptions.shutdown, Phase::Succeeded, "shut down, VMI Succeeded"),
        (false, false) if !vm.vmi.architecture.has_acpi() => {
            (grace, Phase::Succeeded, "destroyed after the grace period, VMI Succeeded")
        }
        (false, false) => (grace, Phase::Failed, "destroyed after the grace period, VMI Failed"),
    };
    let acted = Some(detected.and(takes));
    let back = recreated(vm, assumptions, acted, end);
    Row { fault, detector: Detector::Liveness, detected: Some(detected), acted, action, back }
}

fn watchdog(vm: &VirtualMachine, model: WatchdogModel, assumptions: &Assumptions, fault: Break) -> Row {
    let action = vm.vmi.watchdog_action();
    let fires = fires_after(model, assumptions.heartbeat);
    let meets = matches!(fault, Break::DaemonStopped | Break::KernelPanic);
    if meets && assumptions.pets == Pets::Never {
        return Row { fault, detector: Detector::Watchdog, detected: None, acted: None, action: UNARMED, back: None };
    }
    let interval = assumptions.pets.interval(assumptions.heartbeat);
    let fired = meets.then(|| Span { best: fires.saturating_sub(interval), worst: fires });
    let ends = |end| recreated(vm, assumptions, fired, end);
    // Before the reset a panicked guest does not answer either.
    let silent = if fault == Break::KernelPanic { fires } else { Duration::ZERO };
    let (acted, word, back) = match action {
        WatchdogAction::Poweroff => (fired, "powered off, VMI Failed", ends(Phase::Failed)),
        WatchdogAction::Reset if vm.vmi.reboot_policy == RebootPolicy::Terminate => {
            (fired, "ended by its reset, VMI Succeeded", ends(Phase::Succeeded))
        }
        // The reboot is as long as a boot, and the probe's initial delay is over: what comes of that is another story.
        WatchdogAction::Reset if liveness_acts_within(vm, silent + assumptions.boot) => (fired, REBOOT_STOPPED, None),
        WatchdogAction::Reset => (fired, "reset in place", fired.map(|f| f.and(assumptions.boot))),
        WatchdogAction::Shutdown
            if fault.obeys()
                && liveness_acts_within(vm, assumptions.shutdown.saturating_sub(vm.vmi.grace.handler())) =>
        {
            let worst = fired.map(|f| Span { worst: f.worst + assumptions.shutdown, ..f });
            (worst, SHUTDOWN_CUT_SHORT, None)
        }
        WatchdogAction::Shutdown if fault.obeys() => {
            let off = fired.map(|f| f.and(assumptions.shutdown));
            (off, "shut down, VMI Succeeded", recreated(vm, assumptions, off, Phase::Succeeded))
        }
        WatchdogAction::Shutdown => (None, "nothing: it cannot obey the power button", None),
        WatchdogAction::Pause => (None, "nothing: KubeVirt resumes it", None),
        WatchdogAction::None => (None, "nothing but an event", None),
    };
    let action = if fired.is_some() { word } else { "" };
    Row { fault, detector: Detector::Watchdog, detected: fired, acted, action, back }
}

/// Of a watchdog that nothing opens.
const UNARMED: &str = "nothing arms it";
/// Of a reset whose reboot liveness may not live to see the end of.
const REBOOT_STOPPED: &str = "reset in place; liveness may stop the reboot";
/// The same of a reboot by `kernel.panic`.
const OWN_REBOOT_STOPPED: &str = "reboots by itself; liveness may stop the reboot";
/// How long a negative `kernel.panic` waits (qemu-watchdog.md 7.2).
const AT_ONCE: Duration = Duration::from_millis(10);
/// Of a shutdown that liveness takes for a fault.
const SHUTDOWN_CUT_SHORT: &str = "shut down; liveness may end it sooner";

impl Row {
    /// Liveness interferes with what the watchdog or the guest itself does: how it ends and when the guest is back is nobody's to say.
    pub fn contested(&self) -> bool {
        [REBOOT_STOPPED, OWN_REBOOT_STOPPED, SHUTDOWN_CUT_SHORT].contains(&self.action)
    }
}

/// Whether a guest that does not answer for so long is stopped by its liveness probe.
fn liveness_acts_within(vm: &VirtualMachine, silence: Duration) -> bool {
    let probe = vm.vmi.liveness.as_ref().filter(|p| notices_silence(&vm.vmi, p));
    probe.is_some_and(|p| detection(&PodProbe::from(p), Answer::Refusal).best < silence)
}

/// kubevirt-health.md 6: whether a new VMI follows, and when its guest answers.
fn recreated(vm: &VirtualMachine, assumptions: &Assumptions, ended: Option<Span>, end: Phase) -> Option<Span> {
    let churn = assumptions.churn.cleanup + assumptions.churn.schedule + assumptions.churn.container_start;
    ended.filter(|_| is_replaced(vm.run_strategy, end)).map(|e| e.and(churn + assumptions.boot))
}

//! What evidence and model have in common: the signs of a fault, each with where it is found and how much it says.

use crate::kubelet::ProbeKind;
use crate::trace::{NotReady, Phase, VmStatus};
use std::fmt;

/// Something that shows, in a cluster and in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Pod event `Unhealthy`.
    Unhealthy(ProbeKind),
    /// What a failed attempt of a probe says.
    Said(ProbeKind, Said),
    /// VMI event `GuestAgentPingFailed`.
    AgentPingFailed,
    /// Pod event `Killing`: the kubelet stops `compute`.
    Killing,
    /// virt-launcher was sent SIGTERM.
    Terminated,
    /// VMI event `ShuttingDown`.
    ShuttingDown,
    /// VMI event `Deleted`: virt-handler has destroyed the domain.
    Destroyed,
    /// The VMI is Succeeded (event `Stopped`, Normal) or Failed (Warning).
    Ended(Phase),
    /// libvirt's reason for the domain's end: QEMU went without a word.
    DomainCrashed,
    /// libvirt's reason for the domain's end: the guest was shut down.
    DomainShutdown,
    /// A panic device reported it: VMI event `GuestPanicked`.
    GuestPanicked,
    /// A disk's error stopped the domain: event `IOerror`, condition `PausedIOError`, domain status `Paused(3):IOError(5)`.
    IoError,
    /// A user has paused it.
    PausedByUser,
    /// VM event `SuccessfulCreate`: a VMI was made.
    VmiCreated,
    /// VM event `SuccessfulDelete`: the VM controller has deleted the VMI.
    VmiDeleted,
    /// Another VMI was made in place of one that had ended.
    Replaced,
    /// The VMI's Ready is False for this reason.
    NotReady(NotReady),
    /// The VM's printableStatus at the end.
    VmStatus(VmStatus),
    /// The pod was evicted: by the eviction API, by a taint, or by its kubelet.
    Evicted,
    /// The node was lost to the cluster.
    NodeLost,
    /// `compute` was killed for its memory limit.
    OomKilled,
    /// virt-launcher died of a signal, and its monitor lived to say so: exit code 255.
    LauncherDied,
    /// VMI event `Migrated` or `Migrating`.
    Migrated,
    /// The guest's console: its kernel panicked.
    ConsolePanic,
    /// The guest's console: its kernel killed a process for memory.
    ConsoleOom(Victim),
    /// The guest's console: a CPU got stuck.
    ConsoleLockup,
    /// The guest's console: a task waits for its disk.
    ConsoleHungTask,
    /// The guest's console: it failed to write to a disk.
    ConsoleIoError,
    /// The guest's console: systemd ended it in order.
    ConsoleShutdown,
    /// The guest's console: it boots once more.
    ConsoleReboot,
    /// The guest's console: its watchdog says that it made the last boot.
    WatchdogReset,
}

/// What a failed attempt says (kubelet-prober.md 9; kubevirt-health.md 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nobody listens.
    Refused,
    /// No answer came in time.
    TimedOut,
    /// A status outside of 200 to 399.
    Status,
    /// The guest agent is gone or does not answer.
    NoAgent,
}

/// Whom the guest's OOM killer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// qemu-ga.
    Agent,
    /// What pets the watchdog.
    Watchdog,
    /// Any other.
    Other,
}

/// Where a sign is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Kubernetes events on the pod.
    PodEvents,
    /// Kubernetes events on the VMI.
    VmiEvents,
    /// Kubernetes events on the VM.
    VmEvents,
    /// The virt-launcher pod's status.
    Pod,
    /// The status of VM and VMI.
    Vm,
    /// The guest's console.
    Console,
    /// What virt-launcher logs.
    Launcher,
}

impl Source {
    /// All of them.
    pub const ALL: [Source; 7] = [
        Source::Pod,
        Source::Vm,
        Source::PodEvents,
        Source::VmiEvents,
        Source::VmEvents,
        Source::Console,
        Source::Launcher,
    ];
}

impl Source {
    /// It is a list of events.
    pub fn is_events(self) -> bool {
        matches!(self, Source::PodEvents | Source::VmiEvents | Source::VmEvents)
    }
}

impl Sign {
    /// Where it is found, the usual place first.
    pub fn sources(self) -> &'static [Source] {
        use Source::*;
        match self {
            Sign::Unhealthy(_) | Sign::Said(..) | Sign::Killing => &[PodEvents],
            Sign::ShuttingDown | Sign::Destroyed | Sign::Migrated => &[VmiEvents],
            Sign::AgentPingFailed | Sign::GuestPanicked => &[VmiEvents],
            Sign::VmiCreated | Sign::VmiDeleted | Sign::Replaced => &[VmEvents],
            Sign::Ended(_) => &[VmiEvents, Vm],
            Sign::IoError => &[VmiEvents, Vm, Launcher],
            Sign::NotReady(_) | Sign::VmStatus(_) | Sign::PausedByUser => &[Vm],
            Sign::Evicted | Sign::NodeLost => &[Pod, PodEvents],
            Sign::OomKilled => &[Pod],
            Sign::LauncherDied => &[Pod, Launcher],
            Sign::Terminated | Sign::DomainCrashed | Sign::DomainShutdown => &[Launcher],
            Sign::ConsolePanic | Sign::ConsoleOom(_) | Sign::ConsoleLockup | Sign::ConsoleHungTask => &[Console],
            Sign::ConsoleIoError | Sign::ConsoleShutdown | Sign::ConsoleReboot | Sign::WatchdogReset => &[Console],
        }
    }

    /// How much it says: 6 names its cause, 1 may come of many.
    pub fn weight(self) -> i32 {
        match self {
            Sign::GuestPanicked | Sign::IoError | Sign::Evicted | Sign::NodeLost | Sign::OomKilled => 6,
            Sign::ConsolePanic | Sign::ConsoleOom(_) | Sign::WatchdogReset | Sign::PausedByUser => 6,
            Sign::Unhealthy(_) | Sign::Killing | Sign::Ended(_) | Sign::ConsoleReboot => 3,
            Sign::ConsoleLockup | Sign::ConsoleIoError | Sign::LauncherDied | Sign::Migrated => 3,
            Sign::Replaced | Sign::VmStatus(VmStatus::Stopped | VmStatus::Paused) | Sign::ShuttingDown => 2,
            Sign::DomainCrashed | Sign::DomainShutdown | Sign::ConsoleShutdown | Sign::Destroyed => 2,
            Sign::Said(..) | Sign::AgentPingFailed | Sign::Terminated | Sign::ConsoleHungTask | Sign::VmiDeleted => 2,
            Sign::VmiCreated | Sign::NotReady(_) | Sign::VmStatus(_) => 1,
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sign::Unhealthy(kind) => write!(f, "pod event Unhealthy: {kind} probe failed"),
            Sign::Said(kind, said) => write!(f, "a failed {kind} probe says {said}"),
            Sign::AgentPingFailed => f.write_str("VMI event GuestAgentPingFailed"),
            Sign::Killing => f.write_str("pod event Killing"),
            Sign::Terminated => f.write_str("virt-launcher was sent SIGTERM"),
            Sign::ShuttingDown => f.write_str("VMI event ShuttingDown"),
            Sign::Destroyed => f.write_str("VMI event Deleted: the domain was destroyed"),
            Sign::Ended(Phase::Succeeded) => f.write_str("the VMI Succeeded (event Stopped: was shut down)"),
            Sign::Ended(phase) => write!(f, "the VMI {phase} (event Stopped: crashed)"),
            Sign::DomainCrashed => f.write_str("domain status Shutoff: Crashed"),
            Sign::DomainShutdown => f.write_str("domain status Shutoff: Shutdown"),
            Sign::GuestPanicked => f.write_str("VMI event GuestPanicked"),
            Sign::IoError => f.write_str("the domain is paused for an I/O error (event IOerror, PausedIOError)"),
            Sign::PausedByUser => f.write_str("VMI condition Paused, PausedByUser"),
            Sign::VmiCreated => f.write_str("VM event SuccessfulCreate"),
            Sign::VmiDeleted => f.write_str("VM event SuccessfulDelete"),
            Sign::Replaced => f.write_str("another VMI was made after it"),
            Sign::NotReady(reason) => write!(f, "VMI Ready False, {reason}"),
            Sign::VmStatus(status) => write!(f, "VM printableStatus {status}"),
            Sign::Evicted => f.write_str("the pod was evicted (DisruptionTarget, TaintManagerEviction, Evicted)"),
            Sign::NodeLost => f.write_str("the node was lost (NodeNotReady, NodeLost)"),
            Sign::OomKilled => f.write_str("container compute terminated: OOMKilled"),
            Sign::LauncherDied => f.write_str("container compute terminated: exit code 255, virt-launcher died"),
            Sign::Migrated => f.write_str("VMI event Migrated"),
            Sign::ConsolePanic => f.write_str("the guest's console: kernel panic"),
            Sign::ConsoleOom(Victim::Agent) => f.write_str("the guest's console: the OOM killer took qemu-ga"),
            Sign::ConsoleOom(Victim::Watchdog) => f.write_str("the guest's console: the OOM killer took the watchdog"),
            Sign::ConsoleOom(Victim::Other) => f.write_str("the guest's console: the OOM killer took a process"),
            Sign::ConsoleLockup => f.write_str("the guest's console: a CPU is stuck"),
            Sign::ConsoleHungTask => f.write_str("the guest's console: a task is blocked"),
            Sign::ConsoleIoError => f.write_str("the guest's console: I/O error of a disk"),
            Sign::ConsoleShutdown => f.write_str("the guest's console: shut down in order"),
            Sign::ConsoleReboot => f.write_str("the guest's console: it boots once more"),
            Sign::WatchdogReset => f.write_str("the guest's console: the last boot was the watchdog's doing"),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Said::Refused => "connection refused",
            Said::TimedOut => "that no answer came in time",
            Said::Status => "an HTTP status that is a failure",
            Said::NoAgent => "that the guest agent does not answer",
        })
    }
}

impl Said {
    /// What the text of an `Unhealthy` event, or of an attempt in the model, says; `None`: something else.
    pub fn of(text: &str) -> Option<Said> {
        let text = text.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
        if has(&["agent is not connected", "agent is not responding", "agent not available", "agent does not answer"]) {
            return Some(Said::NoAgent);
        }
        if has(&["statuscode:"]) {
            return Some(Said::Status);
        }
        if has(&["connection refused"]) {
            return Some(Said::Refused);
        }
        let timed = ["deadline exceeded", "i/o timeout", "timeout exceeded", "timed out", "no route to host"];
        has(&timed).then_some(Said::TimedOut)
    }
}

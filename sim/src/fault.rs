//! What can be broken: a table with one row for each kind of fault, from which come its name, its place in scenario files
//! and in their JSON Schema, the words of its events, its help text and what it needs.
//!
//! qemu-watchdog.md 9 says what each really does to a Debian guest. How a fault is brought about and seen is the worlds'
//! business, not this module's: `world::Model` and `vmhealth-guests`.

mod arguments;

pub use arguments::*;

use crate::meant::meant;
use crate::time::Span;
use crate::yaml;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// What a fault needs of the scenario's guest profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Something that pets the watchdog.
    WatchdogDaemon,
    /// The health server.
    HealthServer,
    /// The guest agent.
    Agent,
}

/// `Kind [argument] = "name", effect, needs, "how it is written";`: the doc comment is the summary that users see. After
/// `, or ` follow other ways to write it.
macro_rules! faults {
    ($($(#[doc = $summary:expr])+ $kind:ident $({ $($fields:tt)+ })? $(($argument:ty))?
        = $name:literal, $effect:ident, $needs:ident, $shape:literal;)+) => {
        /// A fault, named as in scenario files and on the command line.
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub enum Fault { $(
            $(#[doc = $summary])+
            #[serde(rename = $name)]
            $kind $({ $($fields)+ })? $(($argument))?,
        )+ }

        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultKind { $(
            $(#[doc = $summary])+
            $kind,
        )+ }

        impl FaultKind {
            /// All of them.
            pub const ALL: &[FaultKind] = &[$(FaultKind::$kind,)+];

            /// The name in scenario files, on the command line and in traces.
            pub const fn name(self) -> &'static str {
                match self { $(FaultKind::$kind => $name,)+ }
            }

            /// What it does, for people.
            pub const fn summary(self) -> &'static str {
                match self { $(FaultKind::$kind => concat!($($summary),+).trim_ascii(),)+ }
            }

            /// How it is written, in YAML's flow style: an example, and after `, or ` what else there is.
            pub const fn shape(self) -> &'static str {
                match self { $(FaultKind::$kind => $shape,)+ }
            }

            /// Whether it takes a while from its order to its being seen, because a program in the guest has to be started first.
            /// The others are the host's doing, or are seen as soon as they are asked for.
            pub const fn takes_a_while(self) -> bool {
                match self { $(FaultKind::$kind => matches!(Effect::$effect, Effect::TakesAWhile),)+ }
            }

            /// What it needs of the guest's profile, whatever its argument; see [`Fault::needs`].
            const fn needs(self) -> Needs {
                match self { $(FaultKind::$kind => Needs::$needs,)+ }
            }
        }

        impl fmt::Display for FaultKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Fault {
            /// Its kind.
            pub fn kind(&self) -> FaultKind {
                match self { $(Fault::$kind { .. } => FaultKind::$kind,)+ }
            }
        }
    };
}

/// Linux's `CONFIG_DEFAULT_HUNG_TASK_TIMEOUT`.
fn hung_task_timeout() -> u32 {
    120
}

/// When it is seen to have taken effect.
enum Effect {
    TakesAWhile,
    AtOnce,
}

faults! {
    /// `echo c > /proc/sysrq-trigger`: userspace is gone, the device is not petted any more.
    KernelPanic = "kernelPanic", TakesAWhile, Nothing, "kernelPanic";
    /// `pkill -9 watchdog`: closing the device without 'V' is itself a pet; Debian's wd_keepalive may take over.
    KillWatchdog = "killWatchdog", TakesAWhile, WatchdogDaemon, "killWatchdog";
    /// SIGSTOP to the daemon; systemd does not notice.
    StopWatchdog = "stopWatchdog", TakesAWhile, WatchdogDaemon, "stopWatchdog";
    /// `pkill -9 qemu-ga`: systemd heals it in about 0.2 s.
    KillAgent = "killAgent", TakesAWhile, Agent, "killAgent";
    /// `systemctl stop qemu-guest-agent`, started again after the given span.
    StopAgent {
        /// How long it stays stopped.
        #[serde(rename = "for")]
        lasting: Span,
    } = "stopAgent", TakesAWhile, Agent, "{stopAgent: {for: 15s}}";
    /// SIGSTOP to the agent for the given span: its port stays open and nothing answers, neither a ping nor a program.
    HangAgent {
        /// How long it hangs.
        #[serde(rename = "for")]
        lasting: Span,
    } = "hangAgent", TakesAWhile, Agent, "{hangAgent: {for: 15s}}";
    /// The agent freezes the filesystems for the given span, as a backup does: it answers pings and refuses to run programs.
    FsFreeze {
        /// How long until they are thawed.
        #[serde(rename = "for")]
        lasting: Span,
    } = "fsFreeze", TakesAWhile, Agent, "{fsFreeze: {for: 15s}}";
    /// The kernel's OOM killer (sysrq f) takes it before all others; systemd starts again what it is told to. Of the node's kernel:
    /// the VM's whole container.
    OomKill {
        /// What is taken.
        of: OomVictim,
    } = "oomKill", TakesAWhile, Nothing, "{oomKill: {of: watchdog}}, or in place of watchdog: agent, service, container";
    /// No block of the root filesystem is free for the given span.
    DiskFull {
        /// How long it stays full.
        #[serde(rename = "for")]
        lasting: Span,
    } = "diskFull", TakesAWhile, Nothing, "{diskFull: {for: 15s}}";
    /// The guest's wall clock is set forward or back, once.
    ClockJump(ClockJump) = "clockJump", TakesAWhile, Nothing, "{clockJump: {forward: 1h}}, or {clockJump: {back: 1h}}";
    /// Loops of the highest real-time priority on each vCPU for the given span: the kernel lives, and no other program runs.
    CpuHog {
        /// How long they loop.
        #[serde(rename = "for")]
        lasting: Span,
    } = "cpuHog", TakesAWhile, Nothing, "{cpuHog: {for: 15s}}";
    /// A program starts others until its limit of processes is reached, and holds it for the given span: that of its unit, or
    /// that of `system.slice`, in which no service can start a program then.
    ForkBomb {
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
        /// Which limit it is at; absent: its unit's.
        #[serde(default)]
        limit: PidsLimit,
    } = "forkBomb", TakesAWhile, Nothing, "{forkBomb: {for: 15s}}, or with limit: slice beside for";
    /// The kernel of each vCPU loops with interrupts off: nothing in the guest runs again, and it says nothing of it.
    KernelHang = "kernelHang", TakesAWhile, Nothing, "kernelHang";
    /// The kernel of each vCPU loops for the given span, and takes interrupts all the while: no program runs. Its own detector says
    /// so after 20 to 24 s.
    SoftLockup {
        /// How long it loops.
        #[serde(rename = "for")]
        lasting: Span,
        /// The guest's `kernel.softlockup_panic`, which is set first: the detector panics.
        #[serde(rename = "softlockupPanic", default)]
        panics: bool,
    } = "softLockup", TakesAWhile, Nothing, "{softLockup: {for: 15s}}, or with softlockupPanic: true beside for";
    /// A program waits for the given span in the kernel, where nobody can kill it (state D). The kernel's own detector says so when
    /// it has waited for `hung_task_timeout_secs`.
    HungTask {
        /// How long it waits.
        #[serde(rename = "for")]
        lasting: Span,
        /// The guest's `kernel.hung_task_timeout_secs`, which is set first; 0: the detector is off.
        #[serde(rename = "timeoutSecs", default = "hung_task_timeout")]
        timeout_secs: u32,
        /// The guest's `kernel.hung_task_panic`, which is set first: the detector panics.
        #[serde(rename = "hungTaskPanic", default)]
        panics: bool,
    } = "hungTask", TakesAWhile, Nothing,
        "{hungTask: {for: 15s}}, or with timeoutSecs: 10 or hungTaskPanic: true beside for";
    /// The ACPI power button from outside (QMP `system_powerdown`), as libvirt presses it.
    PowerButton = "powerButton", AtOnce, Nothing, "powerButton";
    /// A non-maskable interrupt from outside (QMP `inject-nmi`): Linux logs it, or panics with `kernel.unknown_nmi_panic`.
    Nmi {
        /// The guest's `kernel.unknown_nmi_panic`, which is set first.
        #[serde(rename = "unknownNmiPanic")]
        panics: bool,
    } = "nmi", TakesAWhile, Nothing, "{nmi: {unknownNmiPanic: true}}";
    /// The health server of the guest profile answers differently from now on.
    Health(Health) = "health", TakesAWhile, HealthServer,
        "{health: {status: 500}}, or in place of {status: 500}: stop, start, hang, {slow: 3s}, {redirect: URL}";
    /// A systemd unit of the guest's own ends (`stop`), hangs with all of its processes (`freeze`: SIGSTOP), or ends and starts again.
    Unit(UnitFault) = "unit", TakesAWhile, Nothing,
        "{unit: {stop: nginx.service}}, or in place of stop: freeze, restart";
    /// Whoever connects to a TCP port of the guest, or is connected, gets no answer for the given span.
    DropPort {
        /// The port.
        port: u16,
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
    } = "dropPort", TakesAWhile, Nothing, "{dropPort: {port: 80, for: 20s}}";
    /// Runs a command of your own in the guest, as root, in a shell; it must end with status 0 within 10 s.
    Command(String) = "command", TakesAWhile, Nothing, "{command: rm -r /srv/www}";
    /// SIGKILL to the QEMU process.
    KillQemu = "killQemu", AtOnce, Nothing, "killQemu";
    /// SIGKILL to virt-launcher: its monitor ends QEMU and the container, and nobody is left to report.
    KillLauncher = "killLauncher", AtOnce, Nothing, "killLauncher";
    /// The guest lives and its network does not: between its NIC and its node frames are lost, the guest's (`out`), those to it
    /// (`in`), or both.
    NetworkLoss {
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
        /// Which frames are lost; absent: both.
        #[serde(default)]
        direction: Direction,
        /// No frame is lost, and all are late: those of each such interval go on at its end. A handshake takes one to two of them.
        #[serde(default)]
        delay: Option<Span>,
    } = "networkLoss", AtOnce, Nothing, "{networkLoss: {for: 20s}}, or with a direction of in or out, or a delay of 3s, beside for";
    /// Writes to the guest's disk fail: QEMU stops it (`werror=stop`), KubeVirt lets it go on again and again.
    IoError {
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
        /// Why they fail; absent: the disk is broken.
        #[serde(default)]
        error: DiskError,
    } = "ioError", AtOnce, Nothing, "{ioError: {for: 15s}}, or with error: noSpace beside for";
    /// The VM's node is lost to the cluster, which waits until it is back, or until somebody says that it is gone (the step
    /// `forceDeletePod`).
    NodeLost {
        /// How long; absent: it never comes back.
        #[serde(rename = "for", default)]
        lasting: Option<Span>,
        /// What has befallen it; absent: it is cut off.
        #[serde(default)]
        by: NodeLoss,
    } = "nodeLost", AtOnce, Nothing,
        "{nodeLost: {for: 10m}}, or {nodeLost: {}} for ever, or with by: powerLoss in place of by: cutOff beside for";
    /// Each later boot of this VM takes so much longer: the guest's services wait before they start. A new VMI's does too.
    SlowBoot {
        /// How long they wait: at most an hour.
        #[serde(deserialize_with = "arguments::boots_wait")]
        by: Span,
    } = "slowBoot", TakesAWhile, Nothing, "{slowBoot: {by: 60s}}";
    /// No later boot of this VM comes to its end. A new VMI's does not, either.
    BootLoop(BootLoop) = "bootLoop", TakesAWhile, Nothing, "{bootLoop: panic}, or {bootLoop: noService}";
    /// `reboot` in the guest, as an update does it: each of so many boots waits before its services start, and all but the last
    /// reboot again then.
    LongReboot(LongReboot) = "longReboot", TakesAWhile, Nothing, "{longReboot: {reboots: 3, each: 2m}}";
    /// `poweroff` in the guest.
    GuestPoweroff = "guestPoweroff", AtOnce, Nothing, "guestPoweroff";
    /// `reboot` in the guest.
    GuestReboot = "guestReboot", AtOnce, Nothing, "guestReboot";
}

impl FaultKind {
    /// It breaks what is outside of the guest for a while; see [`Fault::lasts`].
    pub const fn is_outage(self) -> bool {
        matches!(self, FaultKind::NetworkLoss | FaultKind::IoError | FaultKind::NodeLost)
    }

    /// How it is written, in YAML's flow style.
    pub fn example(self) -> &'static str {
        self.shape().split(", or ").next().unwrap_or_default()
    }

    /// The kind of this name; says which was meant, and which there are.
    fn of(name: &str) -> Result<FaultKind, String> {
        if let Some(kind) = FaultKind::ALL.iter().copied().find(|kind| kind.name() == name) {
            return Ok(kind);
        }
        let meant = meant(name, FaultKind::ALL.iter().map(|kind| kind.name()));
        let hint = meant.map_or(String::new(), |kind| format!("; did you mean {kind}?"));
        let names: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        Err(format!("there is no fault {name:?}{hint} (kinds: {})", names.join(", ")))
    }
}

impl FromStr for Fault {
    type Err = String;

    /// `killWatchdog`, `{stopAgent: {for: 15s}}`: as in a scenario file. The error says what was expected.
    fn from_str(text: &str) -> Result<Fault, String> {
        let inside = text.trim().trim_start_matches('{');
        let name = inside.split([':', '}', ' ']).find(|word| !word.is_empty()).unwrap_or_default();
        let kind = FaultKind::of(name)?;
        yaml::read(text).map_err(|_| format!("expected {}", kind.shape()))
    }
}

impl Fault {
    /// How long what is outside of the guest stays broken; the engine says when it is over. `None`: it never is, or the guest
    /// itself knows.
    pub fn lasts(&self) -> Option<Span> {
        match self {
            Fault::NetworkLoss { lasting, .. } | Fault::IoError { lasting, .. } => Some(*lasting),
            Fault::NodeLost { lasting, .. } => *lasting,
            _ => None,
        }
    }

    /// What it needs of the guest's profile; what the OOM killer takes must be there.
    pub fn needs(&self) -> Needs {
        match self {
            Fault::OomKill { of: OomVictim::Watchdog } => Needs::WatchdogDaemon,
            Fault::OomKill { of: OomVictim::Agent } => Needs::Agent,
            Fault::OomKill { of: OomVictim::Service } | Fault::BootLoop(BootLoop::NoService) => Needs::HealthServer,
            other => other.kind().needs(),
        }
    }

    /// Whether the guest's kernel panics of it, at once or when it notices.
    pub fn panics(&self) -> bool {
        match self {
            Fault::KernelPanic => true,
            Fault::Nmi { panics } | Fault::SoftLockup { panics, .. } | Fault::HungTask { panics, .. } => *panics,
            _ => false,
        }
    }

    /// Whether nothing in the guest runs any more until it is reset.
    pub fn ends_kernel(&self) -> bool {
        *self == Fault::KernelHang || self.panics()
    }

    /// Whether nothing pets the watchdog any more, at least for a while.
    pub fn stops_pets(&self) -> bool {
        let of_daemon = match self {
            Fault::KillWatchdog | Fault::StopWatchdog | Fault::CpuHog { .. } | Fault::SoftLockup { .. } => true,
            Fault::OomKill { of } => *of == OomVictim::Watchdog,
            _ => false,
        };
        of_daemon || self.ends_kernel()
    }
}

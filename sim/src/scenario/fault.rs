//! What can be broken. qemu-watchdog.md 9 says what each really does to a Debian guest.

use super::file::Span;
use schemars::JsonSchema;
use serde::Deserialize;

/// A fault, named as in scenario files and on the command line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// `echo c > /proc/sysrq-trigger`: userspace is gone, the device is not petted any more.
    KernelPanic,
    /// `pkill -9 watchdog`: closing the device without 'V' is itself a pet; Debian's wd_keepalive may take over.
    KillWatchdog,
    /// SIGSTOP to the daemon; systemd does not notice.
    StopWatchdog,
    /// `pkill -9 qemu-ga`: systemd heals it in about 0.2 s.
    KillAgent,
    /// `systemctl stop qemu-guest-agent`, started again after the given span.
    StopAgent {
        /// How long it stays stopped.
        #[serde(rename = "for")]
        lasting: Span,
    },
    /// The health server of the guest profile answers differently from now on.
    Health(Health),
    /// SIGKILL to the QEMU process.
    KillQemu,
    /// SIGKILL to virt-launcher: its monitor ends QEMU and the container, and nobody is left to report.
    KillLauncher,
    /// `poweroff` in the guest.
    GuestPoweroff,
    /// `reboot` in the guest.
    GuestReboot,
}

/// What the guest's health server does.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Health {
    /// Answer with this HTTP status.
    Status(u16),
    /// Answer 302 with this Location.
    Redirect(String),
    /// Accept and never answer.
    Hang,
    /// Answer 200 after this span.
    Slow(Span),
    /// Stop the service: the port is closed.
    Stop,
    /// Start the service.
    Start,
}

impl Fault {
    /// Every name.
    pub const NAMES: &[&str] = &[
        "kernelPanic",
        "killWatchdog",
        "stopWatchdog",
        "killAgent",
        "stopAgent",
        "health",
        "killQemu",
        "killLauncher",
        "guestPoweroff",
        "guestReboot",
    ];

    /// Whether it takes a while from its order to its being seen, because a program in the guest has to be started first. The
    /// others are the host's doing, or are seen as soon as they are asked for.
    pub fn takes_a_while(&self) -> bool {
        match self {
            Fault::KernelPanic | Fault::KillWatchdog | Fault::StopWatchdog => true,
            Fault::KillAgent | Fault::StopAgent { .. } | Fault::Health(_) => true,
            Fault::KillQemu | Fault::KillLauncher | Fault::GuestPoweroff | Fault::GuestReboot => false,
        }
    }

    /// The name in traces: the scenario file's word.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::KernelPanic => "kernelPanic",
            Fault::KillWatchdog => "killWatchdog",
            Fault::StopWatchdog => "stopWatchdog",
            Fault::KillAgent => "killAgent",
            Fault::StopAgent { .. } => "stopAgent",
            Fault::Health(_) => "health",
            Fault::KillQemu => "killQemu",
            Fault::KillLauncher => "killLauncher",
            Fault::GuestPoweroff => "guestPoweroff",
            Fault::GuestReboot => "guestReboot",
        }
    }
}

//! What can be broken: one row of [`faults`](FaultKind) for each kind. qemu-watchdog.md 9 says what each really does to a Debian
//! guest. How it is done is the worlds' business.

use crate::time::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// What a fault needs of the scenario's guest profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Something that pets the watchdog.
    WatchdogDaemon,
    /// The health server.
    HealthServer,
}

/// `Kind [shape] = "name", effect, needs, "example";`: the doc comment is the summary that users see.
macro_rules! faults {
    ($($(#[doc = $summary:expr])+ $kind:ident $({ $($fields:tt)+ })? $(($argument:ty))?
        = $name:literal, $effect:ident, $needs:ident, $example:literal;)+) => {
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

            /// How it is written, in YAML's flow style.
            pub const fn example(self) -> &'static str {
                match self { $(FaultKind::$kind => $example,)+ }
            }

            /// Whether it takes a while from its order to its being seen, because a program in the guest has to be started first.
            /// The others are the host's doing, or are seen as soon as they are asked for.
            pub const fn takes_a_while(self) -> bool {
                match self { $(FaultKind::$kind => matches!(Effect::$effect, Effect::TakesAWhile),)+ }
            }

            /// What it needs of the guest's profile.
            pub const fn needs(self) -> Needs {
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
    KillAgent = "killAgent", TakesAWhile, Nothing, "killAgent";
    /// `systemctl stop qemu-guest-agent`, started again after the given span.
    StopAgent {
        /// How long it stays stopped.
        #[serde(rename = "for")]
        lasting: Span,
    } = "stopAgent", TakesAWhile, Nothing, "{stopAgent: {for: 30s}}";
    /// The health server of the guest profile answers differently from now on.
    Health(Health) = "health", TakesAWhile, HealthServer, "{health: {status: 500}}";
    /// SIGKILL to the QEMU process.
    KillQemu = "killQemu", AtOnce, Nothing, "killQemu";
    /// SIGKILL to virt-launcher: its monitor ends QEMU and the container, and nobody is left to report.
    KillLauncher = "killLauncher", AtOnce, Nothing, "killLauncher";
    /// `poweroff` in the guest.
    GuestPoweroff = "guestPoweroff", AtOnce, Nothing, "guestPoweroff";
    /// `reboot` in the guest.
    GuestReboot = "guestReboot", AtOnce, Nothing, "guestReboot";
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

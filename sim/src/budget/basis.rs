//! What a table's numbers rest on: what was given, what was read in the user data and in the kernel's command line, and what nobody said.

use super::assumptions::{Assumptions, Pets};
use crate::manifest::{Petter, UserData, VirtualMachine};
use std::time::Duration;

/// Of what is written when it has been read already (qemu-watchdog.md 8.5).
const NEXT_BOOT: &str = ", from the next boot on";
/// Of what stands in a condition, a loop or a function.
const IF_IT_RUNS: &str = ", if that part of the script runs";

/// What is known beside the manifest; `None`: nobody said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given {
    /// From a guest's start until it answers.
    pub boot: Option<Duration>,
    /// From a request to shut down until a healthy guest is off.
    pub shutdown: Option<Duration>,
    /// The petter's timeout for the device, seconds, where the user data sets none.
    pub heartbeat: Option<u32>,
    /// `kernel.panic`, seconds, where the user data sets none; 0: never, negative: at once.
    pub panic_timer: Option<i32>,
}

/// The numbers to reckon with, and where they come from.
#[derive(Debug, Clone)]
pub struct Basis {
    /// The numbers.
    pub assumptions: Assumptions,
    /// What the user data and the kernel's command line say, in words.
    pub read: Vec<String>,
    /// What neither it nor anybody else says, in words.
    pub assumed: Vec<String>,
}

impl Basis {
    /// What the user data sets counts; then the kernel's command line; then what is given; then a default, which is an assumption.
    pub fn of(vm: &VirtualMachine, given: &Given) -> Basis {
        let (data, ours) = (&vm.vmi.user_data, Assumptions::default());
        let mut basis = Basis { assumptions: ours, read: Vec::new(), assumed: Vec::new() };
        basis.assumptions.boot = basis.span("boot", given.boot, ours.boot);
        basis.assumptions.shutdown = basis.span("shutdown", given.shutdown, ours.shutdown);
        if vm.vmi.watchdog_in_guest(None).is_some() {
            basis.watchdog(data, given);
        }
        basis.panic_timer(data, given);
        if data.hidden {
            basis.assumed.push("nothing of what a Secret or an answer file sets up in the guest".to_owned());
        }
        basis
    }

    fn span(&mut self, name: &str, given: Option<Duration>, default: Duration) -> Duration {
        given.unwrap_or_else(|| {
            self.assumed.push(format!("{name} {} s", default.as_secs()));
            default
        })
    }

    fn watchdog(&mut self, data: &UserData, given: &Given) {
        if data.systemd_off && data.petter.is_none() {
            self.read.push("RuntimeWatchdogSec is off: nothing arms the watchdog".to_owned());
            self.assumptions.pets = Pets::Never;
            return;
        }
        let read = data.heartbeat.and_then(|h| u32::try_from(h.as_secs()).ok());
        let heartbeat = read.or(given.heartbeat).unwrap_or(self.assumptions.heartbeat);
        self.assumptions.heartbeat = heartbeat;
        self.assumptions.pets = match (data.petter, data.pet_interval) {
            (Some(Petter::Systemd), _) => Pets::EveryHalf,
            (_, Some(interval)) => Pets::Every(interval),
            (_, None) => self.assumptions.pets,
        };
        let who = match data.petter {
            Some(Petter::Systemd) => "systemd",
            Some(Petter::Busybox) => "busybox's watchdog",
            Some(Petter::Daemon) | None => "the watchdog daemon",
        };
        let every = self.assumptions.pets.interval(heartbeat).as_secs_f64();
        let pets = format!("{who} pets every {every} s");
        match (read, given.heartbeat, data.petter) {
            (Some(_), ..) if data.heartbeat_may_not_be => {
                self.assumed.push(format!("heartbeat {heartbeat} s: {pets}{IF_IT_RUNS}"));
            }
            (Some(_), ..) => {
                let late = data.petter == Some(Petter::Systemd) && !data.systemd_reads_again;
                self.read.push(format!("heartbeat {heartbeat} s: {pets}{}", if late { NEXT_BOOT } else { "" }));
            }
            (None, Some(_), _) => self.assumed.push(pets),
            (None, None, Some(_)) => {
                self.assumed.push(format!("heartbeat {heartbeat} s, the daemon's default: {pets}"))
            }
            (None, None, None) => {
                self.assumed.push(format!("heartbeat {heartbeat} s: {pets}, set up by the image or not at all"));
            }
        }
    }

    fn panic_timer(&mut self, data: &UserData, given: &Given) {
        let kernels = data.kernels_panic_timer;
        self.assumptions.panic_timer = data.panic_timer.or(kernels).or(given.panic_timer).unwrap_or_default();
        match (data.panic_timer, kernels, given.panic_timer) {
            (Some(seconds), ..) => {
                let late = data.panic_timer_in_a_file && !data.sysctl_reads_again;
                let before = kernels.filter(|kernels| *kernels != seconds);
                let before = before.map(|s| format!(", {s} of kernelArgs before")).unwrap_or_default();
                let word = format!("kernel.panic {seconds}{}{before}", if late { NEXT_BOOT } else { "" });
                match data.panic_timer_may_not_be {
                    true => self.assumed.push(word + IF_IT_RUNS),
                    false => self.read.push(word),
                }
            }
            (None, Some(seconds), _) => self.read.push(format!("kernel.panic {seconds} of kernelArgs")),
            (None, None, Some(_)) => {}
            (None, None, None) => {
                self.assumed.push("kernel.panic 0, Linux's default: a panicked kernel waits for ever".to_owned());
            }
        }
    }
}

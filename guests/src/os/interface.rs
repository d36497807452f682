//! What vmhealth asks of every guest's operating system.

use serde_json::Value;
use std::fmt::Debug;
use std::time::Duration;
use vmhealth_sim::manifest::VmiSpec;
use vmhealth_sim::scenario::{Fault, GuestProfile, Health};

/// What is added to a guest's user data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Additions {
    /// For `write_files`.
    pub files: Vec<Value>,
    /// For `runcmd`: a shell's line, or a list of arguments.
    pub commands: Vec<Value>,
    /// Services to be enabled and started after that, all of them at once.
    pub services: Vec<&'static str>,
}

/// How a guest is broken from within.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breakage {
    /// A script that the agent runs to its end. Its first line says how the effect was seen; a line `petter NAME` who writes to
    /// the watchdog from now on.
    Script(String),
    /// A script that systemd runs, because the agent may not live to answer: it says [`SAYS`] and how the effect was seen on
    /// the console, or [`LACKS`] and why there is none. It may go on for as long as the fault lasts.
    Unit(String),
}

/// The port of vmhealth's own channel, by its name in the guest.
pub const OWN_CHANNEL: &str = "vmhealth.control.0";

/// Begins a line on the console that says how a fault was seen.
pub const SAYS: &str = "vmhealth sees: ";
/// Begins a line on the console that says why a fault did not take effect.
pub const LACKS: &str = "vmhealth lacks: ";

/// A distribution of Linux with systemd, cloud-init and QEMU's guest agent. Scripts are POSIX shell, run by the agent as root; one
/// that exits with another status than 0 says on stderr what the guest lacks.
pub trait GuestOs: Debug + Send + Sync {
    /// Sets up who is to pet the watchdog by the profile; nothing where nobody is.
    fn watchdog(&self, profile: &GuestProfile, vmi: &VmiSpec) -> Additions;

    /// Has the agent's program serve vmhealth's own channel at the port [`OWN_CHANNEL`], in a guest whose agent's port nobody serves.
    fn own_channel(&self) -> Additions;

    /// Installs and starts the health server on port 1500. `ports`: it listens there too, and has every path; on those of
    /// `by_https` it speaks TLS.
    fn health_server(&self, ports: &[u16], by_https: &[u16]) -> Additions;

    /// Makes a panicked kernel reboot by itself after so many seconds.
    fn panic_reboot(&self, seconds: u32) -> Additions;

    /// The command (for `runcmd`) that enables and starts services.
    fn enable(&self, services: &[&str]) -> Value;

    /// Waits until the guest is as its profile says: `assets/verify.sh` says what goes in and comes out.
    fn verify_script(&self) -> &'static str;

    /// Makes a fork a machine of its own: `assets/refresh.sh`.
    fn refresh_script(&self) -> &'static str;

    /// Waits until nothing of the boot is left to do, and the disk has what the page cache has.
    fn quiesce_script(&self) -> &'static str;

    /// Kills the program that pets the watchdog. Its first line says how that was seen; a line `petter NAME` who writes to the device now, or
    /// `petter nobody`.
    fn kill_watchdog_daemon(&self) -> String;

    /// Stops the program that pets the watchdog with SIGSTOP, and says so once it has stopped.
    fn stop_watchdog_daemon(&self) -> String;

    /// The command that kills the agent, which its supervisor starts again.
    fn kill_agent(&self) -> &'static [&'static str];

    /// Stops the agent for some time; outlives the agent that runs it.
    fn stop_agent(&self, lasting: Duration) -> String;

    /// The files in which the agent's commands can be allowed and forbidden, for messages.
    fn agent_configuration(&self) -> &'static str;

    /// Changes what the health server answers, or whether it runs.
    fn set_health(&self, health: &Health) -> String;

    /// The command that asks for a clean poweroff and does not wait for it.
    fn power_off(&self) -> &'static [&'static str];

    /// The same for a reboot.
    fn reboot(&self) -> &'static [&'static str];

    /// How a fault of the guest's own programs, clock or disk is brought about; `None`: not from within.
    fn break_within(&self, fault: &Fault) -> Option<Breakage>;

    /// What a kernel's command line needs for a boot to be as this fault has it; `None`: it is not about boots.
    fn spoil_boot(&self, fault: &Fault) -> Option<String>;

    /// The command that makes the kernel panic; nobody sees it end.
    fn panic_kernel(&self) -> &'static [&'static str];
}

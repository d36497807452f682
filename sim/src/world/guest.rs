//! The guest as a model: what boots when, who answers, who pets the device.
//!
//! State only; the [`super::Model`] moves it and says what QEMU would report.

use super::i6300esb::I6300esb;
use crate::kubelet::{Attempt, Verdict};
use crate::manifest::{Handler, PodProbe};
use crate::scenario::{GuestProfile, Health, Keepalive};
use std::time::Duration;

/// How long things take in the guest; measured on Debian under TCG, rounded. No outcome may depend on them.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// From power-on to the agent's port being open.
    pub agent: Duration,
    /// From power-on to the health server listening.
    pub health: Duration,
    /// From power-on to the daemon petting.
    pub daemon: Duration,
    /// From power-on to everything being verified.
    pub settled: Duration,
    /// From the power button to the agent closing its port, and to the power-off.
    pub shutdown: (Duration, Duration),
    /// From a killed agent to systemd's new one.
    pub agent_restart: Duration,
    /// From a killed daemon to wd_keepalive petting.
    pub takeover: Duration,
    /// Between the daemon's pets.
    pub pet_interval: Duration,
    /// Of anything asked over the agent or the network.
    pub answer: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Timings {
            agent: ms(14_000),
            health: ms(16_000),
            daemon: ms(17_000),
            settled: ms(19_000),
            shutdown: (ms(1_000), ms(3_500)),
            agent_restart: ms(200),
            takeover: ms(1_500),
            pet_interval: ms(1_000),
            answer: ms(50),
        }
    }
}

/// What the kernel is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// No userspace yet.
    Booting,
    /// Systemd runs.
    Up,
    /// Panicked, spinning.
    Panicked,
    /// Systemd shuts down.
    GoingDown,
    /// Powered off.
    Off,
}

/// Who pets the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Petter {
    Nobody,
    Daemon,
    /// SIGSTOPped: holds the device and does not pet.
    StoppedDaemon,
    Keepalive,
}

/// The guest of one VMI.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) kernel: Kernel,
    /// Counts power-ons; events of an earlier one are dropped.
    pub(super) boot: u32,
    pub(super) agent: bool,
    /// Listening.
    pub(super) health: bool,
    /// What the health server does when it listens.
    pub(super) behaviour: Health,
    pub(super) petter: Petter,
    pub(super) device: Option<I6300esb>,
    /// The vCPUs stand still.
    pub(super) paused: bool,
    /// The engine waits for the guest to be verified.
    pub(super) verifying: bool,
    pub(super) profile: GuestProfile,
}

impl Guest {
    pub(super) fn new(profile: &GuestProfile, has_device: bool) -> Self {
        let heartbeat = profile.watchdog_daemon.as_ref().map_or(30, |d| d.heartbeat_seconds);
        Guest {
            kernel: Kernel::Booting,
            boot: 1,
            agent: false,
            health: false,
            behaviour: Health::Status(200),
            petter: Petter::Nobody,
            device: has_device.then(|| I6300esb::new(heartbeat)),
            paused: false,
            verifying: false,
            profile: profile.clone(),
        }
    }

    /// Power-on after a reset: everything is as after the first one.
    pub(super) fn reset(&mut self) {
        let fresh = Guest::new(&self.profile, self.device.is_some());
        *self = Guest { boot: self.boot + 1, ..fresh };
    }

    /// Userspace gets the CPU.
    pub(super) fn userspace_runs(&self) -> bool {
        self.kernel == Kernel::Up && !self.paused
    }

    /// Someone pets the device now.
    pub(super) fn petting(&self) -> bool {
        matches!(self.petter, Petter::Daemon | Petter::Keepalive)
            && matches!(self.kernel, Kernel::Up | Kernel::GoingDown)
            && !self.paused
    }

    /// wd_keepalive takes over from a daemon that dies.
    pub(super) fn keepalive_takes_over(&self) -> bool {
        self.profile.watchdog_daemon.as_ref().is_some_and(|d| d.keepalive == Keepalive::Takeover)
    }

    /// As the profile says.
    pub(super) fn is_as_profiled(&self) -> bool {
        let daemon = self.profile.watchdog_daemon.is_none() || self.device.is_none() || self.petting();
        self.agent && daemon && (self.health || !self.profile.health_server)
    }

    /// What a probe's attempt finds, and how long that takes. `ports`: as declared on the interfaces.
    pub(super) fn probe(&self, probe: &PodProbe, ports: &[(String, u16)], answer: Duration) -> (Duration, Attempt) {
        let timeout = probe.timings.timeout();
        let late = (timeout, attempt(Verdict::Failure, "context deadline exceeded"));
        let port = match &probe.handler {
            Handler::HttpGet(get) => get.port.resolve(ports),
            Handler::TcpSocket { port, .. } => port.resolve(ports),
            Handler::Exec { .. } | Handler::GuestAgentPing => {
                return match (self.agent, self.userspace_runs()) {
                    (false, _) => (answer, attempt(Verdict::Failure, "guest agent is not connected")),
                    (true, false) => late,
                    (true, true) => (answer, attempt(Verdict::Success, "")),
                };
            }
        };
        let port = match port {
            Ok(port) => port,
            Err(text) => return (Duration::ZERO, attempt(Verdict::Error, &text)),
        };
        let kernel_answers = matches!(self.kernel, Kernel::Up | Kernel::GoingDown) && !self.paused;
        if !kernel_answers {
            return late;
        }
        if !self.health || port != HEALTH_PORT {
            return (answer, attempt(Verdict::Failure, "connection refused"));
        }
        if matches!(probe.handler, Handler::TcpSocket { .. }) {
            return (answer, attempt(Verdict::Success, ""));
        }
        match &self.behaviour {
            Health::Hang => late,
            Health::Slow(span) if span.0 >= timeout => late,
            Health::Slow(span) => (span.0, attempt(Verdict::Success, "")),
            Health::Status(200..=299) | Health::Start | Health::Stop => (answer, attempt(Verdict::Success, "")),
            Health::Status(300..=399) | Health::Redirect(_) => (answer, attempt(Verdict::Warning, "redirect")),
            Health::Status(n) => {
                (answer, attempt(Verdict::Failure, &format!("HTTP probe failed with statuscode: {n}")))
            }
        }
    }
}

/// The port of the profile's health server (the seed's own).
pub(super) const HEALTH_PORT: u16 = 1500;

fn attempt(verdict: Verdict, text: &str) -> Attempt {
    Attempt { verdict, text: text.to_owned() }
}

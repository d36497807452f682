//! The guest as a model: what boots when, who answers, who pets the device.
//!
//! State only; the [`super::Model`] moves it and says what QEMU would report.

use super::location::Location;
use crate::budget::LIBVIRT_AGENT_LIMIT;
use crate::cluster::ProbeRequest;
use crate::devices::LinuxWatchdog;
use crate::fault::{DiskError, FaultKind, LongReboot};
use crate::kubelet::{Attempt, ProbeKind, Verdict};
use crate::manifest::{Destination, WatchdogModel};
use crate::scenario::{GuestProfile, Health, Keepalive};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long things take in the guest; measured on Debian under TCG, rounded. No outcome may depend on them.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// From power-on to systemd having opened the watchdog, when its files were there before: at 35 to 48 % of what it takes until the
    /// service answers, median 42 %, in 18 boots (qemu-watchdog.md 9).
    pub watchdog: Duration,
    /// From power-on to the first of its services, before which a boot loop's kernel panics: after 5.7 s of a boot whose service
    /// answers after 7.9 s.
    pub basic: Duration,
    /// From power-on to the agent's port being open.
    pub agent: Duration,
    /// From power-on to the health server listening.
    pub health: Duration,
    /// From power-on to the watchdog being petted, by a daemon in each boot, by systemd in the first.
    pub daemon: Duration,
    /// From power-on to everything being verified.
    pub settled: Duration,
    /// From the power button to the agent closing its port, and to the power-off.
    pub shutdown: (Duration, Duration),
    /// How long systemd waits for a service that does not stop, before it kills it (DefaultTimeoutStopSec).
    pub stop_limit: Duration,
    /// From a killed agent to systemd's new one: 0.13 to 0.25 s between the port's closing and opening, median 0.16 s, in 40 runs.
    pub agent_restart: Duration,
    /// From the order to kill the health server to systemd's new one: 0.59 to 0.69 s in 20 runs, 0.40 to 0.57 s in 20 earlier ones.
    pub health_restart: Duration,
    /// From a killed daemon to wd_keepalive petting: 0.65 to 1.31 s in 18 runs, median 0.78 s.
    pub takeover: Duration,
    /// Between the pets of Debian's daemon, and of wd_keepalive.
    pub pet_interval: Duration,
    /// Of anything asked over the agent or the network.
    pub answer: Duration,
    /// From the beginning of a soft lockup to the panic of the kernel's detector, which looks every 4 s for one of more than 21.5 s
    /// (qemu-watchdog.md 9).
    pub soft_lockup: Duration,
    /// From a fault's order to its taking effect, and to its being confirmed: in the guest that is a program to be started.
    pub fault: (Duration, Duration),
}

impl Default for Timings {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Timings {
            watchdog: ms(6_400),
            basic: ms(12_000),
            agent: ms(14_000),
            health: ms(16_000),
            daemon: ms(17_000),
            settled: ms(19_000),
            shutdown: (ms(1_000), ms(3_500)),
            stop_limit: ms(90_000),
            agent_restart: ms(200),
            health_restart: ms(600),
            takeover: ms(800),
            pet_interval: ms(1_000),
            answer: ms(50),
            soft_lockup: ms(24_000),
            fault: (ms(0), ms(50)),
        }
    }
}

impl Timings {
    /// The same for a guest whose service answers so long after its start: the rest of its boot takes as much longer.
    pub fn booting_in(boot: Duration) -> Timings {
        let ours = Timings::default();
        let times = boot.as_secs_f64() / ours.health.as_secs_f64();
        let longer = |span: Duration| span.mul_f64(times);
        Timings {
            watchdog: longer(ours.watchdog),
            basic: longer(ours.basic),
            agent: longer(ours.agent),
            health: boot,
            daemon: longer(ours.daemon),
            settled: longer(ours.settled),
            ..ours
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
    /// Panicked, or in a loop with interrupts off: spinning.
    Panicked,
    /// Systemd shuts down.
    GoingDown,
    /// Powered off.
    Off,
}

/// Which process holds the watchdog device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchdogHolder {
    Nobody,
    /// Who is to hold it, by the profile.
    Petter,
    /// SIGSTOPped: holds the device and does not pet.
    StoppedDaemon,
    Keepalive,
}

/// What comes about in a guest by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InGuest {
    AgentUp,
    AgentClosed,
    HealthUp,
    PetterUp,
    KeepaliveUp,
    Pet,
    Settled,
    PowerOff,
    /// A detector of its kernel's panics.
    Panic,
    /// A boot of its update reboots again.
    RebootsAgain,
    /// `kernel.panic` is over.
    PanicTimer,
    /// A breakage of this kind, which the fault had a span for, is over.
    Over(FaultKind),
    /// A TCP port answers again.
    PortBack(u16),
}

/// The guest of one VMI.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Guest {
    pub(super) kernel: Kernel,
    /// Counts power-ons; events of an earlier one are dropped.
    pub(super) boot: u32,
    pub(super) agent: bool,
    /// What is broken for a span.
    pub(super) broken: Vec<FaultKind>,
    /// TCP ports that nobody gets an answer from.
    pub(super) dropped: Vec<u16>,
    /// Its daemon was to pet the device and did not get the CPU.
    pub(super) owes_a_pet: bool,
    /// Listening.
    pub(super) health: bool,
    /// What the health server does when it listens.
    pub(super) behaviour: Health,
    /// What it did before its processes were stopped with SIGSTOP.
    pub(super) before_freeze: Option<Health>,
    pub(super) holder: WatchdogHolder,
    /// `/dev/watchdog`.
    pub(super) watchdog: Option<LinuxWatchdog>,
    /// When the device has something to do; a moment at which it has nothing to do does no harm.
    pub(super) watched: Option<Time>,
    /// Since when the vCPUs stand still.
    pub(super) paused_at: Option<Time>,
    /// What would have come about meanwhile, and how long after the guest goes on.
    pub(super) deferred: Vec<(Duration, InGuest)>,
    /// Which probes' last attempts were pings.
    pub(super) pinged: BTreeSet<ProbeKind>,
    /// The steps that have its frames lost.
    pub(super) cut_off_by: BTreeSet<usize>,
    /// The steps that have its frames late, and by how much.
    pub(super) delayed_by: BTreeMap<usize, Duration>,
    /// The step that has its writes fail, and how.
    pub(super) io_error: Option<(usize, DiskError)>,
    /// Its node reaches nobody, and nobody it.
    pub(super) node_cut_off: bool,
    /// The boots of an update that are still to come; on its own disk.
    pub(super) update: Option<LongReboot>,
    /// Its boot takes what its node has for boots.
    pub(super) booting: bool,
    /// The engine waits for the guest to be verified.
    pub(super) verifying: bool,
    pub(super) profile: GuestProfile,
}

impl Guest {
    /// Just switched on at `now`.
    pub(super) fn new(profile: &GuestProfile, model: Option<WatchdogModel>, now: Time) -> Self {
        Guest {
            kernel: Kernel::Booting,
            boot: 1,
            agent: false,
            broken: Vec::new(),
            dropped: Vec::new(),
            owes_a_pet: false,
            health: false,
            behaviour: Health::Status(200),
            before_freeze: None,
            holder: WatchdogHolder::Nobody,
            watchdog: model.map(|m| LinuxWatchdog::probe(m, now)),
            watched: None,
            paused_at: None,
            deferred: Vec::new(),
            pinged: BTreeSet::new(),
            cut_off_by: BTreeSet::new(),
            delayed_by: BTreeMap::new(),
            update: None,
            io_error: None,
            node_cut_off: false,
            booting: true,
            verifying: false,
            profile: profile.clone(),
        }
    }

    /// Power-on after a reset: everything is as after the first one.
    pub(super) fn reset(&mut self, now: Time) {
        let mut watchdog = self.watchdog.take();
        if let Some(watchdog) = &mut watchdog {
            watchdog.machine_reset(now);
        }
        *self = Guest {
            boot: self.boot + 1,
            watchdog,
            cut_off_by: std::mem::take(&mut self.cut_off_by),
            delayed_by: std::mem::take(&mut self.delayed_by),
            update: self.update,
            io_error: self.io_error,
            node_cut_off: self.node_cut_off,
            ..Guest::new(&self.profile, None, now)
        };
    }

    /// Whoever is to pet the device, or wd_keepalive in the daemon's place, opens it and sets its heartbeat.
    pub(super) fn open_watchdog(&mut self, now: Time) {
        if let (Some(watchdog), Some(petting)) = (&mut self.watchdog, self.profile.petting()) {
            // Whoever held it before is gone; a heartbeat that the driver refuses leaves it at the driver's own.
            let _ = watchdog.open(now);
            let _ = watchdog.set_timeout(now, petting.heartbeat_seconds);
        }
    }

    /// Userspace gets the CPU, and is not going down.
    pub(super) fn userspace_runs(&self) -> bool {
        self.kernel == Kernel::Up && self.gets_cpu()
    }

    fn gets_cpu(&self) -> bool {
        self.paused_at.is_none() && !self.is_starved()
    }

    /// Its kernel lives, and lets no program run.
    pub(super) fn is_starved(&self) -> bool {
        self.is_broken(FaultKind::CpuHog) || self.is_broken(FaultKind::SoftLockup)
    }

    /// It suffers from such a fault now.
    pub(super) fn is_broken(&self, by: FaultKind) -> bool {
        self.broken.contains(&by)
    }

    /// Whoever has the agent's port open answers, also while the rest goes down.
    pub(super) fn agent_answers(&self) -> bool {
        let lives = matches!(self.kernel, Kernel::Up | Kernel::GoingDown);
        self.agent && lives && self.gets_cpu() && !self.is_broken(FaultKind::HangAgent)
    }

    /// Its kernel takes frames and answers them: a handshake needs both ways.
    pub(super) fn reachable(&self) -> bool {
        self.paused_at.is_none() && self.cut_off_by.is_empty()
    }

    /// How much later than on a network without delay `crossings` frames in turn arrive, on average: what is sent at any moment waits for
    /// half an interval, and what comes of it for a whole one.
    pub(super) fn late_by(&self, crossings: u32) -> Duration {
        let delay: Duration = self.delayed_by.values().sum();
        delay * crossings - delay / 2
    }

    /// Its service answers whoever reaches it; of a guest without one, its agent is there.
    pub(super) fn is_serving(&self) -> bool {
        let reached = self.userspace_runs() && self.reachable() && !self.node_cut_off && self.dropped.is_empty();
        let answers = if self.profile.health_server { self.health && self.answers_well() } else { self.agent };
        reached && answers
    }

    /// What its service answers, when it does, is of use.
    pub(super) fn answers_well(&self) -> bool {
        match &self.behaviour {
            Health::Status(status) => *status < 400,
            Health::Hang | Health::Stop => false,
            Health::Start | Health::Slow(_) | Health::Redirect(_) => true,
        }
    }

    /// Someone pets the device whenever it gets the CPU.
    pub(super) fn petting(&self) -> bool {
        matches!(self.holder, WatchdogHolder::Petter | WatchdogHolder::Keepalive)
    }

    /// Between two pets; `daemon`: of Debian's daemon.
    pub(super) fn pet_interval(&self, daemon: Duration) -> Duration {
        self.profile.petting().and_then(|petting| petting.every).unwrap_or(daemon)
    }

    /// wd_keepalive takes over from a daemon that dies.
    pub(super) fn keepalive_takes_over(&self) -> bool {
        self.profile.watchdog_daemon.as_ref().is_some_and(|d| d.keepalive == Keepalive::Takeover)
    }

    /// As the profile says.
    pub(super) fn is_as_profiled(&self) -> bool {
        let petted = self.profile.petting().is_none() || self.watchdog.is_none() || self.petting();
        self.agent && petted && (self.health || !self.profile.health_server)
    }

    /// What a probe's attempt finds, and how long that takes.
    pub(super) fn probe(&self, request: &ProbeRequest, timeout: Duration, answer: Duration) -> (Duration, Attempt) {
        let late = (timeout, attempt(Verdict::Failure, "context deadline exceeded"));
        match request {
            ProbeRequest::Answer { after, attempt } => (*after, attempt.clone()),
            ProbeRequest::Exec { .. } | ProbeRequest::Ping if !self.agent || self.profile.no_agent => {
                (answer, attempt(Verdict::Failure, "guest agent is not connected"))
            }
            ProbeRequest::Exec { .. } | ProbeRequest::Ping if !self.agent_answers() => {
                (timeout.min(LIBVIRT_AGENT_LIMIT), attempt(Verdict::Failure, "guest agent does not answer"))
            }
            ProbeRequest::Exec { .. } if self.is_broken(FaultKind::ForkBomb) => {
                (answer, attempt(Verdict::Failure, "guest-exec failed: Resource temporarily unavailable"))
            }
            ProbeRequest::Exec { .. } if self.is_broken(FaultKind::FsFreeze) => {
                (answer, attempt(Verdict::Failure, "guest-exec has been disabled: the agent is in frozen state"))
            }
            ProbeRequest::Ping => (answer, attempt(Verdict::Success, "")),
            ProbeRequest::Exec { command, inner_timeout } => self.exec(command, *inner_timeout, answer),
            ProbeRequest::Http { to, .. } | ProbeRequest::Tcp { to } => {
                let kernel_answers = matches!(self.kernel, Kernel::Up | Kernel::GoingDown) && self.reachable();
                let listens = self.health && self.serves(to.port());
                let (length, attempt) = match (request, to) {
                    (_, Destination::NotForwarded { .. }) => (answer, attempt(Verdict::Failure, "connection refused")),
                    _ if !kernel_answers || self.dropped.contains(&to.port()) => late.clone(),
                    (ProbeRequest::Http { .. }, _) if listens && self.is_starved() => late.clone(),
                    _ if !listens => (answer, attempt(Verdict::Failure, "connection refused")),
                    // It starts a process for each connection.
                    (ProbeRequest::Http { .. }, _) if self.is_broken(FaultKind::ForkBomb) => {
                        (answer, attempt(Verdict::Failure, "EOF"))
                    }
                    (ProbeRequest::Http { path, .. }, to) => self.health_server(path, to, timeout, answer),
                    _ => (answer, attempt(Verdict::Success, "")),
                };
                let crossings = match (request, to) {
                    (_, Destination::NotForwarded { .. }) => return (length, attempt),
                    (ProbeRequest::Http { .. }, _) if listens => HTTP_CROSSINGS,
                    _ => TCP_CROSSINGS,
                };
                let length = length + self.late_by(crossings);
                if length < timeout { (length, attempt) } else { late }
            }
        }
    }

    /// Whether its server, where one runs, is to be on this port.
    pub(super) fn serves(&self, port: u16) -> bool {
        port == HEALTH_PORT || self.profile.serves_probes
    }

    /// The guest's health server (guests/assets/health.pl), as the kubelet's client finds it (kubelet-prober.md 9.3, 9.4).
    fn health_server(&self, path: &str, to: &Destination, timeout: Duration, answer: Duration) -> (Duration, Attempt) {
        let status = |n: u16| match n {
            200..=299 => attempt(Verdict::Success, ""),
            300..=399 => attempt(Verdict::Warning, "redirect"),
            n => attempt(Verdict::Failure, &format!("HTTP probe failed with statuscode: {n}")),
        };
        let known = self.profile.serves_probes
            || path == HEALTH_PATH
            || path.strip_prefix(HEALTH_PATH).is_some_and(|r| r.starts_with(['/', '?']));
        let found = |known: bool| status(if known { 200 } else { 404 });
        match &self.behaviour {
            Health::Hang => (timeout, attempt(Verdict::Failure, "context deadline exceeded")),
            Health::Slow(span) => (span.0, found(known)),
            Health::Start | Health::Stop => (answer, found(known)),
            Health::Status(_) if !known => (answer, found(false)),
            Health::Status(n) => (answer, status(*n)),
            Health::Redirect(_) if path != HEALTH_PATH => (answer, found(known)),
            Health::Redirect(location) => match Location::of(location) {
                Location { host: Some(other), .. } if Some(other) != to.host() => {
                    (answer, attempt(Verdict::Warning, "redirect to another host"))
                }
                Location { server: Some((scheme, port)), .. } if (scheme, port) != ("http", to.port()) => {
                    (answer * 2, attempt(Verdict::Failure, "the redirect's target cannot be fetched"))
                }
                Location { page: HEALTH_PATH, .. } => {
                    (answer * 10, attempt(Verdict::Failure, "stopped after 10 redirects"))
                }
                Location { page, .. } => (answer * 2, found(page.starts_with("/healthz/"))),
            },
        }
    }

    /// The few programs that scenarios run; the exit code decides, a signal reads as success (kubevirt-health.md 3.3).
    fn exec(&self, command: &[String], inner: Duration, answer: Duration) -> (Duration, Attempt) {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let exits = |code: i32| match code {
            0 => (answer, attempt(Verdict::Success, "")),
            code => (answer, attempt(Verdict::Failure, &format!("exit status {code}"))),
        };
        match words.as_slice() {
            ["/usr/bin/uname", ..] | ["/usr/bin/true"] | ["/bin/bash", "-c", "kill -9 $BASHPID"] => exits(0),
            ["/usr/bin/false"] => exits(1),
            ["/bin/sh", "-c", "mkdir /var/tmp/probe && rmdir /var/tmp/probe"] => {
                exits(i32::from(self.is_broken(FaultKind::DiskFull)))
            }
            ["/usr/bin/sleep", ..] => (inner, attempt(Verdict::Failure, "panic: timeout")),
            ["/usr/bin/systemctl", "is-active", "vmhealth-health.service"] => exits(if self.health { 0 } else { 3 }),
            _ => (answer, attempt(Verdict::Failure, "the model does not know this program")),
        }
    }
}

/// SYN and its answer.
const TCP_CROSSINGS: u32 = 2;
/// Then the request and its answer.
pub(super) const HTTP_CROSSINGS: u32 = 4;
/// The port of the profile's health server (that of OpenShift's documentation).
pub(super) const HEALTH_PORT: u16 = 1500;
/// Its only page; what is below it exists too.
const HEALTH_PATH: &str = "/healthz";

fn attempt(verdict: Verdict, text: &str) -> Attempt {
    Attempt { verdict, text: text.to_owned() }
}

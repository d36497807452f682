//! How fast a guest's vCPUs are to go: by what their host gives them, or by how their clock counts it.

use super::threads::{Moment, VcpuThreads, Waited};
use crate::console::{has_reported_panic, since};
use crate::guest_time::GuestClock;
use crate::qemu::Machine;
use crate::time;
use crate::wire::Qmp;
use qapi::qmp;
use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use vmhealth_sim::manifest::WatchdogAction;

const QMP_LIMIT: Duration = Duration::from_secs(10);
/// A panicked kernel only spins: what takes its clock ten seconds takes its host ten milliseconds.
const SPINNING: f64 = 1000.0;
/// One that counts to its own reboot spins, too, and then has some milliseconds' work, for which the guest is not to take a
/// second.
const COUNTING: f64 = 20.0;
/// The end of a panic's report is waited for so long at most: a kernel whose console is told to be quiet never says it.
const LONGEST_REPORT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// The vCPUs of one QEMU.
#[derive(Debug)]
pub(crate) enum Cpus {
    /// Their CPU time is their time: they are never late, and need no priority.
    InGuestTime(ClockSpeed),
    /// Threads that compete for the host's cores.
    OnHost(VcpuThreads),
    /// QEMU does not say which threads they are, or where: they go without niceties.
    Unknown,
}

impl Cpus {
    /// Those of a QEMU that lives by the host's clock.
    pub(super) async fn of_host(qmp: &Qmp, pid: Option<u32>, machine: &Machine) -> Cpus {
        // Only niceties need them: a QEMU that words its answer otherwise goes without.
        let cpus = qmp.execute(qmp::query_cpus_fast {}, QMP_LIMIT).await.ok();
        let revives = machine.has_watchdog() && machine.watchdog_action == WatchdogAction::Reset;
        match pid.zip(cpus) {
            Some((pid, cpus)) => Cpus::OnHost(VcpuThreads::new(
                pid,
                cpus.iter().filter_map(thread_id).map(|id| on_host(pid, id)).collect(),
                revives,
            )),
            None => Cpus::Unknown,
        }
    }

    /// What happens to the guest and makes its vCPUs more or less urgent, or its clock faster or slower.
    pub(super) fn at(&self, moment: Moment) {
        match self {
            Cpus::InGuestTime(clock) => clock.at(moment),
            Cpus::OnHost(threads) => threads.at(moment),
            Cpus::Unknown => {}
        }
    }

    /// At [`Moment::Panicked`], which the kernel reports on this console from there on.
    pub(super) fn panicked(&self, moment: Moment, console: &Path, from: u64) {
        match self {
            Cpus::InGuestTime(clock) => clock.once_reported(moment, console.to_owned(), from),
            _ => self.at(moment),
        }
    }

    /// How long they were kept from a core; `None`: nobody knows, or it makes no difference.
    pub(super) fn waited_for_core(&self) -> Option<Waited> {
        match self {
            Cpus::OnHost(threads) => threads.waited_for_core(),
            Cpus::InGuestTime(_) | Cpus::Unknown => None,
        }
    }
}

fn thread_id(cpu: &qmp::CpuInfoFast) -> Option<i64> {
    match cpu {
        qmp::CpuInfoFast::x86_64(base) | qmp::CpuInfoFast::aarch64(base) => Some(base.thread_id),
        qmp::CpuInfoFast::s390x { base, .. } => Some(base.thread_id),
        _ => None,
    }
}

/// A thread's number on this host; a QEMU in a pid namespace of its own says what it is in there.
fn on_host(pid: u32, inside: i64) -> i64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let number_inside = |thread: &std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("NSpid:")?.split_whitespace().last()?.parse::<i64>().ok())
    };
    let mut threads = threads.filter(|thread| number_inside(thread) == Some(inside));
    threads.next().and_then(|thread| thread.file_name().to_str()?.parse().ok()).unwrap_or(inside)
}

/// How fast a clock counts the CPU time of its vCPUs.
#[derive(Debug)]
pub(crate) struct ClockSpeed {
    clock: Arc<GuestClock>,
    normal: f64,
    /// Waits for the end of a panic's report.
    report: RefCell<Option<AbortHandle>>,
}

impl ClockSpeed {
    pub(super) fn new(clock: Arc<GuestClock>, normal: f64) -> ClockSpeed {
        ClockSpeed { clock, normal, report: RefCell::new(None) }
    }

    pub(super) fn environment(&self, object: &Path) -> [(&'static str, OsString); 3] {
        self.clock.environment(object)
    }

    fn at(&self, moment: Moment) {
        if let Some(speed) = self.speed(moment) {
            self.report.take().inspect(AbortHandle::abort);
            self.clock.set_speed(speed);
        }
    }

    /// The kernel works until it has reported its panic, and so do its other CPUs, one of which may pet the watchdog: their time
    /// goes on as before until then.
    fn once_reported(&self, moment: Moment, console: PathBuf, from: u64) {
        let Some(speed) = self.speed(moment) else { return };
        let clock = self.clock.clone();
        let report = tokio::task::spawn_local(async move {
            let deadline = time::now() + LONGEST_REPORT;
            while !has_reported_panic(&since(&console, from)) && time::now() < deadline {
                time::sleep(LOOK).await;
            }
            clock.set_speed(speed);
        });
        self.report.replace(Some(report.abort_handle())).inspect(AbortHandle::abort);
    }

    /// `None`: it stays as it is.
    fn speed(&self, moment: Moment) -> Option<f64> {
        match moment {
            Moment::Panicked { counts: false } => Some(SPINNING),
            Moment::Panicked { counts: true } => Some(COUNTING),
            Moment::Boots | Moment::WatchdogEnds => Some(self.normal),
            Moment::Settled | Moment::Signalled => None,
        }
    }
}

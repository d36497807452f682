//! A running QEMU.

use super::cpus::Cpus;
use super::disk_fault::DiskFault;
use super::threads::{Moment, Waited};
use crate::console;
use crate::net::{DhcpServer, Netns, Relay};
use crate::os::GuestOs;
use crate::process::Process;
use crate::qemu::AGENT_PORT;
use crate::time;
use crate::wire::{Agent, PortState, Qmp, QmpEvent};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use vmhealth_sim::cluster::{DomainEvent, Exit};
use vmhealth_sim::manifest::WatchdogAction;

/// An event and QEMU's own time of it.
#[derive(Debug, Clone)]
pub struct GuestEvent {
    /// When it happened.
    pub at: SystemTime,
    /// What it was, in libvirt's terms.
    pub event: DomainEvent,
}

/// A guest whose QEMU runs (or has run: [`DomainEvent::Exited`] says so).
#[derive(Debug)]
pub struct Live {
    /// Its monitor.
    pub qmp: Qmp,
    /// Its agent; take [`Agent::present`] for a session.
    pub agent: Agent,
    /// The agent's port.
    pub port: watch::Receiver<PortState>,
    /// Its network.
    pub netns: Netns,
    /// Held for as long as the guest may ask.
    pub(super) _dhcp: Option<DhcpServer>,
    /// Held for as long as it has a network.
    pub(super) _relay: Option<Relay>,
    pub(super) pid: Option<u32>,
    pub(super) cpus: Cpus,
    /// Its kernel reboots by itself some seconds after a panic.
    pub(crate) counts_in_panic: bool,
    /// Why nobody can tell how it ended.
    pub(crate) lost: Arc<OnceLock<String>>,
    /// QEMU has told of its kernel's panic.
    pub(crate) panicked: Arc<AtomicBool>,
    /// Somebody here has sent it a signal.
    pub(crate) signalled: Cell<bool>,
    /// Its node reaches nobody, and nobody it.
    pub(crate) node_cut_off: Cell<bool>,
    /// What was done to its disk.
    pub(crate) disk_fault: RefCell<DiskFault>,
    /// Raw bytes of its serial console.
    pub serial: PathBuf,
    /// What runs in it.
    pub(crate) os: &'static dyn GuestOs,
    pub(super) scratch: PathBuf,
}

impl Live {
    /// QEMU's process id; it may have ended.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// The folder of its sockets.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Signals QEMU's process group.
    pub fn signal(&self, signal: Signal) {
        self.vcpus_at(Moment::Signalled);
        self.signalled.set(true);
        // The group is QEMU's own; shortly after QEMU is reaped the port's sender is gone, and the pid may be another's.
        if self.port.has_changed().is_ok()
            && let Some(pid) = self.pid.and_then(|p| i32::try_from(p).ok())
        {
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }

    /// What happens to it and makes its vCPUs more or less urgent.
    pub(crate) fn vcpus_at(&self, moment: Moment) {
        self.cpus.at(moment);
    }

    /// The length of what its console has said so far, bytes.
    pub(crate) fn console_length(&self) -> u64 {
        std::fs::metadata(&self.serial).map_or(0, |console| console.len())
    }

    /// Its kernel has panicked, and reports it on the console from there on.
    pub(crate) fn panicked(&self, from: u64) {
        self.cpus.panicked(Moment::Panicked { counts: self.counts_in_panic }, &self.serial, from);
    }

    /// How long its vCPUs were kept from a core; `None`: nobody knows, or it makes no difference.
    pub(crate) fn waited_for_core(&self) -> Option<Waited> {
        self.cpus.waited_for_core()
    }

    /// Whether its guest lives by the host's clock. Another stands still whenever guest time does.
    pub(crate) fn is_in_real_time(&self) -> bool {
        !matches!(self.cpus, Cpus::InGuestTime(_))
    }

    /// The number of its process, if that was stopped (SIGSTOP, a debugger).
    pub(crate) fn stopped(&self) -> Option<u32> {
        // proc_pid_stat(5): the state follows the name, which may hold anything.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid?)).ok()?;
        let state = stat.rsplit_once(')')?.1.trim_start().chars().next()?;
        matches!(state, 'T' | 't').then_some(self.pid)?
    }

    /// Waits until the process is reaped, at most so long; whether it is. That takes no guest time.
    pub async fn exited(&self, limit: Duration) -> bool {
        let _hold = time::hold();
        let mut port = self.port.clone();
        // The port's sender lives as long as the process's watcher.
        let gone = async { while port.changed().await.is_ok() {} };
        time::patience(limit, gone).await.is_ok()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        console::shorten(&self.serial);
        // A folder that cannot be removed now is the next run's sweep.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// How long the last events may take to be read after the process has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// Turns QMP's events into the domain's (the first RESUME of one that has not `started` is its start), keeps the port's
/// state, and reports the process's end after its last event.
pub(super) async fn pump(
    mut child: Process,
    mut from_qmp: mpsc::UnboundedReceiver<QmpEvent>,
    port: watch::Sender<PortState>,
    to_us: mpsc::UnboundedSender<GuestEvent>,
    mut started: bool,
    lost: Arc<OnceLock<String>>,
    panicked: Arc<AtomicBool>,
) {
    let (mut io_error, mut ending) = (false, false);
    let mut take = |event: QmpEvent| {
        let at = event.at.unwrap_or_else(time::wall);
        let Some(mut event) = domain_event(&event) else { return };
        // `cont` after -S: the guest's first breath.
        if event == DomainEvent::Resume && !std::mem::replace(&mut started, true) {
            event = DomainEvent::Started;
        }
        match event {
            // Each request that was under way fails.
            DomainEvent::IoError | DomainEvent::NoSpace if std::mem::replace(&mut io_error, true) => return,
            // What was under way when QEMU was told to end, it gives up by itself.
            DomainEvent::IoError | DomainEvent::NoSpace if ending => return,
            DomainEvent::Shutdown { .. } => ending = true,
            DomainEvent::Resume => io_error = false,
            DomainEvent::Panicked { .. } => panicked.store(true, Ordering::Relaxed),
            _ => {}
        }
        if let DomainEvent::AgentPort { open } = event {
            if open == port.borrow().open {
                return;
            }
            port.send_modify(|state| *state = PortState { open, session: state.session + u64::from(open) });
        }
        // The receiver is dropped with its scenario.
        let _ = to_us.send(GuestEvent { at, event });
    };
    let status = loop {
        tokio::select! {
            biased;
            event = from_qmp.recv() => match event {
                Some(event) => take(event),
                None => break child.wait().await,
            },
            status = child.wait() => break status,
        }
    };
    let drained = async {
        while let Some(event) = from_qmp.recv().await {
            take(event);
        }
    };
    let _ = time::patience(DRAIN, drained).await;
    let exit = status.unwrap_or_else(|why| {
        // The only one who sets it.
        let _ = lost.set(why);
        Exit::Status(-1)
    });
    let _ = to_us.send(GuestEvent { at: time::wall(), event: DomainEvent::Exited(exit) });
}

/// Events that say nothing about the domain, and unknown ones, are only in the transcript.
fn domain_event(event: &QmpEvent) -> Option<DomainEvent> {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or("?");
    Some(match event.name.as_str() {
        "WATCHDOG" => DomainEvent::Watchdog(WatchdogAction::of(text("action"))?),
        "RESET" => DomainEvent::Reset { reason: text("reason").into() },
        "SHUTDOWN" => DomainEvent::Shutdown { reason: text("reason").into() },
        "POWERDOWN" => DomainEvent::Powerdown,
        "BLOCK_IO_ERROR" if text("action") == "stop" => match event.data.get("nospace").and_then(Value::as_bool) {
            Some(true) => DomainEvent::NoSpace,
            _ => DomainEvent::IoError,
        },
        "STOP" => DomainEvent::Stop,
        "RESUME" => DomainEvent::Resume,
        "GUEST_PANICKED" => DomainEvent::Panicked { action: text("action").into() },
        "VSERPORT_CHANGE" if text("id") == AGENT_PORT => {
            DomainEvent::AgentPort { open: event.data.get("open").and_then(Value::as_bool)? }
        }
        _ => return None,
    })
}

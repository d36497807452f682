//! A guest whose files and network exist, and whose process does not yet.

use super::cpus::{ClockSpeed, Cpus};
use super::error::StartError;
use super::live::{GuestEvent, Live, pump};
use super::migration;
use crate::confine::Access;
use crate::guest_time::Timekeeping;
use crate::host::{Emulator, Launch};
use crate::net::Netns;
use crate::os::GuestOs;
use crate::process::{End, Process};
use crate::qemu::{Accel, Boot, Disk, Machine, Memory, QemuCommand, Sockets};
use crate::wire::{Agent, PortState, Qmp, Transcript};
use qapi::qmp;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use vmhealth_clock::page::MEMORY_VARIABLE;
use vmhealth_sim::cluster::DomainEvent;

/// From exec to a negotiated QMP; QEMU needs well under a second of one core for it.
const QMP_LIMIT: Duration = Duration::from_secs(30);
/// Between two looks for QEMU's sockets.
const SOCKET_POLL: Duration = Duration::from_millis(1);
/// For a QEMU whose QMP connection broke to be seen ending.
const END_LIMIT: Duration = Duration::from_secs(2);
/// Of QEMU's stderr, in a message.
const STDERR_TAIL: usize = 2000;

/// A guest ready to be launched.
#[derive(Debug)]
pub struct Prepared {
    pub(super) number: u32,
    pub(super) scratch: PathBuf,
    pub(super) evidence: PathBuf,
    pub(super) machine: Machine,
    /// What its disk is an overlay of, where that is the user's.
    pub(super) users_files: Vec<PathBuf>,
    /// Of the disk that the guest sees.
    pub(super) disk_mib: u64,
    /// A fork's device state.
    pub(super) state: Option<PathBuf>,
    pub(super) netns: Netns,
    pub(super) tap: OwnedFd,
    pub(super) needs_dhcp: bool,
    pub(super) counts_in_panic: bool,
    pub(super) emulator: Emulator,
    pub(super) os: &'static dyn GuestOs,
    /// By which clock it is going to live.
    pub(super) time: Timekeeping,
    /// The name of another QMP socket beside ours, for one client.
    pub(super) second_monitor: Option<&'static str>,
}

impl Prepared {
    /// QEMU is to serve another QMP client beside us, at a socket of this name in its folder.
    pub fn second_monitor(&mut self, name: &'static str) {
        self.second_monitor = Some(name);
    }

    /// Starts QEMU and lets the vCPUs run, unless it is to begin `paused`; call it from the thread that lives as long as
    /// the run. Times in the transcripts are seconds since `origin`.
    pub async fn launch(
        self,
        origin: Instant,
        paused: bool,
    ) -> Result<(Live, mpsc::UnboundedReceiver<GuestEvent>), StartError> {
        let Prepared {
            number,
            scratch,
            evidence,
            mut machine,
            users_files,
            disk_mib,
            state,
            netns,
            tap,
            needs_dhcp,
            counts_in_panic,
            emulator,
            os,
            time,
            second_monitor,
        } = self;
        // Nothing of this takes guest time: not for this guest, and not for another.
        let _hold = crate::time::hold();
        let program = emulator.program;
        let attached = emulator.host.attach(tap, &scratch)?;
        machine.nic = attached.nic;
        let sockets = Sockets {
            qmp: scratch.join("qmp"),
            agent: scratch.join("agent"),
            serial: evidence.join(format!("serial-{number}.log")),
        };
        let dhcp = needs_dhcp.then(|| netns.serve_dhcp()).transpose()?;
        let mut command = QemuCommand::new(&machine, &sockets);
        if let Some(name) = second_monitor {
            command.add_monitor(&scratch.join(name));
        }
        let stderr_path = evidence.join(format!("qemu-{number}.stderr"));
        std::fs::write(evidence.join(format!("qemu-{number}.sh")), format!("{program}{command}\n"))
            .map_err(StartError::io("keep QEMU's command line"))?;
        make_own_files(&machine, &sockets).map_err(StartError::io("make the files that QEMU writes to"))?;
        let mut accesses = accesses(&machine, &users_files, &sockets.serial, &scratch);
        let (mut reads, writes) = files(&machine, &users_files, &scratch, &evidence);
        let clock = match &time {
            Timekeeping::Real => None,
            Timekeeping::Guest { object, speed, .. } => {
                let create = crate::time::create_clock(&scratch, *speed);
                let (clock, place) = create.map_err(StartError::io("make QEMU's clock"))?;
                accesses.push(Access::read(object));
                reads.push(object.clone());
                Some((ClockSpeed::new(clock, *speed), place, object))
            }
        };
        let environment = clock.as_ref().map(|(clock, _, object)| {
            let mut environment = clock.environment(object).to_vec();
            if let Memory::Private(ram) = &machine.memory {
                environment.push((MEMORY_VARIABLE, ram.into()));
            }
            environment
        });
        let launch = Launch {
            args: command.args(),
            environment: environment.as_ref().map_or(&[], |e| e.as_slice()),
            tap: attached.tap.as_ref(),
            reads,
            writes,
            accesses: &accesses,
            memory_mib: machine.memory_mib,
            disk_mib,
            kvm: machine.accel == Accel::Kvm,
            scratch: &scratch,
            stderr: &stderr_path,
        };
        let mut child = emulator.host.start(&emulator, launch).await?;
        // QEMU has its own now.
        drop(attached.tap);
        let transcript = |name: &str| {
            Transcript::create(&evidence.join(format!("{name}-{number}.log")), origin)
                .map_err(StartError::io("keep a transcript"))
        };
        wait_for_socket(&mut child, &sockets.agent, &stderr_path).await?;
        let (events, from_qmp) = mpsc::unbounded_channel();
        let qmp = match Qmp::connect(&sockets.qmp, transcript("qmp")?, events).await {
            Ok(qmp) => qmp,
            // The sockets exist before QEMU has looked at the rest of its command line.
            Err(e) => return Err(ended(&mut child, &stderr_path).await.unwrap_or(e.into())),
        };
        // Forks are captured with their agent's port open; QEMU may or may not say so again.
        let (port, port_state) =
            watch::channel(PortState { open: state.is_some(), session: u64::from(state.is_some()) });
        let agent = Agent::connect(&sockets.agent, transcript("agent")?, port_state.clone()).await?;
        let (to_us, from_guest) = mpsc::unbounded_channel();
        let pid = child.pid;
        // Until then the child is ours and dies with this function's failure.
        if let Some(state) = state
            && let Err(e) = migration::restore(&qmp, &scratch, &state).await
        {
            return Err(ended(&mut child, &stderr_path).await.unwrap_or(e));
        }
        if paused {
            // libvirt has started it, and its vCPUs stand still: QEMU itself has nothing to say about that.
            for event in [DomainEvent::Started, DomainEvent::Stop] {
                // The receiver is ours.
                let _ = to_us.send(GuestEvent { at: crate::time::wall(), event });
            }
        } else {
            qmp.execute(qmp::cont {}, QMP_LIMIT).await?;
        }
        let lost = Arc::new(OnceLock::new());
        let panicked = Arc::new(AtomicBool::new(false));
        let (speed, place) = clock.map(|(speed, place, _)| (speed, place)).unzip();
        let pumping = pump(child, from_qmp, port, to_us, paused, lost.clone(), panicked.clone());
        tokio::spawn(async move {
            pumping.await;
            // Its time is waited for until its end was told.
            drop(place);
        });
        let cpus = match speed {
            Some(speed) => Cpus::InGuestTime(speed),
            None => Cpus::of_host(&qmp, pid, &machine).await,
        };
        let live = Live {
            qmp,
            agent,
            port: port_state,
            netns,
            _dhcp: dhcp,
            _relay: attached.relay,
            pid,
            cpus,
            counts_in_panic,
            lost,
            panicked,
            signalled: Cell::default(),
            node_cut_off: Cell::default(),
            disk_fault: RefCell::default(),
            serial: sockets.serial,
            os,
            scratch,
        };
        Ok((live, from_guest))
    }
}

/// Waits for QEMU's last socket; impossible once QEMU has ended.
async fn wait_for_socket(child: &mut Process, path: &Path, stderr: &Path) -> Result<(), StartError> {
    let made = async {
        while !path.exists() {
            if let Some(end) = child.ended() {
                return Err(died(end, stderr));
            }
            tokio::time::sleep(SOCKET_POLL).await;
        }
        Ok(())
    };
    let late = |_| Err(StartError::Late { limit: QMP_LIMIT, stderr: last_words(stderr) });
    crate::time::patience(QMP_LIMIT, made).await.unwrap_or_else(late)
}

/// QEMU's end, if it comes within a moment.
async fn ended(child: &mut Process, stderr: &Path) -> Option<StartError> {
    let end = crate::time::patience(END_LIMIT, child.wait()).await.ok()?;
    Some(died(end, stderr))
}

fn died(end: End, stderr: &Path) -> StartError {
    let status = match end {
        Ok(exit) => DomainEvent::Exited(exit).to_string(),
        Err(why) => why,
    };
    StartError::Died { status, stderr: last_words(stderr) }
}

/// What QEMU opens: the image and what it is a fork of only for reading, its own folders and those of a template that is made
/// for writing, too.
fn files(machine: &Machine, users_files: &[PathBuf], scratch: &Path, evidence: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let folder = |path: &Path| path.parent().map(Path::to_owned);
    let boot = match &machine.boot {
        Boot::Kernel(kernel) => folder(&kernel.file),
        Boot::Bios => None,
        // Alone, as the user's files: what else is beside them is not QEMU's business.
        Boot::Uefi { code, .. } => Some(code.clone()),
    };
    let mut reads = BTreeSet::from_iter(boot.into_iter().chain(users_files.iter().cloned()));
    let memory = match &machine.memory {
        Memory::Anonymous => None,
        Memory::Shared(path) | Memory::Private(path) => Some(path),
    };
    let disk = match &machine.disk {
        Disk::Overlay(path) | Disk::Snapshot(path) => path,
    };
    let guests = memory.into_iter().chain([disk]).chain(&machine.seed).filter_map(|p| folder(p));
    let mut writes = BTreeSet::from([scratch.to_owned(), evidence.to_owned()]);
    match &machine.disk {
        Disk::Overlay(_) => writes.extend(guests),
        // Its memory may be a copy of its own.
        Disk::Snapshot(_) => reads.extend(guests.filter(|folder| folder != scratch)),
    }
    (reads.into_iter().collect(), writes.into_iter().collect())
}

/// A file that is written to, in a folder that is not, must be there.
fn make_own_files(machine: &Machine, sockets: &Sockets) -> io::Result<()> {
    File::create(&sockets.serial)?;
    match &machine.memory {
        Memory::Shared(path) => File::create(path).map(drop),
        Memory::Anonymous | Memory::Private(_) => Ok(()),
    }
}

/// What QEMU opens, to the file; its own folder is understood. The image, and a template's disk and seed, are only read.
fn accesses(machine: &Machine, users_files: &[PathBuf], serial: &Path, scratch: &Path) -> Vec<Access> {
    let boot = match &machine.boot {
        // With the root disk beside it, which the overlay names.
        Boot::Kernel(kernel) => kernel.file.parent().map(Access::read),
        Boot::Bios => None,
        Boot::Uefi { code, .. } => Some(Access::read(code)),
    };
    let memory = match &machine.memory {
        Memory::Anonymous => None,
        Memory::Shared(path) => Some(Access::write(path)),
        Memory::Private(path) => Some(Access::read(path)),
    };
    let disk = match &machine.disk {
        Disk::Overlay(path) => Access::write(path),
        Disk::Snapshot(path) => Access::read(path),
    };
    let seed = machine.seed.as_deref().map(Access::read);
    let all = boot.into_iter().chain(memory).chain([disk]).chain(seed).chain([Access::write(serial)]);
    let all = all.chain(users_files.iter().map(|file| Access::read(file)));
    all.filter(|access| !access.path.starts_with(scratch)).collect()
}

fn last_words(stderr: &Path) -> String {
    let text = std::fs::read(stderr).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(STDERR_TAIL)..]).trim().to_owned()
}

//! Boots a guest once, watches its boot, and captures it when it is ready and quiet.

use super::error::CaptureError;
use super::history::{History, PortHistory};
use super::key::key;
use super::store::{DISK, HISTORY, RAM, SEED, STATE, Template, Templates, captured};
use super::trial::fork_lives;
use crate::guest::{BootMode, GuestEvent, Live, NotReady, StartError, VerifyMode, VmSpec, migration, verify};
use crate::net::Netns;
use crate::probe::Network;
use crate::time::{self, on_own_thread};
use crate::wire::AgentError;
use qapi::qmp;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use vmhealth_images::entries::Slot;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::engine::GuestReport;

/// Beside a template's files: what its boot left.
const EVIDENCE: &str = "evidence";
const QUIESCE_LIMIT: Duration = Duration::from_secs(60);
const QMP_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at a port while the guest boots; the resolution of its history.
const PORT_INTERVAL: Duration = Duration::from_millis(100);
/// A connection that meets silence is given up after this.
const PORT_LIMIT: Duration = Duration::from_millis(300);

/// The template that `spec` forks from: out of the store, or booted and captured now. `watched` are the ports whose history
/// is wanted, `limit` is for the boot. `scratch` is short and ours alone.
pub async fn ensure(
    spec: &VmSpec,
    templates: &Templates,
    watched: &BTreeSet<u16>,
    limit: Duration,
    scratch: &Path,
    progress: &dyn Fn(&str),
) -> Result<Template, CaptureError> {
    let key = key(spec, watched);
    let (say, mut said) = mpsc::unbounded_channel();
    let (entries, key_there) = (templates.entries.clone(), key.clone());
    // It may wait for another process.
    let mut opened = tokio::task::spawn_blocking(move || {
        // We listen until it is done.
        entries.open(&key_there, &|line| drop(say.send(line.to_owned())))
    });
    let slot = loop {
        tokio::select! {
            biased;
            Some(line) = said.recv() => progress(&line),
            slot = &mut opened => break slot.map_err(|e| CaptureError::File(e.to_string()))??,
        }
    };
    let held = match slot {
        Slot::Held(held) => held,
        Slot::Vacant(vacant) => {
            progress(&format!("template {key}: booting the guest that is forked from now on"));
            let after = boot_and_capture(spec, vacant.folder(), watched, limit, scratch).await?;
            progress(&format!("template {key}: captured {:.1} s after its power-on", after.as_secs_f64()));
            // Half a gigabyte is read for its checksum.
            tokio::task::spawn_blocking(|| vacant.commit()).await.map_err(|e| CaptureError::File(e.to_string()))??
        }
    };
    Template::open(held).map_err(CaptureError::File)
}

/// Both guests live by the clock that the forks will live by.
async fn boot_and_capture(
    spec: &VmSpec,
    folder: PathBuf,
    watched: &BTreeSet<u16>,
    limit: Duration,
    scratch: &Path,
) -> Result<Duration, CaptureError> {
    let (spec, watched, scratch) = (spec.clone(), watched.clone(), scratch.to_owned());
    let keeping = spec.platform.time.clone();
    let job = async move || {
        let after = capture(&spec, &folder, &watched, limit, &scratch).await?;
        fork_lives(&spec, captured(&folder, after), &scratch, &folder.join(EVIDENCE)).await?;
        Ok(after)
    };
    on_own_thread(&keeping, job).await?
}

async fn capture(
    spec: &VmSpec,
    folder: &Path,
    watched: &BTreeSet<u16>,
    limit: Duration,
    scratch: &Path,
) -> Result<Duration, CaptureError> {
    let evidence = folder.join(EVIDENCE);
    std::fs::create_dir(&evidence).map_err(|e| CaptureError::File(format!("{}: {e}", evidence.display())))?;
    let mode = BootMode::Template { ram: folder.join(RAM), disk: folder.join(DISK), seed: folder.join(SEED) };
    let prepared = spec.clone().prepare(mode, 0, scratch, &evidence)?;
    let (live, mut events) = prepared.launch(time::now(), false).await?;
    let ports = RefCell::new(watched.iter().map(|p| (*p, PortHistory::default())).collect());
    let first = time::patience(QMP_LIMIT, events.recv()).await;
    let Ok(Some(GuestEvent { at: started, event: DomainEvent::Started })) = first else {
        return Err(CaptureError::Eventful("something else, or nothing, when it was started".into()));
    };
    // A QEMU that cannot capture says so before the guest is waited for.
    migration::ignore_shared(&live.qmp).await?;
    let report = tokio::select! {
        ready = ready(spec, &live, limit) => ready?,
        never = watch_ports(&live.netns, started, &ports) => match never {},
    };
    quiesce(spec, &live).await?;
    // It does not live on, and neither does its time.
    let _hold = time::hold();
    live.qmp.execute(qmp::stop {}, QMP_LIMIT).await.map_err(StartError::from)?;
    let mut history = read_events(started, &mut events).await?;
    history.boot_id = report.boot_id;
    history.facts = report.facts;
    history.ports = ports.into_inner();
    migration::save(&live.qmp, scratch, &folder.join(STATE)).await?;
    // Its reply may be lost with it.
    let _ = live.qmp.execute(qmp::quit {}, QMP_LIMIT).await;
    live.exited(QMP_LIMIT).await;
    let json = serde_json::to_vec_pretty(&history).map_err(|e| CaptureError::File(e.to_string()))?;
    std::fs::write(folder.join(HISTORY), json).map_err(|e| CaptureError::File(format!("{HISTORY}: {e}")))?;
    Ok(history.captured)
}

/// Waits until the guest is what its profile says.
async fn ready(spec: &VmSpec, live: &Live, limit: Duration) -> Result<GuestReport, CaptureError> {
    let deadline = time::now() + limit;
    let left = || deadline.saturating_duration_since(time::now());
    let mut port = live.port.clone();
    loop {
        // A port that was open when QEMU ended stays so.
        if live.port.has_changed().is_err() || left().is_zero() {
            return Err(CaptureError::NotReady(format!("QEMU has ended, or {limit:?} are over")));
        }
        match time::timeout(left(), port.wait_for(|s| s.open)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Err(CaptureError::NotReady("QEMU has ended".into())),
            Err(_) => return Err(CaptureError::NotReady(format!("its agent did not appear within {limit:?}"))),
        }
        let Ok(agent) = live.agent.present() else { continue };
        match verify(&agent, spec.expected(), VerifyMode::Booted, left()).await {
            Ok(report) => return Ok(report),
            Err(NotReady::Reason(reason)) => return Err(CaptureError::NotReady(reason)),
            // Its agent was restarted while it booted.
            Err(NotReady::SessionOver) => {}
        }
    }
}

/// Waits until nothing of the boot is left to do.
async fn quiesce(spec: &VmSpec, live: &Live) -> Result<(), CaptureError> {
    let quiesce = |e: AgentError| CaptureError::Quiesce(e.to_string());
    let agent = live.agent.present().map_err(quiesce)?;
    let output =
        agent.shell(spec.platform.image.os.quiesce_script(), time::now() + QUIESCE_LIMIT).await.map_err(quiesce)?;
    if output.exit_code != Some(0) {
        return Err(CaptureError::Quiesce(format!("{} {}", output.stdout.trim(), output.stderr.trim())));
    }
    Ok(())
}

/// Connects to every port again and again until it was accepted.
async fn watch_ports(
    netns: &Netns,
    started: SystemTime,
    ports: &RefCell<BTreeMap<u16, PortHistory>>,
) -> std::convert::Infallible {
    loop {
        // After each look: a guest whose network just came up must not be met with what it has missed.
        time::sleep(PORT_INTERVAL).await;
        // One that is open is left alone: every look costs the guest a process.
        let closed = |(number, history): (&u16, &PortHistory)| history.open.is_none().then_some(*number);
        let numbers: Vec<u16> = ports.borrow().iter().filter_map(closed).collect();
        for number in &numbers {
            // When it was made: what it met was so at the latest then.
            let at = time::wall().duration_since(started).unwrap_or_default();
            let connect = Network::Namespace(netns).connect(Netns::guest(*number));
            let met = match time::timeout(PORT_LIMIT, connect).await {
                Ok(Ok(_)) => Some(true),
                Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => Some(false),
                _ => None,
            };
            if let Some(history) = ports.borrow_mut().get_mut(number) {
                history.observe(at, met);
            }
        }
    }
}

/// What QEMU reported after STARTED, up to STOP.
async fn read_events(
    started: SystemTime,
    events: &mut mpsc::UnboundedReceiver<GuestEvent>,
) -> Result<History, CaptureError> {
    let mut history = History::default();
    loop {
        let event = time::patience(QMP_LIMIT, events.recv()).await.ok().flatten();
        let Some(GuestEvent { at, event }) = event else {
            return Err(CaptureError::Eventful("nothing more, not even STOP".into()));
        };
        let since = at.duration_since(started).unwrap_or_default();
        match event {
            DomainEvent::AgentPort { open } => history.agent.push((since, open)),
            DomainEvent::Stop => {
                history.captured = since;
                return Ok(history);
            }
            other => return Err(CaptureError::Eventful(other.to_string())),
        }
    }
}

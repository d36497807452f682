//! What breaks outside of the guest, between it and its host, and is mended there: by QMP alone, so that it works on every host.
//!
//! When it begins and ends is the engine's to say. A step's number names what it has put into QEMU.

use crate::guest::{DiskBelow, Live};
use crate::net::Netns;
use crate::probe::Network;
use crate::qemu::{NETDEV, ROOT_DRIVE};
use crate::time;
use crate::wire::QmpError;
use qapi::qmp::{self, ChardevBackend, ChardevCommon, ChardevCommonWrapper, NetFilterDirection, ObjectOptions};
use std::io;
use std::time::Duration;
use vmhealth_sim::scenario::{Direction, DiskError, Fault};

/// For a QMP command that takes no time.
const LIMIT: Duration = Duration::from_secs(10);
/// A guest whose kernel runs answers a connection much sooner, if only to refuse it.
pub(crate) const SILENCE: Duration = Duration::from_millis(200);
/// Nothing listens there (RFC 863).
const DISCARD: u16 = 9;
/// Between two looks at a QEMU that is to stop its guest.
pub(crate) const POLL: Duration = Duration::from_millis(20);
const EIO: i64 = 5;
const ENOSPC: i64 = 28;
/// Makes a guest write to its disk that has nothing to write.
const WRITE: &[&str] = &["/bin/dd", "if=/dev/zero", "of=/var/tmp/vmhealth-write", "bs=4k", "count=1", "conv=fsync"];

/// Between the TAP and the NIC, where a cable would be, frames go nowhere. Confirmed by a connection that nobody answers.
/// Else it is the host's failure.
pub(crate) async fn lose_frames(live: &Live, step: usize, direction: Direction) -> Result<String, String> {
    put_sink(live, step, direction).await.map_err(|e| e.to_string())?;
    match answer(live).await? {
        None => Ok("a connection to the guest is not answered".into()),
        Some(answer) => Err(format!("the guest's frames are to be lost, and a connection to it is answered: {answer}")),
    }
}

/// All frames of each interval go on at its end. Confirmed by a connection that nobody answers as soon as a guest does else: its answer
/// is sent at the beginning of an interval.
pub(crate) async fn delay_frames(live: &Live, step: usize, delay: Duration) -> Result<String, String> {
    let interval = u32::try_from(delay.as_micros()).map_err(|e| e.to_string())?;
    let base = of_all_frames(NetFilterDirection::all);
    let buffer = qmp::FilterBufferProperties { base, interval };
    let object = ObjectOptions::filter_buffer { id: filter(step), filter_buffer: buffer };
    live.qmp.execute(qmp::object_add(object), LIMIT).await.map_err(|e| e.to_string())?;
    live.netns.know_guest().map_err(|e| e.to_string())?;
    let connection = Network::Namespace(&live.netns).connect(Netns::guest(DISCARD));
    match time::timeout(SILENCE.min(delay), connection).await {
        Err(_) => Ok(format!("a connection to the guest is not answered within {:?}", SILENCE.min(delay))),
        Ok(_) => Err("the guest's frames are to be late, and a connection to it is answered at once".into()),
    }
}

/// What the guest's kernel says to a connection; `None`: nothing. An error: the host could not ask.
pub(crate) async fn answer(live: &Live) -> Result<Option<String>, String> {
    live.netns.know_guest().map_err(|e| e.to_string())?;
    let connection = Network::Namespace(&live.netns).connect(Netns::guest(DISCARD));
    match time::timeout(SILENCE, connection).await {
        Err(_) => Ok(None),
        Ok(Ok(_)) => Ok(Some("accepted".to_owned())),
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(Some("refused".to_owned())),
        Ok(Err(e)) => Err(format!("the guest cannot be connected to: {e}")),
    }
}

/// Every write fails in a filter that is put above the disk, and the guest is made to write. Confirmed by QEMU having stopped it.
pub(crate) async fn fail_writes(live: &Live, step: usize, error: DiskError) -> Result<String, String> {
    let deadline = time::now() + LIMIT;
    put_broken_disk(live, step, error).await?;
    if let Ok(agent) = live.agent.present() {
        // Its answer may not come out any more.
        let _ = agent.start(WRITE, Duration::from_secs(1)).await;
    }
    loop {
        let status = live.qmp.execute(qmp::query_status {}, LIMIT).await.map_err(|e| e.to_string())?.status;
        if status == qmp::RunState::io_error {
            return Ok("QEMU has stopped the guest: io-error".into());
        }
        if time::now() >= deadline {
            return Err(format!("the guest's writes are to fail, and QEMU says {status:?} after {LIMIT:?}"));
        }
        time::sleep(POLL).await;
    }
}

/// The guest, and who probes it, are on the node and notice nothing; a Service's clients are not.
pub(crate) fn cut_off_node(live: &Live) -> String {
    live.node_cut_off.set(true);
    "no client of a Service is let through to the guest's node".into()
}

/// The step's fault is over.
pub(crate) async fn mend(live: &Live, step: usize, fault: &Fault) -> Result<(), QmpError> {
    match fault {
        Fault::NetworkLoss { delay: Some(_), .. } => {
            live.qmp.execute(qmp::object_del { id: filter(step) }, LIMIT).await?;
        }
        Fault::NetworkLoss { .. } => {
            live.qmp.execute(qmp::object_del { id: filter(step) }, LIMIT).await?;
            live.qmp.execute(qmp::chardev_remove { id: sink(step) }, LIMIT).await?;
        }
        Fault::IoError { .. } => {
            let disk = live.disk_fault.borrow_mut().end(step);
            if let Some(DiskBelow { device, node, .. }) = disk {
                set_disk(live, device, node).await?;
                live.qmp.execute(qmp::blockdev_del { node_name: broken(step) }, LIMIT).await?;
            }
        }
        Fault::NodeLost { .. } => live.node_cut_off.set(false),
        _ => {}
    }
    Ok(())
}

async fn put_broken_disk(live: &Live, step: usize, error: DiskError) -> Result<(), String> {
    let disks = live.qmp.execute(qmp::query_block {}, LIMIT).await.map_err(|e| e.to_string())?;
    let root = disks.into_iter().find(|disk| disk.device == ROOT_DRIVE);
    let found = root.and_then(|root| Some((root.qdev?, root.inserted?.node_name?)));
    let Some((device, node)) = found else { return Err("QEMU shows no disk of the guest".into()) };
    let rule = qmp::BlkdebugInjectErrorOptions {
        // From the beginning on.
        event: qmp::BlkdebugEvent::none,
        iotype: Some(qmp::BlkdebugIOType::write),
        errno: Some(match error {
            DiskError::Broken => EIO,
            DiskError::NoSpace => ENOSPC,
        }),
        immediately: Some(true),
        once: None,
        sector: None,
        state: None,
    };
    let blkdebug = qmp::BlockdevOptionsBlkdebug {
        image: qmp::BlockdevRef::reference(node.clone()),
        inject_error: Some(vec![rule]),
        align: None,
        config: None,
        max_discard: None,
        max_transfer: None,
        max_write_zero: None,
        opt_discard: None,
        opt_write_zero: None,
        set_state: None,
        take_child_perms: None,
        unshare_child_perms: None,
    };
    let base = qmp::BlockdevOptionsBase {
        node_name: Some(broken(step)),
        auto_read_only: None,
        cache: None,
        detect_zeroes: None,
        discard: None,
        force_share: None,
        read_only: None,
    };
    let filter = qmp::BlockdevOptions::blkdebug { base, blkdebug };
    live.qmp.execute(qmp::blockdev_add(filter), LIMIT).await.map_err(|e| e.to_string())?;
    // QEMU may tell of a write before it answers.
    live.disk_fault.borrow_mut().begin(DiskBelow { step, device: device.clone(), node }, error);
    let set = set_disk(live, device, broken(step)).await;
    if set.is_err() {
        live.disk_fault.take();
    }
    set.map_err(|e| e.to_string())
}

/// QEMU lets a disk that is in use have another node: filters are put in so.
async fn set_disk(live: &Live, device: String, node: String) -> Result<(), QmpError> {
    let set = qmp::qom_set { path: device, property: "drive".into(), value: node.into() };
    live.qmp.execute(set, LIMIT).await.map(drop)
}

fn broken(step: usize) -> String {
    format!("broken{step}")
}

async fn put_sink(live: &Live, step: usize, direction: Direction) -> Result<(), QmpError> {
    let backend = ChardevBackend::null(ChardevCommonWrapper { data: ChardevCommon { logappend: None, logfile: None } });
    live.qmp.execute(qmp::chardev_add { id: sink(step), backend }, LIMIT).await?;
    // QEMU counts from the network's side: what the guest sends is received there.
    let queue = match direction {
        Direction::Both => NetFilterDirection::all,
        Direction::In => NetFilterDirection::tx,
        Direction::Out => NetFilterDirection::rx,
    };
    let base = of_all_frames(queue);
    let redirect =
        qmp::FilterRedirectorProperties { base, indev: None, outdev: Some(sink(step)), vnet_hdr_support: None };
    let object = ObjectOptions::filter_redirector { id: filter(step), filter_redirector: redirect };
    live.qmp.execute(qmp::object_add(object), LIMIT).await.map(drop)
}

fn of_all_frames(queue: NetFilterDirection) -> qmp::NetfilterProperties {
    qmp::NetfilterProperties { netdev: NETDEV.into(), queue: Some(queue), status: None, insert: None, position: None }
}

fn filter(step: usize) -> String {
    format!("loss{step}")
}

fn sink(step: usize) -> String {
    format!("sink{step}")
}

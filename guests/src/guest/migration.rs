//! Device state out of QEMU and into it, by migration over a unix socket that we hold the other end of.
//!
//! Not `exec:`: QEMU's sandbox forbids it to spawn. The guest's memory is not in the stream: it is shared (to QEMU, also a
//! private mapping of a file counts as that), which is what `x-ignore-shared` leaves out.

use super::error::StartError;
use crate::time::patience;
use crate::wire::Qmp;
use qapi::qmp;
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};

/// For the device state, about a megabyte, to go through.
const LIMIT: Duration = Duration::from_secs(20);
/// More than any device state of ours.
const MAX_BYTES: u64 = 256 << 20;
const POLL: Duration = Duration::from_millis(1);

/// Writes the device state of a stopped guest to `state`; [`ignore_shared`] comes first.
pub(crate) async fn save(qmp: &Qmp, scratch: &Path, state: &Path) -> Result<(), StartError> {
    let socket = scratch.join("migration");
    let listener = UnixListener::bind(&socket).map_err(StartError::io("make the migration's socket"))?;
    let migrate =
        qmp::migrate { channels: None, detach: None, resume: None, uri: Some(format!("unix:{}", socket.display())) };
    qmp.execute(migrate, LIMIT).await?;
    let copy = async {
        let (stream, _) = listener.accept().await?;
        let mut file = tokio::fs::File::create(state).await?;
        let bytes = tokio::io::copy(&mut stream.take(MAX_BYTES), &mut file).await?;
        if bytes == MAX_BYTES {
            return Err(io::Error::other("the device state is too large; is the guest's memory in it?"));
        }
        file.sync_all().await
    };
    let copied = patience(LIMIT, copy).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    copied.map_err(StartError::io("save the device state"))?;
    left_state(qmp, |s| s == qmp::RunState::postmigrate).await
}

/// Gives a QEMU that waits (`-incoming defer`) its device state; the guest stays stopped.
pub(super) async fn restore(qmp: &Qmp, scratch: &Path, state: &Path) -> Result<(), StartError> {
    ignore_shared(qmp).await?;
    let socket = scratch.join("migration");
    let incoming =
        qmp::migrate_incoming { channels: None, exit_on_error: None, uri: Some(format!("unix:{}", socket.display())) };
    qmp.execute(incoming, LIMIT).await?;
    let feed = async {
        let mut stream = UnixStream::connect(&socket).await?;
        let mut file = tokio::fs::File::from_std(File::open(state)?);
        tokio::io::copy(&mut file, &mut stream).await
    };
    let fed = patience(LIMIT, feed).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    fed.map_err(StartError::io("restore the device state"))?;
    left_state(qmp, |s| s != qmp::RunState::inmigrate).await
}

/// Leaves the guest's memory out of the stream; an error is one of a QEMU that is too old.
pub(crate) async fn ignore_shared(qmp: &Qmp) -> Result<(), StartError> {
    let capability =
        qmp::MigrationCapabilityStatus { capability: qmp::MigrationCapability::x_ignore_shared, state: true };
    Ok(qmp.execute(qmp::migrate_set_capabilities { capabilities: vec![capability] }, LIMIT).await.map(drop)?)
}

/// Waits for the run state that shows the migration's end. A failed one is seen at the deadline, or by QEMU's end.
async fn left_state(qmp: &Qmp, reached: impl Fn(qmp::RunState) -> bool) -> Result<(), StartError> {
    let seen = Cell::new(None);
    let looking = async {
        loop {
            let status = qmp.execute(qmp::query_status {}, LIMIT).await?.status;
            if reached(status) {
                return Ok(());
            }
            seen.set(Some(status));
            tokio::time::sleep(POLL).await;
        }
    };
    let last = || Err(StartError::Migration(seen.get().map_or("unknown".into(), |status| format!("{status:?}"))));
    patience(LIMIT, looking).await.unwrap_or_else(|_| last())
}

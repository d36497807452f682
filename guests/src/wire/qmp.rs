//! QMP: ids on every command, unknown events tolerated, a cancelled call leaves nothing behind.

use super::Transcript;
use qapi::Execute;
use qapi::qmp::{self, QmpCommand};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

/// More than any reply that we ask QEMU for; a longer line ends the connection. Small, because a value that is read from it
/// may take sixteen times as much.
const MAX_LINE: u64 = 1 << 20;

/// Between two answers to what it was asked: far more than any guest makes QEMU send, which holds back those that a guest can make at will (once a second
/// each), but for [`AT_WILL`]. One more ends the connection: they are kept until they are dealt with, and each is told in the
/// run's trace.
const MAX_EVENTS: usize = 50_000;
/// For a QEMU that has just been started, on a host whose cores are taken many times over.
const GREETING: Duration = Duration::from_secs(30);
/// What a guest with a panic device makes as often as it likes, by a write to the device's port (`hw/misc/pvpanic.c`).
const AT_WILL: [&str; 2] = ["GUEST_CRASHLOADED", "GUEST_PANICKED"];
/// So many of those are told; what comes after them says nothing new.
const MAX_AT_WILL: usize = 1000;

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The socket.
    #[error("QMP socket: {0}")]
    Io(#[from] std::io::Error),
    /// Not JSON, or not of the command's shape.
    #[error("QMP: {0}")]
    Json(#[from] serde_json::Error),
    /// QEMU's own error.
    #[error("QEMU says {class}: {desc}")]
    Qemu {
        /// `GenericError`, `CommandNotFound`.
        class: String,
        /// Its text.
        desc: String,
    },
    /// QEMU has closed the connection.
    #[error("QEMU has closed its QMP connection")]
    Closed,
    /// No answer in time: a stopped or wedged QEMU takes the bytes and is silent.
    #[error("QEMU did not answer {command} within {}s", limit.as_secs_f64())]
    Late {
        /// The command.
        command: &'static str,
        /// The limit.
        limit: Duration,
    },
}

/// One event as it came.
#[derive(Debug, Clone)]
pub struct QmpEvent {
    /// Its name: `WATCHDOG`.
    pub name: String,
    /// Its data, Null if none.
    pub data: Value,
    /// QEMU's time of the event; `None` if its clock failed.
    pub at: Option<SystemTime>,
}

/// `None` once the connection is gone, so that nobody queues behind a dead reader.
type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

/// A negotiated QMP connection.
#[derive(Debug, Clone)]
pub struct Qmp {
    next_id: Arc<AtomicU64>,
    pending: Pending,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
}

impl Qmp {
    /// Connects and negotiates; events go to `events`, whose closing marks the connection's end.
    pub async fn connect(
        path: &Path,
        transcript: Transcript,
        events: mpsc::UnboundedSender<QmpEvent>,
    ) -> Result<Qmp, QmpError> {
        Qmp::on(UnixStream::connect(path).await?, transcript, events).await
    }

    /// The same on a connection.
    pub(crate) async fn on(
        stream: UnixStream,
        transcript: Transcript,
        events: mpsc::UnboundedSender<QmpEvent>,
    ) -> Result<Qmp, QmpError> {
        let (reader, mut writer) = stream.into_split();
        let (outgoing, mut to_write) = mpsc::unbounded_channel::<Vec<u8>>();
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let sent = transcript.clone();
        tokio::spawn(async move {
            while let Some(line) = to_write.recv().await {
                sent.sent(&line);
                if writer.write_all(&line).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(read_lines(BufReader::new(reader), transcript, pending.clone(), events));
        let qmp = Qmp { next_id: Arc::new(AtomicU64::new(1)), pending, outgoing };
        qmp.execute(qmp::qmp_capabilities { enable: None }, GREETING).await?;
        Ok(qmp)
    }

    /// Executes a command; safe to cancel.
    pub async fn execute<C: QmpCommand>(&self, command: C, limit: Duration) -> Result<C::Ok, QmpError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut line = serde_json::to_vec(&Execute::new(&command, Some(id)))?;
        line.push(b'\n');
        let (reply, wait) = oneshot::channel();
        lock(&self.pending).as_mut().ok_or(QmpError::Closed)?.insert(id, reply);
        let _forget = Forget(&self.pending, id);
        self.outgoing.send(line).map_err(|_| QmpError::Closed)?;
        let late = |_| QmpError::Late { command: C::NAME, limit };
        // QEMU answers while guest time stands, too; and what is asked at an instant happens at that instant.
        let _hold = crate::time::hold();
        let value = crate::time::patience(limit, wait).await.map_err(late)?.map_err(|_| QmpError::Closed)?;
        Ok(serde_json::from_value(result(value)?)?)
    }
}

/// Takes a call's entry away however the call ends.
struct Forget<'a>(&'a Pending, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(calls) = lock(self.0).as_mut() {
            calls.remove(&self.1);
        }
    }
}

fn lock(pending: &Pending) -> std::sync::MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Value>>>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_lines(
    mut reader: BufReader<tokio::net::unix::OwnedReadHalf>,
    transcript: Transcript,
    pending: Pending,
    events: mpsc::UnboundedSender<QmpEvent>,
) {
    let (mut line, mut told, mut at_will) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            _ => break,
        }
        transcript.received(&line);
        let Ok(value) = serde_json::from_slice::<Value>(&line) else { continue };
        if let Some(name) = value.get("event").and_then(Value::as_str) {
            if AT_WILL.contains(&name) {
                at_will += 1;
                if at_will > MAX_AT_WILL {
                    continue;
                }
            }
            told += 1;
            if told > MAX_EVENTS {
                transcript.remark("more events than any guest is worth");
                break;
            }
            let data = value.get("data").cloned().unwrap_or(Value::Null);
            // A receiver that is gone wants no more events; replies go on.
            let _ = events.send(QmpEvent { name: name.to_owned(), data, at: timestamp(&value) });
        } else if let Some(id) = value.get("id").and_then(Value::as_u64) {
            let waiter = lock(&pending).as_mut().and_then(|calls| calls.remove(&id));
            if let Some(waiter) = waiter {
                told = 0;
                // The call may have been cancelled meanwhile.
                let _ = waiter.send(value);
            }
        }
    }
    transcript.remark("closed");
    // Every waiter, present or future, gets Closed.
    *lock(&pending) = None;
}

/// Signed on the wire: QEMU sends -1 when its clock fails. A time beyond what `SystemTime` holds is none either.
fn timestamp(event: &Value) -> Option<SystemTime> {
    let part = |key: &str| event.get("timestamp")?.get(key)?.as_u64();
    let seconds = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(part("seconds")?))?;
    seconds.checked_add(Duration::from_micros(part("microseconds")?))
}

fn result(mut reply: Value) -> Result<Value, QmpError> {
    if let Some(error) = reply.get("error") {
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        return Err(QmpError::Qemu { class: text("class"), desc: text("desc") });
    }
    Ok(reply.get_mut("return").map(Value::take).unwrap_or(Value::Null))
}

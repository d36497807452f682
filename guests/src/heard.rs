//! What others send, as bytes: the door through which the fuzz targets (`tests/fuzz`) reach the very functions that read it
//! in a run. Nothing else uses it.

use crate::net;
use crate::probe::{self, HttpTarget};
use crate::wire::{Agent, PortState, Qmp, Transcript};
use qapi::{qga, qmp};
use serde_json::Value;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use vmhealth_sim::kubelet::Attempt;
use vmhealth_sim::manifest::Scheme;

/// More than any input takes that ends by itself.
const LIMIT: Duration = Duration::from_secs(5);
/// Stands in an agent's bytes for the number that its sync is to repeat.
const SYNC: &[u8] = b"$SYNC";
/// Of a stream in memory.
const BUFFER: usize = 64 << 10;

fn no_transcript() -> io::Result<Transcript> {
    Transcript::create(Path::new("/dev/null"), crate::time::now())
}

fn replaced(bytes: &[u8], by: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(SYNC.len()).position(|part| part == SYNC) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by.as_bytes());
        rest = &rest[at + SYNC.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// What `guest-exec-status` comes to when the agent says this, and no more, once it is asked to sync.
pub async fn agent(bytes: &[u8]) -> io::Result<String> {
    let (ours, theirs) = UnixStream::pair()?;
    let (_port, state) = watch::channel(PortState { open: true, session: 1 });
    let agent = Agent::on(ours, no_transcript()?, state).present().map_err(io::Error::other)?;
    let peer = async {
        let mut theirs = BufReader::new(theirs);
        let mut line = Vec::new();
        // It may have gone.
        let _ = theirs.read_until(b'\n', &mut line).await;
        let asked: Value = serde_json::from_slice(line.get(1..).unwrap_or_default()).unwrap_or_default();
        let _ = theirs.write_all(&replaced(bytes, &asked["arguments"]["id"].to_string())).await;
        let _ = theirs.shutdown().await;
    };
    let (answer, ()) = tokio::join!(agent.execute(qga::guest_exec_status { pid: 1 }, LIMIT), peer);
    Ok(answer.map_or_else(|e| e.to_string(), |status| format!("{status:?}")))
}

/// What `query-status` comes to when QEMU says this, and no more, once it is asked; and how many events it has told.
pub async fn qmp(bytes: &[u8]) -> io::Result<(String, usize)> {
    let (ours, theirs) = UnixStream::pair()?;
    let (events, mut told) = mpsc::unbounded_channel();
    let transcript = no_transcript()?;
    let asking = async {
        let qmp = Qmp::on(ours, transcript, events).await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(qmp.execute(qmp::query_status {}, LIMIT).await)
    };
    let peer = async {
        let mut theirs = BufReader::new(theirs);
        let mut line = Vec::new();
        let _ = theirs.read_until(b'\n', &mut line).await;
        let _ = theirs.write_all(b"{\"return\": {}, \"id\": 1}\n").await;
        let _ = theirs.read_until(b'\n', &mut line).await;
        let _ = theirs.write_all(bytes).await;
        let _ = theirs.shutdown().await;
    };
    let (answer, ()) = tokio::join!(asking, peer);
    let mut n = 0;
    while told.recv().await.is_some() {
        n += 1;
    }
    Ok((answer?.map_or_else(|e| e.to_string(), |status| format!("{status:?}")), n))
}

/// What an HTTP probe makes of an answer.
pub async fn http(bytes: &[u8]) -> Attempt {
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    let target = target("/healthz");
    let peer = async {
        let mut theirs = theirs;
        let _ = theirs.read(&mut [0; 4096]).await;
        let _ = theirs.write_all(bytes).await;
        let _ = theirs.shutdown().await;
    };
    tokio::join!(probe::answered_on(ours, &target), peer).0
}

fn target(path: &str) -> HttpTarget {
    let (host, path) = ("10.0.2.2".into(), path.into());
    HttpTarget { scheme: Scheme::Http, host, port: 1500, path, headers: Vec::new() }
}

/// The URL that a probe of this path asks for first, and where a Location leads from there.
pub fn location(path: &str, location: &str) -> Result<(String, Option<String>), String> {
    let first = probe::first_hop(&target(path))?;
    Ok((first.shown(), first.next(location, true).map(|next| next.shown())))
}

/// What the DHCP server answers to a packet.
pub fn dhcp(packet: &[u8]) -> Option<Vec<u8>> {
    net::dhcp_answer(packet)
}

//! Guests and QEMUs that are out to hurt: the real probe and the real connections against peers that are nothing but a source
//! of bytes. Whatever they send, the verdict is right, it comes in time, and little memory and evidence is taken.
//!
//! One test: the rows run one after another, because they share the memory that is measured.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use qapi::{qga, qmp};
use serde_json::Value;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use vmhealth_guests::probe::{self, HttpTarget, Network};
use vmhealth_guests::wire::{Agent, PortState, Qmp, Transcript};
use vmhealth_sim::kubelet::Verdict;
use vmhealth_sim::manifest::Scheme;

/// Of a probe, and of a command.
const LIMIT: Duration = Duration::from_secs(2);
/// For a row on a busy machine, its limit included.
const PATIENCE: Duration = Duration::from_secs(40);
/// Above what this process takes before a row, MiB.
const MEMORY_MIB: u64 = 64;
/// Of a transcript, with the remark that it is full.
const EVIDENCE: u64 = (64 << 20) + 100;

/// What a peer does once it is spoken to, in order.
#[derive(Clone)]
enum Say {
    /// This.
    Once(Vec<u8>),
    /// This, until nobody reads any more.
    Endless(Vec<u8>),
    /// This again and again, with so long before each.
    Slowly(Duration, Vec<u8>),
    /// Nothing, and the connection stays open.
    Silence,
}

use Say::{Endless, Once, Silence, Slowly};

async fn act(stream: &mut (impl AsyncWrite + Unpin), acts: &[Say]) -> std::io::Result<()> {
    for act in acts {
        match act {
            Once(bytes) => stream.write_all(bytes).await?,
            Endless(bytes) => loop {
                stream.write_all(bytes).await?;
            },
            Slowly(every, bytes) => loop {
                tokio::time::sleep(*every).await;
                stream.write_all(bytes).await?;
            },
            Silence => std::future::pending().await,
        }
    }
    stream.shutdown().await
}

fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What it comes to, if it does so in time and in little memory.
async fn bounded<T>(name: &str, what: impl Future<Output = T>) -> T {
    // proc(5): from now on the peak counts anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, begun) = (status_kib("VmRSS"), Instant::now());
    let result = tokio::time::timeout(PATIENCE, what).await.unwrap_or_else(|_| panic!("{name}: it has no end"));
    let mib = status_kib("VmHWM").saturating_sub(before) / 1024;
    eprintln!("{name}: {mib} MiB, {:.1} s", begun.elapsed().as_secs_f64());
    assert!(mib <= MEMORY_MIB, "{name}: {mib} MiB");
    result
}

/// A server that reads a request and then does as it wants.
async fn http(name: &str, acts: Vec<Say>, verdict: Verdict, text: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let acts = acts.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = act(&mut stream, &acts).await;
            });
        }
    });
    let (host, path) = ("127.0.0.1".into(), "/healthz".into());
    let target = HttpTarget { scheme: Scheme::Http, host, port, path, headers: Vec::new() };
    let attempt = bounded(name, probe::get(Network::Host, &target, LIMIT)).await;
    server.abort();
    assert_eq!(attempt.verdict, verdict, "{name}: {:.200}", attempt.text);
    assert!(attempt.text.contains(text), "{name}: {:.200}", attempt.text);
    assert!(attempt.text.len() < 64 << 10, "{name}: {} bytes of evidence", attempt.text.len());
}

fn head(rest: &str) -> Say {
    Once(format!("HTTP/1.1 {rest}\r\n\r\n").into_bytes())
}

async fn hostile_servers() {
    let (second, block) = (Duration::from_secs(1), vec![b'x'; 1 << 20]);
    let mut rows: Vec<(&str, Vec<Say>, Verdict, &str)> = vec![
        (
            "10 GiB",
            vec![head("200 OK\r\nContent-Length: 10737418240"), Endless(block.clone())],
            Verdict::Success,
            "xxx",
        ),
        ("10 GiB of an error", vec![head("500 No"), Endless(block.clone())], Verdict::Failure, "statuscode: 500"),
        ("one header", vec![Once(b"HTTP/1.1 200 OK\r\nX: ".into()), Endless(block.clone())], Verdict::Failure, ""),
        ("headers", vec![Once(b"HTTP/1.1 200 OK\r\n".into()), Endless(b"X-A: b\r\n".into())], Verdict::Failure, ""),
        ("no HTTP", vec![Endless(vec![0xFF; 1 << 20])], Verdict::Failure, "malformed HTTP response"),
        ("no status line", vec![Endless(block.clone())], Verdict::Failure, ""),
        ("go on, go on", vec![Endless(b"HTTP/1.1 100 Continue\r\n\r\n".into())], Verdict::Failure, ""),
        ("silence", vec![Silence], Verdict::Failure, "exceeded while awaiting headers"),
        ("a slow head", vec![Slowly(second, b"H".into())], Verdict::Failure, "exceeded while awaiting headers"),
        (
            "round and round",
            vec![head("302 Found\r\nLocation: /on\r\nContent-Length: 0")],
            Verdict::Failure,
            "after 10",
        ),
        ("a long way", vec![head(&format!("302 Found\r\nLocation: /{}", "x".repeat(1 << 20)))], Verdict::Failure, ""),
        ("a negative length", vec![head("200 OK\r\nContent-Length: -1")], Verdict::Failure, "malformed"),
        ("two lengths", vec![head("200 OK\r\nContent-Length: 1\r\nContent-Length: 2"), Silence], Verdict::Failure, ""),
        (
            "a bomb",
            vec![head("200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4"), Once(vec![0x1F, 0x8B, 8, 0])],
            Verdict::Success,
            "\u{1f}",
        ),
        (
            "more than promised",
            vec![head("200 OK\r\nContent-Length: 2"), Endless(block.clone())],
            Verdict::Success,
            "xx",
        ),
    ];
    // Whatever the status was: the kubelet throws the attempt away.
    let chunked = "200 OK\r\nTransfer-Encoding: chunked";
    rows.extend([
        ("less than promised", vec![head("200 OK\r\nContent-Length: 9"), Once(b"x".into())], Verdict::Error, "EOF"),
        ("a slow body", vec![head("200 OK"), Slowly(second, b"x".into())], Verdict::Error, "while reading body"),
        ("no chunk", vec![head(chunked), Once(b"ZZ\r\n".into())], Verdict::Error, ""),
        ("half a chunk", vec![head(chunked), Once(b"ff\r\nx".into())], Verdict::Error, "EOF"),
        ("a chunk's extension", vec![head(chunked), Once(b"1;".into()), Endless(block.clone())], Verdict::Error, ""),
        ("a huge chunk", vec![head(chunked), Once(b"ffffffffffffffffff\r\n".into())], Verdict::Error, ""),
    ]);
    for (name, acts, verdict, text) in rows {
        http(name, acts, verdict, text).await;
    }
}

/// `say` follows the answered sync, or comes in its place; the answer's error, or what came.
async fn agent(name: &str, syncs: bool, say: Vec<Say>, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (socket, kept) = (folder.path().join("agent"), folder.path().join("kept"));
    let listener = UnixListener::bind(&socket).unwrap();
    let peer = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.is_ok() && syncs {
            let command: Value = serde_json::from_slice(&line[1..]).unwrap();
            let id = &command["arguments"]["id"];
            let answer = format!("{{\"return\": {id}}}\n");
            stream.write_all(&[&b"\xff"[..], answer.as_bytes()].concat()).await.unwrap();
            // What is asked, and not answered.
            let _ = stream.read_until(b'\n', &mut line).await;
        }
        let _ = act(&mut stream, &say).await;
    });
    let (_port, state) = watch::channel(PortState { open: true, session: 1 });
    let transcript = Transcript::create(&kept, tokio::time::Instant::now()).unwrap();
    let agent = Agent::connect(&socket, transcript, state).await.unwrap().present().unwrap();
    let answer = bounded(name, agent.execute(qga::guest_exec_status { pid: 1 }, LIMIT)).await;
    let said = match answer {
        Ok(status) => format!("exited {}", status.exited),
        Err(e) => e.to_string(),
    };
    peer.abort();
    assert!(said.contains(text), "{name}: {said:.200}");
    assert!(said.len() < 4096, "{name}: {} bytes of evidence", said.len());
    assert!(kept.metadata().unwrap().len() < EVIDENCE, "{name}: the transcript");
}

async fn hostile_agents() {
    let block = vec![b'x'; 1 << 20];
    let line = |before: &str, part: &str, times: usize, after: &str| {
        Once(format!("{before}{}{after}\n", part.repeat(times)).into_bytes())
    };
    let late = "no answer to guest-exec-status within 2s";
    let rows: Vec<(&str, bool, Vec<Say>, &str)> = vec![
        ("an endless line", true, vec![Once(b"{\"return\": \"".into()), Endless(block.clone())], "closed"),
        ("0xFF in place of a sync", false, vec![Endless(vec![0xFF; 1 << 20])], "closed"),
        ("0xFF in place of an answer", true, vec![Endless(vec![0xFF; 1 << 20])], "closed"),
        ("lines in place of a sync", false, vec![Endless(b"\xff{\"return\": 1}\n".repeat(1000))], late),
        ("words in place of a sync", false, vec![Endless(b"login: \n".repeat(1000))], late),
        ("half an answer", true, vec![Once(b"{\"return\": {\"exi".into())], "closed"),
        ("half an answer and silence", true, vec![Once(b"{\"return\": {\"exi".into()), Silence], late),
        ("nothing", false, vec![Silence], late),
        ("many numbers", true, vec![line("{\"return\": [0", ",0", 3 << 20, "]}")], "invalid type"),
        ("many unknown fields", true, vec![line("{\"x\": [0", ",{}", 2 << 20, "]}")], "missing field"),
        ("deep", true, vec![line("{\"return\": ", "[", 4 << 20, "")], "invalid type"),
        ("deep, where nobody looks", true, vec![line("{\"x\": ", "[", 4 << 20, "")], "EOF while parsing"),
        ("a long error", true, vec![line("{\"error\": {\"desc\": \"", "no", 100, "\"}}")], "nonono"),
        (
            "much output",
            true,
            vec![line("{\"return\": {\"exited\": true, \"out-data\": \"", "////", 1 << 20, "\"}}")],
            "true",
        ),
        (
            "more output than that",
            true,
            vec![line("{\"return\": {\"out-data\": \"", "////", 4 << 20, "\"}}")],
            "closed",
        ),
    ];
    for (name, syncs, say, text) in rows {
        agent(name, syncs, say, text).await;
    }
}

async fn qemu(name: &str, say: Vec<Say>, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (socket, kept) = (folder.path().join("qmp"), folder.path().join("kept"));
    let listener = UnixListener::bind(&socket).unwrap();
    let peer = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.is_ok() {
            stream.write_all(b"{\"return\": {}, \"id\": 1}\n").await.unwrap();
        }
        // What is asked, and not answered.
        let _ = stream.read_until(b'\n', &mut line).await;
        let _ = act(&mut stream, &say).await;
    });
    let (events, _seen) = mpsc::unbounded_channel();
    let transcript = Transcript::create(&kept, tokio::time::Instant::now()).unwrap();
    let qmp = Qmp::connect(&socket, transcript, events).await.unwrap();
    let answer = bounded(name, qmp.execute(qmp::query_status {}, LIMIT)).await;
    let said = answer.map_or_else(|e| e.to_string(), |status| format!("{status:?}"));
    peer.abort();
    assert!(said.contains(text), "{name}: {said:.200}");
    assert!(kept.metadata().unwrap().len() < EVIDENCE, "{name}: the transcript");
}

async fn hostile_qemus() {
    let many = format!("{{\"return\": [0{}], \"id\": 2}}\n", ",0".repeat(500_000));
    for (name, say, text) in [
        ("QMP: an endless line", vec![Endless(vec![b'x'; 1 << 20])], "closed"),
        ("QMP: lines", vec![Endless(b"{\"return\": {}, \"id\": 77}\n".repeat(1000))], "did not answer query-status"),
        ("QMP: numbers", vec![Once(many.into_bytes()), Silence], "invalid type"),
        (
            "QMP: events",
            vec![Endless(
                b"{\"event\": \"RESET\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\n".repeat(1000),
            )],
            "closed",
        ),
        ("QMP: silence", vec![Silence], "did not answer query-status"),
    ] {
        qemu(name, say, text).await;
    }
}

#[tokio::test]
async fn nothing_that_is_sent_hurts() {
    assert!(Path::new("/proc/self/clear_refs").exists(), "Linux");
    hostile_servers().await;
    hostile_agents().await;
    hostile_qemus().await;
}

//! The line protocol against peers that misbehave in the ways QEMU and the agent are known to (qemu-watchdog.md 6, 10).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use qapi::{qga, qmp};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use vmhealth_guests::wire::{Agent, AgentError, PortState, Qmp, QmpError, Transcript};

const LIMIT: Duration = Duration::from_secs(5);

struct Fixture {
    _dir: tempfile::TempDir,
    socket: PathBuf,
    transcript: PathBuf,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    Fixture { socket: dir.path().join("s"), transcript: dir.path().join("t"), _dir: dir }
}

fn transcript(path: &Path) -> Transcript {
    Transcript::create(path, Instant::now()).unwrap()
}

/// A peer that speaks line by line.
struct Peer(BufReader<UnixStream>);

impl Peer {
    async fn command(&mut self) -> Value {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await.unwrap();
        let start = line.iter().position(|b| *b == b'{').expect("a command");
        serde_json::from_slice(&line[start..]).unwrap()
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    }

    async fn answer(&mut self, command: &Value, result: Value) {
        self.say(&json!({"return": result, "id": command["id"]}).to_string()).await;
    }
}

#[tokio::test]
async fn qmp_tolerates_what_it_does_not_know_and_survives_a_cancelled_call() {
    let f = fixture();
    let listener = UnixListener::bind(&f.socket).unwrap();
    let peer = tokio::spawn(async move {
        let mut peer = Peer(BufReader::new(listener.accept().await.unwrap().0));
        peer.say(r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#).await;
        let hello = peer.command().await;
        peer.answer(&hello, json!({})).await;
        peer.say(
            r#"{"event": "NOT_YET_INVENTED", "data": {"x": [1]}, "timestamp": {"seconds": -1, "microseconds": -1}}"#,
        )
        .await;
        peer.say("this is not JSON").await;
        peer.say(r#"{"return": {}, "id": 999}"#).await;
        let late = peer.command().await;
        let status = peer.command().await;
        // The cancelled call's answer comes after all, before the one that is waited for.
        peer.answer(&late, json!({"status": "paused", "running": false, "singlestep": false})).await;
        peer.answer(&status, json!({"status": "running", "running": true, "singlestep": false, "new-field": 1})).await;
        let failing = peer.command().await;
        peer.say(&json!({"error": {"class": "GenericError", "desc": "no"}, "id": failing["id"]}).to_string()).await;
    });
    let (events, mut seen) = mpsc::unbounded_channel();
    let qmp = Qmp::connect(&f.socket, transcript(&f.transcript), events).await.unwrap();
    let late = qmp.execute(qmp::query_status {}, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(late, QmpError::Late { .. }), "{late}");
    assert!(qmp.execute(qmp::query_status {}, LIMIT).await.unwrap().running);
    let error = qmp.execute(qmp::stop {}, LIMIT).await.unwrap_err();
    assert_eq!(error.to_string(), "QEMU says GenericError: no");
    let event = seen.recv().await.unwrap();
    assert_eq!((event.name.as_str(), event.at), ("NOT_YET_INVENTED", None));
    peer.await.unwrap();
    // The connection is gone: calls fail at once and the events end.
    let begun = Instant::now();
    assert!(matches!(qmp.execute(qmp::stop {}, LIMIT).await, Err(QmpError::Closed)));
    assert!(begun.elapsed() < LIMIT / 2, "no waiting for a peer that is gone");
    assert!(seen.recv().await.is_none());
    let kept = std::fs::read_to_string(&f.transcript).unwrap();
    assert!(kept.contains("this is not JSON") && kept.contains("NOT_YET_INVENTED"), "{kept}");
}

/// Answers a sync as qemu-ga does: a parse error provoked by the 0xFF, then 0xFF and the id.
async fn answer_sync(stream: &mut BufReader<UnixStream>, stale: &[u8]) {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await.unwrap();
    assert_eq!(line[0], 0xFF, "a sync begins with 0xFF");
    let command: Value = serde_json::from_slice(&line[1..]).unwrap();
    assert_eq!(command["execute"], "guest-sync-delimited");
    stream.write_all(stale).await.unwrap();
    stream
        .write_all(b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n\xff")
        .await
        .unwrap();
    let reply = json!({"return": command["arguments"]["id"]});
    stream.write_all(format!("{reply}\n").as_bytes()).await.unwrap();
}

async fn next_command(stream: &mut BufReader<UnixStream>) -> Value {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await.unwrap();
    serde_json::from_slice(&line).unwrap()
}

#[tokio::test]
async fn the_agent_resynchronises_after_trouble_and_a_session_ends_with_its_boot() {
    let f = fixture();
    let listener = UnixListener::bind(&f.socket).unwrap();
    let (port, state) = watch::channel(PortState::default());
    let peer = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        // Answers to commands of an earlier client, one of them cut off.
        answer_sync(&mut stream, b"{\"return\": {}}\n{\"return\": {\"pid\"").await;
        assert_eq!(next_command(&mut stream).await["execute"], "guest-ping");
        stream.write_all(b"{\"return\": {}}\n").await.unwrap();
        // In step: no sync before the next command, which is not answered in time.
        assert_eq!(next_command(&mut stream).await["execute"], "guest-ping");
        answer_sync(&mut stream, b"{\"return\": {}}\n").await;
        assert_eq!(next_command(&mut stream).await["execute"], "guest-ping");
        stream.write_all(b"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n").await.unwrap();
        // An error is an answer: still in step. This one stays open until the guest is reset.
        assert_eq!(next_command(&mut stream).await["execute"], "guest-ping");
        stream
    });
    let agent = Agent::connect(&f.socket, transcript(&f.transcript), state).await.unwrap();
    assert!(
        matches!(agent.present(), Err(AgentError::NotConnected)),
        "nothing is sent before the guest opens its port"
    );
    port.send_replace(PortState { open: true, session: 1 });
    let session = agent.present().unwrap();
    session.execute(qga::guest_ping {}, LIMIT).await.unwrap();
    let late = session.execute(qga::guest_ping {}, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(late, AgentError::Late { what: "guest-ping", .. }), "{late}");
    let error = session.execute(qga::guest_ping {}, LIMIT).await.unwrap_err();
    assert_eq!(error.to_string(), "QEMU says CommandNotFound: disabled");
    let begun = Instant::now();
    let pending = session.execute(qga::guest_ping {}, LIMIT);
    let reset = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        port.send_replace(PortState { open: true, session: 2 });
    };
    let (over, ()) = tokio::join!(pending, reset);
    assert!(matches!(over, Err(AgentError::Over)), "{over:?}");
    assert!(matches!(session.execute(qga::guest_ping {}, LIMIT).await, Err(AgentError::Over)));
    assert!(begun.elapsed() < LIMIT / 2, "an old session fails at once");
    let mut stream = peer.await.unwrap();
    let renewed = agent.present().unwrap();
    let (answer, ()) = tokio::join!(renewed.execute(qga::guest_ping {}, LIMIT), async {
        answer_sync(&mut stream, b"").await;
        assert_eq!(next_command(&mut stream).await["execute"], "guest-ping");
        stream.write_all(b"{\"return\": {}}\n").await.unwrap();
    });
    answer.unwrap();
    drop(stream);
    let closed = renewed.execute(qga::guest_ping {}, LIMIT).await.unwrap_err();
    assert!(matches!(closed, AgentError::Wire(_)), "{closed}");
}

/// A guest may send for ever without a newline: memory stays bounded, the connection ends.
#[tokio::test]
async fn an_endless_line_ends_the_connection() {
    let f = fixture();
    let listener = UnixListener::bind(&f.socket).unwrap();
    let (_port, state) = watch::channel(PortState { open: true, session: 1 });
    tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        answer_sync(&mut stream, b"").await;
        let flood = vec![b'x'; 1 << 20];
        while stream.write_all(&flood).await.is_ok() {}
        let _ = stream.read(&mut [0]).await;
    });
    let agent = Agent::connect(&f.socket, transcript(&f.transcript), state).await.unwrap().present().unwrap();
    let error = agent.execute(qga::guest_ping {}, Duration::from_secs(60)).await.unwrap_err();
    assert!(matches!(error, AgentError::Wire(QmpError::Closed)), "{error}");
}

//! An engine for tests: a unix socket at which every request is kept and answered with given bytes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// What the engine does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// These bytes, and the connection is closed.
    Bytes(&'static str),
    /// This status and body.
    Answer(u16, &'static str),
    /// Nothing, and the connection stays open.
    Never,
}

/// A fake engine; its socket goes with it.
#[derive(Debug)]
pub(crate) struct FakeEngine {
    folder: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeEngine {
    /// Answers request after request with the replies, the last one for ever.
    pub(crate) fn start(replies: Vec<Reply>) -> FakeEngine {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, replies[n.min(replies.len() - 1)], kept.clone()));
            }
        });
        FakeEngine { folder, requests }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every request so far: its first line and its body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: UnixStream, reply: Reply, kept: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    while !is_whole(&String::from_utf8_lossy(&bytes)) {
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return;
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    kept.lock().unwrap().push(format!("{} {body}", head.lines().next().unwrap()).trim().to_owned());
    let answer = match reply {
        Reply::Bytes(bytes) => bytes.to_owned(),
        Reply::Answer(status, body) => format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
        Reply::Never => return std::future::pending().await,
    };
    // Whoever has read enough closes the connection.
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
    match length {
        Some(length) => body.len() >= length,
        None => !head.contains("transfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
    }
}

//! Every line of a connection, kept as evidence before anybody acts on it.

use crate::time;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// A transcript stops growing here; its last line says so.
const MAX_BYTES: usize = 64 << 20;

/// Of one line.
const MAX_LINE: usize = 64 << 10;

/// A file of `seconds direction line`, shared by a connection's two halves.
#[derive(Debug, Clone)]
pub struct Transcript {
    inner: Arc<Mutex<Inner>>,
    origin: Instant,
}

#[derive(Debug)]
struct Inner {
    file: File,
    left: usize,
}

impl Transcript {
    /// Begins a transcript; times in it are seconds since `origin`.
    pub fn create(path: &Path, origin: Instant) -> std::io::Result<Self> {
        let file = File::create(path)?;
        Ok(Transcript { inner: Arc::new(Mutex::new(Inner { file, left: MAX_BYTES })), origin })
    }

    /// Keeps a line that we send.
    pub fn sent(&self, line: &[u8]) {
        self.keep(">", line);
    }

    /// Keeps a line that came.
    pub fn received(&self, line: &[u8]) {
        self.keep("<", line);
    }

    /// Keeps a remark of our own.
    pub fn remark(&self, text: &str) {
        self.keep("#", text.as_bytes());
    }

    fn keep(&self, direction: &str, line: &[u8]) {
        let kept = line.get(..MAX_LINE).unwrap_or(line);
        let left_out = match line.len() - kept.len() {
            0 => String::new(),
            n => format!(" ... and {n} bytes more"),
        };
        let record = format!(
            "{:.6} {direction} {}{left_out}\n",
            time::now().saturating_duration_since(self.origin).as_secs_f64(),
            String::from_utf8_lossy(kept).trim_end()
        );
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.left == 0 {
            return;
        }
        // Evidence that cannot be written must not end the run: the verdict's own files will show the full disk.
        if inner.left < record.len() {
            inner.left = 0;
            let _ = inner.file.write_all(b"# the transcript is full\n");
        } else {
            inner.left -= record.len();
            let _ = inner.file.write_all(record.as_bytes());
        }
    }
}

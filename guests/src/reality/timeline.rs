//! The timeline on disk: one JSON object a line, written as it happens.

use serde_json::json;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use tokio::sync::mpsc::UnboundedSender;
use vmhealth_sim::trace::{Entry, Trace};

/// `timeline.jsonl`.
#[derive(Debug)]
pub(super) struct Timeline {
    file: File,
    kept: usize,
    watcher: UnboundedSender<Entry>,
}

impl Timeline {
    pub(super) fn create(evidence: &Path, watcher: UnboundedSender<Entry>) -> io::Result<Timeline> {
        Ok(Timeline { file: File::create(evidence.join("timeline.jsonl"))?, kept: 0, watcher })
    }

    /// Keeps what is new in the trace and shows it to the watcher.
    pub(super) fn keep(&mut self, trace: &Trace) -> io::Result<()> {
        for entry in &trace.entries()[self.kept..] {
            let line = json!({
                "t": entry.at.as_secs_f64(), "vmi": entry.vmi, "event": entry.event.to_string(), "detail": entry.detail,
                "replayed": entry.replayed,
            });
            // At once: formatted into a file it would be a write for every token.
            self.file.write_all(format!("{line}\n").as_bytes())?;
            // Nobody may look any more.
            let _ = self.watcher.send(entry.clone());
        }
        self.kept = trace.entries().len();
        Ok(())
    }
}

//! The timeline on disk: one JSON object a line, written as it happens.

use serde_json::json;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use vmhealth_sim::trace::{Entry, Trace};

/// `timeline.jsonl`.
#[derive(Debug)]
pub(super) struct Timeline {
    file: File,
    kept: usize,
}

impl Timeline {
    pub(super) fn create(evidence: &Path) -> io::Result<Timeline> {
        Ok(Timeline { file: File::create(evidence.join("timeline.jsonl"))?, kept: 0 })
    }

    /// Keeps what is new in the trace and shows it to `watcher`.
    pub(super) fn keep(&mut self, trace: &Trace, watcher: &impl Fn(&Entry)) -> io::Result<()> {
        for entry in &trace.entries()[self.kept..] {
            let line = json!({
                "t": entry.at.as_secs_f64(), "vmi": entry.vmi, "event": entry.event.to_string(), "detail": entry.detail,
                "replayed": entry.replayed,
            });
            // At once: formatted into a file it would be a write for every token.
            self.file.write_all(format!("{line}\n").as_bytes())?;
            watcher(entry);
        }
        self.kept = trace.entries().len();
        Ok(())
    }
}

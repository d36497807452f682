//! The timeline on disk: one JSON object a line, written as it happens.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use tokio::sync::mpsc::UnboundedSender;
use vmhealth_sim::trace::{Entry, Trace};

/// The timeline's file in a scenario's evidence.
pub const TIMELINE: &str = "timeline.jsonl";

/// A line of it: an entry of the trace in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// More for a reader; may be empty.
    pub detail: String,
    /// The event's text.
    pub event: String,
    /// It happened in the boot of the template.
    pub replayed: bool,
    /// Seconds on the scenario's clock.
    pub t: f64,
    /// Counted from 1; 0 before there is one.
    pub vmi: u32,
}

impl From<&Entry> for Line {
    fn from(entry: &Entry) -> Line {
        Line {
            detail: entry.detail.clone(),
            event: entry.event.to_string(),
            replayed: entry.replayed,
            t: entry.at.as_secs_f64(),
            vmi: entry.vmi,
        }
    }
}

/// `timeline.jsonl`.
#[derive(Debug)]
pub(super) struct Timeline {
    file: File,
    kept: usize,
    watcher: UnboundedSender<Entry>,
}

impl Timeline {
    pub(super) fn create(evidence: &Path, watcher: UnboundedSender<Entry>) -> io::Result<Timeline> {
        Ok(Timeline { file: File::create(evidence.join(TIMELINE))?, kept: 0, watcher })
    }

    /// Keeps what is new in the trace and shows it to the watcher.
    pub(super) fn keep(&mut self, trace: &Trace) -> io::Result<()> {
        // Of a very long run the oldest entries are forgotten, and the new ones are always the last.
        let new = (trace.logged() - self.kept).min(trace.entries().len());
        for entry in &trace.entries()[trace.entries().len() - new..] {
            let line = serde_json::to_string(&Line::from(entry))?;
            // At once: formatted into a file it would be a write for every token.
            let kept = self.file.write_all(format!("{line}\n").as_bytes());
            kept.map_err(|e| io::Error::new(e.kind(), format!("the evidence's {TIMELINE}: {e}")))?;
            // Nobody may look any more.
            let _ = self.watcher.send(entry.clone());
        }
        self.kept = trace.logged();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::kubelet::{ProbeKind, Verdict};
    use vmhealth_sim::time::Time;
    use vmhealth_sim::trace::Event;

    /// The trace forgets its oldest answers meanwhile, more than once between two looks.
    #[test]
    fn a_trace_that_forgets_is_kept_on() {
        let folder = tempfile::tempdir().unwrap();
        let (watcher, mut watched) = tokio::sync::mpsc::unbounded_channel();
        let mut timeline = Timeline::create(folder.path(), watcher).unwrap();
        let mut trace = Trace::default();
        for second in 0..500_000 {
            let event = Event::Answered(ProbeKind::Liveness, Verdict::Success);
            trace.push(Entry { at: Time::from_secs(second), vmi: 1, event, detail: String::new(), replayed: false });
            if [0, 199_999, 200_000, 499_999].contains(&second) {
                timeline.keep(&trace).unwrap();
            }
        }
        assert!(trace.forgotten() > 0);
        let seen: Vec<Time> = std::iter::from_fn(|| watched.try_recv().ok()).map(|entry| entry.at).collect();
        assert!(
            seen.is_sorted() && seen[..200_001].iter().map(|t| t.since(Time::ZERO).as_secs()).eq(0..200_001),
            "none is lost or told twice"
        );
        assert_eq!(seen.last(), Some(&Time::from_secs(499_999)));
        let lines = std::fs::read_to_string(folder.path().join(TIMELINE)).unwrap().lines().count();
        assert_eq!(lines, seen.len());
    }
}

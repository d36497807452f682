//! Names of events in scenario files: the leading words of a trace entry's text, checked when the file is read.

use super::fault::Fault;
use crate::trace::{Entry, LANES};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// The leading words of an event's text: `qemu WATCHDOG`, `vmi phase Failed`, `endpoints out`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Pattern(String);

impl Pattern {
    /// Whether `entry` begins with these words.
    pub fn matches(&self, entry: &Entry) -> bool {
        let text = entry.event.to_string();
        text.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// Of a fault's pattern, the last of its three words: `begun`, `confirmed`, or nothing where it leaves that open.
    pub(super) fn fault_news(&self) -> Option<&str> {
        let mut words = self.0.split(' ');
        (words.next() == Some("fault")).then(|| words.nth(1).unwrap_or_default())
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let lane = words.next().unwrap_or_default();
        let Some((_, known)) = LANES.iter().find(|(name, _)| *name == lane) else {
            let lanes: Vec<&str> = LANES.iter().map(|(name, _)| *name).collect();
            return Err(format!("no event begins with {lane:?}: expected one of {}", lanes.join(", ")));
        };
        if let Some(second) = words.next()
            && known != &["*"]
            && !known.contains(&second)
        {
            return Err(format!("no event of {lane:?} is called {second:?}: expected one of {}", known.join(", ")));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        if let [first, second, third, ..] = words.as_slice() {
            check_word(&format!("{first} {second}"), Some(third))?;
        }
        if lane == "fault" && words.get(1).is_some_and(|name| !Fault::NAMES.contains(name)) {
            return Err(format!("no fault is called so: expected one of {}", Fault::NAMES.join(", ")));
        }
        Ok(Pattern(words.join(" ")))
    }
}

/// The words that may follow these two; others are open.
const CLOSED: &[(&str, &[&str])] = &[
    ("vmi phase", &["Pending", "Scheduling", "Scheduled", "Running", "Succeeded", "Failed"]),
    ("vm status", &["Starting", "Running", "Paused", "Stopping", "Stopped", "Terminating", "CrashLoopBackOff"]),
    ("vmi ready", &["True", "False"]),
    ("vmi agent", &["connected", "gone"]),
    ("readiness result", &["Success", "Failure"]),
    ("liveness result", &["Success", "Failure"]),
    ("pod event", &["Unhealthy", "ProbeWarning", "Killing"]),
];

/// Refuses a word that can never follow `two`.
pub(super) fn check_word(two: &str, word: Option<&str>) -> Result<(), String> {
    match (CLOSED.iter().find(|(known, _)| *known == two), word) {
        (Some((_, words)), Some(word)) if !words.contains(&word) => {
            Err(format!("{two:?} is never followed by {word:?}: expected one of {}", words.join(", ")))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

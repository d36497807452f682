//! Names of events in scenario files: the leading words of a trace entry's text, checked when the file is read.

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
        Ok(Pattern(text.split_whitespace().collect::<Vec<_>>().join(" ")))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

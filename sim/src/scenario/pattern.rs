//! Names of events in scenario files: the leading words of an event's text, checked when the file is read.

use crate::trace::{self, Event, Text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;
use std::mem::Discriminant;

/// The leading words of an event's text: `qemu WATCHDOG`, `vmi phase Failed`, `endpoints out`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    words: Vec<String>,
    /// The kinds of events of its lane: only their words are looked at.
    kinds: &'static [Discriminant<Event>],
}

impl Pattern {
    /// Whether the event's text begins with these words.
    pub fn matches(&self, event: &Event) -> bool {
        if !self.kinds.contains(&std::mem::discriminant(event)) {
            return false;
        }
        let (mut count, mut same) = (0, true);
        event.words(&mut |word| {
            if let Some(mine) = self.words.get(count).filter(|_| same) {
                same = word.reads(mine);
                count += 1;
            }
        });
        same && count == self.words.len()
    }

    /// It names both the begin and the confirmation of a fault.
    pub(super) fn is_all_of_a_fault(&self) -> bool {
        self.words[0] == "fault" && self.words.len() < 3
    }

    /// It names a fault's confirmation only.
    pub(super) fn is_a_confirmation(&self) -> bool {
        self.words[0] == "fault" && self.words.get(2).is_some_and(|word| word == "confirmed")
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        trace::check(&words)?;
        let kinds = trace::kinds(words[0]);
        Ok(Pattern { words: words.into_iter().map(str::to_owned).collect(), kinds })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// Editors complete the texts and mark any other.
impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let (mut words, mut regexes) = (Vec::new(), Vec::new());
        for text in trace::texts() {
            match text {
                Text::Words(text) => words.push(text),
                Text::Regex(regex) => regexes.push(regex),
            }
        }
        json_schema!({
            "description": "The leading words of an event's text: `qemu WATCHDOG`, `vmi phase Failed`, `endpoints out`.",
            "type": "string",
            "anyOf": [{ "enum": words }, { "pattern": format!("^({})$", regexes.join("|")) }],
        })
    }
}

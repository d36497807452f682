//! What a reader gets: a sentence, and below it a few lines under each heading.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What came of one fault; of a run in which nothing was broken, how the VM did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The answer in a sentence.
    pub headline: String,
    /// Why, under a heading each; those with nothing to say are left out.
    pub sections: Vec<Section>,
    /// What the section `took` says, for programs: in the order in which it came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A part of what followed a fault, which is over then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// `the watchdog fires`
    pub what: String,
    /// Milliseconds from the fault.
    pub after_ms: u64,
}

/// Lines under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Section {
    /// `noticed`, `done`, `took`, `unnoticed` or `faster`; `seen` where nothing was broken.
    pub title: String,
    /// A sentence each.
    pub lines: Vec<String>,
}

impl Explanation {
    /// All that may quote the guest or the manifest.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        [&mut self.headline].into_iter().chain(self.sections.iter_mut().flat_map(|s| &mut s.lines))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline)?;
        for Section { title, lines } in &self.sections {
            let mut heading = title.as_str();
            for line in lines {
                writeln!(f, "  {heading:<10} {line}")?;
                heading = "";
            }
        }
        Ok(())
    }
}

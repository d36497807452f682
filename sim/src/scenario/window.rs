//! How long after an event another one may be seen.

use crate::time::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// Two spans, written `8s..13s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Window {
    /// Not before.
    pub min: Duration,
    /// Not after.
    pub max: Duration,
}

impl TryFrom<String> for Window {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (min, max) = text.split_once("..").ok_or_else(|| format!("{text:?} is not a window like 8s..13s"))?;
        let (min, max) = (Span::try_from(min.to_owned())?.0, Span::try_from(max.to_owned())?.0);
        if min > max {
            return Err(format!("{text:?} ends before it begins"));
        }
        Ok(Window { min, max })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", humantime::format_duration(self.min), humantime::format_duration(self.max))
    }
}

//! `--fault`: what breaks, in a scenario file's words, and when.

use std::time::Duration;
use vmhealth_sim::scenario::{Fault, FaultKind};

/// When a fault comes that nobody gave a time, counted from the VM being Ready and guarded.
pub const USUAL_MOMENT: Duration = Duration::from_secs(2);

/// A fault as the user wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedFault {
    /// YAML, as in a scenario file.
    pub text: String,
    /// The same, parsed.
    pub fault: Fault,
}

/// A fault and when, counted from the VM being Ready and guarded.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedFault {
    /// YAML, as in a scenario file.
    pub text: String,
    /// Its kind.
    pub kind: FaultKind,
    /// The time since the VM was Ready and guarded.
    pub at: Duration,
}

impl std::str::FromStr for NamedFault {
    type Err = String;

    /// `killWatchdog`, `{stopAgent: {for: 15s}}`. The error says what was expected.
    fn from_str(text: &str) -> Result<NamedFault, String> {
        let text = text.trim();
        let fault = text.parse()?;
        Ok(NamedFault { text: text.to_owned(), fault })
    }
}

impl std::str::FromStr for TimedFault {
    type Err = String;

    /// `killWatchdog@5s`, `killWatchdog`
    fn from_str(text: &str) -> Result<TimedFault, String> {
        let timed = |NamedFault { text, fault }, at| TimedFault { text, kind: fault.kind(), at };
        // A URL may have an @ of its own.
        let alone = text.parse();
        let Some((fault, at)) = text.rsplit_once('@').filter(|_| alone.is_err()) else {
            return Ok(timed(alone?, USUAL_MOMENT));
        };
        let fault = fault.parse()?;
        let at = humantime::parse_duration(at).map_err(|e| format!("{at:?} is not a span like 5s: {e}"))?;
        Ok(timed(fault, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_fault_and_what_was_meant() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let found = text.parse::<TimedFault>();
            match (&found, expected) {
                (Ok(fault), Ok(kind)) => assert_eq!(fault.text, kind),
                (Err(e), Err(part)) => assert!(e.contains(part), "{text}: {e}"),
                _ => panic!("{text}: {found:?}"),
            }
        };
        check("killWatchdog@5s", Ok("killWatchdog"));
        check("{stopAgent: {for: 15s}}@1m", Ok("{stopAgent: {for: 15s}}"));
        check("{health: {redirect: \"http://a@b/\"}}@0s", Ok("{health: {redirect: \"http://a@b/\"}}"));
        check("kilWatchdog@5s", Err("did you mean killWatchdog? (kinds: kernelPanic, killWatchdog,"));
        check("killwatchdog@5s", Err("did you mean killWatchdog?"));
        check("{stopagent: {for: 1s}}@5s", Err("did you mean stopAgent?"));
        check("explode@5s", Err("there is no fault \"explode\" (kinds:"));
        check("@5s", Err("there is no fault \"\""));
        check("stopAgent@5s", Err("expected {stopAgent: {for: 15s}}"));
        check("stopAgent", Err("expected {stopAgent: {for: 15s}}"));
        check("{stopAgent: {until: 15s}}@5s", Err("expected {stopAgent: {for: 15s}}"));
        check("{kernelPanic: 3}@5s", Err("expected kernelPanic"));
        check("{health: {status: 500}}, {user: stop}@5s", Err("expected {health: {status: 500}}"));
        check("kernelPanic", Ok("kernelPanic"));
        check("{health: {redirect: \"http://a@b/\"}}", Ok("{health: {redirect: \"http://a@b/\"}}"));
        check("kernelPanic@soon", Err("\"soon\" is not a span like 5s"));
    }
}

//! A window that closed in the model before its event came: by how much, and where it is written. One that came before its window
//! opened is told by the judge.
//!
//! A run ends when a window closes, so its trace cannot say when the event would have come. In virtual time it is tried: the
//! window is widened as little as lets the run go on.

use super::catalogue::Case;
use std::time::Duration;
use vmhealth_sim::engine::Config;
use vmhealth_sim::scenario::{Spec, Verdict};
use vmhealth_sim::world::{self, Timings};

/// What does not come so soon is not looked for.
const FURTHEST: Duration = Duration::from_secs(600);
/// How exactly it is found.
const EXACTLY: Duration = Duration::from_millis(10);

/// A failure with when its event would have come; as it is where no window was missed, or nothing comes.
pub(super) fn explained(case: &Case, reason: String) -> String {
    let said = reason.contains(": deadline").then(|| missed(case, &reason)).flatten();
    said.map_or(reason.clone(), |said| format!("{reason}; {said}"))
}

fn missed(case: &Case, reason: &str) -> Option<String> {
    let goes_on = |index: usize, later: Duration| {
        let mut spec = case.scenario.spec.clone();
        let Some(expectation) = spec.expect.get_mut(index) else { return false };
        let Some(window) = expectation.within.as_mut().or(expectation.within_guest.as_mut()) else { return false };
        window.max += later;
        awaited(&verdict(case, &spec)) != Some(head(reason))
    };
    let index = (0..case.scenario.spec.expect.len()).find(|index| goes_on(*index, FURTHEST))?;
    let late = least(|later| goes_on(index, later)).as_secs_f64();
    let see = &case.scenario.spec.expect[index].see;
    Some(format!("in the model {see} comes {late:.1} s too late{}", place(case, index)))
}

fn verdict(case: &Case, spec: &Spec) -> Verdict {
    world::run_skipping(&case.manifest, spec, Config::default(), Timings::default()).0
}

/// What a failure waits for: its window is told behind it.
fn awaited(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Fail(reason) => Some(head(reason)),
        Verdict::Pass | Verdict::Infra(_) => None,
    }
}

fn head(reason: &str) -> &str {
    reason.split(" within ").next().unwrap_or(reason)
}

/// The least span with which it is so; it is so with the longest.
fn least(is_so: impl Fn(Duration) -> bool) -> Duration {
    let (mut not, mut so) = (Duration::ZERO, FURTHEST);
    while so - not > EXACTLY {
        let middle = (not + so) / 2;
        if is_so(middle) { so = middle } else { not = middle }
    }
    so
}

/// The line of an expectation in its file; nothing where a command made the scenario.
fn place(case: &Case, index: usize) -> String {
    let lines = case.texts.scenario.lines().zip(1..).skip_while(|(line, _)| line.trim() != "expect:");
    let mut expectations = lines.filter(|(line, _)| line.contains("see:") && !line.trim_start().starts_with('#'));
    let made = case.id().starts_with("run/your-own/");
    let line = expectations.nth(index).filter(|_| !made);
    line.map_or(String::new(), |(_, number)| format!(" ({}:{number})", case.file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::catalogue;
    use vmhealth_sim::scenario::Window;

    #[test]
    fn a_missed_window_says_by_how_much() {
        let all = catalogue::read(None).unwrap();
        let case = all.iter().find(|c| c.id() == "http-hang/readiness-http/not-ready").unwrap();
        let check = |index: usize, millis: (u64, u64), expected: &str| {
            let mut case = case.clone();
            let (min, max) = (Duration::from_millis(millis.0), Duration::from_millis(millis.1));
            case.scenario.spec.expect[index].within = Some(Window { min, max });
            let Verdict::Fail(reason) = verdict(&case, &case.scenario.spec) else {
                panic!("{index} {millis:?} passes")
            };
            let said = explained(&case, reason.clone());
            assert!(said.starts_with(&reason) && said.ends_with(expected), "{said}");
        };
        let line = "tests/scenarios/http-hang.readiness-http.not-ready.yaml:23)";
        check(2, (4500, 5000), &format!("in the model readiness result Failure comes 0.9 s too late ({line}"));
    }

    #[test]
    fn what_never_comes_is_told_as_before() {
        let all = catalogue::read(None).unwrap();
        let mut case = all.into_iter().find(|c| c.id() == "http-hang/readiness-http/not-ready").unwrap();
        case.scenario.spec.expect[2].see = "qemu WATCHDOG".to_owned().try_into().unwrap();
        let Verdict::Fail(reason) = verdict(&case, &case.scenario.spec) else { panic!("it passes") };
        assert_eq!(explained(&case, reason.clone()), reason);
    }
}

//! The moments at which a fault is worth trying.
//!
//! Until something reacts, a healthy VM only probes and pets. Between two of those a later fault changes no order among them: what
//! follows comes at the same time, so recovery takes longest for a fault just after one. Timers that start with the fault itself
//! can change an order at other moments: a grid covers those.

use crate::kubelet::ProbeKind;
use crate::manifest::Timings;
use crate::scenario::{Alive, Spec};
use crate::time::Time;
use crate::trace::{Event, Trace};
use std::collections::BTreeSet;
use std::time::Duration;

/// Seconds. What a probe does later is not looked for: it guards nobody.
const LONGEST_WAIT: u64 = 86_400;
/// No common period of the probes is taken for longer.
const LONGEST_PERIOD: Duration = Duration::from_secs(60);
/// So many moments of the grid at most.
const GRID: u32 = 12;
/// The grid is no finer.
const FINEST: Duration = Duration::from_millis(250);
/// So soon after an attempt, an answer or a pet that nothing comes between.
const JUST_AFTER: Duration = Duration::from_millis(1);

/// When a fault is tried, counted from the guest being ready, and when that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moments {
    /// The first time the guest was ready.
    pub(super) ready: Time,
    /// From its being ready until its probes have seen it.
    pub(super) guarded: Duration,
    /// Each of them, in order.
    pub(super) all: Vec<Duration>,
}

/// How long a healthy VM must be watched after its guest is ready so that its moments are known: until each of its probes has
/// succeeded as often as it must, and for as long as its moments last. An attempt that began while nobody answered takes its
/// whole timeout; the next one comes within a period.
pub(super) fn needed(probes: [Option<Timings>; 2], periods: [Option<u32>; 2]) -> Duration {
    let succeeds = |t: Timings| {
        let delay = u64::try_from(t.initial_delay).unwrap_or(0);
        let attempts = u64::from(t.period).saturating_mul(t.success_threshold.into());
        delay.saturating_add(t.timeout.into()).saturating_add(attempts).min(LONGEST_WAIT)
    };
    let last = probes.into_iter().flatten().map(succeeds).max().unwrap_or(0);
    Duration::from_secs(last) + common(periods) * 2 + Duration::from_secs(5)
}

impl Moments {
    /// Of a healthy VM's trace; `None`: its guest was never ready, or never guarded. `pets`: the time between two pets, if there are any.
    pub(super) fn of(
        trace: &Trace,
        spec: &Spec,
        has_liveness: bool,
        periods: [Option<u32>; 2],
        pets: Option<Duration>,
    ) -> Option<Moments> {
        let entries = trace.sorted();
        let ready = entries.iter().find(|e| e.event == Event::GuestReady)?.at;
        let mut alive = Alive::new(&spec.steps, has_liveness);
        let guarded = entries.iter().find_map(|e| {
            alive.observe(e);
            (e.at >= ready && alive.is_guarded()).then_some(e.at)
        })?;
        let end = guarded + common(periods);
        let of_probe = |e: &Event| {
            matches!(e, Event::Attempt(ProbeKind::Liveness | ProbeKind::Readiness, _) | Event::Answered(..))
        };
        let probes = entries.iter().filter(|e| e.at >= ready && e.at <= end && of_probe(&e.event));
        let mut all: BTreeSet<Duration> = probes.map(|e| e.at.since(ready) + JUST_AFTER).collect();
        all.insert(JUST_AFTER);
        let window = common(periods);
        let step = (window / GRID).max(FINEST);
        let grid = (0..GRID).map(|n| step * n).take_while(|at| *at <= window);
        all.extend(grid.map(|at| guarded.since(ready) + at));
        // Just after a pet is the moment of which the watchdog makes the most; one such beside each attempt is enough.
        if let Some(pets) = pets.filter(|p| !p.is_zero()) {
            let next = |at: &Duration| pets * u32::try_from(at.as_nanos().div_ceil(pets.as_nanos())).unwrap_or(0);
            let after: Vec<Duration> = all.iter().map(|at| next(at) + JUST_AFTER).collect();
            all.extend(after.into_iter().filter(|at| *at <= guarded.since(ready) + window));
        }
        Some(Moments { ready, guarded: guarded.since(ready), all: all.into_iter().collect() })
    }
}

/// After this span the probes' grids meet again as before.
fn common(periods: [Option<u32>; 2]) -> Duration {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let periods = periods.into_iter().flatten().map(|p| u64::from(p.max(1)));
    let common = periods.fold(1_u64, |a, b| (a / gcd(a, b)).saturating_mul(b));
    Duration::from_secs(common).min(LONGEST_PERIOD)
}

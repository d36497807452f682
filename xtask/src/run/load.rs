//! How busy the host's cores are right now, with whatever is not of the lowest priority.
//!
//! What the schedule foresees is a guess; this is what came of it. A panicked guest that spins out of everybody's way counts as
//! idle (it is `nice` time), one that could not be put out of the way counts as what it is.

use std::time::{Duration, Instant};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Of all cores' time since boot, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Ticks {
    /// proc_stat(5): `cpu user nice system idle iowait irq softirq steal guest guest_nice`; the last two are counted in the first.
    fn parse(stat: &str) -> Option<Ticks> {
        let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let fields: Vec<u64> = numbers.take(8).map_while(|n| n.parse().ok()).collect();
        let [_, nice, _, idle, iowait, ..] = fields[..] else { return None };
        let all = fields.iter().sum();
        Some(Ticks { busy: all - nice - idle - iowait, all })
    }
}

/// A look at the cores now and then.
#[derive(Debug, Default)]
pub(crate) struct Load {
    last: Option<(Instant, Ticks)>,
    share: f64,
}

impl Load {
    /// The busy share of all cores over the last second or so; 0 where the kernel does not say.
    pub(crate) fn share(&mut self, now: Instant) -> f64 {
        if self.last.is_none_or(|(at, _)| now.saturating_duration_since(at) >= INTERVAL) {
            let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
            if let Some(ticks) = Ticks::parse(&stat) {
                self.update(now, ticks);
            }
        }
        self.share
    }

    fn update(&mut self, now: Instant, ticks: Ticks) {
        if let Some((_, before)) = self.last
            && ticks.all > before.all
        {
            self.share = ticks.busy.saturating_sub(before.busy) as f64 / (ticks.all - before.all) as f64;
        }
        self.last = Some((now, ticks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_priority_and_waiting_for_disks_are_idle() {
        let ticks = |line: &str| Ticks::parse(line);
        assert_eq!(ticks("cpu  10 200 30 4000 500 6 7 8 10 0\ncpu0 1 2 3\n"), Some(Ticks { busy: 61, all: 4761 }));
        assert_eq!(ticks("cpu  10 200"), None);
        assert_eq!(ticks("intr 5"), None);
    }

    #[test]
    fn a_share_is_of_what_passed_between_two_looks() {
        let mut load = Load::default();
        let now = Instant::now();
        for (busy, all, share) in [(1000, 10_000, 0.0), (1150, 10_200, 0.75), (1150, 10_200, 0.75), (1150, 10_400, 0.0)]
        {
            load.update(now, Ticks { busy, all });
            assert!((load.share - share).abs() < 1e-9, "{load:?}");
        }
    }
}

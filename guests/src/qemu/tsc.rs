//! How fast this host's time-stamp counter counts.
//!
//! Under TCG a guest reads the host's. Its kernel measures it against the PIT in the first milliseconds of every boot, in a
//! loop that takes the smallest of what it sees for the truth: a vCPU that waits for a core there finds 200 MHz where there
//! are 2600, and its clock runs thirteen times too fast from then on. `tsc_early_khz=` tells it instead; a second later it
//! refines that by at most a hundredth.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

const LASTING: Duration = Duration::from_millis(50);
/// Between two looks at the clock around one at the counter: what the result may be wrong by, in [`LASTING`].
const CLOSE: Duration = Duration::from_micros(5);
const TRIES: usize = 1000;

/// In kHz, measured once; `None`: this host has none, or would not let itself be measured.
pub(crate) fn host_tsc_khz() -> Option<u32> {
    static KHZ: OnceLock<Option<u32>> = OnceLock::new();
    *KHZ.get_or_init(|| {
        let (begun, first) = look()?;
        // Nothing is waited for: this is the span that is measured.
        std::thread::sleep(LASTING);
        let (ended, last) = look()?;
        khz(last.checked_sub(first)?, ended - begun)
    })
}

fn khz(ticks: u64, span: Duration) -> Option<u32> {
    let khz = (ticks as f64 / span.as_secs_f64() / 1e3).round();
    (1.0..=f64::from(u32::MAX)).contains(&khz).then_some(khz as u32)
}

/// The clock and the counter at one moment.
fn look() -> Option<(Instant, u64)> {
    (0..TRIES).find_map(|_| {
        let before = Instant::now();
        let counter = counter()?;
        (before.elapsed() < CLOSE).then_some((before, counter))
    })
}

#[cfg(target_arch = "x86_64")]
fn counter() -> Option<u64> {
    // SAFETY: every x86-64 CPU has the instruction, and it touches nothing.
    Some(unsafe { std::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_in_a_span() {
        for (ticks, microseconds, expected) in [
            (129_804_900, 50_000, Some(2_596_098)),
            (50_000, 50_000, Some(1_000)),
            (0, 50_000, None),
            (1, 0, None),
            (u64::MAX, 1, None),
        ] {
            assert_eq!(khz(ticks, Duration::from_micros(microseconds)), expected, "{ticks} in {microseconds} us");
        }
    }
}

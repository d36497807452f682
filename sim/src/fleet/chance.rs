//! Chance that can be had again: numbers from a seed, and digests that tell two runs apart.

use super::file::Rate;
use crate::trace::{Entry, Word};
use fastrand::Rng;
use std::time::Duration;

/// Neighbours become strangers (splitmix64).
pub(super) fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Rate {
    /// From a VM's beginning, or its last fault of the kind, to the next one; `None`: beyond all times.
    pub(super) fn draw(self, random: &mut Rng) -> Option<Duration> {
        // Of an exponential time with the mean 1.
        let exponential = -(1.0 - random.f64()).ln();
        let seconds = match self {
            Rate::Every(mean) => mean.0.as_secs_f64() * exponential,
            Rate::Weibull { scale, shape } => scale.0.as_secs_f64() * exponential.powf(1.0 / shape),
        };
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// When a VM breaks, one after the other, before the horizon.
    pub(super) fn times(self, horizon: Duration, random: &mut Rng) -> impl Iterator<Item = Duration> {
        let mut at = Duration::ZERO;
        std::iter::from_fn(move || {
            let next = at.checked_add(self.draw(random)?).filter(|next| *next < horizon)?;
            // A VM that breaks more often than each second is never whole.
            at = next.max(at + Duration::from_secs(1));
            Some(at)
        })
    }
}

/// Tells different runs apart; nobody tries to make two alike.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Digest(u64);

impl Digest {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = mixed(self.0 ^ u64::from_le_bytes(word));
        }
    }

    /// When it was and what it was.
    pub(super) fn entry(&mut self, entry: &Entry) {
        self.add(&entry.at.as_nanos().to_le_bytes());
        entry.event.words(&mut |word| match word {
            Word::Known(text) | Word::Open(text) => self.add(text.as_bytes()),
            Word::Number(number) => self.add(&number.to_le_bytes()),
        });
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn rates_have_their_means() {
        let day = Span(Duration::from_secs(86_400));
        for (rate, mean) in [
            (Rate::Every(day), 1.0),
            // Its mean is the scale times the gamma function of 1 + 1 / shape.
            (Rate::Weibull { scale: day, shape: 1.0 }, 1.0),
            (Rate::Weibull { scale: day, shape: 0.5 }, 2.0),
            (Rate::Weibull { scale: day, shape: 3.0 }, 0.893),
        ] {
            let mut random = Rng::with_seed(11);
            let all =
                (0..50_000).filter_map(|_| rate.draw(&mut random)).map(|d| d.as_secs_f64() / 86_400.0).sum::<f64>();
            assert!((all / 50_000.0 - mean).abs() < 0.03 * mean, "{rate:?}: {}", all / 50_000.0);
        }
    }
}

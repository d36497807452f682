//! How long guests take from power-on until their service answers, when each boot takes a time of its own.

use fastrand::Rng;
use std::f64::consts::TAU;
use std::time::Duration;

/// A boot's time by itself, with nobody booting beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BootTimes {
    /// Always the same.
    Exactly(Duration),
    /// Any time between two, each as likely.
    Between(Duration, Duration),
    /// Half of the boots are quicker than the median; the logarithm is normal with this deviation. None is longer than
    /// [`BootTimes::longest`].
    LogNormal {
        /// The median.
        median: Duration,
        /// The deviation of the natural logarithm: 0.3 puts two thirds of the boots within 26 % below and 35 % above the median.
        sigma: f64,
    },
}

/// Of a log-normal time: one boot in a million is further from the median, in deviations.
const FARTHEST: f64 = 4.9;

impl BootTimes {
    /// From a quick boot to a slow one: all of them, or those within two deviations, which are 19 of 20.
    pub fn usual(self) -> (Duration, Duration) {
        match self {
            BootTimes::Exactly(boot) => (boot, boot),
            BootTimes::Between(quickest, slowest) => (quickest, slowest),
            BootTimes::LogNormal { median, sigma } => {
                (scaled(median, (-2.0 * sigma).exp()), scaled(median, (2.0 * sigma).exp()))
            }
        }
    }

    /// No boot takes longer.
    pub fn longest(self) -> Duration {
        match self {
            BootTimes::Exactly(boot) | BootTimes::Between(_, boot) => boot,
            BootTimes::LogNormal { median, sigma } => scaled(median, (sigma * FARTHEST).exp()),
        }
    }

    /// The next boot's.
    pub fn draw(self, random: &mut Rng) -> Duration {
        match self {
            BootTimes::Exactly(boot) => boot,
            BootTimes::Between(from, to) => from + scaled(to.saturating_sub(from), random.f64()),
            BootTimes::LogNormal { median, sigma } => {
                // Box and Muller's way to a normal number.
                let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (TAU * random.f64()).cos();
                scaled(median, (sigma * normal.clamp(-FARTHEST, FARTHEST)).exp())
            }
        }
    }
}

fn scaled(span: Duration, times: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * times).unwrap_or(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_are_spread_as_asked_for() {
        let secs = Duration::from_secs;
        for (times, mean, least, most) in [
            (BootTimes::Exactly(secs(60)), 60.0, 60.0, 60.0),
            (BootTimes::Between(secs(50), secs(70)), 60.0, 50.0, 70.0),
            // exp(sigma^2 / 2) above the median.
            (BootTimes::LogNormal { median: secs(60), sigma: 0.3 }, 62.8, 60.0 / 4.4, 60.0 * 4.4),
        ] {
            let mut random = Rng::with_seed(5);
            let drawn: Vec<f64> = (0..20_000).map(|_| times.draw(&mut random).as_secs_f64()).collect();
            let average = drawn.iter().sum::<f64>() / 20_000.0;
            assert!((average - mean).abs() < 0.4, "{times:?}: {average}");
            assert!(drawn.iter().all(|s| (least..=most).contains(s)), "{times:?}");
            assert!(times.longest().as_secs_f64() <= most, "{times:?}");
        }
    }
}

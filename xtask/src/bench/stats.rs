//! What is said of a series of measurements, and of this process.

use serde::Serialize;

/// Median and 95th percentile of a series, in its own unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    /// Half of the measurements are no larger.
    pub median: f64,
    /// 19 of 20 are no larger.
    pub p95: f64,
    /// How many measurements there are.
    pub n: usize,
}

impl Spread {
    /// Computes them; all zero for an empty series.
    pub fn of(mut series: Vec<f64>) -> Spread {
        series.sort_by(f64::total_cmp);
        // The nearest rank.
        let rank = |share: f64| {
            let index = (share * series.len() as f64).ceil() as usize;
            series.get(index.saturating_sub(1)).copied().unwrap_or_default()
        };
        Spread { median: rank(0.5), p95: rank(0.95), n: series.len() }
    }
}

/// `VmHWM`; 0 where the kernel does not say.
pub(super) fn peak_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks() {
        let series = (1..=20).rev().map(f64::from).collect();
        assert_eq!(Spread::of(series), Spread { median: 10.0, p95: 19.0, n: 20 });
        assert_eq!(Spread::of(vec![3.0]), Spread { median: 3.0, p95: 3.0, n: 1 });
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}

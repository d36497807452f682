//! What `fleet --measure-boots` has measured of a group: each boot, and their distribution as a fleet file would have it.

use crate::report::BootsReport;
use std::time::Duration;
use vmhealth_sim::fleet::BootSpec;
use vmhealth_sim::time::Span;

/// No fleet file's deviation is smaller or larger.
const SIGMA: (f64, f64) = (0.001, 1.0);

/// What was seen of a group.
#[derive(Debug, Clone)]
pub struct MeasuredBoots {
    group: String,
    /// How long each boot took.
    took: Vec<Duration>,
    boot: BootSpec,
}

impl MeasuredBoots {
    /// None: nothing was seen.
    pub(super) fn of(group: &str, took: Vec<Duration>) -> Option<MeasuredBoots> {
        let boot = distribution(&took)?;
        Some(MeasuredBoots { group: group.to_owned(), took, boot })
    }

    /// As the fleet has it.
    pub(super) fn boot(&self) -> BootSpec {
        self.boot
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        format!("group {}: {} boots: write boot: {}", self.group, self.took.len(), written(&self.boot))
    }

    /// For programs.
    pub(super) fn report(&self) -> BootsReport {
        let boots_s = self.took.iter().map(|took| took.as_millis() as f64 / 1000.0).collect();
        BootsReport { group: self.group.clone(), boot: written(&self.boot), boots_s }
    }
}

/// Their median, and the deviation of their logarithms from its own.
fn distribution(took: &[Duration]) -> Option<BootSpec> {
    let mut seconds: Vec<f64> = took.iter().map(Duration::as_secs_f64).filter(|s| *s > 0.0).collect();
    seconds.sort_by(f64::total_cmp);
    let median = (seconds.get(seconds.len().checked_sub(1)? / 2)? + seconds.get(seconds.len() / 2)?) / 2.0;
    let squares: f64 = seconds.iter().map(|s| (s / median).ln().powi(2)).sum();
    let sigma = (squares / seconds.len() as f64).sqrt().clamp(SIGMA.0, SIGMA.1);
    let median = Span(Duration::from_millis((median * 1000.0).round() as u64));
    Some(BootSpec::Median { median, sigma: (sigma * 1000.0).round() / 1000.0 })
}

fn written(boot: &BootSpec) -> String {
    let span = |span: &Span| humantime::format_duration(span.0).to_string();
    match boot {
        BootSpec::Is { is } => format!("{{is: {}}}", span(is)),
        BootSpec::Between { from, to } => format!("{{from: {}, to: {}}}", span(from), span(to)),
        BootSpec::Median { median, sigma } => format!("{{median: {}, sigma: {sigma}}}", span(median)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_as_a_fleet_file_has_it() {
        for (millis, expected) in [
            (&[][..], None),
            (&[20_000], Some("{median: 20s, sigma: 0.001}")),
            (&[30_000, 10_000], Some("{median: 20s, sigma: 0.568}")),
            (&[20_000, 22_000, 18_000, 20_000], Some("{median: 20s, sigma: 0.071}")),
        ] {
            let took: Vec<Duration> = millis.iter().map(|ms| Duration::from_millis(*ms)).collect();
            assert_eq!(distribution(&took).as_ref().map(written).as_deref(), expected, "{millis:?}");
        }
    }

    #[test]
    fn what_people_and_programs_are_told() {
        let took = vec![Duration::from_secs(20), Duration::from_millis(22_500)];
        let measured = MeasuredBoots::of("a", took).unwrap();
        let line = "group a: 2 boots: write boot: {median: 21s 250ms, sigma: 0.059}";
        assert_eq!(measured.line(), line);
        let json = serde_json::to_value(measured.report()).unwrap();
        let expected =
            serde_json::json!({"group": "a", "boot": "{median: 21s 250ms, sigma: 0.059}", "boots_s": [20.0, 22.5]});
        assert_eq!(json, expected);
    }
}

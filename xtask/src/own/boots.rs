//! `fleet --measure-boots`: how long the guests of a fleet's groups take to boot, each by itself, seen on real ones.
//!
//! What is measured takes the place of the file's boots, and is printed as the file would have it: a measurement is no part of what
//! the same file and seed always give.

use super::error::OwnError;
use super::fleet::OwnFleet;
use super::image::ImageChoice;
use super::scenario::{Expected, OwnRun};
use crate::report::{BootsReport, ScenarioResult, VerdictWord};
use crate::run::catalogue::Case;
use crate::run::{Begun, Watcher};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use vmhealth_guests::image::ImageWord;
use vmhealth_guests::reality::{Controls, controls};
use vmhealth_sim::fleet::{BootSpec, FleetFile};
use vmhealth_sim::time::{Span, Time};
use vmhealth_sim::trace::{DomainEvent, Entry, Event};

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

/// Sees when guests start and when their service answers.
#[derive(Debug, Default)]
pub struct BootWatch(RefCell<BTreeMap<String, Seen>>);

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    started: Option<Time>,
    ready: Option<Time>,
}

impl Watcher for BootWatch {
    fn begins(&self, _: &Case, _: &Begun) -> io::Result<Controls> {
        // Nobody asks for anything.
        Ok(controls().1)
    }

    fn sees(&self, case: &Case, entry: &Entry) {
        let mut all = self.0.borrow_mut();
        let seen = all.entry(case.id().to_owned()).or_default();
        let noted = match entry.event {
            Event::Qemu(DomainEvent::Started) => &mut seen.started,
            Event::GuestReady => &mut seen.ready,
            _ => return,
        };
        noted.get_or_insert(entry.at);
    }

    fn ends(&self, _: &Case) {}
}

impl OwnFleet {
    /// So many boots of each group; `again` runs it all once more.
    pub fn boot_cases(&self, boots: u8, again: &str) -> Result<Vec<Case>, OwnError> {
        let (file, _) = self.read()?;
        let mut cases = Vec::new();
        for (i, group) in file.spec.groups.iter().enumerate() {
            for number in 1..=boots {
                let run = OwnRun {
                    file: self.manifest(group),
                    name: boot_name(i, number),
                    faults: Vec::new(),
                    lasting: Duration::ZERO,
                    expect: Expected::Anything,
                    boot: None,
                    heartbeat: group.heartbeat,
                    panic_timer: None,
                    keepalive: false,
                    health_server: false,
                    traffic: false,
                    kubevirt_version: file.spec.kubevirt_version,
                    image: ImageChoice::Vmhealth,
                    image_word: ImageWord::default(),
                    user_data: None,
                };
                cases.push(run.case(again.to_owned())?);
            }
        }
        Ok(cases)
    }

    /// Takes what was seen in place of the file's boots; a line for each group, as the file would have it.
    pub fn take_boots(&mut self, seen: &BootWatch, results: &[ScenarioResult]) -> Result<Vec<String>, OwnError> {
        if let Some(bad) = results.iter().find(|result| result.verdict != VerdictWord::Pass) {
            return Err(OwnError::Invalid(format!("no boot was measured: {}: {}", bad.id, bad.reason)));
        }
        let (file, _) = self.read()?;
        let mut lines = Vec::new();
        for (i, group) in file.spec.groups.iter().enumerate() {
            let took = seen.of_group(i);
            let Some(boot) = distribution(&took) else {
                return Err(OwnError::Invalid(format!("group {}: no boot was seen", group.name)));
            };
            let measured = MeasuredBoots { group: group.name.clone(), took, boot };
            lines.push(measured.line());
            self.boots.push(measured);
        }
        Ok(lines)
    }

    /// The file with what was measured.
    pub(super) fn with_boots(&self, mut file: FleetFile) -> FleetFile {
        for (group, measured) in file.spec.groups.iter_mut().zip(&self.boots) {
            group.boot = measured.boot;
        }
        file
    }
}

impl MeasuredBoots {
    fn line(&self) -> String {
        format!("group {}: {} boots: write boot: {}", self.group, self.took.len(), written(&self.boot))
    }

    pub(super) fn report(&self) -> BootsReport {
        let boots_s = self.took.iter().map(Duration::as_secs_f64).collect();
        BootsReport { group: self.group.clone(), boot: written(&self.boot), boots_s }
    }
}

impl BootWatch {
    /// How long each boot of a group took.
    fn of_group(&self, group: usize) -> Vec<Duration> {
        let of = format!("run/your-own/{}", boot_name(group, 0).trim_end_matches('0'));
        let all = self.0.borrow();
        let group = all.iter().filter(|(id, _)| id.starts_with(&of)).map(|(_, seen)| seen);
        group.filter_map(|seen| Some(seen.ready?.since(seen.started?))).collect()
    }
}

fn boot_name(group: usize, number: u8) -> String {
    format!("boot-{}-{number}", group + 1)
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
        let boot = distribution(&took).unwrap();
        let measured = MeasuredBoots { group: "a".to_owned(), took, boot };
        let line = "group a: 2 boots: write boot: {median: 21s 250ms, sigma: 0.059}";
        assert_eq!(measured.line(), line);
        let json = serde_json::to_value(measured.report()).unwrap();
        let expected =
            serde_json::json!({"group": "a", "boot": "{median: 21s 250ms, sigma: 0.059}", "boots_s": [20.0, 22.5]});
        assert_eq!(json, expected);
    }

    /// Group 1's boots are not group 11's.
    #[test]
    fn the_boots_of_a_group() {
        let watch = BootWatch::default();
        for (group, number, secs) in [(0, 1, 10), (0, 2, 11), (10, 1, 50)] {
            let id = format!("run/your-own/{}", boot_name(group, number));
            let at = |s| Some(Time::from_secs(s));
            watch.0.borrow_mut().insert(id, Seen { started: at(5), ready: at(5 + secs) });
        }
        let seen = |group| watch.of_group(group).iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!([seen(0), seen(10), seen(1)], [vec![10, 11], vec![50], vec![]]);
    }
}

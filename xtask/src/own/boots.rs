//! `fleet --measure-boots`: how long the guests of a fleet's groups take to boot, each by itself, seen on real ones.
//!
//! What is measured takes the place of the file's boots, is printed as the file would have it, and stands in the JSON: a measurement is no
//! part of what the same file and seed always give.

use super::error::OwnError;
use super::fleet::OwnFleet;
use super::image::ImageChoice;
use super::measured::MeasuredBoots;
use super::scenario::{Expected, OwnRun};
use crate::report::{ScenarioResult, VerdictWord};
use crate::run::catalogue::Case;
use crate::run::{Begun, Watcher};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use vmhealth_guests::image::ImageWord;
use vmhealth_guests::reality::{Controls, controls};
use vmhealth_sim::fleet::FleetFile;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{DomainEvent, Entry, Event};

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
            let Some(measured) = MeasuredBoots::of(&group.name, seen.of_group(i)) else {
                return Err(OwnError::Invalid(format!("group {}: no boot was seen", group.name)));
            };
            lines.push(measured.line());
            self.boots.push(measured);
        }
        Ok(lines)
    }

    /// The file with what was measured.
    pub(super) fn with_boots(&self, mut file: FleetFile) -> FleetFile {
        for (group, measured) in file.spec.groups.iter_mut().zip(&self.boots) {
            group.boot = measured.boot();
        }
        file
    }
}

impl BootWatch {
    /// How long each boot of a group took.
    fn of_group(&self, group: usize) -> Vec<Duration> {
        let of = format!("run/your-own/{}", boot_name(group, 0).trim_end_matches('0'));
        let all = self.0.borrow();
        let mut group: Vec<_> = all.iter().filter(|(id, _)| id.starts_with(&of)).collect();
        // The tenth is not the second.
        group.sort_by_key(|(id, _)| (id.len(), *id));
        group.into_iter().filter_map(|(_, seen)| Some(seen.ready?.since(seen.started?))).collect()
    }
}

fn boot_name(group: usize, number: u8) -> String {
    format!("boot-{}-{number}", group + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Group 1's boots are not group 11's.
    #[test]
    fn the_boots_of_a_group() {
        let watch = BootWatch::default();
        for (group, number, secs) in [(0, 10, 19), (0, 1, 10), (0, 2, 11), (10, 1, 50)] {
            let id = format!("run/your-own/{}", boot_name(group, number));
            let at = |s| Some(Time::from_secs(s));
            watch.0.borrow_mut().insert(id, Seen { started: at(5), ready: at(5 + secs) });
        }
        let seen = |group| watch.of_group(group).iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!([seen(0), seen(10), seen(1)], [vec![10, 11, 19], vec![50], vec![]]);
    }
}

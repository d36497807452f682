//! `results.json`, schema 1. Fields may be added, these do not change.

use super::about::About;
use super::plain::without_control;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;
use vmhealth_guests::reality::Pressure;
use vmhealth_sim::explain::Explanation;
use vmhealth_sim::scenario::Verdict;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// 1.
    pub schema: u32,
    /// Counts by verdict.
    pub summary: Summary,
    /// How far model and QEMU agree.
    pub conformance: Conformance,
    /// A scenario in a world.
    pub scenarios: Vec<ScenarioResult>,
    /// The machine that it ran on.
    pub machine: Machine,
    /// How often a secret of the user data stood in these results and was replaced.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Counts by verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Passed.
    pub pass: usize,
    /// The guest or the engine did something else.
    pub fail: usize,
    /// The host could not run it.
    pub infra: usize,
    /// Not run.
    pub skip: usize,
    /// Passed only when run again.
    pub flaky: usize,
}

/// How far model and QEMU agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conformance {
    /// Scenarios compared.
    #[serde(default)]
    pub scenarios: usize,
    /// Events compared.
    pub compared: usize,
    /// Intervals between events compared.
    #[serde(default)]
    pub intervals: usize,
    /// Lanes and intervals that differ.
    pub divergences: usize,
    /// Scenarios of which two hosts were compared, and what differs unexplained.
    #[serde(default)]
    pub between_hosts: (usize, usize),
}

/// The verdict's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// Passed.
    Pass,
    /// The guest or the engine did something else.
    Fail,
    /// The host could not run it.
    Infra,
    /// Not run.
    Skip,
    /// Passed only when run again.
    Flaky,
}

impl VerdictWord {
    /// As in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            VerdictWord::Pass => "pass",
            VerdictWord::Fail => "FAIL",
            VerdictWord::Infra => "INFRA",
            VerdictWord::Skip => "skip",
            VerdictWord::Flaky => "flaky",
        }
    }
}

/// A scenario in a world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// `fault/detector/action`.
    pub id: String,
    /// `qemu` or `model`.
    pub world: String,
    /// `amd64`.
    pub arch: String,
    /// `local`, or `container:` and a release.
    pub host: String,
    /// What came of it.
    pub verdict: VerdictWord,
    /// Why it did not pass; empty if it did.
    pub reason: String,
    /// Seconds of wall time.
    pub duration_s: f64,
    /// Seconds on the scenario's own clock.
    pub guest_s: f64,
    /// It began from a template.
    pub forked: bool,
    /// What the host kept from it; on the `qemu` row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// Why the host kept its first attempt from a verdict; this is the second one, run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starved_before: Option<String>,
    /// Where model and QEMU differ, side by side; on the `qemu` row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub divergences: Vec<String>,
    /// Where they differ and the scenario says why; on the `qemu` row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_differences: Vec<String>,
    /// Where this host's QEMU and the first host's differ; on the rows of the other hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_differences: Vec<String>,
    /// Where they differ and the scenario says why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_host_differences: Vec<String>,
    /// What broke, who noticed, what was done and how long it took: one for each fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explanation: Vec<Explanation>,
    /// What runs it again.
    pub repeat: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

/// This host.
pub const LOCAL: &str = "local";

/// A world, and the host where it is not this one: `model`, `qemu`, `qemu@container:debian-13`.
pub fn place(world: &str, host: &str) -> String {
    if host == LOCAL { world.to_owned() } else { format!("{world}@{host}") }
}

/// A scenario's folder in the run's.
pub(super) fn folder(id: &str, place: &str) -> String {
    format!("{place}/{}", id.replace('/', "."))
}

impl ScenarioResult {
    /// Where it ran.
    pub fn place(&self) -> String {
        place(&self.world, &self.host)
    }

    /// Its folder in the run's.
    pub fn folder(&self) -> String {
        folder(&self.id, &self.place())
    }

    /// Whether its folder is in the run's, whatever its names say.
    pub(super) fn stays_in_the_run(&self) -> bool {
        let is_a_name = |name: &str| !["", ".", ".."].contains(&name) && !name.contains(['/', '\0']);
        is_a_name(&self.place()) && is_a_name(&self.id.replace('/', "."))
    }

    /// What may quote the guest, or its user data.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let pressure = self.pressure.iter_mut().flat_map(|p| [&mut p.starved, &mut p.strained]).flatten();
        let differences = [&mut self.divergences, &mut self.known_differences, &mut self.host_differences];
        let lists = differences.into_iter().chain([&mut self.known_host_differences]);
        let told = self.explanation.iter_mut().flat_map(Explanation::texts_mut);
        [&mut self.reason]
            .into_iter()
            .chain(told)
            .chain(&mut self.starved_before)
            .chain(pressure)
            .chain(lists.flatten())
    }

    /// Whether it differs from the model or from another host without an explanation in the scenario.
    pub fn differs(&self) -> bool {
        !self.divergences.is_empty() || !self.host_differences.is_empty()
    }

    /// Whether a reader has to look at it.
    pub(super) fn troubled(&self) -> bool {
        !matches!(self.verdict, VerdictWord::Pass | VerdictWord::Skip) || self.differs()
    }

    /// Its explanation as text; empty where nothing happened.
    pub fn explained(&self) -> String {
        without_control(&self.explanation.iter().map(ToString::to_string).collect::<String>())
    }

    /// Why its guest got too little CPU time, if it did.
    fn starved(&self) -> Option<&String> {
        self.pressure.as_ref()?.starved.as_ref()
    }

    /// Why it has to run again, alone: its guest got too little CPU time for any verdict, or less than usual and did not pass.
    pub(crate) fn worth_another_run(&self) -> Option<String> {
        let wrong = !matches!(self.verdict, VerdictWord::Pass | VerdictWord::Skip) || self.differs();
        let strained = self.pressure.as_ref()?.strained.as_ref().filter(|_| wrong);
        self.starved().or(strained).cloned()
    }

    /// Marks it as the second attempt, and says why the first one was inconclusive.
    pub(crate) fn after_starvation(&mut self, first: String) {
        if self.verdict == VerdictWord::Pass {
            self.verdict = VerdictWord::Flaky;
            self.reason = format!("passed when run alone; the first attempt was inconclusive: {first}");
        }
        self.starved_before = Some(first);
    }

    /// Makes it infrastructure if its guest got too little CPU time although it ran alone.
    pub(crate) fn starved_alone(&mut self) {
        if let Some(reason) = self.starved() {
            self.reason = format!("the guest got too little CPU time although it ran alone: {reason}");
            self.verdict = VerdictWord::Infra;
            self.divergences.clear();
        }
    }
}

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Cores.
    pub cores: usize,
    /// QEMU's own line.
    pub qemu: String,
    /// `kvm` or `tcg`, and why.
    pub accel: String,
    /// What deadlines of what a guest does were multiplied by.
    pub guest_scale: f64,
    /// The guest image's digest.
    pub image: String,
    /// The host's kernel.
    pub kernel: String,
    /// By host and the guests' architecture, like `local/amd64`, what they ran on; the fields above are those of the first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub platforms: BTreeMap<String, PlatformReport>,
}

impl Machine {
    /// Adds what guests of an architecture run on, on a host.
    pub fn add(&mut self, host: &str, architecture: impl Display, report: &PlatformReport) {
        if self.platforms.is_empty() {
            self.qemu = report.qemu.clone();
            self.accel = report.accel.clone();
            self.guest_scale = report.guest_scale;
            self.image = report.image.clone();
        }
        self.platforms.insert(format!("{host}/{architecture}"), report.clone());
    }
}

/// What guests of one architecture ran on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlatformReport {
    /// QEMU's own line.
    pub qemu: String,
    /// `kvm` or `tcg`, and why.
    pub accel: String,
    /// The clock that they lived by, in words.
    #[serde(default)]
    pub clock: String,
    /// What deadlines of what a guest does were multiplied by.
    pub guest_scale: f64,
    /// The guest image's digest.
    pub image: String,
}

impl Results {
    /// The results of a run, counted.
    pub fn new(scenarios: Vec<ScenarioResult>, conformance: Conformance, machine: Machine) -> Results {
        let mut summary = Summary::default();
        for scenario in &scenarios {
            *match scenario.verdict {
                VerdictWord::Pass => &mut summary.pass,
                VerdictWord::Fail => &mut summary.fail,
                VerdictWord::Infra => &mut summary.infra,
                VerdictWord::Skip => &mut summary.skip,
                VerdictWord::Flaky => &mut summary.flaky,
            } += 1;
        }
        Results { schema: 1, summary, conformance, scenarios, machine, hidden: 0 }
    }

    /// Scenarios passed, failed and skipped, each counted once: one that passed and differs has failed.
    pub fn counts(&self) -> (usize, usize, usize) {
        let passes = |s: &&ScenarioResult| matches!(s.verdict, VerdictWord::Pass | VerdictWord::Flaky) && !s.differs();
        let passed = self.scenarios.iter().filter(passes).count();
        let skipped = self.summary.skip;
        (passed, self.scenarios.len() - passed - skipped, skipped)
    }

    /// Whether guests were asked for and all of them skipped.
    fn no_guest_ran(&self) -> bool {
        let mut guests = self.scenarios.iter().filter(|s| s.world == "qemu").peekable();
        guests.peek().is_some() && guests.all(|s| s.verdict == VerdictWord::Skip)
    }

    /// The exit status: a failure outweighs infrastructure; a divergence is a failure.
    pub fn exit_status(&self) -> u8 {
        if self.summary.fail > 0 || self.conformance.divergences > 0 || self.conformance.between_hosts.1 > 0 {
            1
        } else if self.summary.infra > 0 || self.no_guest_ran() {
            3
        } else {
            0
        }
    }
}

/// The verdict's word and reason.
pub(crate) fn word(verdict: &Verdict) -> (VerdictWord, String) {
    match verdict {
        Verdict::Pass => (VerdictWord::Pass, String::new()),
        Verdict::Fail(reason) => (VerdictWord::Fail, reason.clone()),
        Verdict::Infra(reason) => (VerdictWord::Infra, reason.clone()),
    }
}

impl std::ops::AddAssign for Conformance {
    fn add_assign(&mut self, other: Conformance) {
        // A run that is merged may come from anywhere, and say anything.
        let add = |own: &mut usize, other: usize| *own = own.saturating_add(other);
        add(&mut self.scenarios, other.scenarios);
        add(&mut self.compared, other.compared);
        add(&mut self.intervals, other.intervals);
        add(&mut self.divergences, other.divergences);
        add(&mut self.between_hosts.0, other.between_hosts.0);
        add(&mut self.between_hosts.1, other.between_hosts.1);
    }
}

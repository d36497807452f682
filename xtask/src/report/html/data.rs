//! The page's data: what its script draws, small. Every text stands once in a table and is named by its place there; times
//! are milliseconds.

use super::differences::differences;
use crate::report::evidence::{Evidence, shortened};
use crate::report::lanes::{Lane, Tone, lanes};
use crate::report::results::{Results, ScenarioResult};
use crate::report::secrets::Secrets;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use vmhealth_sim::explain::{Explanation, Section};

/// A detail is at most so many characters; the whole one is in the evidence.
const LONGEST_DETAIL: usize = 400;

/// How much of each run goes into the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) events: usize,
    pub(super) console_lines: usize,
}

/// What the page's script reads.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    texts: Vec<String>,
    scenarios: Vec<Scenario>,
}

#[derive(Debug, Serialize)]
struct Scenario {
    id: String,
    summary: String,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    place: String,
    /// Its folder below the run's.
    folder: String,
    verdict: &'static str,
    reason: String,
    repeat: String,
    differences: Vec<String>,
    known_differences: Vec<String>,
    explanation: Vec<ExplanationData>,
    end: u64,
    lanes: Vec<LaneData>,
    /// (time, VMI, text, detail or none, replayed)
    events: Vec<(u64, u32, usize, usize, u8)>,
    /// Events that are left out.
    left_out: usize,
    /// Events that the other world has not.
    only_here: Vec<usize>,
    consoles: Vec<(String, String)>,
    files: Vec<String>,
}

/// (headline, (heading, lines) of each section)
type ExplanationData = (usize, Vec<(usize, Vec<usize>)>);

#[derive(Debug, Serialize)]
struct LaneData {
    name: &'static str,
    /// (from, to, label, tone, deadline or -1)
    spans: Vec<(u64, u64, usize, u8, i64)>,
    /// (event, tone, since or -1)
    marks: Vec<(usize, u8, i64)>,
}

/// Texts, each once; the first is empty.
#[derive(Default)]
struct Texts {
    places: BTreeMap<String, usize>,
    texts: Vec<String>,
}

impl Texts {
    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        self.places.insert(text.to_owned(), self.texts.len());
        self.texts.push(text.to_owned());
        self.texts.len() - 1
    }
}

impl Data {
    /// Reads the evidence of all scenarios of a run folder.
    pub(super) fn read(results: &Results, folder: &Path, secrets: &Secrets, limits: Limits) -> Data {
        let mut texts = Texts::default();
        texts.place("");
        let scenarios = by_id(results).into_iter().map(|of_one| {
            let evidence =
                of_one.iter().map(|r| Evidence::read(&folder.join(r.folder()), limits.console_lines).without(secrets));
            let evidence: Vec<Evidence> = evidence.collect();
            let mut runs: Vec<Run> =
                of_one.iter().zip(&evidence).map(|(r, e)| Run::new(r, e, limits, &mut texts)).collect();
            mark_differences(&of_one, &evidence, &mut runs, limits);
            let summary = of_one[0].about.as_ref().map(|a| a.summary.clone()).unwrap_or_default();
            Scenario { id: of_one[0].id.clone(), summary, runs }
        });
        let scenarios = scenarios.collect();
        Data { scenarios, texts: texts.texts }
    }
}

/// The results of each scenario, in the order of the run; none is empty.
pub(super) fn by_id(results: &Results) -> Vec<Vec<&ScenarioResult>> {
    let mut groups: Vec<Vec<&ScenarioResult>> = Vec::new();
    for result in &results.scenarios {
        match groups.iter_mut().find(|g| g[0].id == result.id) {
            Some(group) => group.push(result),
            None => groups.push(vec![result]),
        }
    }
    groups
}

/// Where a run on QEMU differs from the model without an explanation, the events that are not in both.
fn mark_differences(of_one: &[&ScenarioResult], evidence: &[Evidence], runs: &mut [Run], limits: Limits) {
    let Some(model) = of_one.iter().position(|r| r.world == "model") else { return };
    for other in (0..of_one.len()).filter(|i| !of_one[*i].divergences.is_empty()) {
        let [left, right] = differences(&evidence[model].lines, &evidence[other].lines);
        let shown = |events: Vec<usize>| events.into_iter().filter(|e| *e < limits.events);
        runs[model].only_here.extend(shown(left));
        runs[other].only_here.extend(shown(right));
    }
}

impl Run {
    fn new(result: &ScenarioResult, evidence: &Evidence, limits: Limits, texts: &mut Texts) -> Run {
        let shown = &evidence.lines[..evidence.lines.len().min(limits.events)];
        let watchdog_s = result.about.as_ref().and_then(|a| a.watchdog_s);
        let lanes = lanes(shown, watchdog_s, result.guest_s);
        let last = shown.last().map_or(0.0, |l| l.t);
        let events = shown.iter().map(|line| {
            let detail = texts.place(&shortened(&line.detail, LONGEST_DETAIL));
            (millis(line.t), line.vmi, texts.place(&line.event), detail, line.replayed.into())
        });
        Run {
            place: result.place(),
            folder: result.folder(),
            verdict: result.verdict.as_str(),
            reason: result.reason.clone(),
            repeat: result.repeat.clone(),
            differences: [result.divergences.as_slice(), &result.host_differences].concat(),
            known_differences: [result.known_differences.as_slice(), &result.known_host_differences].concat(),
            end: millis(result.guest_s.max(last)),
            events: events.collect(),
            left_out: evidence.lines.len() - shown.len(),
            only_here: Vec::new(),
            consoles: evidence.consoles.clone(),
            files: evidence.files.clone(),
            explanation: result.explanation.iter().map(|one| explained(one, texts)).collect(),
            lanes: lanes.iter().map(|lane| LaneData::new(lane, texts)).collect(),
        }
    }
}

fn explained(explanation: &Explanation, texts: &mut Texts) -> ExplanationData {
    let headline = texts.place(&explanation.headline);
    let section =
        |Section { title, lines }: &Section| (texts.place(title), lines.iter().map(|line| texts.place(line)).collect());
    (headline, explanation.sections.iter().map(section).collect())
}

impl LaneData {
    fn new(lane: &Lane, texts: &mut Texts) -> LaneData {
        let optional = |seconds: Option<f64>| seconds.map_or(-1, |s| i64::try_from(millis(s)).unwrap_or(-1));
        let spans = lane.spans.iter().map(|s| {
            let label = texts.place(&s.label);
            (millis(s.from), millis(s.to), label, tone(s.tone), optional(s.deadline))
        });
        let marks = lane.marks.iter().map(|m| (m.event, tone(m.tone), optional(m.from)));
        LaneData { name: lane.name, spans: spans.collect(), marks: marks.collect() }
    }
}

/// As the page's script numbers them.
fn tone(tone: Tone) -> u8 {
    match tone {
        Tone::Good => 0,
        Tone::Bad => 1,
        Tone::Wait => 2,
        Tone::Plain => 3,
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e3).round() as u64
}

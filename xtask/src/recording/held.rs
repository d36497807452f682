//! The model of a scenario beside a recording: where their histories part.

use super::read::Recording;
use super::shown::shown;
use crate::compare::divergence::compare;
use crate::compare::normal::Normal;
use crate::run::catalogue::Case;
use vmhealth_sim::engine::Config;
use vmhealth_sim::world::{self, Timings};

/// What came of it.
#[derive(Debug, Clone)]
pub struct Held {
    /// How many events of the model a recording can show.
    pub compared: usize,
    /// The lanes that differ, side by side.
    pub divergences: Vec<String>,
}

/// Events in lanes of their own: they are recorded beside the objects, and within a second nobody knows which was first.
fn by_kind(normal: Normal) -> Normal {
    let mut split = Normal::default();
    for ((vmi, lane), history) in normal.0 {
        let lanes = match lane {
            "vm" => ["vm", "vm event"],
            "vmi" => ["vmi", "vmi event"],
            other => [other, other],
        };
        for text in history {
            let lane = lanes[usize::from(text.starts_with(lanes[1]))];
            let kept = split.0.entry((vmi, lane)).or_default();
            if kept.last() != Some(&text) {
                kept.push(text);
            }
        }
    }
    split
}

/// Runs the scenario in the model and compares it with the recording, lane by lane: a VMI's history, its pod's, the VM's.
pub fn hold(case: &Case, recording: &Recording) -> Held {
    let spec = &case.scenario.spec;
    let (_, trace, _) = world::run(&case.manifest, spec, Config::of(spec, 1.0, false), Timings::default());
    let [model, cluster] = [&trace, &recording.trace].map(|trace| by_kind(Normal::of(&shown(trace))));
    let divergences = compare(["model", "cluster"], [&model, &cluster]);
    Held { compared: model.len(), divergences: divergences.iter().map(ToString::to_string).collect() }
}

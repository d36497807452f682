//! What a reader gets: a sentence, and below it a few lines under each heading.

use super::episode::Episode;
use super::faster::faster;
use super::unnoticed::unnoticed;
use super::words;
use crate::manifest::VirtualMachine;
use crate::scenario::{Alive, Spec};
use crate::trace::Trace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What came of one fault; of a run in which nothing was broken, how the VM did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The answer in a sentence.
    pub headline: String,
    /// Why, under a heading each; those with nothing to say are left out.
    pub sections: Vec<Section>,
}

/// Lines under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Section {
    /// `noticed`, `done`, `took`, `unnoticed` or `faster`.
    pub title: String,
    /// A sentence each.
    pub lines: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline)?;
        for Section { title, lines } in &self.sections {
            let mut heading = title.as_str();
            for line in lines {
                writeln!(f, "  {heading:<10} {line}")?;
                heading = "";
            }
        }
        Ok(())
    }
}

/// One explanation for each fault of a run, in their order; one in all where nothing was broken.
pub fn explain(vm: &VirtualMachine, spec: &Spec, trace: &Trace) -> Vec<Explanation> {
    let entries = trace.sorted();
    let alive = Alive::new(&spec.steps, vm.vmi.liveness.is_some());
    let episodes = Episode::all(&entries, &alive);
    if entries.is_empty() {
        return Vec::new();
    }
    if episodes.is_empty() {
        return vec![words::unbroken(vm, alive, &entries)];
    }
    let last = episodes.len() - 1;
    let of = |(i, episode): (usize, &Episode<'_>)| {
        let sections = [
            ("noticed", words::noticed(vm, spec, episode)),
            ("done", words::done(vm, episode)),
            ("took", words::took(episode)),
            ("unnoticed", unnoticed(vm, spec, episode)),
            ("faster", if i == last { faster(vm, spec) } else { Vec::new() }),
        ];
        let filled = sections.into_iter().filter(|(_, lines)| !lines.is_empty());
        let sections = filled.map(|(title, lines)| Section { title: title.to_owned(), lines }).collect();
        Explanation { headline: words::headline(episode, &entries), sections }
    };
    episodes.iter().enumerate().map(of).collect()
}

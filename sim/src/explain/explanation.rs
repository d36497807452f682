//! From a trace to the answer: an explanation for each fault.

use super::episode::Episode;
use super::faster::faster;
use super::shape::{Explanation, Part, Section};
use super::unnoticed::unnoticed;
use super::words;
use crate::manifest::VirtualMachine;
use crate::scenario::Spec;
use crate::time::Time;
use crate::trace::Trace;

/// One explanation for each fault of a run that ended then, in their order; one in all where nothing was broken.
pub fn explain(vm: &VirtualMachine, spec: &Spec, trace: &Trace, end: Time) -> Vec<Explanation> {
    let entries = trace.sorted();
    let episodes = Episode::all(vm, spec, &entries);
    let Some(last) = entries.last() else { return Vec::new() };
    // A run's own clock may be read a little before its last event is.
    let end = end.max(last.at);
    if episodes.is_empty() {
        return vec![words::unbroken(vm, spec, &entries, end)];
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
        Explanation { headline: words::headline(episode, end), sections, parts: parts(episode) }
    };
    episodes.iter().enumerate().map(of).collect()
}

/// A VM that is restarted again and again has many.
const MOST_PARTS: usize = 100;

fn parts(episode: &Episode<'_>) -> Vec<Part> {
    let part = |(at, what): (Time, String)| {
        let after_ms = at.since(episode.at).as_millis().try_into().unwrap_or(u64::MAX);
        Part { what, after_ms }
    };
    episode.parts().into_iter().take(MOST_PARTS).map(part).collect()
}

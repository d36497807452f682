//! `runStrategy`, and `running`, which it replaces.

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::one_of;
use crate::check::rule::{Check, Rule};
use crate::manifest::{RunStrategy, WatchdogAction};
use crate::yaml::Cursor;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "running-and-run-strategy",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "`running` is the old form of `runStrategy`: true is Always, false is Halted. KubeVirt wants exactly \
            one of them.",
        source: "sim/docs/kubevirt-health.md 1.5, 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if let (true, (Some(running), Some(_))) = (context.is_vm, given(context.root)) {
                report.add(running, "running and runStrategy are mutually exclusive", "remove running");
            }
        }),
    },
    &Rule {
        code: "no-run-strategy",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "Every VM says when it runs: `runStrategy`, or the deprecated `running`. Many published examples \
            leave it out and are refused.",
        source: "sim/docs/kubevirt-health.md 1.5, 2.2",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if let (true, (None, None)) = (context.is_vm, given(context.root)) {
                report.add(
                    context.root.place("spec.running"),
                    "one of running and runStrategy must be given",
                    "add runStrategy: Always (or RerunOnFailure, Manual, Halted, Once)",
                );
            }
        }),
    },
    &Rule {
        code: "bad-run-strategy",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "The words are Always, RerunOnFailure, Manual, Halted, Once and WaitAsReceiver, case-sensitive.",
        source: "sim/docs/kubevirt-health.md 1.5",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let mut words = vec!["Always", "RerunOnFailure", "Manual", "Halted", "Once"];
            if !context.is_off("DecentralizedLiveMigration") {
                words.push("WaitAsReceiver");
            }
            if let (true, (_, Some(strategy))) = (context.is_vm, given(context.root)) {
                match strategy.text().and_then(meant) {
                    Some(word) => {
                        let message =
                            format!("{:?} is not one of {}", strategy.text().unwrap_or_default(), words.join(", "));
                        report.add(strategy, message, format!("write {word}"));
                    }
                    None => one_of(Some(strategy), &words, report),
                }
            }
        }),
    },
    &Rule {
        code: "running-is-deprecated",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "`running` still works and is deprecated: true is runStrategy Always, false is Halted.",
        source: "sim/docs/kubevirt-health.md 1.5",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            if let (true, (Some(running), _)) = (context.is_vm, given(context.root)) {
                report.add(running, "running is deprecated", format!("write runStrategy: {}", vm.run_strategy));
            }
        }),
    },
    &Rule {
        code: "nothing-restarts",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "Under Manual and Once a VMI that ended is kept in its final phase; nobody starts a new one.",
        source: "sim/docs/kubevirt-health.md 6; 11.2 rows 5, 7 and 18",
        shown_by: &["killed-daemon/watchdog/poweroff-once"],
        check: Check::Running(|context, vm, report| {
            let powers_off = vm.vmi.watchdog.as_ref().is_some_and(|w| w.action == WatchdogAction::Poweroff);
            let keeps = matches!(vm.run_strategy, RunStrategy::Manual | RunStrategy::Once);
            if context.is_vm && keeps && (vm.vmi.liveness.is_some() || powers_off) {
                let message =
                    format!("under {} a VMI that liveness or the watchdog ended is not replaced", vm.run_strategy);
                let place = context.root.place("spec.runStrategy");
                report.add(place, message, "use Always, if it should come back by itself");
            }
        }),
    },
];

/// What a word says that is none of KubeVirt's.
fn meant(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    let is_in = |words: &[&str]| words.contains(&word.as_str());
    if is_in(&["on", "yes", "y", "true", "running", "started", "start"]) {
        Some("Always")
    } else if is_in(&["off", "no", "n", "false", "stopped", "stop"]) {
        Some("Halted")
    } else {
        None
    }
}

/// `running` and `runStrategy`.
fn given(root: Cursor<'_>) -> (Option<Cursor<'_>>, Option<Cursor<'_>>) {
    (root.at("spec.running"), root.at("spec.runStrategy"))
}

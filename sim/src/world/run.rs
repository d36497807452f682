//! The virtual loop: the engine and the model, with time jumping from one event to the next.

use super::{Model, Timings};
use crate::engine::{Config, Engine};
use crate::manifest::VirtualMachine;
use crate::scenario::{Spec, Verdict};
use crate::time::Time;
use crate::trace::Trace;

/// More steps than any scenario needs; reaching it is a named failure.
const MAX_STEPS: usize = 5_000_000;

/// Runs a scenario in virtual time: its verdict, its trace, and how long it was on its own clock.
pub fn run(manifest: &VirtualMachine, spec: &Spec, config: Config, timings: Timings) -> (Verdict, Trace, Time) {
    let mut engine = Engine::new(manifest.clone(), spec, config);
    let mut model = Model::new(&manifest.vmi, spec, timings);
    let mut now = Time::ZERO;
    for _ in 0..MAX_STEPS {
        while let Some(command) = engine.next_command() {
            model.execute(now, command);
        }
        if let Some(verdict) = engine.verdict() {
            return (verdict.clone(), engine.trace().clone(), now);
        }
        match (model.next_wakeup(), engine.next_wakeup()) {
            (Some(world), wake) if wake.is_none_or(|t| world <= t) => {
                now = now.max(world);
                if let Some((at, input)) = model.step() {
                    engine.handle(at, input);
                }
            }
            (_, Some(wake)) => {
                now = now.max(wake);
                engine.advance(now);
            }
            (_, None) => return (Verdict::Infra("nothing is left to happen".into()), engine.trace().clone(), now),
        }
    }
    (Verdict::Infra(format!("more than {MAX_STEPS} steps")), engine.trace().clone(), now)
}

//! A scenario in virtual time: the engine against the model.

use super::{Driver, Model, Timings};
use crate::engine::{Config, Engine};
use crate::manifest::VirtualMachine;
use crate::scenario::{Spec, Verdict};
use crate::time::Time;
use crate::trace::Trace;

/// Runs a scenario in virtual time: its verdict, its trace, and how long it was on its own clock.
pub fn run(manifest: &VirtualMachine, spec: &Spec, config: Config, timings: Timings) -> (Verdict, Trace, Time) {
    let mut driver = Driver::new(Engine::new(manifest.clone(), spec, config));
    let verdict = driver.run(&mut Model::new(&manifest.vmi, spec, timings));
    let end = driver.now();
    (verdict, driver.into_engine().into_trace(), end)
}

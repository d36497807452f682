//! A scenario in virtual time: the engine against the model.

use super::skip::Skipping;
use super::{Driver, Model, Timings, World};
use crate::engine::{Config, Engine};
use crate::manifest::VirtualMachine;
use crate::scenario::{Spec, Verdict};
use crate::time::Time;
use crate::trace::{Keeps, Trace};

/// Runs a scenario in virtual time: its verdict, its trace, and how long it was on its own clock.
pub fn run(manifest: &VirtualMachine, spec: &Spec, config: Config, timings: Timings) -> (Verdict, Trace, Time) {
    drive(manifest, spec, config, &mut Model::new(&manifest.vmi, spec, timings))
}

/// The same run at the cost of what happens in it, and not of what is probed: verdict, end and all that a user could see are those
/// of [`run`], to the nanosecond. Of attempts and answers the trace has [the number](Trace::counted) only.
pub fn run_skipping(
    manifest: &VirtualMachine,
    spec: &Spec,
    config: Config,
    timings: Timings,
) -> (Verdict, Trace, Time) {
    let config = Config { keeps: Keeps::Changes, ..config };
    drive(manifest, spec, config, &mut Skipping::new(Model::new(&manifest.vmi, spec, timings)))
}

fn drive(manifest: &VirtualMachine, spec: &Spec, config: Config, world: &mut impl World) -> (Verdict, Trace, Time) {
    let mut driver = Driver::new(Engine::new(manifest.clone(), spec, config));
    let verdict = driver.run(world);
    let end = driver.now();
    (verdict, driver.into_engine().into_trace(), end)
}

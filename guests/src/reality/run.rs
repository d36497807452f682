//! The loop.

use super::control::{Controls, steer};
use super::door::Door;
use super::held;
use super::pressure::{Pressure, Watcher};
use super::qemu::Qemu;
use super::replay::replay;
use super::setup::Setup;
use super::shared::{News, Shared};
use super::timeline::Timeline;
use super::users_image;
use super::world::World;
use crate::guest_time::Timekeeping;
use crate::time::{self, on_own_thread};
use crate::traffic::Service;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use vmhealth_sim::engine::{Config, Engine, Input};
use vmhealth_sim::scenario::{Step as ScenarioStep, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Trace};
use vmhealth_sim::world::{Driver, Step};

/// What a run leaves.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What happened.
    pub trace: Trace,
    /// How long it was on the scenario's clock.
    pub lasted: Duration,
    /// What the host kept from it.
    pub pressure: Pressure,
    /// How much of that were boots that forks did not have to wait for.
    pub skipped: Duration,
    /// The scenario's steps as they went, with those that were asked for while it ran.
    pub steps: Vec<ScenarioStep>,
}

/// Runs a scenario on real QEMU until its verdict, or until `cancelled` says so. `watcher` sees every entry, and whoever has
/// the other end of `controls` may interfere. The run has a thread of its own.
pub async fn run(
    setup: Setup,
    cancelled: watch::Receiver<bool>,
    controls: Controls,
    watcher: impl Fn(&Entry),
) -> io::Result<Outcome> {
    let (entries, mut seen) = mpsc::unbounded_channel();
    let keeping = setup.platform.time.clone();
    let watch = async {
        while let Some(entry) = seen.recv().await {
            watcher(&entry);
        }
    };
    // What was sent is seen before the channel's end is, and that comes with the end of the run.
    let run = on_own_thread(&keeping, move || drive(setup, cancelled, controls, entries));
    let (outcome, ()) = tokio::join!(run, watch);
    outcome.map_err(io::Error::other)?
}

async fn drive(
    setup: Setup,
    mut cancelled: watch::Receiver<bool>,
    mut controls: Controls,
    watcher: mpsc::UnboundedSender<Entry>,
) -> io::Result<Outcome> {
    let is_users = setup.platform.image.is_users();
    let is_real = setup.platform.time == Timekeeping::Real;
    let config = Config::of(&setup.spec, setup.platform.guest_scale(), is_users);
    let (evidence, accel, traffic) = (setup.evidence.clone(), setup.platform.accel, setup.spec.traffic.clone());
    let mut timeline = Timeline::create(&evidence, watcher)?;
    let (news, mut from_world) = mpsc::unbounded_channel();
    let mut driver = Driver::new(Engine::new((*setup.manifest).clone(), &setup.spec, config.clone()));
    let service = traffic.as_ref().map(|t| Service::new(t.port)).transpose().unwrap_or_else(|e| {
        driver.tell(Time::ZERO, Input::HostFailed { reason: e.to_string() });
        None
    });
    let world = Rc::new(World::new(Shared::new(Qemu::new(&setup, config, service), traffic, news)));
    let door = Door::open(world.clone(), &setup.scratch, &evidence)?;
    tokio::task::spawn_local(world.shared.clone().keep_connecting());
    // In guest time nothing that the host does to a guest can be seen in it.
    let watching = is_real.then(|| {
        let watcher = Rc::new(RefCell::new(Watcher::new(world.clone(), accel)));
        (watcher.clone(), tokio::task::spawn_local(Watcher::watch(watcher)))
    });
    let showing = tokio::task::spawn_local(controls.show_time(world.shared.clock.clone()));
    let mut hold = None;
    let verdict = loop {
        let step = driver.step_at(world.shared.clock.now());
        timeline.keep(driver.engine().trace())?;
        let wake = match step {
            Step::Do(command) => {
                world.execute(command);
                continue;
            }
            Step::Done(verdict) => break verdict,
            Step::WaitUntil(wake) => wake.map(|t| world.shared.clock.instant(t)),
        };
        tokio::select! {
            news = from_world.recv() => match news {
                Some(News::Input(input)) => driver.tell(world.shared.clock.now(), input),
                Some(News::Forked { fork, replayed }) => {
                    let after = replay(&driver, &world, &fork).await;
                    // The asker is there until it is answered.
                    let _ = replayed.send(after.is_some());
                    driver = after.unwrap_or(driver);
                }
                None => break Verdict::Infra("the world is gone".into()),
            },
            Some(control) = controls.next() => {
                let input = steer(control, &mut hold);
                door.paused.set(hold.is_some());
                if let Some(input) = input {
                    driver.tell(world.shared.clock.now(), input);
                }
            }
            () = sleep_until(wake) => {}
            _ = cancelled.wait_for(|c| *c) => break Verdict::Infra("interrupted".into()),
        }
    };
    // What ends the guests must not wait for who watches.
    drop(hold);
    showing.abort();
    let (lasted, skipped) = (world.shared.clock.now().since_origin(), world.shared.clock.skipped());
    let pressure = watching.map_or_else(Pressure::default, |(watcher, watching)| {
        watching.abort();
        watcher.borrow_mut().end()
    });
    let simply_passed = verdict == Verdict::Pass && setup.spec.until.is_none();
    if let Some(told) = setup.freeze.as_ref().filter(|_| !simply_passed && !*cancelled.borrow()) {
        held::hold(&world, &door, &verdict, told, &mut cancelled).await;
    }
    drop(door);
    world.end().await;
    let verdict = if is_users { users_image::explain(verdict, driver.engine().trace(), &evidence) } else { verdict };
    let steps = driver.engine().steps_as_they_went();
    Ok(Outcome { verdict, trace: driver.engine().trace().clone(), lasted, pressure, skipped, steps })
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

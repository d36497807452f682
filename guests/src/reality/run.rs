//! The loop.

use super::pressure::{Pressure, Watcher};
use super::replay::replay;
use super::timeline::Timeline;
use super::users_image;
use super::world::{News, World};
use crate::platform::Platform;
use crate::template::Template;
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;
use vmhealth_sim::engine::{Config, Engine, Input};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::scenario::{Spec, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Trace};

/// What a run needs.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The user's manifest.
    pub manifest: Arc<VirtualMachine>,
    /// What happens to it.
    pub spec: Spec,
    /// What the guests run on.
    pub platform: Platform,
    /// What they are forked from; `None`: they boot cold.
    pub template: Option<Arc<Template>>,
    /// Short, ours alone, removed after the run.
    pub scratch: PathBuf,
    /// Where the evidence goes.
    pub evidence: PathBuf,
}

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
}

/// Runs a scenario on real QEMU until its verdict, or until `cancelled` says so. `watcher` sees every entry.
pub async fn run(setup: Setup, cancelled: watch::Receiver<bool>, watcher: impl Fn(&Entry)) -> io::Result<Outcome> {
    LocalSet::new().run_until(drive(setup, cancelled, watcher)).await
}

async fn drive(setup: Setup, mut cancelled: watch::Receiver<bool>, watcher: impl Fn(&Entry)) -> io::Result<Outcome> {
    let is_users = setup.platform.image.is_users();
    let config = Config::of(&setup.spec, setup.platform.accel.guest_scale(), is_users);
    let mut timeline = Timeline::create(&setup.evidence)?;
    let (news, mut from_world) = mpsc::unbounded_channel();
    let mut engine = Engine::new((*setup.manifest).clone(), &setup.spec, config.clone());
    let world = World::new(setup, config, news);
    if let Err(e) = world.start_traffic() {
        engine.handle(Time::ZERO, Input::HostFailed { reason: e.to_string() });
    }
    let pressure = Rc::new(RefCell::new(Watcher::new(world.clone())));
    let watching = tokio::task::spawn_local(Watcher::watch(pressure.clone()));
    let verdict = loop {
        timeline.keep(engine.trace(), &watcher)?;
        while let Some(command) = engine.next_command() {
            world.execute(command);
        }
        if let Some(verdict) = engine.verdict() {
            break verdict.clone();
        }
        let wake = engine.next_wakeup().map(|t| world.clock.instant(t));
        tokio::select! {
            news = from_world.recv() => match news {
                Some(News::Input(input)) => engine.handle(world.clock.now(), input),
                Some(News::Forked { fork, replayed }) => {
                    let after = replay(&engine, &world, &fork).await;
                    // The asker is there until it is answered.
                    let _ = replayed.send(after.is_some());
                    engine = after.unwrap_or(engine);
                }
                None => break Verdict::Infra("the world is gone".into()),
            },
            () = sleep_until(wake) => engine.advance(world.clock.now()),
            _ = cancelled.wait_for(|c| *c) => break Verdict::Infra("interrupted".into()),
        }
    };
    timeline.keep(engine.trace(), &watcher)?;
    let (lasted, skipped) = (world.clock.now().since_origin(), world.clock.skipped());
    let pressure = pressure.borrow_mut().end();
    watching.abort();
    world.end().await;
    let verdict = if is_users { users_image::explain(verdict, engine.trace(), &world.setup.evidence) } else { verdict };
    Ok(Outcome { verdict, trace: engine.trace().clone(), lasted, pressure, skipped })
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

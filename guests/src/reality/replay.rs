//! The past of a fork, replayed into its scenario.
//!
//! The clock jumps over the boot that the fork did not have to go through, as the virtual world's does: from one event to
//! the next. What the template did comes at its own instants out of its history. What the engine asks of the guest meanwhile
//! is answered as the history says (nothing answered yet, refused), and where the guest was already as it was captured,
//! by the fork itself. A boot that the cluster would have interfered with cannot be replayed: then there is no result,
//! and the guest is booted cold.

use super::world::{Fork, World};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use vmhealth_sim::cluster::{DomainEvent, VmiCommand};
use vmhealth_sim::engine::{Command, Engine, Input, Request, VmiInput};
use vmhealth_sim::kubelet::ProbeKind;
use vmhealth_sim::manifest::PodProbe;
use vmhealth_sim::time::{Time, earliest};

const MAX_STEPS: usize = 100_000;

/// The engine after the fork's past, with the clock moved on; `None` if somebody interferes with that boot.
pub(super) async fn replay(engine: &Engine, world: &World, fork: &Fork) -> Option<Engine> {
    let mut replay = Replay {
        engine: engine.clone(),
        world,
        fork,
        inputs: BTreeMap::new(),
        sequence: 0,
        next_connection: world.traffic_interval().map(|every| fork.started + every),
        verify: false,
    };
    replay.engine.set_replaying(true);
    let before = world.begin_replay();
    let untouched = replay.run().await;
    world.end_replay((!untouched).then_some(before));
    untouched.then(|| replay.end())
}

struct Replay<'a> {
    engine: Engine,
    world: &'a World,
    fork: &'a Fork,
    /// By time, then by the order of insertion.
    inputs: BTreeMap<(Time, u64), Input>,
    sequence: u64,
    next_connection: Option<Time>,
    /// The engine wants to know whether the guest is as its profile says: the fork is asked, after the jump.
    verify: bool,
}

impl Replay<'_> {
    /// `false`: somebody interferes.
    async fn run(&mut self) -> bool {
        let Fork { vmi, started, template, .. } = self.fork;
        let end = *started + template.history.captured;
        self.push(*started, VmiInput::Domain { at: *started, event: DomainEvent::Started }.of(*vmi));
        for (since, open) in &template.history.agent {
            let at = *started + *since;
            self.push(at, VmiInput::Domain { at, event: DomainEvent::AgentPort { open: *open } }.of(*vmi));
        }
        let mut now = *started;
        for _ in 0..MAX_STEPS {
            while let Some(command) = self.engine.next_command() {
                if !self.execute(now, command).await {
                    return false;
                }
            }
            let input = self.inputs.keys().next().map(|(at, _)| *at);
            let Some(next) = earliest([self.engine.next_wakeup(), input, self.next_connection]) else { return true };
            if next > end || self.engine.verdict().is_some() {
                return true;
            }
            now = now.max(next);
            if input == Some(next)
                && let Some((_, input)) = self.inputs.pop_first()
            {
                self.engine.handle(now, input);
            } else if self.next_connection == Some(next) {
                let outcome = self.world.connect_past(self.fork, now.since(*started)).await;
                self.next_connection = self.world.traffic_interval().map(|every| now + every);
                if let Some(outcome) = outcome {
                    self.engine.handle(now, Input::Connection { at: now, outcome });
                }
            } else {
                self.engine.advance(now);
            }
        }
        // A boot of more steps than any has is better gone through for real.
        false
    }

    /// The clock jumps; what came due while the replay itself took its time comes in its order.
    fn end(mut self) -> Engine {
        let Fork { vmi, started, template, .. } = self.fork;
        let captured = template.history.captured;
        self.world.clock.skip(captured);
        self.engine.set_replaying(false);
        let from =
            format!("the first {:.3} s of its boot are those of template {}", captured.as_secs_f64(), template.key());
        self.push(*started + captured, VmiInput::Forked { from }.of(*vmi));
        let now = self.world.clock.now();
        for _ in 0..MAX_STEPS {
            let input = self.inputs.keys().next().map(|(at, _)| *at);
            let Some(next) = earliest([self.engine.next_wakeup(), input]).filter(|next| *next <= now) else { break };
            match self.inputs.pop_first() {
                Some(((at, _), input)) if at == next => self.engine.handle(next, input),
                Some((key, input)) => {
                    self.inputs.insert(key, input);
                    self.engine.advance(next);
                }
                None => self.engine.advance(next),
            }
        }
        for ((at, _), input) in self.inputs {
            self.world.tell_at(at, input);
        }
        if self.verify {
            self.world.execute(Command { vmi: *vmi, what: Request::Verify });
        }
        self.engine
    }

    fn push(&mut self, at: Time, input: Input) {
        self.inputs.insert((at, self.sequence), input);
        self.sequence += 1;
    }

    async fn execute(&mut self, now: Time, command: Command) -> bool {
        match &command.what {
            Request::Verify => self.verify = true,
            Request::Cluster(VmiCommand::Probe { kind, probe }) => self.probe(now, command.vmi, *kind, probe).await,
            Request::Cluster(VmiCommand::Endpoint { .. }) => self.world.execute(command),
            _ => return false,
        }
        true
    }

    async fn probe(&mut self, now: Time, vmi: u32, kind: ProbeKind, probe: &PodProbe) {
        let begun = Instant::now();
        let (attempt, lasted) = self.world.probe_past(self.fork, now.since(self.fork.started), probe).await;
        let lasted: Duration = lasted.unwrap_or_else(|| begun.elapsed());
        self.push(now + lasted, VmiInput::Probe { kind, attempt }.of(vmi));
    }
}

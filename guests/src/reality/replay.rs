//! The past of a fork, replayed into its scenario.
//!
//! The clock jumps over the boot that the fork did not have to go through, as the virtual world's does: from one event to
//! the next. What the template did comes at its own instants out of its history. What the engine asks of the guest meanwhile
//! is answered as the history says (nothing answered yet, refused), and where the guest was already as it was captured,
//! by the fork itself. A boot that the cluster would have interfered with cannot be replayed: then there is no result,
//! and the guest is booted cold.

use super::backend::{Backend, Running};
use super::shared::Fork;
use super::world::World;
use crate::probe;
use crate::template::PortReply;
use crate::time;
use std::time::Duration;
use vmhealth_sim::cluster::{DomainEvent, ProbeRequest, VmiCommand};
use vmhealth_sim::engine::{Command, Input, Request, VmiInput};
use vmhealth_sim::kubelet::Attempt;
use vmhealth_sim::manifest::Destination;
use vmhealth_sim::time::Time;
use vmhealth_sim::world::{Driver, Step};

/// The driver after the fork's past, with the clock moved on; `None` if somebody interferes with that boot.
pub(super) async fn replay<B: Backend>(driver: &Driver, world: &World<B>, fork: &Fork<B::Guest>) -> Option<Driver> {
    let mut replay = Replay { driver: driver.clone(), world, fork, verify: false };
    replay.driver.set_replaying(true);
    let before = world.begin_replay();
    let untouched = replay.run().await;
    world.end_replay((!untouched).then_some(before));
    untouched.then(|| replay.end())
}

struct Replay<'a, B: Backend> {
    driver: Driver,
    world: &'a World<B>,
    fork: &'a Fork<B::Guest>,
    /// The engine wants to know whether the guest is as its profile says: the fork is asked, after the jump.
    verify: bool,
}

impl<B: Backend> Replay<'_, B> {
    /// `false`: somebody interferes.
    async fn run(&mut self) -> bool {
        let Fork { started, past, .. } = self.fork;
        let end = *started + past.history.captured;
        self.tell(*started, VmiInput::Domain { at: *started, event: DomainEvent::Started });
        for (since, open) in &past.history.agent {
            let at = *started + *since;
            self.tell(at, VmiInput::Domain { at, event: DomainEvent::AgentPort { open: *open } });
        }
        let every = self.world.shared.connects_every();
        let mut connects = every.map(|every| *started + every).filter(|at| *at <= end);
        loop {
            match (self.driver.step(connects.unwrap_or(end)), connects) {
                (Step::Do(command), _) => {
                    if !self.execute(command).await {
                        return false;
                    }
                }
                (Step::Done(_), _) | (Step::WaitUntil(_), None) => return true,
                (Step::WaitUntil(_), Some(at)) => {
                    if let Some(outcome) = self.world.shared.connect_past(self.fork, at.since(*started)).await {
                        self.driver.tell(at, Input::Connection { at, outcome });
                    }
                    connects = every.map(|every| at + every).filter(|at| *at <= end);
                }
            }
        }
    }

    /// The clock jumps; what came due while the replay itself took its time comes in its order.
    fn end(mut self) -> Driver {
        let Fork { vmi, started, past, .. } = self.fork;
        let captured = past.history.captured;
        self.world.shared.clock.skip(captured);
        self.driver.set_replaying(false);
        let from =
            format!("the first {:.3} s of its boot are those of template {}", captured.as_secs_f64(), past.template);
        self.tell(*started + captured, VmiInput::Forked { from });
        let now = self.world.shared.clock.now();
        while let Step::Do(command) = self.driver.step(now) {
            self.world.execute(command);
        }
        if self.verify {
            self.world.execute(Command { vmi: *vmi, what: Request::Verify });
        }
        self.driver
    }

    fn tell(&mut self, at: Time, what: VmiInput) {
        self.driver.tell(at, what.of(self.fork.vmi));
    }

    async fn execute(&mut self, command: Command) -> bool {
        match command.what {
            Request::Verify => self.verify = true,
            Request::Cluster(VmiCommand::Probe { kind, request, timeout }) => {
                let (now, since) = (self.driver.now(), self.driver.now().since(self.fork.started));
                let (attempt, lasted) = self.probe(since, request, timeout).await;
                self.tell(now + lasted, VmiInput::Probe { kind, attempt });
            }
            Request::Cluster(VmiCommand::Endpoint { .. }) => self.world.execute(command),
            _ => return false,
        }
        true
    }

    /// An attempt so long after the fork's power-on, and how long it took.
    async fn probe(&self, at: Duration, request: ProbeRequest, timeout: Duration) -> (Attempt, Duration) {
        let history = &self.fork.past.history;
        let (met, waited) = match &request {
            ProbeRequest::Answer { after, attempt } => return (attempt.clone(), *after),
            ProbeRequest::Ping | ProbeRequest::Exec { .. } if !history.agent_open(at) => {
                return (probe::no_agent(), Duration::ZERO);
            }
            ProbeRequest::Http { to: Destination::Guest { port }, .. }
            | ProbeRequest::Tcp { to: Destination::Guest { port } } => history.met(*port, at, timeout),
            // Another host was there all the time.
            _ => (PortReply::AsCaptured, Duration::ZERO),
        };
        // Silence waits for all of its time, and we need not.
        let limit = if met == PortReply::Silence { Duration::ZERO } else { timeout };
        let begun = time::now();
        let attempt = self.fork.guest.probe(met, &request, limit).await;
        let measured = met == PortReply::AsCaptured && waited.is_zero();
        (attempt, if measured { time::now() - begun } else { waited })
    }
}

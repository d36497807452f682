//! The past of a fork, replayed into its scenario.
//!
//! The clock jumps over the boot that the fork did not have to go through, as the virtual world's does: from one event to
//! the next. What the template did comes at its own instants out of its history. What the engine asks of the guest meanwhile
//! is answered as the history says (nothing answered yet, refused), and where the guest was already as it was captured,
//! by the fork itself. A boot that the cluster would have interfered with cannot be replayed: then there is no result,
//! and the guest is booted cold.

use super::world::{Fork, World};
use vmhealth_sim::cluster::{DomainEvent, VmiCommand};
use vmhealth_sim::engine::{Command, Input, Request, VmiInput};
use vmhealth_sim::time::Time;
use vmhealth_sim::world::{Driver, Step};

/// The driver after the fork's past, with the clock moved on; `None` if somebody interferes with that boot.
pub(super) async fn replay(driver: &Driver, world: &World, fork: &Fork) -> Option<Driver> {
    let mut replay = Replay { driver: driver.clone(), world, fork, verify: false };
    replay.driver.set_replaying(true);
    let before = world.begin_replay();
    let untouched = replay.run().await;
    world.end_replay((!untouched).then_some(before));
    untouched.then(|| replay.end())
}

struct Replay<'a> {
    driver: Driver,
    world: &'a World,
    fork: &'a Fork,
    /// The engine wants to know whether the guest is as its profile says: the fork is asked, after the jump.
    verify: bool,
}

impl Replay<'_> {
    /// `false`: somebody interferes.
    async fn run(&mut self) -> bool {
        let Fork { started, template, .. } = self.fork;
        let end = *started + template.history.captured;
        self.tell(*started, VmiInput::Domain { at: *started, event: DomainEvent::Started });
        for (since, open) in &template.history.agent {
            let at = *started + *since;
            self.tell(at, VmiInput::Domain { at, event: DomainEvent::AgentPort { open: *open } });
        }
        let every = self.world.traffic_interval();
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
                    if let Some(outcome) = self.world.connect_past(self.fork, at.since(*started)).await {
                        self.driver.tell(at, Input::Connection { at, outcome });
                    }
                    connects = every.map(|every| at + every).filter(|at| *at <= end);
                }
            }
        }
    }

    /// The clock jumps; what came due while the replay itself took its time comes in its order.
    fn end(mut self) -> Driver {
        let Fork { vmi, started, template, .. } = self.fork;
        let captured = template.history.captured;
        self.world.clock.skip(captured);
        self.driver.set_replaying(false);
        let from =
            format!("the first {:.3} s of its boot are those of template {}", captured.as_secs_f64(), template.key());
        self.tell(*started + captured, VmiInput::Forked { from });
        let now = self.world.clock.now();
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
                let answer = self.world.probe_past(self.fork, since, request, timeout).await;
                // A fork that is gone already says so by its end.
                let Some((attempt, lasted)) = answer else { return false };
                self.tell(now + lasted, VmiInput::Probe { kind, attempt });
            }
            Request::Cluster(VmiCommand::Endpoint { .. }) => self.world.execute(command),
            _ => return false,
        }
        true
    }
}

//! One VM of many, in virtual time: it is gone through bit by bit, and others decide how fast its guest boots.
//!
//! Whoever has several of them goes on with the one that is due first, so what one does to the others comes at its own time.

use super::boot_times::BootTimes;
use super::driver::{Driver, Progress};
use super::guest::Timings;
use super::model::Model;
use super::skip::Skipping;
use crate::engine::{Config, Engine, Input};
use crate::manifest::VirtualMachine;
use crate::scenario::Spec;
use crate::time::Time;
use crate::trace::{Entry, Keeps};

/// A VM and its world.
#[derive(Debug)]
pub struct Member {
    driver: Driver,
    world: Skipping,
    over: bool,
}

impl Member {
    /// A VM created at [`Time::ZERO`]; each boot's time is drawn from `boots` with this seed.
    pub fn new(
        vm: &VirtualMachine,
        spec: &Spec,
        config: Config,
        timings: Timings,
        (boots, seed): (BootTimes, u64),
    ) -> Member {
        let config = Config { keeps: Keeps::Changes, ..config };
        let mut model = Model::new(&vm.vmi, spec, timings);
        model.share_boots(boots, seed);
        let driver = Driver::new(Engine::new(vm.clone(), spec, config));
        Member { driver, world: Skipping::new(model), over: false }
    }

    /// Goes through what is due at `limit` and before; when more is. Nobody says anything to it before `outside`, but how fast
    /// it boots. What is over is never due again.
    pub fn run_until(&mut self, limit: Time, outside: Time) -> Option<Time> {
        if self.over {
            return None;
        }
        match self.driver.run_until(&mut self.world, limit, outside) {
            Progress::Due(next) => next,
            Progress::Over(_) => {
                self.over = true;
                None
            }
        }
    }

    /// It is told this at `at`.
    pub fn tell(&mut self, at: Time, input: Input) {
        self.driver.tell(at, input);
    }

    /// What happened since this was asked last.
    pub fn news(&mut self) -> Vec<Entry> {
        self.driver.take_entries()
    }

    /// How many steps it has taken.
    pub fn steps(&self) -> u64 {
        self.driver.steps_taken()
    }

    /// Its guest takes what its node has for boots.
    pub fn is_booting(&self) -> bool {
        self.world.model().is_booting()
    }

    /// From now on it boots so fast, 1 being as fast as by itself.
    pub fn set_pace(&mut self, now: Time, pace: f64) {
        self.world.model_mut().set_pace(now, pace);
    }

    /// From its next boot on its image's service starts, or does not.
    pub fn set_image(&mut self, good: bool) {
        self.world.model_mut().set_image(good);
    }

    /// Its service answers.
    pub fn serves(&self) -> bool {
        self.world.model().serves()
    }

    /// Whoever is sent to its endpoint is answered; `None`: nobody is sent there.
    pub fn endpoint_serves(&self) -> Option<bool> {
        self.world.model().endpoint_serves()
    }

    /// It serves, or would again without anybody's help.
    pub fn comes_back(&self) -> bool {
        self.world.model().comes_back()
    }
}

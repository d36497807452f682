//! What is wanted, and of which faults.

use crate::concern::concerning;
use crate::fault::Fault;
use crate::manifest::VirtualMachine;
use crate::scenario::GuestProfile;
use std::time::Duration;

/// From a guest's start until it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boots {
    /// The quickest boot.
    pub fastest: Duration,
    /// The slowest boot.
    pub slowest: Duration,
}

impl Boots {
    /// Both, or the one where they are the same.
    pub fn each(self) -> impl Iterator<Item = Duration> {
        [Some(self.slowest), (self.fastest != self.slowest).then_some(self.fastest)].into_iter().flatten()
    }
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// From a fault until the VM is Ready and its guest answers; whenever the fault comes.
    pub within: Duration,
    /// No boot of these may be taken for a fault.
    pub boots: Boots,
    /// For so long nothing in the guest may answer without its being restarted.
    pub hiccup: Duration,
}

/// A fault, and how it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// As on the command line.
    pub text: String,
    /// The same, parsed.
    pub fault: Fault,
}

/// The faults that concern a VM and that only a restart heals.
pub fn breaking(vm: &VirtualMachine, guest: &GuestProfile) -> Vec<Broken> {
    let for_good = |fault: &Fault| {
        matches!(fault, Fault::KernelPanic | Fault::KillWatchdog | Fault::StopWatchdog | Fault::KillQemu)
            || matches!(fault, Fault::Health(health) if !matches!(health, crate::scenario::Health::Status(_)))
    };
    let all = concerning(vm, guest).into_iter().filter(|c| for_good(&c.fault));
    all.map(|c| Broken { text: c.text.to_owned(), fault: c.fault }).collect()
}

//! What a case is going to need of this host, from what happened to it in the model.

use super::catalogue::Case;
use super::schedule::Forecast;
use vmhealth_guests::guest::memory_mib;
use vmhealth_sim::engine::Config;
use vmhealth_sim::trace::Trace;
use vmhealth_sim::world::{self, Timings};

/// What QEMU's own process takes beside the guest's memory, MiB.
const QEMU_OVERHEAD_MIB: u64 = 200;
/// What a fork has to itself, MiB: the pages that it changes and QEMU's translations of its code (`bench fork`).
const FORK_MIB: u64 = 160;
/// What a guest writes to its overlay in a run, MiB: a cold boot with cloud-init.
const OVERLAY_MIB: u64 = 200;

/// How a case's first guest starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Cold,
    Fork,
    /// Of a copy of the template's memory, which it has to itself.
    ForkOfCopy,
}

/// `on_disk`: what its guest writes to its disk takes no memory.
pub(super) fn forecast(case: &Case, start: Start, on_disk: bool) -> Forecast {
    foreseen(case, start, on_disk).1
}

/// With what happens to it in the model.
pub(super) fn foreseen(case: &Case, start: Start, on_disk: bool) -> (Trace, Forecast) {
    let timings = Timings::default();
    let (_, trace, _) = world::run(&case.manifest, &case.scenario.spec, Config::default(), timings);
    let guest_mib = memory_mib(&case.manifest);
    let mut forecast = Forecast::of(&trace, &timings, start != Start::Cold, guest_mib + QEMU_OVERHEAD_MIB);
    // One that never reboots leaves most of its memory to the template.
    if start != Start::Cold && forecast.boots.is_empty() {
        forecast.memory_mib = forecast.memory_mib.min(FORK_MIB);
    }
    if start == Start::ForkOfCopy {
        forecast.memory_mib += guest_mib;
    }
    if !on_disk {
        forecast.memory_mib += OVERLAY_MIB;
    }
    (trace, forecast)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::catalogue::{read, select};

    #[test]
    fn what_a_start_takes_of_the_hosts_memory() {
        let ids = ["killed-daemon/watchdog/poweroff".to_owned(), "killed-daemon/watchdog/reset".to_owned()];
        let cases = select(read(None).unwrap(), &ids).unwrap();
        let mib = |case: usize, start, on_disk| forecast(&cases[case], start, on_disk).memory_mib;
        let [stays, reboots] = [0, 1].map(|case| memory_mib(&cases[case].manifest));
        assert_eq!(mib(0, Start::Cold, true), stays + QEMU_OVERHEAD_MIB);
        assert_eq!(mib(0, Start::Fork, true), FORK_MIB);
        assert_eq!(mib(0, Start::ForkOfCopy, true), FORK_MIB + stays);
        assert_eq!(mib(0, Start::Fork, false), FORK_MIB + OVERLAY_MIB);
        assert_eq!(mib(1, Start::Fork, true), reboots + QEMU_OVERHEAD_MIB);
        assert_eq!(mib(1, Start::ForkOfCopy, false), 2 * reboots + QEMU_OVERHEAD_MIB + OVERLAY_MIB);
    }
}

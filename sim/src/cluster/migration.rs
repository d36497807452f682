//! A live migration as its target's pod sees it (kubevirt-health.md 7.8).
//!
//! The target has the VMI's probes from its start on, and no guest that answers them until the migration is over.

use super::KubevirtVersion;
use crate::kubelet::{Action, Attempt, LauncherPod, ProbeKind, Verdict};
use crate::manifest::{Handler, PodProbe};
use crate::time::Time;
use std::time::Duration;

/// The wait after a first failure (KubeVirt `handleMigrationBackoff`); each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(20);
/// Looks at the target's liveness; what lives through all of them lives.
const MOST_LOOKS: usize = 100_000;

/// One that is under way, or waits to be tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// What it takes.
    lasting: Duration,
    /// An eviction asks for it, again and again. A user's is tried once.
    evacuates: bool,
    /// In a row.
    failures: u32,
}

impl Migration {
    /// Asked for by a user, or because its node is drained.
    pub fn new(lasting: Duration, evacuates: bool) -> Self {
        Migration { lasting, evacuates, failures: 0 }
    }

    /// When one that begins at `now` is over, and whether it has failed: its target, of which the container runs at `container_at`, was
    /// stopped by its liveness probe.
    pub fn end(
        &self,
        liveness: Option<&PodProbe>,
        version: KubevirtVersion,
        now: Time,
        container_at: Time,
    ) -> (Time, bool) {
        let over = now + self.lasting;
        let killed = liveness.and_then(|probe| killed(probe, version, now, container_at, over));
        killed.map_or((over, false), |at| (at, true))
    }

    /// It has failed: how long until it is tried again; `None`: nobody tries.
    pub fn wait(&mut self) -> Option<Duration> {
        self.failures += 1;
        let doubled = 2_u32.saturating_pow(self.failures - 1);
        self.evacuates.then(|| FIRST_WAIT.saturating_mul(doubled))
    }
}

/// When liveness stops the target, if that is before `over`.
fn killed(probe: &PodProbe, version: KubevirtVersion, now: Time, container_at: Time, over: Time) -> Option<Time> {
    // Nobody is there to answer a connection; virt-launcher knows at once that there is no guest yet.
    let length = match &probe.handler {
        Handler::GuestAgentPing if version.suppresses_pings() => return None,
        Handler::GuestAgentPing | Handler::Exec { .. } => Duration::ZERO,
        _ => probe.timings.timeout(),
    };
    let mut pod = LauncherPod::new(None, Some(probe.timings), now);
    let (mut now, mut runs) = (now, false);
    for _ in 0..MOST_LOOKS {
        if !runs && now >= container_at {
            runs = true;
            pod.container_started(now);
        }
        let tries = pod.poll(now).iter().any(|(_, action)| matches!(action, Action::Attempt(_)));
        if tries {
            now = now + length;
            let attempt = Attempt { verdict: Verdict::Failure, text: String::new() };
            let actions = pod.finish(ProbeKind::Liveness, attempt);
            if actions.iter().any(|(_, action)| *action == Action::StopContainer) {
                return (now < over).then_some(now);
            }
        }
        let next = pod.next_wakeup(now)?;
        now = if runs { next } else { next.min(container_at) };
        if now >= over {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::vm;

    /// From a migration's beginning to its end, in seconds; the container runs after one.
    #[test]
    fn a_target_lives_until_its_liveness_stops_it() {
        let numbers = "initialDelaySeconds: 5, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 3";
        for (probe, old, lasting, expected) in [
            // The delay is 10 s longer in the pod: 16 s with the container's start, and two periods.
            ("tcpSocket: {port: 80}", false, 60, "failed after 21"),
            ("httpGet: {port: 80}", false, 60, "failed after 21"),
            ("tcpSocket: {port: 80}", false, 20, "over after 20"),
            ("exec: {command: [\"true\"]}", false, 60, "failed after 20"),
            ("guestAgentPing: {}", false, 60, "over after 60"),
            ("guestAgentPing: {}", true, 60, "failed after 20"),
        ] {
            let vm = vm().liveness(&format!("{probe}, {numbers}")).build();
            let liveness = vm.vmi.liveness.as_ref().map(PodProbe::from);
            let version: KubevirtVersion =
                if old { "v1.6.0".to_owned().try_into().unwrap() } else { KubevirtVersion::default() };
            let migration = Migration::new(Duration::from_secs(lasting), false);
            let (at, failed) = migration.end(liveness.as_ref(), version, Time::ZERO, Time::from_secs(1));
            let word = if failed { "failed" } else { "over" };
            assert_eq!(format!("{word} after {:.0}", at.since_origin().as_secs_f64()), expected, "{probe} {lasting}");
        }
        let mut migration = Migration::new(Duration::from_secs(60), true);
        assert_eq!([20, 40, 80].map(|s| Some(Duration::from_secs(s))), [(); 3].map(|()| migration.wait()));
        assert_eq!(Migration::new(Duration::from_secs(60), false).wait(), None);
    }
}

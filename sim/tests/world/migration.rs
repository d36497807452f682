//! A migration's target whose liveness has nobody to ask (kubevirt-health.md 7.8): when it stops the target, and when it is too late to.

use std::time::Duration;
use vmhealth_sim::cluster::{KubevirtVersion, Migration};
use vmhealth_sim::fixture::vm;
use vmhealth_sim::manifest::PodProbe;
use vmhealth_sim::time::Time;

/// From the migration's beginning on, of which the container runs at `container_at`; the worker ticks at even seconds from there, and a
/// connection takes a second.
#[test]
fn a_target_is_stopped_before_its_migration_is_over_or_not_at_all() {
    for (delay, container_at, lasting, expected) in [
        // The pod's delay is 10 s longer: 17 s with the container's start, and at 18 s comes the first of three failures.
        (6, 1, 60, (23, true)),
        (6, 0, 60, (21, true)),
        (6, 1, 24, (23, true)),
        (6, 1, 23, (23, false)),
        (6, 1, 22, (22, false)),
    ] {
        let probe = "tcpSocket: {port: 80}, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 3";
        let vm = vm().liveness(&format!("{probe}, initialDelaySeconds: {delay}")).build();
        let liveness = vm.vmi.liveness.as_ref().map(PodProbe::from);
        let migration = Migration::new(Duration::from_secs(lasting), false);
        let container_at = Time::from_secs(container_at);
        let (at, failed) = migration.end(liveness.as_ref(), KubevirtVersion::default(), Time::ZERO, container_at);
        assert_eq!((at.since_origin().as_secs(), failed), expected, "{delay} {container_at} {lasting}");
    }
}

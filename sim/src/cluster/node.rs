//! A node that the cluster hears nothing of: when Kubernetes' node controller does what (kubevirt-health.md 7.7).

use crate::time::Time;
use std::time::Duration;

/// How often the node controller looks (`nodeMonitorPeriod`).
const LOOKS: Duration = Duration::from_secs(5);
/// `tolerationSeconds` of a pod that does not say anything else (admission plugin `DefaultTolerationSeconds`).
const TOLERATES: Duration = Duration::from_secs(300);

/// When the node controller acts on a node that is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeMonitor {
    /// The node is NotReady, and its pods with it.
    pub not_ready: Time,
    /// Its pods are deleted.
    pub evicts: Time,
}

impl NodeMonitor {
    /// The shortest time from a node's loss to its being noticed: the grace period of 50 s less the age of the last heartbeat, which
    /// comes every 10 s.
    pub const SOONEST: Duration = Duration::from_secs(40);
    /// The longest: a heartbeat may be seen 5 s late, and its lack as well.
    pub const LATEST: Duration = Duration::from_secs(60);
    /// From NotReady to the eviction: the taint comes with the next look.
    pub const TO_EVICTION: Duration = Duration::from_secs(LOOKS.as_secs() + TOLERATES.as_secs());

    /// Of a node that is lost at `now`.
    pub fn draw(now: Time, random: &mut fastrand::Rng) -> Self {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let after = random.u64(millis(Self::SOONEST)..=millis(Self::LATEST));
        let not_ready = now + Duration::from_millis(after);
        NodeMonitor { not_ready, evicts: not_ready + Self::TO_EVICTION }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_node_is_noticed_within_its_bounds() {
        let mut random = fastrand::Rng::with_seed(3);
        let lost = Time::from_secs(100);
        let all: Vec<NodeMonitor> = (0..2000).map(|_| NodeMonitor::draw(lost, &mut random)).collect();
        let after = |m: &NodeMonitor| m.not_ready.since(lost).as_secs();
        assert_eq!(all.iter().map(after).min(), Some(40));
        assert_eq!(all.iter().map(after).max(), Some(59));
        assert!(all.iter().all(|m| m.evicts.since(m.not_ready).as_secs() == 305));
    }
}

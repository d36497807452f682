//! A VMI whose node is lost: the cluster goes by what it knew last, and what happens on the node is news when it is back
//! (kubevirt-health.md 7.7).

use super::super::node::NodeMonitor;
use super::life::{EndSeenBy, Life};
use super::{Deleted, Vmi, VmiCommand};
use crate::fault::NodeLoss;
use crate::time::Time;
use crate::trace::{Answer, Event, Phase, VmiReason};

/// What the cluster has of a node that it does not hear from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LostNode {
    by: NodeLoss,
    monitor: NodeMonitor,
    /// The node controller has noticed.
    pub(super) noticed: bool,
    /// What was known last.
    pub(super) phase: Phase,
    pub(super) agent_connected: bool,
    pub(super) container_ready: bool,
    /// What the node has to tell when it is back.
    news: Vec<(Event, String)>,
}

/// A node that is back tells no more: of some events in a cluster nobody hears either.
const MOST_NEWS: usize = 1000;

impl LostNode {
    /// What comes next.
    pub(super) fn next_wakeup(&self, now: Time) -> Option<Time> {
        [self.monitor.not_ready, self.monitor.evicts].into_iter().find(|t| *t > now)
    }

    /// Keeps what only the node could tell; hands back what the cluster itself says.
    pub(super) fn hold(&mut self, event: Event, detail: String) -> Option<(Event, String)> {
        let is_nodes = match &event {
            Event::Phase(_)
            | Event::AgentConnected(_)
            | Event::Unhealthy(_)
            | Event::ProbeWarning(_)
            | Event::Killing => true,
            Event::VmiEvent(reason) => *reason != VmiReason::SuccessfulDelete,
            _ => false,
        };
        if is_nodes {
            if self.news.len() < MOST_NEWS {
                self.news.push((event, detail));
            }
            return None;
        }
        Some((event, detail))
    }
}

impl Vmi {
    /// The cluster hears nothing of its node from now on.
    pub fn lose_node(&mut self, by: NodeLoss, monitor: NodeMonitor) {
        self.lost = Some(LostNode {
            by,
            monitor,
            noticed: false,
            phase: self.life.phase(),
            agent_connected: self.agent_connected,
            container_ready: self.pod.as_ref().is_some_and(|pod| pod.ready()),
            news: Vec::new(),
        });
        if by == NodeLoss::PowerLoss {
            (self.resume_at, self.seen_going_on_at) = (None, None);
            if let Life::Running { stop, .. } = &mut self.life {
                *stop = None;
            }
        }
    }

    /// The cluster does not hear from its node.
    pub fn node_is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Nothing runs on its node.
    pub(super) fn without_power(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| lost.by == NodeLoss::PowerLoss)
    }

    /// What the node controller does.
    pub(super) fn watch_node(&mut self, now: Time) {
        let Some(lost) = &mut self.lost else { return };
        lost.noticed |= lost.monitor.not_ready <= now;
        if lost.monitor.evicts <= now {
            self.deleted = self.deleted.max(Deleted::Pod);
        }
    }

    /// Its node is back: what happened on it is told, and what was asked of it meanwhile is done.
    pub fn node_is_back(&mut self, now: Time) {
        let without_power = self.without_power();
        let Some(lost) = self.lost.take() else { return };
        self.out.seen.extend(lost.news);
        if without_power {
            // Its pod's container is not started again, and virt-handler finds nobody at virt-launcher's socket.
            return self.end(Phase::Failed, EndSeenBy::DeadLauncher);
        }
        if self.deleted != Deleted::Nothing && matches!(self.life, Life::Running { stop: None, .. }) {
            self.show_killing();
            self.stop(now);
        }
    }

    /// Its pod is gone from the API, and virt-controller makes it final for that, whatever still runs.
    pub fn force_delete_pod(&mut self) -> Answer {
        if self.phase().is_final() || self.pod.take().is_none() {
            return Answer::Refused;
        }
        // A kubelet that hears of it kills the container.
        if self.lost.take().is_none() {
            self.command(VmiCommand::Destroy);
        }
        self.deleted = self.deleted.max(Deleted::Pod);
        self.end(Phase::Failed, EndSeenBy::Pod);
        Answer::Accepted
    }
}

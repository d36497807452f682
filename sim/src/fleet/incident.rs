//! What an incident of a fleet file is to the VMs that it hits: what comes to each of them and when, and when it is over.

use super::file::{Happens, Incident};
use super::plan::Outside;
use crate::fault::{Direction, DiskError, Fault, NodeLoss};
use crate::manifest::VirtualMachine;
use crate::scenario::UserRequest;
use crate::time::Span;
use std::time::Duration;

/// Migrations from one node at a time (KubeVirt's `parallelOutboundMigrationsPerNode`).
const MIGRATIONS: u32 = 2;

impl Incident {
    pub(super) fn is_on(&self, node: u32) -> bool {
        self.nodes.is_none_or(|nodes| node < nodes)
    }

    pub(super) fn concerns(&self, group: &str) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.iter().any(|name| name == group))
    }

    /// What it is to the VM that is its `number`th on a node, and when.
    pub(super) fn comes(&self, number: u32, vm: &VirtualMachine) -> Vec<(Duration, Outside)> {
        let at = self.at.0;
        let breaks = |fault| vec![(at, Outside::Breaks(fault))];
        let lost = |lasting: Span, by| breaks(Fault::NodeLost { lasting: Some(lasting), by });
        match &self.what {
            Happens::NodeDown { lasting } => lost(*lasting, NodeLoss::PowerLoss),
            Happens::NodeCutOff { lasting } => lost(*lasting, NodeLoss::CutOff),
            Happens::NetworkBlip { lasting } => {
                breaks(Fault::NetworkLoss { lasting: *lasting, direction: Direction::Both, delay: None })
            }
            Happens::StorageErrors { lasting } => {
                breaks(Fault::IoError { lasting: *lasting, error: DiskError::Broken })
            }
            Happens::Fault(fault) => breaks(fault.clone()),
            Happens::Drain { migration } => {
                let turn = if vm.vmi.migrates_on_drain { number / MIGRATIONS } else { 0 };
                let request = UserRequest::Drain { lasting: *migration };
                vec![(at + migration.0 * turn, Outside::Asks(request))]
            }
            Happens::KubeletRestart { resets_ready } => {
                vec![(at, Outside::Asks(UserRequest::RestartKubelet { resets_ready: *resets_ready }))]
            }
            Happens::BadImage { lasting, apart } => {
                let begins = at + apart.0 * number;
                let restart = || Outside::Asks(UserRequest::Restart);
                vec![
                    (begins, Outside::Image(false)),
                    (begins, restart()),
                    (begins + lasting.0, Outside::Image(true)),
                    (begins + lasting.0, restart()),
                ]
            }
        }
    }

    /// What it takes from the nodes while it lasts: what starts there meanwhile is lost as well.
    pub(super) fn without_power(&self) -> Option<(Duration, Duration)> {
        match self.what {
            Happens::NodeDown { lasting } => Some((self.at.0, self.at.0 + lasting.0)),
            _ => None,
        }
    }

    /// When the trigger is gone, as far as the file says: drains and images that are rolled out VM by VM take longer.
    pub(super) fn over(&self) -> Duration {
        let lasting = match &self.what {
            Happens::NodeDown { lasting }
            | Happens::NodeCutOff { lasting }
            | Happens::NetworkBlip { lasting }
            | Happens::StorageErrors { lasting }
            | Happens::BadImage { lasting, .. } => lasting.0,
            Happens::Drain { migration } => migration.0,
            Happens::KubeletRestart { .. } => Duration::ZERO,
            Happens::Fault(fault) => fault.lasts().unwrap_or_default().0,
        };
        self.at.0 + lasting
    }

    /// The same for the VM that is its `number`th on a node: its turn may come later than the file says.
    pub(super) fn ends(&self, number: u32, vm: &VirtualMachine) -> Duration {
        let last = self.comes(number, vm).iter().map(|(at, _)| *at).max().unwrap_or_default();
        let takes = match &self.what {
            Happens::Drain { migration } => migration.0,
            _ => Duration::ZERO,
        };
        self.over().max(last + takes)
    }

    /// `nodeDown at 1h`
    pub(super) fn label(&self) -> String {
        let what = match &self.what {
            Happens::NodeDown { .. } => "nodeDown",
            Happens::NodeCutOff { .. } => "nodeCutOff",
            Happens::NetworkBlip { .. } => "networkBlip",
            Happens::StorageErrors { .. } => "storageErrors",
            Happens::Drain { .. } => "drain",
            Happens::KubeletRestart { .. } => "kubeletRestart",
            Happens::BadImage { .. } => "badImage",
            Happens::Fault(fault) => fault.kind().name(),
        };
        format!("{what} at {}", humantime::format_duration(self.at.0))
    }
}

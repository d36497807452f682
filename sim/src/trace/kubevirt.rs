//! What KubeVirt's objects show of themselves, in KubeVirt's words (kubevirt-health.md 4 and 8).

use super::word::{texts, words};
use schemars::JsonSchema;
use serde::Deserialize;

words! {
    /// A VirtualMachineInstance's `status.phase`.
    pub enum Phase {
        /// The object was seen.
        Pending,
        /// Its pod exists.
        Scheduling,
        /// `compute` runs; handed to the node.
        Scheduled,
        /// The domain runs.
        Running,
        /// It ended in order.
        Succeeded,
        /// It ended otherwise.
        Failed,
    }

    /// A VirtualMachine's `status.printableStatus`.
    #[derive(Deserialize, JsonSchema)]
    pub enum VmStatus {
        /// Its VMI is on its way to Running, or is about to be created.
        Starting,
        /// Its VMI runs.
        Running,
        /// A user has paused its VMI.
        Paused,
        /// Its VMI is being migrated.
        Migrating,
        /// Its VMI is being deleted.
        Stopping,
        /// There is no VMI, or a final one.
        Stopped,
        /// It is being deleted.
        Terminating,
        /// VMIs end again and again without ever having run.
        CrashLoopBackOff,
    }

    /// The reason of a VMI's Ready condition that is False.
    pub enum NotReady {
        /// It has no pod.
        PodNotExists,
        /// Its pod ends or has ended.
        PodTerminating,
        /// Its phase is not Running.
        GuestNotRunning,
        /// Its readiness probe fails.
        ContainersNotReady,
        /// It is paused.
        ReadinessGatesNotReady,
    }

    /// The reason of a VMI's Synchronized condition, which is there only while it is False.
    pub enum SyncFailure {
        /// Its pod cannot be created.
        FailedCreate,
        /// Its domain cannot be defined; virt-handler's only reason.
        Domain = "Synchronizing with the Domain failed.",
    }

    /// A VM's conditions beside Ready; each has one status while it is there.
    pub enum Condition {
        /// The VMI runs a template that was edited since.
        RestartRequired,
        /// A VMI cannot be created.
        Failure,
        /// Copied from the VMI.
        AgentConnected,
        /// Copied from the VMI.
        Paused,
        /// Copied from the VMI.
        Synchronized,
    }

    /// The reason of a Kubernetes event on a VM.
    pub enum VmReason {
        /// A VMI was created.
        SuccessfulCreate,
        /// The VMI was deleted.
        SuccessfulDelete,
        /// A VMI was refused.
        FailedCreate,
    }

    /// The reason of a Kubernetes event on a VMI.
    pub enum VmiReason {
        /// Its pod was created.
        SuccessfulCreate,
        /// Its pod was deleted.
        SuccessfulDelete,
        /// Its pod was refused.
        FailedCreate,
        /// Its domain was refused.
        SyncFailed,
        /// Its domain was defined.
        Created,
        /// Its domain was started.
        Started,
        /// Its guest was asked to shut down.
        ShuttingDown,
        /// Its domain was deleted.
        Deleted,
        /// It became final.
        Stopped,
        /// QEMU reported a panic.
        GuestPanicked,
        /// A `guestAgentPing` failed.
        GuestAgentPingFailed,
        /// A user paused it.
        Paused,
        /// A user let it go on.
        Unpaused,
        /// A disk's error stopped it.
        IoError = "IOerror",
    }

    /// The reason of a VMI's Paused condition.
    pub enum PauseReason {
        /// A user has asked for it.
        PausedByUser,
        /// A disk has failed.
        PausedIoError = "PausedIOError",
    }

    /// What a user asks the API for.
    pub enum Request {
        /// `virtctl start`.
        Start = "start",
        /// `virtctl stop`.
        Stop = "stop",
        /// `virtctl stop --force --grace-period N`.
        ForceStop = "forceStop",
        /// `kubectl drain`.
        Drain = "drain",
        /// `systemctl restart kubelet`.
        RestartKubelet = "restartKubelet",
        /// `kubectl annotate vmi`.
        Annotate = "annotate",
        /// `kubectl annotate vmi NAME-`.
        RemoveAnnotation = "removeAnnotation",
        /// `virtctl restart`.
        Restart = "restart",
        /// `virtctl pause vm`.
        Pause = "pause",
        /// `virtctl unpause vm`.
        Unpause = "unpause",
        /// `virtctl migrate`.
        Migrate = "migrate",
        /// `kubectl delete pod`.
        DeletePod = "deletePod",
        /// `kubectl delete pod --force --grace-period=0`.
        ForceDeletePod = "forceDeletePod",
        /// `kubectl delete vmi`.
        DeleteVmi = "deleteVmi",
        /// `kubectl delete vm`.
        Delete = "delete",
        /// `kubectl edit vm`.
        Edit = "edit",
    }

    /// What the API says to that.
    pub enum Answer {
        /// It will be done.
        Accepted = "accepted",
        /// It may not be done.
        Refused = "refused",
    }

    /// What became of a connection to the Service.
    pub enum Connection {
        /// Refused: no ready endpoint.
        Refused = "refused",
        /// It reached the VM.
        Delivered = "delivered",
        /// There was an endpoint, but the VM did not answer.
        Lost = "lost",
    }
}

impl Phase {
    /// Final phases never change.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }
}

impl Condition {
    /// Its status while it is there.
    pub fn status(self) -> bool {
        self != Condition::Synchronized
    }
}

impl Ready {
    /// Its status.
    pub fn is_true(self) -> bool {
        self == Ready::True
    }
}

texts! {
    /// A VMI's Ready condition.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Ready {
        /// True.
        True => "True";
        /// False, for this reason.
        False(reason: NotReady) => "False", reason;
        /// False for no reason: the node controller, which hears nothing of the pod's node, changes the pod's status only.
        NodeLost => "False";
    }

    /// A VMI's Paused condition.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Pause {
        /// It is there, for this reason.
        There(reason: PauseReason) => "True", reason;
        /// It is not.
        Gone => "gone";
    }

    /// A VM's Ready condition.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum VmReady {
        /// Its VMI's.
        Vmi(ready: Ready) => ready;
        /// There is no VMI.
        NoVmi => "False VMINotExists";
    }
}

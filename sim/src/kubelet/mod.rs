//! The kubelet, as far as a virt-launcher pod's health goes: prober workers, the pod's readiness, its liveness kill.
//!
//! Source of every rule: kubelet-prober.md (Kubernetes v1.36.2). It must not know KubeVirt.

mod pod;
mod worker;

pub use pod::LauncherPod;
pub use worker::{
    Action, Attempt, Container, ContainerState, EventKind, MAX_ATTEMPTS, PodView, ProbeKind, ProbeResult, Verdict,
    Worker,
};

//! What KubeVirt's controllers do with one VM: VMI phases and conditions, graceful stop, run strategy.
//!
//! Source: kubevirt-health.md 4-8. It must not know where events come from: QEMU's words arrive as [`DomainEvent`].

mod churn;
mod command;
mod domain;
mod io_errors;
mod launcher;
mod migration;
mod node;
mod pod_name;
mod probe_request;
mod retries;
mod stop;
mod version;
mod vm;
mod vmi;

pub use crate::trace::{DomainEvent, Exit, Phase};
pub use churn::Churn;
pub use command::{VmiCommand, VmiOutput};
pub use domain::{Domain, ShutoffReason, final_phase};
pub use launcher::Chance;
pub use migration::Migration;
pub use node::NodeMonitor;
pub use pod_name::is_launcher_of;
pub use probe_request::ProbeRequest;
pub use retries::Retries;
pub use stop::{GracefulStop, StopAction};
pub use version::KubevirtVersion;
pub use vm::{Decision, VmController, is_replaced};
pub use vmi::{Answers, Conditions, Cycle, Vmi};

//! `why`: what happened in a real cluster.

use super::arguments::{Format, parse_boot};
use super::exit::{Failure, Status, infra};
use super::output::out;
use crate::own::OwnWhy;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_sim::cluster::KubevirtVersion;

/// Shown below the options.
const EXAMPLES: &str = "Evidence, recognised by its content:
  kubectl get vm,vmi,pod -o yaml            (or json), also kubectl get events -o yaml
  kubectl get events, kubectl describe vmi  (as they print events for people)
  kubectl logs POD -c compute               (virt-launcher), and virt-handler's log
  the guest's console: kubectl logs POD -c guest-console-log, or what was saved of it

Example:
  kubectl get vm,vmi,pod,events -n shop -o yaml > shop.yaml
  kubectl logs -n shop virt-launcher-web-x2x4z -c compute > launcher.log
  why shop.yaml launcher.log

Exit status 0: one cause is left; 1: several, or none; 2: something cannot be read.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Why {
    /// Files with what is there after the fact; - for standard input
    #[arg(required = true)]
    pub(super) evidence: Vec<PathBuf>,
    /// The VM's manifest. If absent: the VM, or else the VMI, among the evidence
    #[arg(long)]
    pub(super) vm: Option<PathBuf>,
    /// How long the guest takes from its start until its service answers. If absent: 60s
    #[arg(long, value_parser = parse_boot)]
    pub(super) boot: Option<Duration>,
    /// The watchdog daemon's timeout in seconds; 0: no daemon runs. If absent: what the user data sets, or 60
    #[arg(long)]
    pub(super) heartbeat: Option<u32>,
    /// The cluster's KubeVirt release, like v1.4 (OpenShift 4.18)
    #[arg(long, value_name = "VERSION", default_value_t = KubevirtVersion::default())]
    pub(super) kubevirt_version: KubevirtVersion,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

impl Why {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let own = OwnWhy {
            vm: self.vm,
            evidence: self.evidence,
            boot: self.boot,
            heartbeat: self.heartbeat,
            kubevirt_version: self.kubevirt_version,
        };
        let report = own.answer()?;
        match self.format {
            Format::Json => out(&(serde_json::to_string_pretty(&report).map_err(infra)? + "\n"))?,
            Format::Human => out(&report.render())?,
        }
        Ok(if report.is_decided() { Status::Passed } else { Status::Failed })
    }
}

//! `explore`: the user's own manifest with a fault at every moment, in virtual time.

use super::error::OwnError;
use super::fault::NamedFault;
use super::guest::{Chosen, OwnGuest};
use super::heartbeat::refuse_heartbeat;
use super::scenario::{invalid_options, read_manifest};
use crate::lines::tell;
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_sim::budget::Assumptions;
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::explore::{Exploration, Grid, explore};
use vmhealth_sim::fault::Needs;
use vmhealth_sim::manifest::{self, RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::{Fault, Scenario, Spec};
use vmhealth_sim::world::Timings;

/// No common period is taken for longer.
const LONGEST_SPAN: Duration = Duration::from_secs(60);

/// A manifest, and the faults and instants to try.
#[derive(Debug, Clone)]
pub struct OwnExplore {
    /// The manifest's file.
    pub file: PathBuf,
    /// What breaks.
    pub faults: Vec<NamedFault>,
    /// The time between two instants.
    pub step: Duration,
    /// How much time the instants cover; `None`: the probes' common period, at most a minute.
    pub span: Option<Duration>,
    /// From the guest being ready to the first instant.
    pub from: Duration,
    /// How long each run goes on after the first instant.
    pub lasting: Duration,
    /// The watchdog daemon's timeout in seconds; 0: none runs; `None`: the user data's, or the daemon's default, 60.
    pub heartbeat: Option<u32>,
    /// Whether Debian's wd_keepalive may take over from the daemon.
    pub keepalive: bool,
    /// From the guest's start until its service answers; `None`: a minute.
    pub boot: Option<Duration>,
    /// The cluster's release.
    pub kubevirt_version: KubevirtVersion,
    /// What lies in the Secret that the manifest names as its user data.
    pub user_data: Option<Vec<u8>>,
}

impl OwnExplore {
    /// Every outcome, with its best moment and its worst.
    pub fn explore(&self) -> Result<Exploration, OwnError> {
        let vm = read_manifest(&self.file, self.user_data.as_deref(), manifest::read)?;
        let spec = self.spec(&vm)?;
        let faults: Vec<Fault> = self.faults.iter().map(|f| f.fault.clone()).collect();
        for fault in &faults {
            let why = match spec.guest.lacks(fault) {
                Some(_) if fault.needs() == Needs::WatchdogDaemon && spec.guest.is_petted() => {
                    "systemd itself pets the watchdog of this guest: there is no daemon"
                }
                Some(_) if fault.needs() == Needs::WatchdogDaemon => {
                    "no watchdog daemon runs in this guest (--heartbeat sets one up, for a VM with a watchdog)"
                }
                Some(_) => "no server of vmhealth's runs in this guest: no probe asks a port of its",
                None => continue,
            };
            return Err(OwnError::Invalid(format!("{}: {why}", fault.kind())));
        }
        let span = self.span.unwrap_or_else(|| common_period(&vm));
        let grid = Grid { step: self.step, from: self.from, span };
        let boot = self.boot.unwrap_or(Assumptions::default().boot);
        if self.boot.is_none() {
            tell(&format!("assumed, since nothing says otherwise: boot {} s (--boot)", boot.as_secs()));
        }
        let timings = Timings::booting_in(boot);
        explore(&vm, &spec, &faults, grid, timings).map_err(OwnError::Invalid)
    }

    /// The scenario without its faults.
    fn spec(&self, vm: &VirtualMachine) -> Result<Spec, OwnError> {
        refuse_heartbeat(self.heartbeat, vm)?;
        let start = match vm.run_strategy {
            RunStrategy::Halted | RunStrategy::Manual => "  steps: [{user: start}]\n",
            _ => "",
        };
        let chosen =
            Chosen { heartbeat: self.heartbeat, keepalive: self.keepalive, in_model: true, ..Chosen::default() };
        let guest = OwnGuest::of(vm, chosen);
        for line in &guest.assumptions {
            tell(line);
        }
        let text = format!(
            "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: explore/your-own/manifest, summary: your own}}\nspec:\n  \
             manifest: unused\n  kubevirtVersion: {}\n  bootDeadline: 12m\n  guest: {{{}}}\n{start}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..15m}}\n  \
             observe: {}\n  final: {{}}\n",
            self.kubevirt_version,
            guest.profile,
            humantime::format_duration(self.from + self.lasting),
        );
        let scenario = Scenario::read(&text);
        Ok(scenario.map_err(invalid_options)?.spec)
    }
}

/// After this span the probes' grids meet again as before.
fn common_period(vm: &VirtualMachine) -> Duration {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let periods = [&vm.vmi.readiness, &vm.vmi.liveness].into_iter().flatten().map(|p| u64::from(p.timings.period));
    let common = periods.fold(1_u64, |a, b| (a / gcd(a, b).max(1)).saturating_mul(b));
    Duration::from_secs(common).min(LONGEST_SPAN)
}

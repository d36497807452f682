//! `explore`: the user's own manifest with a fault at every moment, in virtual time.

use super::error::OwnError;
use super::fault::NamedFault;
use super::heartbeat::{heartbeat, refuse_heartbeat};
use super::scenario::{guest_text, invalid_options, read_manifest};
use crate::report::ExploreReport;
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::explore::{Grid, explore};
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
    /// The watchdog daemon's timeout in seconds; 0: none runs; `None`: 10, or the shortest that the device takes.
    pub heartbeat: Option<u32>,
    /// Whether Debian's wd_keepalive may take over from the daemon.
    pub keepalive: bool,
    /// From the guest's start until its service answers; `None`: as the model's guest.
    pub boot: Option<Duration>,
    /// The cluster's release.
    pub kubevirt_version: KubevirtVersion,
}

impl OwnExplore {
    /// Every outcome, with its best moment and its worst.
    pub fn explore(&self) -> Result<ExploreReport, OwnError> {
        let vm = read_manifest(&self.file, manifest::read)?;
        let spec = self.spec(&vm)?;
        let faults: Vec<Fault> = self.faults.iter().map(|f| f.fault.clone()).collect();
        let span = self.span.unwrap_or_else(|| common_period(&vm));
        let grid = Grid { step: self.step, from: self.from, span };
        let timings = self.boot.map_or_else(Timings::default, Timings::booting_in);
        let found = explore(&vm, &spec, &faults, grid, timings);
        Ok(ExploreReport::from(&found.map_err(|e| OwnError::Invalid(e.to_string()))?))
    }

    /// The scenario without its faults.
    fn spec(&self, vm: &VirtualMachine) -> Result<Spec, OwnError> {
        refuse_heartbeat(self.heartbeat, vm)?;
        let start = match vm.run_strategy {
            RunStrategy::Halted | RunStrategy::Manual => "  steps: [{user: start}]\n",
            _ => "",
        };
        let text = format!(
            "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: explore/your-own/manifest, summary: your own}}\nspec:\n  \
             manifest: unused\n  kubevirtVersion: {}\n  bootDeadline: 12m\n  guest: {{{}}}\n{start}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..15m}}\n  \
             observe: {}\n  final: {{}}\n",
            self.kubevirt_version,
            guest_text(heartbeat(self.heartbeat, vm), self.keepalive, true),
            humantime::format_duration(self.from + self.lasting),
        );
        let scenario = Scenario::read(&text);
        let mut spec = scenario.map_err(invalid_options)?.spec;
        // The model's guest is the user's: it has what the probes ask for.
        spec.guest.serves_probes = true;
        Ok(spec)
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

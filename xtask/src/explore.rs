//! `cargo xtask explore`: a fault at every moment, in virtual time.

use crate::cli::{Explore, Format};
use crate::exit::{Failure, Status, infra, usage};
use crate::own_run::{guest_text, read_manifest};
use anyhow::anyhow;
use std::time::Duration;
use vmhealth_sim::explore::{Grid, explore as run};
use vmhealth_sim::manifest::{self, RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::{Fault, Scenario, Spec};
use vmhealth_sim::world::Timings;
use vmhealth_tests::explored::ExploreReport;

/// No common period is taken for longer.
const LONGEST_SPAN: Duration = Duration::from_secs(60);

/// Explores and reports: best, worst, and every outcome that differs.
pub(crate) fn explore(args: &Explore) -> Result<Status, Failure> {
    let vm = read_manifest(&args.manifest, manifest::read)?;
    let (spec, faults) = spec(args, &vm)?;
    let span = args.span.unwrap_or_else(|| common_period(&vm));
    let grid = Grid { step: args.step, from: args.from, span };
    let found = run(&vm, &spec, &faults, grid, Timings::default()).map_err(|e| usage(anyhow!(e)))?;
    let report = ExploreReport::from(&found);
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&report).map_err(infra)?),
        Format::Human => print!("{}", report.render(&args.faults.join(" and "))),
    }
    Ok(Status::Passed)
}

/// The scenario without its faults, and the faults.
fn spec(args: &Explore, vm: &VirtualMachine) -> Result<(Spec, Vec<Fault>), Failure> {
    let heartbeat = vm.vmi.watchdog_in_guest(None).is_some().then_some(args.heartbeat);
    let start = match vm.run_strategy {
        RunStrategy::Halted | RunStrategy::Manual => "  steps: [{user: start}]\n",
        _ => "",
    };
    let read = |text: &String| text.parse::<Fault>().map_err(|e| usage(anyhow!("--fault {text}: {e}")));
    let faults = args.faults.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let text = format!(
        "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: explore/your-own/manifest, summary: your own}}\nspec:\n  \
         manifest: unused\n  guest: {{{}}}\n{start}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..5m}}\n  \
         observe: {}\n  final: {{}}\n",
        guest_text(heartbeat, args.keepalive, true),
        humantime::format_duration(args.from + args.lasting),
    );
    let mut spec = Scenario::read(&text).map_err(|e| usage(anyhow!(e)))?.spec;
    // The model's guest is the user's: it has what the probes ask for.
    spec.guest.serves_probes = true;
    Ok((spec, faults))
}

/// After so long probes and pets meet again as before.
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

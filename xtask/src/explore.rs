//! `cargo xtask explore`: a fault at every moment, in virtual time.

use crate::cli::Explore;
use crate::commands::{guest_text, read_manifest};
use crate::exit::{Failure, Status, usage};
use anyhow::anyhow;
use std::time::Duration;
use vmhealth_sim::explore::{Exploration, Grid, explore as run};
use vmhealth_sim::manifest::{RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::{Fault, Scenario, Spec};
use vmhealth_sim::world::Timings;

/// No common period is taken for longer.
const LONGEST_SPAN: Duration = Duration::from_secs(60);

/// Explores and reports: best, worst, and every outcome that differs.
pub(crate) fn explore(args: &Explore) -> Result<Status, Failure> {
    let vm = read_manifest(&args.manifest)?;
    let (spec, faults) = spec(args, &vm)?;
    let span = args.span.unwrap_or_else(|| common_period(&vm));
    let grid = Grid { step: args.step, from: args.from, span };
    let found = run(&vm, &spec, &faults, grid, Timings::default()).map_err(|e| usage(anyhow!(e)))?;
    print!("{}", report(&found, args));
    Ok(Status::Passed)
}

/// The scenario without its faults, and the faults.
fn spec(args: &Explore, vm: &VirtualMachine) -> Result<(Spec, Vec<Fault>), Failure> {
    let heartbeat = vm.vmi.watchdog.is_some().then_some(args.heartbeat);
    let start = match vm.run_strategy {
        RunStrategy::Halted | RunStrategy::Manual => "  steps: [{user: start}]\n",
        _ => "",
    };
    let read = |text: &String| {
        vmhealth_sim::yaml::read::<Fault>(text).map_err(|e| usage(anyhow!("--fault {text}: {}", e.message)))
    };
    let faults = args.faults.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let text = format!(
        "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: explore/your-own/manifest, summary: your own}}\nspec:\n  \
         manifest: unused\n  guest: {{{}}}\n{start}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..5m}}\n  \
         observe: {}\n  final: {{}}\n",
        guest_text(heartbeat, args.keepalive, true),
        humantime::format_duration(args.from + args.lasting),
    );
    let scenario = Scenario::read(&text).map_err(|e| usage(anyhow!(e)))?;
    Ok((scenario.spec, faults))
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

fn report(found: &Exploration, args: &Explore) -> String {
    let what = if found.outcomes.len() == 1 { "one outcome" } else { "outcomes, which is a race" };
    let count = if found.outcomes.len() == 1 { String::new() } else { format!("{} ", found.outcomes.len()) };
    let mut out = format!("{} runs of {}: {count}{what}\n", found.runs, args.faults.join(" and "));
    for outcome in &found.outcomes {
        let instants: Vec<String> =
            outcome.instants.iter().map(|(at, name)| format!("{name} at {:.3} s", at.as_secs_f64())).collect();
        let (best, worst) = (outcome.took.0.as_secs_f64(), outcome.took.1.as_secs_f64());
        out += &format!(
            "\n{} of them, over {best:.1} to {worst:.1} s after the last fault; shown with {} after the guest was ready\n",
            outcome.runs,
            instants.join(", ")
        );
        let sequence =
            if outcome.sequence.is_empty() { "nothing is seen".to_owned() } else { outcome.sequence.join(" > ") };
        out += &format!("  {sequence}\n");
        if found.outcomes.len() > 1 {
            let entries = outcome.trace.sorted();
            let begin = entries.iter().position(|e| e.event.lane() == "fault").unwrap_or(0);
            for entry in entries[begin..].iter().take(MAX_SHOWN) {
                out += &format!("    {:>9.3}  {}\n", entry.at.as_secs_f64(), entry.event);
            }
        }
    }
    out
}

/// Of a trace.
const MAX_SHOWN: usize = 40;

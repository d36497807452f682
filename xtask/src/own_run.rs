//! `run`: the user's own manifest as a scenario that expects only that its guest gets ready.

use crate::arguments::TimedFault;
use crate::cli::{self, World};
use crate::commands::{new_run_path, run_cases, status_of};
use crate::exit::{Failure, Status, usage};
use crate::prepare::{Wanted, say};
use anyhow::{Context as _, anyhow};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vmhealth_sim::manifest::{self, Architecture, MachineType, Problems, RunStrategy, VirtualMachine};
use vmhealth_sim::scenario::Scenario;
use vmhealth_tests::catalogue::Case;

/// Runs it on QEMU and judges only that it got ready.
pub(crate) async fn run(args: cli::Run) -> Result<Status, Failure> {
    let file = args.manifest.display().to_string();
    let own_image = args.own_image.is_wanted();
    let manifest =
        read_manifest(&args.manifest, if own_image { manifest::read_for_own_image } else { manifest::read })?;
    for warning in &manifest.warnings {
        say(&warning.to_string());
    }
    for (path, pos) in &manifest.ignored {
        say(&format!("{file}:{}:{}: ignored by vmhealth: {path}", pos.line, pos.column));
    }
    refuse_heartbeat(args.heartbeat, &manifest)?;
    let text = scenario_text(&args, &manifest);
    let image = args.own_image.find(&manifest)?;
    if manifest.vmi.architecture == Architecture::Amd64 && manifest.vmi.machine == MachineType::Pc {
        say("this runs on pc; KubeVirt's default is q35, with a second watchdog: `machine: {type: q35}` asks for it");
    }
    let scenario = Scenario::read(&text).map_err(|e| usage(anyhow!("what was asked for is no scenario: {e}")))?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let again = format!("cargo xtask {}", arguments.join(" "));
    let case = Case { scenario, file: args.manifest.clone(), manifest: Arc::new(manifest), again };
    let out = args.out.unwrap_or_else(new_run_path);
    // A template would be booted as slowly, and once more where the image lacks something.
    let cold = args.cold.cold || own_image;
    let hosts = args.host.into_iter().collect();
    let wanted = Wanted { accel: args.accel.choice(), cold, image, hosts, ..Wanted::default() };
    let results = run_cases(vec![case], World::Qemu, wanted, Some(out)).await?;
    Ok(status_of(&results))
}

/// Reads a manifest with a reader of [`manifest`].
pub(crate) fn read_manifest(
    path: &Path,
    read: fn(&str, &str) -> Result<VirtualMachine, Problems>,
) -> Result<VirtualMachine, Failure> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {file}")).map_err(usage)?;
    read(&file, &text).map_err(usage)
}

/// Of the watchdog daemon that is set up, seconds; a device may take none as short.
const DEFAULT_HEARTBEAT: u32 = 10;

/// The heartbeat of the watchdog daemon, if there is a watchdog.
pub(crate) fn heartbeat(asked: Option<u32>, manifest: &VirtualMachine) -> Option<u32> {
    let model = manifest.vmi.watchdog_in_guest(None)?;
    Some(asked.unwrap_or_else(|| DEFAULT_HEARTBEAT.max(*model.heartbeats().start())))
}

/// Refuses a heartbeat that the manifest's watchdog does not take.
pub(crate) fn refuse_heartbeat(asked: Option<u32>, manifest: &VirtualMachine) -> Result<(), Failure> {
    let refused = asked.filter(|h| *h > 0).and_then(|h| Some((h, manifest.vmi.heartbeat_refusal(None, h)?)));
    refused.map_or(Ok(()), |(heartbeat, why)| Err(usage(anyhow!("--heartbeat {heartbeat}: {why}"))))
}

/// A scenario that breaks what the user asks for, watches so long, and expects only that the guest gets ready.
fn scenario_text(args: &cli::Run, manifest: &VirtualMachine) -> String {
    // Nobody else would start it.
    let needs_start = matches!(manifest.run_strategy, RunStrategy::Halted | RunStrategy::Manual);
    let guest = match args.heartbeat {
        None if args.own_image.is_wanted() => {
            let own = manifest.vmi.watchdog.is_some();
            format!("ownWatchdogDaemon: {own}, {}", guest_text(None, false, args.health_server))
        }
        asked => guest_text(heartbeat(asked, manifest), args.keepalive, args.health_server),
    };
    let mut faults = args.faults.clone();
    faults.sort_by_key(|f| f.at);
    let mut before = std::time::Duration::ZERO;
    let mut steps = String::new();
    if needs_start {
        steps.push_str("    - {user: start}\n");
    }
    for (i, TimedFault { kind, at }) in faults.iter().enumerate() {
        let after = if i == 0 { "after: guest ready, " } else { "" };
        let plus = humantime::format_duration(at.saturating_sub(before)).to_string();
        steps.push_str(&format!("    - {{{after}plus: {plus}, fault: {kind}}}\n"));
        before = *at;
    }
    let steps = if steps.is_empty() { String::new() } else { format!("  steps:\n{steps}") };
    let boot = args.boot.map_or(String::new(), |b| format!("  bootDeadline: {}\n", humantime::format_duration(b)));
    format!(
        "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: run/your-own/manifest, summary: your own}}\nspec:\n  \
         manifest: unused\n  guest: {{{}}}\n{boot}{steps}  expect:\n    - {{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..{}}}\n  \
         observe: {}\n  final: {{}}\n",
        guest,
        // Longer than the deadlines of the agent and of what it is asked then: they are to be the ones that speak.
        humantime::format_duration(3 * args.boot.unwrap_or_default() + Duration::from_secs(300)),
        humantime::format_duration(args.lasting),
    )
}

/// A guest profile as a scenario file words it.
pub(crate) fn guest_text(heartbeat: Option<u32>, keepalive: bool, health_server: bool) -> String {
    let daemon = heartbeat.filter(|h| *h > 0).map_or(String::new(), |heartbeat| {
        let keepalive = if keepalive { "takeover" } else { "masked" };
        format!("watchdogDaemon: {{heartbeatSeconds: {heartbeat}, keepalive: {keepalive}}}, ")
    });
    format!("{daemon}healthServer: {health_server}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    const DIAG288: &str = "devices: {watchdog: {name: w, diag288: {}}}}, architecture: s390x, x: {";

    fn vm(domain: &str) -> String {
        format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  \
             template: {{spec: {{domain: {{{domain}}}}}}}\n"
        )
    }

    #[test]
    fn heartbeats_are_the_devices() {
        for (domain, seconds, fine) in [
            ("devices: {watchdog: {name: w}}", 2046, true),
            ("devices: {watchdog: {name: w}}", 2047, false),
            (DIAG288, 2047, true),
            (DIAG288, 3600, true),
            (DIAG288, 14, false),
            (DIAG288, 0, true),
            ("devices: {}", 9999, true),
        ] {
            let manifest = manifest::read("vm.yaml", &vm(domain)).unwrap();
            assert_eq!(refuse_heartbeat(Some(seconds), &manifest).is_ok(), fine, "{domain} {seconds}");
        }
        for (seconds, fine) in [("3600", true), ("3601", false), ("0", false)] {
            let cli = Cli::try_parse_from(["xtask", "check", "vm.yaml", "--heartbeat", seconds]);
            assert_eq!(cli.is_ok(), fine, "check --heartbeat {seconds}");
        }
    }

    #[test]
    fn what_sets_up_the_guest() {
        let check = |domain: &str, arguments: &[&str], expected: &str| {
            let text = vm(domain);
            let cli = Cli::try_parse_from(["xtask", "run", "vm.yaml"].iter().chain(arguments)).unwrap();
            let Command::Run(args) = cli.command else { panic!("{arguments:?}") };
            let read = if args.own_image.is_wanted() { manifest::read_for_own_image } else { manifest::read };
            let scenario = scenario_text(&args, &read("vm.yaml", &text).unwrap());
            let profile = scenario.lines().find(|l| l.trim_start().starts_with("guest:")).unwrap();
            assert_eq!(profile.trim(), format!("guest: {{{expected}}}"), "{domain} {arguments:?}");
            Scenario::read(&scenario).unwrap();
        };
        let (watchdog, q35) = ("devices: {watchdog: {name: w}}", "machine: {type: q35}, devices: {}");
        let ours = |n| format!("watchdogDaemon: {{heartbeatSeconds: {n}, keepalive: masked}}, healthServer: false");
        check(watchdog, &[], &ours(10));
        check(watchdog, &["--heartbeat", "0"], "healthServer: false");
        check("devices: {}", &[], "healthServer: false");
        // The machine's own.
        check(q35, &[], &ours(10));
        // diag288 takes longer ones, and none as short as 10.
        check(DIAG288, &[], &ours(15));
        check(DIAG288, &["--heartbeat", "3600"], &ours(3600));
        // Nothing of ours is added to an image of the user's own unless it is asked for.
        check(watchdog, &["--image", "a"], "ownWatchdogDaemon: true, healthServer: false");
        check(q35, &["--image", "a"], "ownWatchdogDaemon: false, healthServer: false");
        check(watchdog, &["--image", "a", "--heartbeat", "20", "--boot", "6m"], &ours(20));
        check(watchdog, &["--image", "a", "--heartbeat", "0"], "healthServer: false");
    }
}

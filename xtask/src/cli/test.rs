//! `test`: everything that must pass, by cargo and on QEMU.

use super::arguments::{SecretsArg, World};
use super::exit::{Failure, Status, infra, usage};
use super::session::{run_cases, status_of};
use crate::prepare::{GuestOptions, HostChoice, install_for_tests, install_missing, prepare, say};
use crate::report::{LOCAL, Results};
use crate::run::catalogue;
use crate::workspace;
use anyhow::{Context as _, anyhow};
use nix::sys::stat::{Mode, umask};
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use vmhealth_guests::host::container::{self, RELEASES};
use vmhealth_sim::manifest::Architecture;

/// The architectures of the guests that it boots.
pub(super) fn guests() -> BTreeSet<Architecture> {
    let chosen = catalogue::read(None).and_then(|all| catalogue::select(all, &[]));
    catalogue::architectures(&chosen.unwrap_or_default())
}

/// Unit, model and snapshot tests by cargo; then the catalogue on QEMU. The last line is the runner's own summary.
pub(super) async fn run() -> Result<Status, Failure> {
    let sources = workspace::find()?;
    install_missing(Architecture::Amd64)?;
    install_for_tests()?;
    if !cargo_test(&sources, &["--workspace"])? {
        return Ok(Status::Failed);
    }
    // Those that need QEMU and the image; where they cannot be had, the catalogue says so.
    let (reality, _) = prepare(BTreeSet::from([Architecture::Amd64]), GuestOptions::default()).await;
    let is_local = reality.host == LOCAL && reality.platforms.values().all(Result::is_ok);
    if is_local && !(cargo_test(&sources, &ALONE)? && side_by_side(&sources, &GUESTS, &HOSTS)?) {
        return Ok(Status::Failed);
    }
    // Where Slurm's daemons are.
    let of_slurm = ["-p", "xtask", "--test", "submit", "--", "--ignored"];
    let has_slurm = ["slurmctld", "slurmd", "munged"].into_iter().all(|program| crate::host::find(program).is_some());
    if has_slurm && !cargo_test(&sources, &of_slurm)? {
        return Ok(Status::Failed);
    }
    let mut runs = Vec::new();
    let mut without_engine = 0;
    let engine = container::connect().await;
    let of_containers = ["-p", "vmhealth-tests", "--test", "container", "--", "--ignored"];
    // A failure of its own, and no reason to keep the catalogue's results back.
    let containers_hold = engine.is_err() || cargo_test(&sources, &of_containers)?;
    let all = catalogue::read(None).map_err(usage)?;
    let contained = catalogue::select(all.clone(), &[IN_CONTAINERS.to_owned()]).map_err(usage)?;
    match engine {
        Ok(_) => {
            let newest = RELEASES.last().map(|release| HostChoice(release)).into_iter().collect();
            runs.push(
                run_cases(
                    contained,
                    World::Qemu,
                    GuestOptions { hosts: newest, ..GuestOptions::default() },
                    None,
                    SecretsArg::default(),
                )
                .await?,
            );
        }
        Err(e) => {
            say(&format!("without QEMU in containers: {e}"));
            without_engine = contained.len();
        }
    }
    let cases = catalogue::select(all, &[]).map_err(usage)?;
    // Last, because it is the longest: its table is what a reader looks for.
    runs.push(run_cases(cases, World::Both, GuestOptions::default(), None, SecretsArg::default()).await?);
    let (mut passed, mut failed, mut skipped) = (0, usize::from(!containers_hold), without_engine);
    for (p, f, s) in runs.iter().map(Results::counts) {
        (passed, failed, skipped) = (passed + p, failed + f, skipped + s);
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    let mut found: Vec<Status> = runs.iter().map(status_of).collect();
    found.extend((!containers_hold).then_some(Status::Failed));
    // The worst news: a failure is one whatever the host could not do besides.
    let worst = [Status::Failed, Status::Infra, Status::Interrupted].into_iter().find(|s| found.contains(s));
    Ok(worst.unwrap_or(Status::Passed))
}

/// The tag of the scenarios that also run with QEMU in a container.
const IN_CONTAINERS: &str = "containers";

/// Guests in real time, which the host's load would reach.
const ALONE: [&str; 6] = ["-p", "vmhealth-tests", "--test", "clocks", "--", "--ignored"];

/// A guest at a time: most of them use one core.
const GUESTS: [&[&str]; 2] = [
    &["-p", "vmhealth-tests", "--test", "fork", "--test", "registers", "--test", "guest_time"],
    &["-p", "xtask", "--test", "held", "--test", "live", "--test", "hostile_guest"],
];

/// Those with a schedule of their own, and those that mostly wait.
const HOSTS: [&[&str]; 2] =
    [&["-p", "vmhealth-tests", "--test", "own_image"], &["-p", "xtask", "--test", "hostile", "--test", "exhausted"]];

/// Runs two lists of tests beside each other, so that no core has nothing to do; the second's output comes at its end.
fn side_by_side(sources: &Path, first: &[&[&str]], second: &[&[&str]]) -> Result<bool, Failure> {
    fn ignored<'a>(args: &[&'a str], threads: &'a str) -> Vec<&'a str> {
        [args, &["--", "--ignored", threads]].concat()
    }
    std::thread::scope(|threads| -> Result<bool, Failure> {
        let beside = threads.spawn(|| -> Result<bool, Failure> {
            for args in second {
                let done = command(sources, &ignored(args, "--test-threads=3")).output();
                let done = done.context("cannot run cargo test").map_err(infra)?;
                say(&String::from_utf8_lossy(&[done.stdout, done.stderr].concat()));
                if !done.status.success() {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        let mut passed = true;
        for args in first {
            passed = passed && cargo_test(sources, &ignored(args, "--test-threads=1"))?;
        }
        let beside = beside.join().map_err(|_| infra(anyhow!("the tests beside these came to no end")))?;
        Ok(beside? && passed)
    })
}

fn cargo_test(sources: &Path, args: &[&str]) -> Result<bool, Failure> {
    let status = command(sources, args).status();
    Ok(status.context("cannot run cargo test").map_err(infra)?.success())
}

fn command(sources: &Path, args: &[&str]) -> std::process::Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    // What is built is no secret, unlike a run.
    // SAFETY: one system call.
    unsafe {
        command.pre_exec(|| {
            umask(Mode::from_bits_truncate(0o022));
            Ok(())
        });
    }
    command.arg("test").args(args).current_dir(sources).env("INSTA_UPDATE", "no");
    command
}

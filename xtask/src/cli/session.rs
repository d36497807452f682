//! A run as every command that runs guests does it: progress on stderr, Ctrl-C, a run folder, a table at the end.

use super::arguments::{SecretsArg, World};
use super::exit::{Failure, Status, infra, usage};
use super::interrupt::Interrupt;
use super::parts::run_in_parts;
use crate::lines::{show_waiting, tell};
use crate::prepare::{GuestOptions, say};
use crate::report::{Results, RunFolder, Secrets, table};
use crate::run::{self, Models, catalogue::Case};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

/// Lines with the time since now.
pub(super) fn progress() -> run::Progress {
    let begun = Instant::now();
    run::Progress::lines(move |line| tell(&format!("{:7.1} {line}", begun.elapsed().as_secs_f64())))
}

/// The status of a run.
pub(super) fn status_of(results: &Results) -> Status {
    status(results.exit_status())
}

pub(super) fn status(code: u8) -> Status {
    match code {
        0 => Status::Passed,
        1 => Status::Failed,
        _ => Status::Infra,
    }
}

/// Runs cases with progress on stderr, and leaves a run folder.
pub(super) async fn run_cases(
    cases: Vec<Case>,
    world: World,
    options: GuestOptions,
    out: Option<PathBuf>,
    secrets: SecretsArg,
) -> Result<Results, Failure> {
    run_until(cases, world, options, out, secrets, &mut None).await
}

/// As [`run_cases`], with who listens to whoever asks for the end; where nobody does yet, somebody does from the first guest on.
pub(super) async fn run_until(
    cases: Vec<Case>,
    world: World,
    options: GuestOptions,
    out: Option<PathBuf>,
    secrets: SecretsArg,
    interrupt: &mut Option<Interrupt>,
) -> Result<Results, Failure> {
    run_watched(cases, world, options, out, secrets, interrupt, |_| None).await
}

/// As [`run_until`], with somebody who watches and must not tell these secrets.
pub(super) async fn run_watched(
    cases: Vec<Case>,
    world: World,
    options: GuestOptions,
    out: Option<PathBuf>,
    secrets: SecretsArg,
    interrupt: &mut Option<Interrupt>,
    watcher: impl FnOnce(&Secrets) -> Option<Rc<dyn run::Watcher>>,
) -> Result<Results, Failure> {
    let secrets = match secrets.keep_secrets {
        true => Secrets::default(),
        false => Secrets::of(cases.iter().map(|case| &*case.manifest)),
    };
    let watcher = watcher(&secrets);
    let folder = RunFolder::create(&out.unwrap_or_else(new_run_path)).map_err(no_folder)?.hiding(secrets.clone())?;
    let print = progress();
    let progress = run::Progress::lines(move |line| print.say(&secrets.hide(line))).watched(watcher);
    let waiting = show_waiting();
    let results = match world {
        World::Model => {
            let cancelled = interrupt.get_or_insert_with(Interrupt::listen).cancelled();
            let (realities, machine) = Default::default();
            let models = Models::run(&cases, world.into(), &folder, &progress)?;
            run::run((cases, models), world.into(), realities, machine, &folder, cancelled, progress).await?
        }
        World::Both | World::Qemu => {
            let ran = run_in_parts(cases, world.into(), options, &folder, progress, interrupt).await;
            // Before a guest ran there is no result to show.
            if ran.is_err() {
                interrupt.as_ref().map_or(Ok(()), Interrupt::asked)?;
            }
            ran?
        }
    };
    drop(waiting);
    say(table(&results).trim_end_matches('\n'));
    say(&format!("run folder: {}", folder.path().display()));
    interrupt.as_ref().map_or(Ok(()), Interrupt::asked)?;
    Ok(results)
}

/// One that is not empty was named by mistake.
pub(super) fn no_folder(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AlreadyExists { usage(error) } else { infra(error) }
}

/// Where runs go that name no folder of their own.
pub(super) fn runs_folder() -> PathBuf {
    PathBuf::from("runs")
}

/// A folder for a new run, named by the time.
pub(super) fn new_run_path() -> PathBuf {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let stamp = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string().replace(':', "-");
    runs_folder().join(format!("{stamp}-{}", std::process::id()))
}

//! A run as every command that runs guests does it: progress on stderr, Ctrl-C, a run folder, a table at the end.

use super::arguments::World;
use super::exit::{Failure, Status, usage};
use crate::prepare::{GuestOptions, prepare_all, say};
use crate::report::{Results, RunFolder, table};
use crate::run::{self, catalogue::Case};
use anyhow::anyhow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Instant, SystemTime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use vmhealth_sim::manifest::Architecture;

/// The architectures of the cases' guests.
pub(super) fn architectures(cases: &[Case]) -> BTreeSet<Architecture> {
    cases.iter().map(Case::architecture).collect()
}

/// Ctrl-C, which ends the guests and lets what is known be written.
pub(super) struct Interrupt {
    cancelled: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Interrupt {
    pub(super) fn listen() -> Interrupt {
        let (cancel, cancelled) = watch::channel(false);
        let listener = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                say("interrupted; ending the guests");
                // Nobody listens once every scenario has ended.
                let _ = cancel.send(true);
            }
            std::future::pending::<()>().await;
        });
        Interrupt { cancelled, listener }
    }

    /// Becomes true on Ctrl-C.
    pub(super) fn cancelled(&self) -> watch::Receiver<bool> {
        self.cancelled.clone()
    }

    /// Stops listening; an error if Ctrl-C came.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.listener.abort();
        if *self.cancelled.borrow() {
            return Err(Failure { error: anyhow!("interrupted"), status: Status::Interrupted });
        }
        Ok(())
    }
}

/// Lines with the time since now.
pub(super) fn progress() -> run::Progress {
    let begun = Instant::now();
    Rc::new(move |line| say(&format!("{:7.1} {line}", begun.elapsed().as_secs_f64())))
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
) -> Result<Results, Failure> {
    let folder = RunFolder::create(&out.unwrap_or_else(new_run_path)).map_err(usage)?;
    let (realities, machine) = match world {
        World::Model => Default::default(),
        World::Both | World::Qemu => prepare_all(architectures(&cases), options).await,
    };
    let interrupt = Interrupt::listen();
    let cancelled = interrupt.cancelled.clone();
    let results = run::run(cases, world.into(), realities, machine, &folder, cancelled, progress()).await?;
    eprint!("{}", table(&results));
    say(&format!("run folder: {}", folder.path().display()));
    interrupt.end()?;
    Ok(results)
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

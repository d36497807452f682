//! One function a command.

use crate::arguments::HostArg;
use crate::bench::bench;
use crate::check::check;
use crate::cli::{self, Command, E2e, Format, Repro, SchemaOf, World};
use crate::doctor::doctor;
use crate::exit::{Failure, Status, infra, usage};
use crate::explore::explore;
use crate::mutants::mutants;
use crate::own_run;
use crate::prepare::{Wanted, install_missing, install_ovmf, prepare, prepare_all, say};
use crate::probe::probe;
use anyhow::{Context as _, anyhow};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Instant, SystemTime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use vmhealth_guests::host::container::{self, RELEASES};
use vmhealth_images::{Recipe, Store, full_disk, update_lock};
use vmhealth_sim::manifest::Architecture;
use vmhealth_sim::scenario::json_schema;
use vmhealth_tests::catalogue::{self, Case};
use vmhealth_tests::check::report_schema;
use vmhealth_tests::compare::compare as runner_compare;
use vmhealth_tests::host;
use vmhealth_tests::report::{LOCAL, Results, RunFolder, merge, table};
use vmhealth_tests::runner;

/// Runs a command.
pub(crate) async fn run(command: Command) -> Result<Status, Failure> {
    match command {
        Command::E2e(args) => e2e(args).await,
        Command::Test => test().await,
        Command::Run(args) => own_run::run(args).await,
        Command::Check(args) => check(args),
        Command::Explore(args) => explore(&args),
        Command::Mutants(args) => mutants(&args),
        Command::Probe(args) => probe(args).await,
        Command::Repro(args) => repro(args).await,
        Command::Compare(args) => compare(args).await,
        Command::Report { command: Some(cli::Report::Merge { runs, out }), .. } => {
            let results = merge(&runs, &out).map_err(usage)?;
            print!("{}", table(&results));
            Ok(status_of(&results))
        }
        Command::Report { command: None, run } => report(run),
        Command::Image { command } => image(command),
        Command::Doctor => doctor().await,
        Command::Bench { command } => bench(command).await,
        Command::Schema { of } => {
            let schema = match of {
                SchemaOf::Scenario => json_schema(),
                SchemaOf::Check => report_schema(),
            };
            println!("{}", serde_json::to_string_pretty(&schema).map_err(infra)?);
            Ok(Status::Passed)
        }
    }
}

pub(crate) fn read_catalogue(folder: Option<PathBuf>) -> Result<Vec<Case>, Failure> {
    catalogue::read(&folder.unwrap_or_else(catalogue::own_folder)).map_err(usage)
}

async fn e2e(args: E2e) -> Result<Status, Failure> {
    let all = read_catalogue(args.scenarios)?;
    let cases = if args.list && args.filters.is_empty() {
        all
    } else {
        catalogue::select(all, &args.filters).map_err(usage)?
    };
    let cases = match args.shard {
        Some((k, n)) => catalogue::shard(cases, k, n),
        None => cases,
    };
    if args.list {
        for case in &cases {
            let slow = if case.scenario.is_slow() { " (slow)" } else { "" };
            println!("{}{slow}\n    {}", case.id(), case.scenario.metadata.summary);
        }
        return Ok(Status::Passed);
    }
    let cases = of_architecture(cases, args.architecture)?;
    let jobs = args.jobs.map(usize::from);
    let wanted =
        Wanted { accel: args.accel.choice(), cold: args.cold.cold, jobs, hosts: args.hosts, ..Wanted::default() };
    let results = run_cases(cases, args.world, wanted, args.out).await?;
    if args.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&results).map_err(infra)?);
    }
    Ok(status_of(&results))
}

fn of_architecture(cases: Vec<Case>, only: Option<Architecture>) -> Result<Vec<Case>, Failure> {
    let Some(only) = only else { return Ok(cases) };
    let cases: Vec<Case> = cases.into_iter().filter(|c| c.architecture() == only).collect();
    if cases.is_empty() {
        return Err(usage(anyhow!("none of these scenarios has a guest of {only}")));
    }
    Ok(cases)
}

/// Whose guests a command may boot, as far as it can be said before anything else.
pub(crate) fn wanted_guests(command: &Command) -> BTreeSet<Architecture> {
    let all = || catalogue::read(&catalogue::own_folder()).unwrap_or_default();
    let of = |filters: &[String]| architectures(&catalogue::select(all(), filters).unwrap_or_default());
    match command {
        Command::E2e(args) => match args.architecture {
            Some(only) => BTreeSet::from([only]),
            None => of(&args.filters),
        },
        Command::Compare(args) => of(&args.filters),
        Command::Repro(args) => of(std::slice::from_ref(&args.what)),
        Command::Test => of(&[]),
        _ => BTreeSet::from([Architecture::Amd64]),
    }
}

pub(crate) fn architectures(cases: &[Case]) -> BTreeSet<Architecture> {
    cases.iter().map(Case::architecture).collect()
}

/// Every scenario forked and cold.
async fn compare(args: cli::Compare) -> Result<Status, Failure> {
    let cases = catalogue::select(read_catalogue(None)?, &args.filters).map_err(usage)?;
    let folder = RunFolder::create(&args.out.unwrap_or_else(new_run_path)).map_err(usage)?;
    let (reality, _) = prepare(architectures(&cases), Wanted::default()).await;
    let interrupt = Interrupt::listen();
    let found = runner_compare(&cases, &reality, &folder, interrupt.cancelled.clone(), progress()).await?;
    print!("{found}");
    say(&format!("run folder: {}", folder.path().display()));
    interrupt.end()?;
    Ok(status(found.exit_status()))
}

/// Ctrl-C, which ends the guests and lets what is known be written.
struct Interrupt {
    cancelled: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Interrupt {
    fn listen() -> Interrupt {
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

    fn end(self) -> Result<(), Failure> {
        self.listener.abort();
        if *self.cancelled.borrow() {
            return Err(Failure { error: anyhow!("interrupted"), status: Status::Interrupted });
        }
        Ok(())
    }
}

/// Lines with the time since now.
pub(crate) fn progress() -> runner::Progress {
    let begun = Instant::now();
    Rc::new(move |line| say(&format!("{:7.1} {line}", begun.elapsed().as_secs_f64())))
}

pub(crate) fn status_of(results: &Results) -> Status {
    status(results.exit_status())
}

fn status(code: u8) -> Status {
    match code {
        0 => Status::Passed,
        1 => Status::Failed,
        _ => Status::Infra,
    }
}

/// Runs cases with progress on stderr, and leaves a run folder.
pub(crate) async fn run_cases(
    cases: Vec<Case>,
    world: World,
    wanted: Wanted,
    out: Option<PathBuf>,
) -> Result<Results, Failure> {
    let folder = RunFolder::create(&out.unwrap_or_else(new_run_path)).map_err(usage)?;
    let (realities, machine) = match world {
        World::Model => Default::default(),
        World::Both | World::Qemu => prepare_all(architectures(&cases), wanted).await,
    };
    let interrupt = Interrupt::listen();
    let cancelled = interrupt.cancelled.clone();
    let results = runner::run(cases, world.into(), realities, machine, &folder, cancelled, progress()).await?;
    eprint!("{}", table(&results));
    say(&format!("run folder: {}", folder.path().display()));
    interrupt.end()?;
    Ok(results)
}

fn runs_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runs")
}

pub(crate) fn new_run_path() -> PathBuf {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let stamp = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string().replace(':', "-");
    runs_folder().join(format!("{stamp}-{}", std::process::id()))
}

/// Unit, model and snapshot tests by cargo; then the catalogue on QEMU. The last line is the runner's own summary.
async fn test() -> Result<Status, Failure> {
    install_missing(Architecture::Amd64)?;
    install_ovmf()?;
    if !cargo_test(&["--workspace"])? {
        return Ok(Status::Failed);
    }
    // Those that need QEMU and the image; where they cannot be had, the catalogue says so.
    let (reality, _) = prepare(BTreeSet::from([Architecture::Amd64]), Wanted::default()).await;
    if reality.host == LOCAL
        && reality.platforms.values().all(Result::is_ok)
        && !cargo_test(&[
            "-p",
            "vmhealth-tests",
            "--test",
            "fork",
            "--test",
            "registers",
            "--test",
            "own_image",
            "--",
            "--ignored",
            "--test-threads=1",
        ])?
    {
        return Ok(Status::Failed);
    }
    let mut runs = Vec::new();
    let mut without_engine = 0;
    let engine = container::connect().await;
    let of_containers = ["-p", "vmhealth-tests", "--test", "container", "--", "--ignored"];
    // A failure of its own, and no reason to keep the catalogue's results back.
    let containers_hold = engine.is_err() || cargo_test(&of_containers)?;
    let all = read_catalogue(None)?;
    let contained = catalogue::select(all.clone(), &[IN_CONTAINERS.to_owned()]).map_err(usage)?;
    match engine {
        Ok(_) => {
            let newest = RELEASES.last().map(|release| release as HostArg).into_iter().collect();
            runs.push(run_cases(contained, World::Qemu, Wanted { hosts: newest, ..Wanted::default() }, None).await?);
        }
        Err(e) => {
            say(&format!("without QEMU in containers: {e}"));
            without_engine = contained.len();
        }
    }
    let cases = catalogue::select(all, &[]).map_err(usage)?;
    // Last, because it is the longest: its table is what a reader looks for.
    runs.push(run_cases(cases, World::Both, Wanted::default(), None).await?);
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

fn cargo_test(args: &[&str]) -> Result<bool, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    let status = command.arg("test").args(args).env("INSTA_UPDATE", "no").status();
    Ok(status.context("cannot run cargo test").map_err(infra)?.success())
}

async fn repro(args: Repro) -> Result<Status, Failure> {
    let folder = Path::new(&args.what).join("result.json");
    let id = match std::fs::read_to_string(&folder) {
        Ok(text) => {
            let result: serde_json::Value = serde_json::from_str(&text).map_err(usage)?;
            result["id"].as_str().unwrap_or_default().to_owned()
        }
        Err(_) => args.what.clone(),
    };
    let cases: Vec<Case> = read_catalogue(None)?.into_iter().filter(|c| c.id() == id).collect();
    if cases.is_empty() {
        return Err(usage(anyhow!("no scenario is called {id:?}; `cargo xtask e2e --list` shows them all")));
    }
    let wanted = Wanted { accel: args.accel.choice(), cold: args.cold.cold, hosts: args.hosts, ..Wanted::default() };
    let results = run_cases(cases, args.world, wanted, None).await?;
    Ok(status_of(&results))
}

fn report(run: Option<PathBuf>) -> Result<Status, Failure> {
    // One without results is running or was killed.
    let newest = || {
        let mut runs: Vec<PathBuf> =
            std::fs::read_dir(runs_folder()).into_iter().flatten().flatten().map(|e| e.path()).collect();
        runs.retain(|r| r.join("results.json").exists());
        runs.sort();
        runs.pop()
    };
    let Some(run) = run.or_else(newest) else {
        return Err(usage(anyhow!("there is no run yet: cargo xtask e2e")));
    };
    let results = RunFolder::read(&run).with_context(|| format!("cannot read {}", run.display())).map_err(usage)?;
    print!("{}", table(&results));
    Ok(status_of(&results))
}

fn image(command: cli::Image) -> Result<Status, Failure> {
    let store = Store::new(&host::cache_folder());
    match command {
        cli::Image::Build { architecture, update_lock: move_lock } => {
            for recipe in Recipe::all() {
                let own: Architecture = recipe.architecture.parse().map_err(|e: String| infra(anyhow!(e)))?;
                if architecture.is_some_and(|a| a != own) {
                    continue;
                }
                install_missing(own)?;
                if move_lock {
                    let changed = update_lock(recipe, &say).map_err(infra)?;
                    changed.iter().for_each(|line| println!("{line}"));
                    println!("{own}: {} lines of the lock have changed; next: cargo xtask image build", changed.len());
                } else {
                    let image = store.ensure(recipe, &say).map_err(infra)?;
                    let folder = image.disk.parent().unwrap_or(Path::new("")).display();
                    println!("{own} {} {folder}", image.digest);
                }
            }
        }
        cli::Image::FullDisk => {
            install_missing(Architecture::Amd64)?;
            println!("{}", full_disk(&host::cache_folder(), &say).map_err(infra)?.display());
        }
        cli::Image::List => {
            for entry in store.list().map_err(infra)? {
                let what = match (&entry.image, entry.current) {
                    (Ok(image), Some(recipe)) => format!("{} {}, current", image.digest, recipe.name),
                    (Ok(image), None) => format!("{} of another recipe or lock", image.digest),
                    (Err(problem), _) => format!("damaged: {problem}"),
                };
                println!("{}  {:4} MiB  {what}", entry.key, entry.bytes >> 20);
            }
        }
        cli::Image::Verify => {
            let entries = store.list().map_err(infra)?;
            let damaged: Vec<_> = entries.iter().filter_map(|e| e.image.as_ref().err().map(|p| (&e.key, p))).collect();
            for (key, problem) in &damaged {
                println!("{key}: {problem}");
            }
            println!("{} of {} images hold", entries.len() - damaged.len(), entries.len());
            return Ok(if damaged.is_empty() { Status::Passed } else { Status::Failed });
        }
    }
    Ok(Status::Passed)
}

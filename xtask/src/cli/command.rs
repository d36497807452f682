//! The commands, and what each needs before it runs.

use super::advise::Advise;
use super::bench::Bench;
use super::check::Check;
use super::compare::Compare;
use super::e2e::E2e;
use super::exit::{Failure, Status};
use super::explore::Explore;
use super::fleet::Fleet;
use super::guest_shell::Shell;
use super::image::Image;
use super::judge::Judge;
use super::loudness::{ENVIRONMENT, LoudnessArgs};
use super::mutants::Mutants;
use super::package::Package;
use super::pin::Pin;
use super::probe::Probe;
use super::prune::Prune;
use super::report::Report;
use super::repro::Repro;
use super::run::Run;
use super::sbom::SbomArgs;
use super::schema::Schema;
use super::shell::Completions;
use super::submit::Submit;
use super::why::Why;
use super::{doctor, shell, test};
use crate::program;
use clap::{Args as _, Subcommand};
use std::collections::BTreeSet;
use vmhealth_sim::manifest::Architecture;

/// The commands of `cargo xtask`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    #[command(flatten)]
    Product(ProductCommand),
    /// Run the tests: unit, model, snapshots, then a part on real QEMU
    Test,
    /// Run benchmarks: forks against cold boots, the whole catalogue, `check`, other tools
    Bench {
        #[command(subcommand)]
        command: Bench,
    },
    /// Make small faults in a copy of the sources and show which of them no test notices
    Mutants(Mutants),
    /// Build what people install: a Debian package, an RPM, a container image
    Package(Package),
    /// Print a JSON Schema: of scenario files and fleet files (for editors) or of what `check` prints
    Schema(Schema),
    /// Print what vmhealth, or a guest image, is made of: a CycloneDX bill of materials
    Sbom(SbomArgs),
}

/// The commands that do not need vmhealth's sources.
#[derive(Debug, Subcommand)]
pub(super) enum ProductCommand {
    /// Run the scenarios on real QEMU and in the model
    E2e(E2e),
    /// Boot your own manifest and show its health as it changes
    Run(Run),
    /// Write scenarios for your own manifest, one for each fault that concerns it, with what the model says as expectation; say
    /// what a changed manifest changes
    Pin(Pin),
    /// Show what a cluster would do with your manifests: which layer refuses them, what can never work, what may surprise
    Check(Check),
    /// Make one probe exactly as the kubelet does
    Probe(Probe),
    /// Run a scenario of the catalogue or of an earlier run again: once, often, or up to an event, and hold its guest there
    Repro(Repro),
    /// Run commands in the guest of a run that goes on or is held
    Shell(Shell),
    /// Show two manifests side by side over all faults, in virtual time; or run scenarios in two ways that must make no
    /// difference, forked and cold, and report where they differ
    Compare(Compare),
    /// Show the report of an earlier run: as a table, as Markdown, as a page
    Report(Report),
    /// Build, list and verify guest images
    Image {
        #[command(subcommand)]
        command: Image,
    },
    /// Show what this host can do, and the command that fixes what it cannot
    Doctor,
    /// Inject a fault at every moment in virtual time: the best case, the worst case, and where outcomes differ
    Explore(Explore),
    /// Find the numbers to set: probes, watchdog and run strategy with which the VM is back in time whenever it breaks; or whether
    /// a reboot, a migration or a backup's freeze survives its liveness probe. In virtual time, each answer tried at every moment
    Advise(Advise),
    /// Say what happened in a real cluster, from its events, objects, logs and the guest's console: which causes fit, what speaks for
    /// and against each, and what is missing to tell them apart
    Why(Why),
    /// Hold a recording of a real cluster against a scenario: where does it differ from the model?
    Judge(Judge),
    /// Run the scenarios on many machines, in shards that are merged at the end: by Slurm, or by Kubernetes
    Submit {
        #[command(subcommand)]
        command: Submit,
    },
    /// Run a fleet in virtual time: VMs that boot beside each other, what breaks by chance, nodes that fail. How available they are,
    /// what is restarted for nothing, and whether the fleet comes to rest
    Fleet(Fleet),
    /// Remove templates from the cache; a run boots what it needs again
    Prune(Prune),
    /// Print what completes vmhealth's command line in a shell
    Completions(Completions),
    /// Print vmhealth's manual page: vmhealth man | man -l -
    Man,
}

/// The command line of the installed program.
fn product() -> clap::Command {
    let command = clap::Command::new(program::VMHEALTH).version(env!("CARGO_PKG_VERSION"));
    // The commands bring a description of their own.
    ProductCommand::augment_subcommands(LoudnessArgs::augment_args(command))
        .after_help(ENVIRONMENT)
        .about("What your probes and your watchdog really do when the guest breaks")
}

impl Command {
    /// Whether it runs nothing and connects to nothing.
    pub(super) fn only_prints(&self) -> bool {
        use ProductCommand::*;
        match self {
            Command::Product(Advise(args)) => args.verify.is_none(),
            Command::Product(Fleet(args)) => args.measure_boots.is_none(),
            Command::Product(
                Check(_) | Explore(_) | Pin(_) | Report(_) | Why(_) | Judge(_) | Submit { .. } | Completions(_) | Man,
            )
            | Command::Sbom(_)
            | Command::Schema(_) => true,
            Command::Product(E2e(args)) => args.list,
            Command::Product(Compare(args)) => args.manifests().is_some(),
            Command::Mutants(args) => args.list,
            _ => false,
        }
    }

    /// For a command that makes network namespaces: the architectures of the guests that it may boot, as far as that can be
    /// known before anything else.
    pub(super) fn guests(&self) -> Option<BTreeSet<Architecture>> {
        use ProductCommand::*;
        match self {
            Command::Product(E2e(args)) => args.guests(),
            Command::Product(Repro(args)) => args.guests(),
            Command::Product(Compare(args)) => args.guests(),
            Command::Product(Fleet(args)) => args.measure_boots.map(|_| [Architecture::Amd64].into()),
            Command::Product(Advise(args)) => args.verify.as_ref().map(|_| [Architecture::Amd64].into()),
            Command::Product(Run(args)) => args.guests(),
            Command::Product(Doctor) => Some(BTreeSet::new()),
            Command::Test => Some(test::guests()),
            Command::Bench { command } => command.guests(),
            Command::Product(
                Check(_)
                | Explore(_)
                | Pin(_)
                | Probe(_)
                | Shell(_)
                | Report(_)
                | Why(_)
                | Judge(_)
                | Submit { .. }
                | Image { .. }
                | Prune(_)
                | Completions(_)
                | Man,
            )
            | Command::Mutants(_)
            | Command::Sbom(_)
            | Command::Package(_)
            | Command::Schema(_) => None,
        }
    }

    /// Runs it.
    pub(super) async fn run(self) -> Result<Status, Failure> {
        use ProductCommand::*;
        match self {
            Command::Product(E2e(args)) => args.run().await,
            Command::Product(Run(args)) => args.run().await,
            Command::Product(Check(args)) => args.run(),
            Command::Product(Pin(args)) => args.run(),
            Command::Product(Explore(args)) => args.run(),
            Command::Product(Advise(args)) => args.run().await,
            Command::Product(Why(args)) => args.run(),
            Command::Product(Judge(args)) => args.run(),
            Command::Product(Submit { command }) => command.run(),
            Command::Product(Fleet(args)) => args.run().await,
            Command::Product(Probe(args)) => args.run().await,
            Command::Product(Repro(args)) => args.run().await,
            Command::Product(Shell(args)) => args.run().await,
            Command::Product(Compare(args)) => args.run().await,
            Command::Product(Report(args)) => args.run(),
            Command::Product(Image { command }) => command.run(),
            Command::Product(Doctor) => doctor::run().await,
            Command::Product(Prune(args)) => args.run(),
            Command::Product(Completions(args)) => args.run(product()),
            Command::Product(Man) => shell::man(product()),
            Command::Test => test::run().await,
            Command::Bench { command } => command.run().await,
            Command::Mutants(args) => args.run(),
            Command::Package(args) => args.run(),
            Command::Schema(args) => args.run(),
            Command::Sbom(args) => args.run(),
        }
    }
}

//! The command line.

use crate::arguments::{
    HostArg, TimedFault, any_heartbeat, parse_boot, parse_fault, parse_header, parse_host, parse_shard, parse_short,
};
use crate::own_image::OwnImage;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_guests::accel::AccelChoice;
use vmhealth_guests::qemu::Accel;
use vmhealth_sim::manifest::Architecture;
use vmhealth_tests::runner::Worlds;

/// What will your probes and your watchdog really do when the guest breaks?
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the scenarios on real QEMU and in the model
    E2e(E2e),
    /// Pass the tests: unit, model, snapshots, then a part on real QEMU
    Test,
    /// Boot your own manifest and show its health as it changes
    Run(Run),
    /// Say what a cluster would make of your manifests: which layer refuses, what can never work, what surprises
    Check(Check),
    /// Make one probe exactly as the kubelet would
    Probe(Probe),
    /// Run one scenario again as it was
    Repro(Repro),
    /// Run the scenarios both forked and cold, and report where they differ
    Compare(Compare),
    /// Show a run's table again
    #[command(args_conflicts_with_subcommands = true)]
    Report {
        #[command(subcommand)]
        command: Option<Report>,
        /// A run folder; the newest one if absent
        run: Option<PathBuf>,
    },
    /// Guest images
    Image {
        #[command(subcommand)]
        command: Image,
    },
    /// What this host can do, and the command that mends what it cannot
    Doctor,
    /// Measure: forks against boots, the whole catalogue, `check`, other tools
    Bench {
        #[command(subcommand)]
        command: Bench,
    },
    /// Let a fault come at every moment, in virtual time: the best case, the worst, and where outcomes differ
    Explore(Explore),
    /// Make small faults in a copy of the sources and see whether a test notices each of them
    Mutants(Mutants),
    /// Print a JSON Schema: of scenario files, for editors, or of a report
    Schema {
        /// Of what
        #[arg(value_enum, default_value_t = SchemaOf::Scenario)]
        of: SchemaOf,
    },
}

impl Command {
    /// It runs nothing and connects to nothing.
    pub(crate) fn only_prints(&self) -> bool {
        match self {
            Command::Check(_) | Command::Explore(_) | Command::Report { .. } | Command::Schema { .. } => true,
            Command::E2e(args) => args.list,
            Command::Mutants(args) => args.list,
            _ => false,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct E2e {
    /// Scenario ids or parts of them, or a tag; without any, all but those tagged slow
    pub(crate) filters: Vec<String>,
    /// Where the scenarios run
    #[arg(long, value_enum, default_value_t = World::Both)]
    pub(crate) world: World,
    /// Only scenarios whose guests are of this architecture
    #[arg(long = "arch")]
    pub(crate) architecture: Option<Architecture>,
    /// Where QEMU runs: local, container:debian-12, container:debian-13; several, separated by commas, are compared. Without
    /// it: here, or in a container where no QEMU can be had
    #[arg(long = "host", value_delimiter = ',', value_parser = parse_host)]
    pub(crate) hosts: Vec<HostArg>,
    /// Guests at once; as memory and cores allow if absent
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    #[command(flatten)]
    pub(crate) accel: AccelArg,
    #[command(flatten)]
    pub(crate) cold: ColdArg,
    /// The run folder, new or empty
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Only list the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    /// Only the Kth of N parts of them, like 1/4; `report merge` puts the parts together again
    #[arg(long, value_parser = parse_shard)]
    pub(crate) shard: Option<(u64, u64)>,
    /// What to print at the end
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Another folder of scenarios
    #[arg(long)]
    pub(crate) scenarios: Option<PathBuf>,
}

impl E2e {
    pub(crate) fn runs_guests(&self) -> bool {
        !self.list && self.world != World::Model
    }
}

impl Repro {
    pub(crate) fn runs_guests(&self) -> bool {
        self.world != World::Model
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A kubevirt.io/v1 VirtualMachine or VirtualMachineInstance
    pub(crate) manifest: PathBuf,
    /// Break something: KIND@WHEN, like killWatchdog@5s. WHEN counts from the guest being ready; from the second one on
    /// the time between two counts from the first having taken effect
    #[arg(long = "fault", value_parser = parse_fault)]
    pub(crate) faults: Vec<TimedFault>,
    /// How long to watch
    #[arg(long = "for", value_parser = humantime::parse_duration, default_value = "2m")]
    pub(crate) lasting: Duration,
    /// How long the guest may take until it is ready, under KVM; four times that under TCG. If absent: a minute, and two for an
    /// image of your own
    #[arg(long, value_parser = parse_boot)]
    pub(crate) boot: Option<Duration>,
    /// Set Debian's watchdog daemon up with this heartbeat in seconds; 0 does not. If absent: 10, or the shortest that the device
    /// takes; in an image of your own what it or the user data has set up, which must have armed a watchdog of the machine
    #[arg(long)]
    pub(crate) heartbeat: Option<u32>,
    /// Leave Debian's wd_keepalive unmasked
    #[arg(long)]
    pub(crate) keepalive: bool,
    #[command(flatten)]
    pub(crate) own_image: OwnImage,
    /// Where QEMU runs: local, container:debian-12, container:debian-13
    #[arg(long, value_parser = parse_host)]
    pub(crate) host: Option<HostArg>,
    /// Set up the health server on port 1500
    #[arg(long)]
    pub(crate) health_server: bool,
    #[command(flatten)]
    pub(crate) accel: AccelArg,
    #[command(flatten)]
    pub(crate) cold: ColdArg,
    /// Where the evidence goes, new or empty
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Manifests: files, or - for standard input
    #[arg(required_unless_present = "explain")]
    pub(crate) files: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// The cluster's default architecture, for manifests that name none
    #[arg(long = "arch", default_value_t = Architecture::Amd64)]
    pub(crate) architecture: Architecture,
    /// How long the guest needs from its start until it answers its probes
    #[arg(long, value_parser = humantime::parse_duration, default_value = "60s")]
    pub(crate) boot: Duration,
    /// A feature gate of KubeVirt that is off in that cluster although it is on by default; may be repeated
    #[arg(long = "without-gate", value_name = "GATE", value_parser = ["RebootPolicy", "DecentralizedLiveMigration"])]
    pub(crate) without_gates: Vec<String>,
    /// Also show how long it takes from each fault to its detection, to what is done about it, and to the guest being back
    #[arg(long)]
    pub(crate) budgets: bool,
    /// For the budgets: how long a healthy guest needs to shut down
    #[arg(long, value_parser = humantime::parse_duration, default_value = "10s")]
    pub(crate) shutdown: Duration,
    /// For the budgets: the watchdog daemon's timeout in seconds, where the user data sets none
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(any_heartbeat()))]
    pub(crate) heartbeat: u32,
    /// For the budgets: `kernel.panic` of the guest, after which a panicked kernel reboots; 0: never
    #[arg(long, default_value_t = 0)]
    pub(crate) panic_timer: u32,
    /// Tell the story of a finding's code
    #[arg(long, value_name = "CODE", conflicts_with = "files")]
    pub(crate) explain: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Explore {
    /// A kubevirt.io/v1 VirtualMachine or VirtualMachineInstance
    pub(crate) manifest: PathBuf,
    /// What breaks, in a scenario file's words; two for every order and distance of both
    #[arg(long = "fault", required = true, num_args = 1)]
    pub(crate) faults: Vec<String>,
    /// Between two instants
    #[arg(long, value_parser = parse_short, default_value = "250ms")]
    pub(crate) step: Duration,
    /// How much time is covered; the probes' common period, at most a minute, if absent
    #[arg(long, value_parser = parse_short)]
    pub(crate) span: Option<Duration>,
    /// How long the guest was ready before the first instant
    #[arg(long, value_parser = parse_short, default_value = "2m")]
    pub(crate) from: Duration,
    /// How long each run goes on
    #[arg(long = "for", value_parser = parse_short, default_value = "10m")]
    pub(crate) lasting: Duration,
    /// The watchdog daemon's timeout in seconds; 0: none runs. If absent: 10, or the shortest that the device takes
    #[arg(long)]
    pub(crate) heartbeat: Option<u32>,
    /// Leave Debian's wd_keepalive unmasked
    #[arg(long)]
    pub(crate) keepalive: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Parts of their names or files; without any, all
    pub(crate) filters: Vec<String>,
    /// Only list them
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    #[command(subcommand)]
    pub(crate) handler: Handler,
    /// timeoutSeconds
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: u32,
    /// What to print
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Handler {
    /// httpGet
    Http {
        /// http://HOST[:PORT]/PATH or https://...; the path is taken as a probe's path is
        url: String,
        /// A header, NAME:VALUE; may be repeated
        #[arg(long = "header", value_parser = parse_header)]
        headers: Vec<(String, String)>,
    },
    /// tcpSocket
    Tcp {
        /// HOST:PORT
        address: String,
    },
    /// guestAgentPing, or exec with a command
    Agent {
        /// The host's end of a running guest's agent port, a unix socket that nobody else has open
        socket: PathBuf,
        /// The program and its arguments, run without a shell
        #[arg(last = true)]
        command: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A scenario file
    Scenario,
    /// What `check --format json` prints
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct Repro {
    /// A scenario's id, or a scenario's folder of an earlier run
    pub(crate) what: String,
    /// Where it runs
    #[arg(long, value_enum, default_value_t = World::Both)]
    pub(crate) world: World,
    /// Where QEMU runs, as for e2e
    #[arg(long = "host", value_delimiter = ',', value_parser = parse_host)]
    pub(crate) hosts: Vec<HostArg>,
    #[command(flatten)]
    pub(crate) accel: AccelArg,
    #[command(flatten)]
    pub(crate) cold: ColdArg,
}

#[derive(Debug, Args)]
pub(crate) struct AccelArg {
    /// The accelerator; auto boots something to find out
    #[arg(long = "accel", value_enum, default_value_t = AccelWord::Auto)]
    word: AccelWord,
}

impl AccelArg {
    pub(crate) fn choice(&self) -> AccelChoice {
        match self.word {
            AccelWord::Auto => AccelChoice::Auto,
            AccelWord::Kvm => AccelChoice::Fixed(Accel::Kvm),
            AccelWord::Tcg => AccelChoice::Fixed(Accel::Tcg),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ColdArg {
    /// Boot every guest from power-on instead of forking it from a template
    #[arg(long = "cold")]
    pub(crate) cold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AccelWord {
    Auto,
    Kvm,
    Tcg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum World {
    Both,
    Qemu,
    Model,
}

impl From<World> for Worlds {
    fn from(world: World) -> Worlds {
        match world {
            World::Both => Worlds::Both,
            World::Qemu => Worlds::Qemu,
            World::Model => Worlds::Model,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// A template's forks: to QMP, agent and HTTP against cold boots of the same guest; memory and CPU of many at once
    Fork {
        #[command(flatten)]
        args: BenchArgs,
        /// Forks, one after another
        #[arg(long, default_value_t = 50)]
        forks: usize,
        /// Cold boots, one after another
        #[arg(long, default_value_t = 3)]
        colds: usize,
        /// Guests at once, one measurement for each number
        #[arg(long, value_delimiter = ',', default_value = "1,10,40,100")]
        guests: Vec<usize>,
        /// How long the largest number of guests is watched
        #[arg(long, value_parser = humantime::parse_duration, default_value = "5m")]
        hold: Duration,
    },
    /// A great many valid, mutated and garbage manifests through `check`: time of each, memory
    Check {
        #[command(flatten)]
        args: BenchArgs,
        /// Texts
        #[arg(long, default_value_t = 1_000_000)]
        count: usize,
        /// The same seed makes the same texts
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// The whole catalogue: wall time, the scenarios' own lengths, the longest one
    E2e {
        #[command(flatten)]
        args: BenchArgs,
    },
    /// The same kernel brought to its first command by virtme-ng and vmtest
    Peers {
        #[command(flatten)]
        args: BenchArgs,
        /// Where they are installed
        #[arg(long, default_value = "/tmp/vmhealth-peers")]
        scratch: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to print on stdout; the table goes to stderr
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Also write the JSON to this file
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Scenario ids or parts of them, or a tag; without any, all but those tagged slow
    pub(crate) filters: Vec<String>,
    /// The run folder, new or empty
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Put the run folders of all shards together as if they had been one run
    Merge {
        /// The run folders
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// The folder of the merged run, new or empty
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Build the images that the store has none of that hold
    Build {
        /// Of this architecture only
        #[arg(long = "arch")]
        architecture: Option<Architecture>,
        /// Resolve the packages anew and write the lock file first
        #[arg(long)]
        update_lock: bool,
    },
    /// Build a stock Debian with partitions and GRUB, to try `run --image` with, and print where it is
    FullDisk,
    /// Show what the store holds
    List,
    /// Hold every stored image against its checksums
    Verify,
}

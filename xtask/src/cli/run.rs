//! `run`: the user's own manifest on QEMU.

use super::arguments::{AccelArg, ClockArg, ColdArg, SecretsArg, UserDataArg, World, parse_boot, parse_pace};
use super::exit::{Failure, Status, usage};
use super::json_lines::{JsonLines, print_result};
use super::output::out;
use super::session::{run_watched, status_of};
use crate::lines::{is_dumb, no_color, tell};
use crate::live::LiveWatcher;
use crate::own::{Expected, ImageChoice, OwnRun, TimedFault, USUAL_MOMENT};
use crate::prepare::{GuestOptions, HostChoice, say};
use crate::program;
use crate::report::{ScenarioResult, Secrets, VerdictWord};
use crate::run::Watcher;
use crate::stderr;
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use vmhealth_guests::image::{DiskFormat, ImageWord};
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::concern::Concern;
use vmhealth_sim::manifest::Architecture;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// A file with one kubevirt.io/v1 VirtualMachine or VirtualMachineInstance, alone, in a list or beside other objects; - for standard
    /// input
    pub(super) manifest: PathBuf,
    /// Break something: KIND or KIND@WHEN, like killWatchdog@5s. WHEN, 2s if absent, counts from the VM being Ready and liveness,
    /// if there is one, having succeeded once. May be repeated; the next
    /// fault then waits until the one before has taken effect, and for the time between the two. If absent: in a terminal a list
    /// to choose from, else every fault that concerns the manifest, each in a VM of its own
    #[arg(long = "fault")]
    pub(super) faults: Vec<TimedFault>,
    /// Break nothing
    #[arg(long, conflicts_with = "faults")]
    pub(super) no_fault: bool,
    /// How the VM must be at the end; it is waited for at most a quarter of an hour longer. ready: Ready, and its guest answers
    #[arg(long, value_enum, default_value_t = ExpectWord::Ready)]
    pub(super) expect: ExpectWord,
    /// How long to watch after the last fault, or once the guest is ready where nothing is broken
    #[arg(long = "for", value_parser = humantime::parse_duration, default_value = "2m")]
    pub(super) lasting: Duration,
    /// How long the guest may take to get ready; four times that under TCG in real time. If absent: 1m, or 2m with an image of
    /// your own
    #[arg(long, value_parser = parse_boot)]
    pub(super) boot: Option<Duration>,
    /// Set up Debian's watchdog daemon with this timeout in seconds; 0: set up none. If absent: what the user data sets, or 60; with an image of your own none is set up, and the image or the user data must have armed the watchdog
    #[arg(long)]
    pub(super) heartbeat: Option<u32>,
    /// Do not mask Debian's wd_keepalive: it takes over from a killed watchdog daemon
    #[arg(long)]
    pub(super) keepalive: bool,
    #[command(flatten)]
    pub(super) own_image: OwnImageArgs,
    #[command(flatten)]
    pub(super) user_data: UserDataArg,
    /// Where QEMU runs: local, container:debian-12, container:debian-13
    #[arg(long)]
    pub(super) host: Option<HostChoice>,
    /// Set up vmhealth's health server on port 1500 of the guest
    #[arg(long)]
    pub(super) health_server: bool,
    /// The cluster's KubeVirt release, like v1.4 (OpenShift 4.18)
    #[arg(long, value_name = "VERSION", default_value_t = KubevirtVersion::default())]
    pub(super) kubevirt_version: KubevirtVersion,
    /// Where the VM runs: on QEMU, in the model (virtual time, at once, without QEMU; every guest boots in a few seconds there), or
    /// both, compared
    #[arg(long, value_enum, default_value_t = World::Qemu)]
    pub(super) world: World,
    #[command(flatten)]
    pub(super) accel: AccelArg,
    #[command(flatten)]
    pub(super) clock: ClockArg,
    /// How fast guest time may go, for watching: 1x is as fast as the host's. If absent: 1x in the live view, else as fast as
    /// can be
    #[arg(long, value_name = "N", value_parser = parse_pace)]
    pub(super) pace: Option<f64>,
    /// Print lines in place of the live view, which a terminal shows where one VM runs (without colours with NO_COLOR; not with
    /// TERM=dumb)
    #[arg(long)]
    pub(super) plain: bool,
    /// json: every event on stdout as it happens, one a line, as in `timeline.jsonl`; then how it ended, as in `results.json`
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub(super) format: FormatArg,
    #[command(flatten)]
    pub(super) cold: ColdArg,
    #[command(flatten)]
    pub(super) secrets: SecretsArg,
    /// The run folder; must be new or empty. If absent: a new one in ./runs
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExpectWord {
    Ready,
    Stopped,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    Text,
    Json,
}

impl From<ExpectWord> for Expected {
    fn from(word: ExpectWord) -> Expected {
        match word {
            ExpectWord::Ready => Expected::Ready,
            ExpectWord::Stopped => Expected::Stopped,
            ExpectWord::None => Expected::Anything,
        }
    }
}

/// The image that the guest boots.
#[derive(Debug, Args)]
pub(super) struct OwnImageArgs {
    /// Boot this disk image (qcow2 or raw) through the manifest's firmware in place of vmhealth's own; it is never written to
    #[arg(long, value_name = "FILE", group = "own")]
    image: Option<PathBuf>,
    /// Like --image, but look the file up by the name of the manifest's first disk: a YAML file with the maps containerDisk,
    /// dataVolume and persistentVolumeClaim, from names to image files
    #[arg(long, value_name = "MAP.yaml", group = "own")]
    images: Option<PathBuf>,
    /// How your image is kept. If absent: qcow2 if it begins as one, else raw
    #[arg(long, value_enum, requires = "own")]
    image_format: Option<FormatWord>,
    /// What your image is an overlay of may be in this folder as well; otherwise only in the image's own, or below it
    #[arg(long, value_name = "FOLDER", requires = "own")]
    backing_folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatWord {
    Raw,
    Qcow2,
}

impl OwnImageArgs {
    fn choice(self) -> (ImageChoice, ImageWord) {
        let choice = match (self.image, self.images) {
            (Some(file), _) => ImageChoice::File(file),
            (None, Some(map)) => ImageChoice::Map(map),
            (None, None) => ImageChoice::Vmhealth,
        };
        let format = self.image_format.map(|word| match word {
            FormatWord::Raw => DiskFormat::Raw,
            FormatWord::Qcow2 => DiskFormat::Qcow2,
        });
        (choice, ImageWord { format, backing_folder: self.backing_folder })
    }
}

impl Run {
    /// The architectures of the guests that it boots; `None`: it boots none.
    pub(super) fn guests(&self) -> Option<BTreeSet<Architecture>> {
        (self.world != World::Model).then(|| [Architecture::Amd64].into())
    }

    /// Judges that the guest gets ready, and how the VM is at the end.
    pub(super) async fn run(self) -> Result<Status, Failure> {
        let can_be_live = self.world == World::Qemu && !self.plain && self.format == FormatArg::Text && is_screen();
        let (image, image_word) = self.own_image.choice();
        if self.world != World::Qemu && image.is_users() {
            return Err(usage(anyhow!("the model boots no image: leave out --world, or --image")));
        }
        if self.world == World::Both && self.format == FormatArg::Json {
            return Err(usage(anyhow!("--format json shows the events of one world: --world qemu or --world model")));
        }
        let run = OwnRun {
            file: self.manifest,
            name: "manifest".to_owned(),
            faults: self.faults,
            lasting: self.lasting,
            expect: self.expect.into(),
            boot: self.boot,
            heartbeat: self.heartbeat,
            panic_timer: None,
            keepalive: self.keepalive,
            health_server: self.health_server,
            traffic: can_be_live,
            kubevirt_version: self.kubevirt_version,
            image,
            image_word,
            user_data: self.user_data.read()?,
        };
        // The folder of this run is not empty any more.
        let arguments = program::without_option(std::env::args().skip(1), "--out");
        let again = program::command_line(arguments.iter().map(String::as_str));
        let image = run.introduce()?;
        let mut cases = Vec::new();
        if run.faults.is_empty() && !self.no_fault {
            let Choice { faults, by_key } = choose(run.concerns()?, can_be_live)?;
            if by_key {
                cases.push(OwnRun { lasting: UNTIL_QUIT, ..run.clone() }.case(again)?);
            }
            for concern in faults {
                let (name, text) = (concern.name.to_owned(), concern.text.to_owned());
                let fault = format!("{text}@{}", humantime::format_duration(USUAL_MOMENT));
                let words = arguments.iter().map(String::as_str).chain(["--fault", &fault]);
                let again = program::command_line(words);
                let faults = vec![TimedFault { text, kind: concern.fault.kind(), at: USUAL_MOMENT }];
                cases.push(OwnRun { name, faults, ..run.clone() }.case(again)?);
            }
        } else {
            cases.push(run.case(again)?);
        }
        // A template would be booted as slowly, and once more where the image lacks something.
        let cold = self.cold.cold || run.image.is_users();
        let (accel, clock, hosts) =
            (self.accel.choice(), self.clock.choice(self.pace)?, self.host.into_iter().collect());
        let live = can_be_live && cases.len() == 1;
        let pace = self.pace.or(live.then_some(1.0));
        let options = GuestOptions { accel, clock, cold, image, hosts, pace, ..GuestOptions::default() };
        let watcher = |secrets: &Secrets| -> Option<Rc<dyn Watcher>> {
            match self.format {
                FormatArg::Json => Some(Rc::new(JsonLines(secrets.clone()))),
                FormatArg::Text if live => Some(Rc::new(LiveWatcher::new(secrets.clone(), !no_color()))),
                FormatArg::Text => None,
            }
        };
        let results = run_watched(cases, self.world, options, self.out, self.secrets, &mut None, watcher).await?;
        if self.format == FormatArg::Json {
            results.scenarios.iter().for_each(print_result);
            return Ok(status_of(&results));
        }
        // Of those that failed the table tells it; of two worlds the guest's.
        let told =
            |s: &&ScenarioResult| s.verdict == VerdictWord::Pass && (self.world != World::Both || s.world == "qemu");
        for passed in results.scenarios.iter().filter(told) {
            out(&format!("\n{}", passed.explained()))?;
        }
        Ok(status_of(&results))
    }
}

/// For who watches and breaks it by key: until they have seen enough.
const UNTIL_QUIT: Duration = Duration::from_secs(86_400);

/// Both ways: keys come from there.
fn is_screen() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb()
}

/// What is to break.
struct Choice {
    faults: Vec<Concern>,
    /// What the keys of the live view say.
    by_key: bool,
}

/// Asks in a terminal which one; else all, one after another.
fn choose(mut all: Vec<Concern>, can_be_live: bool) -> Result<Choice, Failure> {
    let chosen = |faults| Ok(Choice { faults, by_key: false });
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let texts: Vec<&str> = all.iter().map(|c| c.text).collect();
        tell(&format!("no --fault is given: {} one after another, each in a VM of its own", texts.join(", ")));
        return chosen(all);
    }
    say("What is to break?");
    for (i, concern) in all.iter().enumerate() {
        say(&format!("  {}  {:<24} {}", i + 1, concern.text, concern.why));
    }
    if can_be_live {
        say("  0  nothing yet: watch it live, and break it by key");
    }
    loop {
        // After the list.
        stderr::finish();
        eprint!("a number, or Enter for all of them, one after another: ");
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 || line.trim().is_empty() {
            return chosen(all);
        }
        match line.trim().parse::<usize>() {
            Ok(0) if can_be_live => return Ok(Choice { faults: Vec::new(), by_key: true }),
            Ok(n) if (1..=all.len()).contains(&n) => return chosen(vec![all.swap_remove(n - 1)]),
            _ => say(&format!("{:?} is not a number from 1 to {}", line.trim(), all.len())),
        }
    }
}

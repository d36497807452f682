//! What must be there before a guest can run: privileges, tools, image, accelerator.

use crate::cli::{Bench, Command};
use crate::exit::{Failure, infra};
use anyhow::anyhow;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use std::collections::{BTreeMap, BTreeSet};
use vmhealth_guests::accel::{self, AccelChoice};
use vmhealth_guests::platform::{Image, Platform};
use vmhealth_guests::qemu::Emulator;
use vmhealth_guests::scratch;
use vmhealth_images::{Recipe, Store};
use vmhealth_sim::manifest::Architecture;
use vmhealth_tests::host;
use vmhealth_tests::report::{Machine, PlatformReport};
use vmhealth_tests::runner::Reality;

/// An ordinary user may make network namespaces inside a user namespace, where they are mapped to root. Only for commands
/// that need them, and after the image is built: mmdebstrap makes a user namespace of its own.
pub(crate) fn enter_user_namespace(command: &Command) {
    let (namespace, image) = match command {
        Command::E2e(args) => (args.runs_guests(), args.runs_guests()),
        Command::Repro(args) => (args.runs_guests(), args.runs_guests()),
        Command::Bench { command: Bench::Check { .. } } => (false, false),
        Command::Run(_) | Command::Compare(_) | Command::Test | Command::Bench { .. } => (true, true),
        Command::Doctor => (true, false),
        Command::Check(_)
        | Command::Explore(_)
        | Command::Mutants(_)
        | Command::Probe(_)
        | Command::Report { .. }
        | Command::Image { .. }
        | Command::Schema { .. } => (false, false),
    };
    if !namespace || geteuid().is_root() {
        return;
    }
    if image && let Err(e) = build_image_as_user() {
        eprintln!("warning: {:#}", e.error);
        return;
    }
    let (uid, gid) = (geteuid(), getegid());
    let mapped = unshare(CloneFlags::CLONE_NEWUSER).map_err(std::io::Error::from).and_then(|()| {
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
    });
    if let Err(e) = mapped {
        // The network's own error will name the mend.
        eprintln!("warning: no user namespace: {e}");
    }
}

fn build_image_as_user() -> Result<(), Failure> {
    install_missing(Architecture::Amd64)?;
    Store::new(&host::cache_folder()).ensure(recipe(Architecture::Amd64)?, &say).map(drop).map_err(infra)
}

pub(crate) fn recipe(architecture: Architecture) -> Result<&'static Recipe, Failure> {
    Recipe::of(architecture.as_str()).ok_or_else(|| infra(anyhow!("vmhealth has no guest image for {architecture}")))
}

pub(crate) fn install_missing(architecture: Architecture) -> Result<(), Failure> {
    // Twice: QEMU's packages must be of one release, so apt removes the tools of another when it brings the emulator.
    for _ in 0..2 {
        let missing = host::missing(architecture);
        if missing.is_empty() {
            return Ok(());
        }
        host::install(&missing).map_err(|e| infra(anyhow!(e)))?;
    }
    match host::missing(architecture) {
        left if left.is_empty() => Ok(()),
        left => Err(infra(anyhow!("still missing after two installations; type: {}", host::install_command(&left)))),
    }
}

/// A line of progress, on stderr.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// How guests are to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) accel: AccelChoice,
    pub(crate) cold: bool,
    pub(crate) jobs: Option<usize>,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { accel: AccelChoice::Auto, cold: false, jobs: None }
    }
}

/// Prepares what guests of these architectures lack. Where they cannot run, the reality says why; the model still can.
pub(crate) async fn prepare(architectures: BTreeSet<Architecture>, wanted: Wanted) -> (Reality, Machine) {
    let mut machine = Machine {
        cores: host::cores(),
        kernel: nix::sys::utsname::uname().map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default(),
        ..Machine::default()
    };
    match scratch::sweep() {
        Ok(folders) => folders.iter().for_each(|f| say(&format!("removed {} of a run that was killed", f.display()))),
        Err(e) => say(&format!("what killed runs left could not be removed: {e}")),
    }
    let mut platforms = BTreeMap::new();
    for architecture in architectures {
        let platform = platform(architecture, wanted.accel).await;
        match &platform {
            Ok((_, report)) => {
                if machine.platforms.is_empty() {
                    let PlatformReport { qemu, accel, guest_scale, image } = report.clone();
                    machine = Machine { qemu, accel, guest_scale, image, ..machine };
                }
                machine.platforms.insert(architecture.to_string(), report.clone());
            }
            Err(e) => say(&format!("{architecture} guests cannot run here: {:#}", e.error)),
        }
        platforms.insert(architecture, platform.map(|(p, _)| p).map_err(|e| format!("{:#}", e.error)));
    }
    (Reality { platforms, cold: wanted.cold, jobs: wanted.jobs }, machine)
}

async fn platform(architecture: Architecture, choice: AccelChoice) -> Result<(Platform, PlatformReport), Failure> {
    install_missing(architecture)?;
    let emulator = Emulator::local(architecture).map_err(|e| infra(anyhow!(e)))?;
    let (cache, recipe) = (host::cache_folder(), recipe(architecture)?);
    let image = Image::new(Store::new(&cache).ensure(recipe, &say).map_err(infra)?, recipe);
    let found = accel::find(choice, architecture, &image, &emulator, &cache).await;
    let (scale, version) = (found.accel.guest_scale(), &emulator.version);
    say(&format!(
        "{architecture}: QEMU {version}, {} ({}), guest-time deadlines x{scale}",
        found.accel.as_str(),
        found.why
    ));
    let report = PlatformReport {
        qemu: version.line.clone(),
        accel: format!("{} ({})", found.accel.as_str(), found.why),
        guest_scale: scale,
        image: image.digest.clone(),
    };
    Ok((Platform { architecture, image, emulator, accel: found.accel }, report))
}

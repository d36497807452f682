//! What must be there before a guest can run: privileges, tools, image, accelerator.

use crate::arguments::HostArg;
use crate::cli::{Bench, Command};
use crate::commands::wanted_guests;
use crate::exit::{Failure, infra};
use anyhow::anyhow;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use std::collections::{BTreeMap, BTreeSet};
use vmhealth_guests::accel::{self, AccelChoice};
use vmhealth_guests::host::container::{self, RELEASES};
use vmhealth_guests::host::{HostError, LOCAL_HOST};
use vmhealth_guests::image::{Image, Kernel};
use vmhealth_guests::platform::Platform;
use vmhealth_guests::qemu::QEMU_X86;
use vmhealth_guests::scratch;
use vmhealth_images::{Recipe, Store};
use vmhealth_sim::manifest::Architecture;
use vmhealth_tests::host::{self, Tool};
use vmhealth_tests::report::{Machine, PlatformReport};
use vmhealth_tests::runner::{Lack, Reality};

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
    // Whose cache and containers these are is asked before everybody is root.
    container::set_owner();
    for architecture in wanted_guests(command).into_iter().filter(|_| image) {
        if let Err(e) = build_image_as_user(architecture) {
            eprintln!("warning: {:#}", e.error);
        }
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

fn build_image_as_user(architecture: Architecture) -> Result<(), Failure> {
    install_beside_qemu(architecture)?;
    Store::new(&host::cache_folder()).ensure(recipe(architecture)?, &say).map(drop).map_err(infra)
}

pub(crate) fn recipe(architecture: Architecture) -> Result<&'static Recipe, Failure> {
    Recipe::default_for(architecture.as_str())
        .ok_or_else(|| infra(anyhow!("vmhealth has no guest image for {architecture}")))
}

pub(crate) fn install_missing(architecture: Architecture) -> Result<(), Failure> {
    install(|| host::missing(architecture))
}

/// What is needed on this host wherever QEMU runs.
pub(crate) fn install_beside_qemu(architecture: Architecture) -> Result<(), Failure> {
    install(|| host::missing_beside_qemu(architecture))
}

/// OVMF, for guests that boot through UEFI.
pub(crate) fn install_ovmf() -> Result<(), Failure> {
    install(host::missing_ovmf)
}

fn install(missing: impl Fn() -> Vec<Tool>) -> Result<(), Failure> {
    // Twice: QEMU's packages must be of one release, so apt removes the tools of another when it brings the emulator.
    for _ in 0..2 {
        let missing = missing();
        if missing.is_empty() {
            return Ok(());
        }
        host::install(&missing).map_err(|e| infra(anyhow!(e)))?;
    }
    match missing() {
        left if left.is_empty() => Ok(()),
        left => Err(infra(anyhow!("still missing after two installations; type: {}", host::install_command(&left)))),
    }
}

/// A line of progress, on stderr.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// How guests are to run.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) accel: AccelChoice,
    pub(crate) cold: bool,
    pub(crate) jobs: Option<usize>,
    /// Boots in place of ours.
    pub(crate) image: Option<Image>,
    /// Where QEMU runs; none named: here, or in a container where it cannot run here.
    pub(crate) hosts: Vec<HostArg>,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { accel: AccelChoice::Auto, cold: false, jobs: None, image: None, hosts: Vec::new() }
    }
}

/// Prepares what guests of these architectures lack on every host that is wanted. Where they cannot run, the reality says
/// why; the model still can.
pub(crate) async fn prepare_all(architectures: BTreeSet<Architecture>, wanted: Wanted) -> (Vec<Reality>, Machine) {
    let mut machine = Machine {
        cores: host::cores(),
        kernel: nix::sys::utsname::uname().map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default(),
        ..Machine::default()
    };
    match scratch::sweep() {
        Ok(folders) => folders.iter().for_each(|f| say(&format!("removed {} of a run that was killed", f.display()))),
        Err(e) => say(&format!("what killed runs left could not be removed: {e}")),
    }
    let swept = container::sweep().await;
    if swept > 0 {
        say(&format!("removed {swept} containers of runs that were killed"));
    }
    let mut hosts = if wanted.hosts.is_empty() { vec![default_host().await] } else { wanted.hosts.clone() };
    // Twice the same one says nothing new.
    let mut seen = BTreeSet::new();
    hosts.retain(|h| seen.insert(h.name()));
    let mut realities = Vec::new();
    for host in hosts {
        let mut platforms = BTreeMap::new();
        for architecture in &architectures {
            let platform = platform(*architecture, host, wanted.accel, wanted.image.clone()).await;
            match &platform {
                Ok((_, report)) => machine.add(&host.name(), *architecture, report),
                Err(lack) => say(&format!("{architecture} guests cannot run on {}: {lack}", host.name())),
            }
            platforms.insert(*architecture, platform.map(|(p, _)| p));
        }
        realities.push(Reality { host: host.name(), platforms, cold: wanted.cold, jobs: wanted.jobs });
    }
    (realities, machine)
}

/// [`prepare_all`] for the one host that nobody has named.
pub(crate) async fn prepare(architectures: BTreeSet<Architecture>, wanted: Wanted) -> (Reality, Machine) {
    let (realities, machine) = prepare_all(architectures, Wanted { hosts: Vec::new(), ..wanted }).await;
    (realities.into_iter().next().unwrap_or_default(), machine)
}

/// This host, unless it has no QEMU, cannot be given one, and has a container engine.
async fn default_host() -> HostArg {
    let lacks_qemu = host::missing(Architecture::Amd64).iter().any(|t| t.programs.contains(&QEMU_X86));
    let newest = RELEASES.last().filter(|_| lacks_qemu && !host::can_install());
    match newest {
        Some(release) if container::connect().await.is_ok() => {
            say("no QEMU here, and a container engine: QEMU runs in containers");
            release
        }
        _ => &LOCAL_HOST,
    }
}

async fn platform(
    architecture: Architecture,
    host: HostArg,
    choice: AccelChoice,
    users: Option<Image>,
) -> Result<(Platform, PlatformReport), Lack> {
    let lacks = |e: Failure| Lack::Host(format!("{:#}", e.error));
    let on_host = |e: HostError| match e {
        HostError::Unsupported(why) => Lack::NotHere(why),
        e => Lack::Host(e.to_string()),
    };
    host.program(architecture).map_err(on_host)?;
    let installed = match host.runs_installed_qemu() {
        true => install_missing(architecture),
        false => install_beside_qemu(architecture),
    };
    installed.map_err(lacks)?;
    let folder = tempfile::tempdir().map_err(|e| Lack::Host(e.to_string()))?;
    let emulator = host.emulator(architecture, folder.path(), &say).await.map_err(on_host)?;
    let (cache, recipe) =
        (host::cache_folder(), recipe(architecture).map_err(|e| Lack::NotHere(format!("{:#}", e.error)))?);
    // Also where the user's boots: ours tells whether KVM works.
    let stored = Store::new(&cache).ensure(recipe, &say).map_err(|e| lacks(infra(e)))?;
    let kernel = Kernel::new(&stored, recipe);
    let found = accel::find(choice, architecture, &kernel, &emulator, &cache).await;
    let image = users.unwrap_or_else(|| Image::new(stored, recipe));
    let (scale, version) = (found.accel.guest_scale(), &emulator.version);
    say(&format!(
        "{}, {architecture}: QEMU {version}, {} ({}), guest-time deadlines x{scale}",
        host.name(),
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

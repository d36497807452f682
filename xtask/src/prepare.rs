//! What must be there before a guest can run: privileges, tools, image, accelerator.
//!
//! Knows nothing of scenarios and of the command line.

use crate::durations::Durations;
use crate::host::{self, Tool};
pub use crate::lines::say;
use crate::lines::tell;
use crate::program;
use crate::report::{Machine, PlatformReport};
use crate::run::{HostError, Reality, words};
use nix::unistd::geteuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Instant;
use vmhealth_guests::accel::{self, AccelChoice};
use vmhealth_guests::confine;
use vmhealth_guests::guest_time::{self, LIKE_KVM, Timekeeping};
use vmhealth_guests::host::container::{self, RELEASES};
use vmhealth_guests::host::{Host, LOCAL_HOST, named};
use vmhealth_guests::image::{Image, Kernel};
use vmhealth_guests::net;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::qemu::{Accel, QEMU_X86};
use vmhealth_guests::scratch::{self, Scratch};
use vmhealth_images::{Recipe, Store};
use vmhealth_sim::manifest::Architecture;

/// The images that an ordinary user could not build before the user namespace was entered, in which none can be built, and why.
static NOT_BUILT: OnceLock<BTreeMap<Architecture, HostError>> = OnceLock::new();

/// An ordinary user may make network namespaces inside a user namespace, where the user is mapped to root. Must be called
/// before any thread exists, and builds the images of these architectures first: mmdebstrap makes a user namespace of its own. Where
/// no guest could have a network none is built, which takes minutes.
pub fn enter_user_namespace(images: &BTreeSet<Architecture>) {
    if geteuid().is_root() {
        return;
    }
    // Whose cache and containers these are is asked before the user is called root.
    container::set_owner();
    let network = net::try_as_user().map_err(HostError::NotReady);
    let built = |architecture| network.clone().and_then(|()| build_image_as_user(architecture));
    let failed = |architecture: &Architecture| Some((*architecture, built(*architecture).err()?));
    // Each guest's own error will say it.
    let _ = NOT_BUILT.set(images.iter().filter_map(failed).collect());
    if let Err(e) = net::enter_user_namespace() {
        say(&format!("warning: {e}"));
    }
}

fn build_image_as_user(architecture: Architecture) -> Result<(), HostError> {
    install_beside_qemu(architecture)?;
    image(architecture).map(drop)
}

/// The recipe of the image for guests of this architecture.
pub fn recipe(architecture: Architecture) -> Result<&'static Recipe, HostError> {
    let none = || HostError::Unsupported(format!("vmhealth has no guest image for {architecture}"));
    Recipe::default_for(architecture.as_str()).ok_or_else(none)
}

/// The image for guests of this architecture; where it has to be built, how long that took last time is said.
fn image(architecture: Architecture) -> Result<vmhealth_images::Image, HostError> {
    let (store, recipe) = (Store::new(&host::cache_folder()), recipe(architecture)?);
    if store.seems_built(recipe) {
        return store.ensure(recipe, &tell).map_err(not_ready);
    }
    if let Some(why) = NOT_BUILT.get().and_then(|images| images.get(&architecture)) {
        return Err(why.clone());
    }
    install(host::missing_to_build)?;
    let (mut durations, name) = (Durations::open(), format!("guest image, {architecture}"));
    if let Some(last) = durations.last(&name) {
        tell(&format!("the {architecture} guest image has to be built, which took {} last time", words(last)));
    }
    let begun = Instant::now();
    let stored = store.ensure(recipe, &tell).map_err(not_ready)?;
    durations.note(&name, begun.elapsed());
    // The next run knows less.
    if let Err(e) = durations.save() {
        tell(&format!("how long the image took cannot be noted: {e}"));
    }
    Ok(stored)
}

/// Installs what guests of this architecture need on this host, or says what to type.
pub fn install_missing(architecture: Architecture) -> Result<(), HostError> {
    install(|| host::missing(architecture))
}

/// What is needed on this host wherever QEMU runs.
pub fn install_beside_qemu(architecture: Architecture) -> Result<(), HostError> {
    install(|| host::missing_beside_qemu(architecture))
}

/// OVMF, for guests that boot through UEFI.
pub fn install_ovmf() -> Result<(), HostError> {
    install(host::missing_ovmf)
}

/// What the tests need besides.
pub fn install_for_tests() -> Result<(), HostError> {
    install(host::missing_for_tests)
}

fn install(missing: impl Fn() -> Vec<Tool>) -> Result<(), HostError> {
    // Twice: QEMU's packages must be of one release, so apt removes the tools of another when it brings the emulator.
    for _ in 0..2 {
        let missing = missing();
        if missing.is_empty() {
            return Ok(());
        }
        host::install(&missing).map_err(HostError::NotReady)?;
    }
    match missing() {
        left if left.is_empty() => Ok(()),
        left => {
            let command = host::install_command(&left);
            Err(HostError::NotReady(format!("still missing after two installations; type: {command}")))
        }
    }
}

/// Where QEMU runs, as the command line names it.
#[derive(Debug, Clone, Copy)]
pub struct HostChoice(pub &'static dyn Host);

impl std::str::FromStr for HostChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<HostChoice, String> {
        named(text).map(HostChoice)
    }
}

/// The clock that guests are to live by. A speed is that of [`Timekeeping::Guest`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClockChoice {
    /// Guest time where it can be had: under TCG.
    Auto {
        /// Of guest time.
        speed: f64,
    },
    /// Guest time; where it cannot be had no guest runs.
    Guest {
        /// Of guest time.
        speed: f64,
    },
    /// The host's.
    Real,
}

/// How guests are to run.
#[derive(Debug, Clone)]
pub struct GuestOptions {
    /// The accelerator, or how it is found.
    pub accel: AccelChoice,
    /// The clock that they live by.
    pub clock: ClockChoice,
    /// Every guest boots from power-on; none is forked from a template.
    pub cold: bool,
    /// Guest time that may pass in a second, for who watches; `None`: as much as can.
    pub pace: Option<f64>,
    /// At most so many guests at once; `None`: as memory and cores allow.
    pub jobs: Option<usize>,
    /// The user's image, which boots in place of vmhealth's.
    pub image: Option<Image>,
    /// Where QEMU runs; none named: here, or in a container where it cannot run here.
    pub hosts: Vec<HostChoice>,
    /// Guests are held where their run ends, unless it simply passes.
    pub freeze: bool,
}

impl Default for GuestOptions {
    fn default() -> Self {
        let clock = ClockChoice::Auto { speed: LIKE_KVM };
        GuestOptions {
            accel: AccelChoice::Auto,
            clock,
            cold: false,
            jobs: None,
            image: None,
            hosts: Vec::new(),
            pace: None,
            freeze: false,
        }
    }
}

/// Prepares every host that is asked for to run guests of these architectures. Where they cannot run, the [`Reality`] says
/// why.
pub async fn prepare_all(architectures: BTreeSet<Architecture>, options: GuestOptions) -> (Vec<Reality>, Machine) {
    let mut machine = Machine {
        cores: host::cores(),
        kernel: nix::sys::utsname::uname().map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default(),
        ..Machine::default()
    };
    if let Err(e) = host::make_cache_private() {
        say(&format!("the cache may be read by others: {e}"));
    }
    match scratch::sweep() {
        Ok(folders) => folders.iter().for_each(|f| say(&format!("removed {} of a run that was killed", f.display()))),
        Err(e) => say(&format!("files of killed runs could not be removed: {e}")),
    }
    let swept = container::sweep().await;
    if swept > 0 {
        say(&format!("removed {swept} containers of runs that were killed"));
    }
    let mut hosts = if options.hosts.is_empty() { vec![default_host().await] } else { options.hosts.clone() };
    // The same host twice would be compared with itself.
    let mut seen = BTreeSet::new();
    hosts.retain(|h| seen.insert(h.0.name()));
    let missing: Vec<&str> = confine::parts().await.iter().filter(|p| p.found.is_err()).map(|p| p.name).collect();
    if !missing.is_empty() && hosts.iter().any(|h| h.0.runs_installed_qemu()) {
        tell(&format!("QEMU runs without {}: {} doctor says what it takes", missing.join(" and "), program::name()));
    }
    let mut realities = Vec::new();
    for host in hosts {
        let mut platforms = BTreeMap::new();
        for architecture in &architectures {
            let platform = platform(*architecture, host, &options).await;
            match &platform {
                Ok((_, report)) => machine.add(&host.0.name(), *architecture, report),
                Err(e) => say(&format!("{architecture} guests cannot run on {}: {e}", host.0.name())),
            }
            platforms.insert(*architecture, platform.map(|(p, _)| p));
        }
        let GuestOptions { cold, jobs, freeze, .. } = options;
        realities.push(Reality { host: host.0.name(), platforms, cold, jobs, freeze });
    }
    (realities, machine)
}

/// [`prepare_all`] for the default host only.
pub async fn prepare(architectures: BTreeSet<Architecture>, options: GuestOptions) -> (Reality, Machine) {
    let (realities, machine) = prepare_all(architectures, GuestOptions { hosts: Vec::new(), ..options }).await;
    (realities.into_iter().next().unwrap_or_default(), machine)
}

fn not_ready(error: impl std::fmt::Display) -> HostError {
    HostError::NotReady(error.to_string())
}

/// This host, unless it has no QEMU, cannot be given one, and has a container engine.
async fn default_host() -> HostChoice {
    let lacks_qemu = host::missing(Architecture::Amd64).iter().any(|t| t.programs.contains(&QEMU_X86));
    let newest = RELEASES.last().filter(|_| lacks_qemu && !host::can_install());
    match newest {
        Some(release) if container::connect().await.is_ok() => {
            say("there is no QEMU on this host, but a container engine: QEMU runs in containers");
            HostChoice(release)
        }
        _ => HostChoice(&LOCAL_HOST),
    }
}

async fn platform(
    architecture: Architecture,
    host: HostChoice,
    options: &GuestOptions,
) -> Result<(Platform, PlatformReport), HostError> {
    let HostChoice(host) = host;
    host.program(architecture)?;
    match host.runs_installed_qemu() {
        true => install_missing(architecture)?,
        false => install_beside_qemu(architecture)?,
    }
    let folder = Scratch::new().map_err(not_ready)?;
    let emulator = host.emulator(architecture, folder.path(), &tell).await?;
    let (cache, recipe) = (host::cache_folder(), recipe(architecture)?);
    // Also for an image of the user's own: booting vmhealth's tells whether KVM works.
    let stored = image(architecture)?;
    let kernel = Kernel::new(&stored, recipe);
    let found = accel::find(options.accel, architecture, &kernel, &emulator, &cache).await;
    let image = options.image.clone().unwrap_or_else(|| Image::new(stored, recipe));
    let (time, clock) = timekeeping(options, found.accel)?;
    let accel = format!("{} ({})", found.accel.as_str(), found.why);
    let platform = Platform { architecture, image, emulator, accel: found.accel, time };
    let (scale, version) = (platform.guest_scale(), &platform.emulator.version);
    tell(&format!("{}, {architecture}: QEMU {version}, {accel}, {clock}", host.name()));
    let report = PlatformReport {
        qemu: version.line.clone(),
        accel,
        clock,
        guest_scale: scale,
        image: platform.image.digest.clone(),
    };
    Ok((platform, report))
}

/// The clock that guests live by, and the same in words.
fn timekeeping(options: &GuestOptions, accel: Accel) -> Result<(Timekeeping, String), HostError> {
    let scale = accel.guest_scale();
    let real = format!("real time, deadlines of what a guest does x{scale}");
    match (options.clock, accel) {
        (ClockChoice::Guest { .. }, Accel::Kvm) => {
            let text = "there is no guest time under KVM, whose guests read the CPU's own clock; type: --accel tcg, or --clock real";
            Err(HostError::NotReady(text.into()))
        }
        (ClockChoice::Auto { .. }, Accel::Kvm) if options.pace.is_some() => {
            Ok((Timekeeping::Real, format!("{real}, which --pace does not change")))
        }
        (ClockChoice::Real, _) | (ClockChoice::Auto { .. }, Accel::Kvm) => Ok((Timekeeping::Real, real)),
        (ClockChoice::Auto { speed } | ClockChoice::Guest { speed }, Accel::Tcg) => {
            let object = guest_time::install(&host::cache_folder()).map_err(not_ready)?;
            let words = format!("guest time (a second of CPU time is {speed} s)");
            Ok((Timekeeping::Guest { object, speed, pace: options.pace }, words))
        }
    }
}

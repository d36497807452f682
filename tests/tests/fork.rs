//! Forks on real QEMU. Ignored by a plain `cargo test`, because they need QEMU and the guest image: `cargo xtask test` runs
//! them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use nix::fcntl::OFlag;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use vmhealth_guests::accel::{self, AccelChoice};
use vmhealth_guests::confine;
use vmhealth_guests::guest::{BootMode, Live, VmSpec};
use vmhealth_guests::guest_time::{LIKE_KVM, Timekeeping, install};
use vmhealth_guests::host::LOCAL_HOST;
use vmhealth_guests::image::{Image, Kernel};
use vmhealth_guests::net::GUEST_ADDRESS;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::probe::{self, HttpTarget, Network};
use vmhealth_guests::qemu::{Accel, QemuVersion};
use vmhealth_guests::scratch::Scratch;
use vmhealth_guests::template::{Template, Templates, ensure};
use vmhealth_guests::time::{self, on_own_thread};
use vmhealth_images::{Recipe, Store, digest};
use vmhealth_sim::kubelet::Verdict;
use vmhealth_sim::manifest::{Architecture, Scheme};
use xtask::host::cache_folder;
use xtask::run::catalogue;

const BOOT_LIMIT: Duration = Duration::from_secs(240);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

struct Fixture {
    spec: VmSpec,
    scratch: Scratch,
    evidence: tempfile::TempDir,
}

async fn fixture(time: Timekeeping) -> Fixture {
    let (architecture, recipe) = (Architecture::Amd64, Recipe::default_for("amd64").unwrap());
    let stored = Store::new(&cache_folder()).ensure(recipe, &|line| eprintln!("{line}")).unwrap();
    let (kernel, emulator) = (Kernel::new(&stored, recipe), LOCAL_HOST.find(architecture).unwrap());
    let accel = accel::find(AccelChoice::Auto, architecture, &kernel, &emulator, &cache_folder()).await.accel;
    // Guest time is TCG's.
    let accel = if time == Timekeeping::Real { accel } else { Accel::Tcg };
    let platform = Platform { architecture, image: Image::new(stored, recipe), emulator, accel, time };
    let mut cases = catalogue::read(None).unwrap().into_iter();
    let case = cases.find(|c| c.id() == "killed-daemon/watchdog/reset").unwrap();
    let spec = VmSpec { manifest: case.manifest, profile: case.scenario.spec.guest, platform };
    Fixture { spec, scratch: Scratch::new().unwrap(), evidence: tempfile::tempdir().unwrap() }
}

impl Fixture {
    async fn template(&self, cache: &Path) -> Template {
        let (watched, scratch) = (BTreeSet::from([1500]), self.scratch.subdir("t").unwrap());
        let say = |line: &str| eprintln!("{line}");
        let templates = Templates::new(cache);
        ensure(&self.spec, &templates, &watched, BOOT_LIMIT, &scratch, &say).await.unwrap()
    }

    async fn fork(&self, template: &Arc<Template>, number: u32) -> Live {
        let scratch = self.scratch.subdir(&number.to_string()).unwrap();
        let mode = BootMode::Fork(template.captured());
        let prepared = self.spec.clone().prepare(mode, number, &scratch, self.evidence.path()).unwrap();
        prepared.launch(time::now(), false).await.unwrap().0
    }
}

async fn answers(live: &Live) -> bool {
    let target = HttpTarget {
        scheme: Scheme::Http,
        host: GUEST_ADDRESS.to_string(),
        port: 1500,
        path: "/healthz".into(),
        headers: Vec::new(),
    };
    let deadline = Instant::now() + ANSWER_LIMIT;
    while Instant::now() < deadline {
        let attempt = probe::get(Network::Namespace(&live.netns), &target, Duration::from_secs(1)).await;
        if attempt.verdict == Verdict::Success {
            return true;
        }
    }
    false
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
async fn a_fork_killed_at_any_moment_leaves_the_template_usable() {
    let f = fixture(Timekeeping::Real).await;
    let template = Arc::new(f.template(&cache_folder()).await);
    for (n, millis) in [0, 3, 10, 20, 30, 40, 60, 100, 300].into_iter().enumerate() {
        // What is dropped half-way is killed.
        let _ = timeout(Duration::from_millis(millis), f.fork(&template, n as u32)).await;
    }
    let live = f.fork(&template, 100).await;
    assert!(answers(&live).await);
    live.signal(nix::sys::signal::Signal::SIGKILL);
    drop((live, template));
    // Found by its checksums, not made again: that would take many seconds and say so.
    let begun = Instant::now();
    f.template(&cache_folder()).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "the template was made again");
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
async fn two_forks_have_one_address_and_do_not_meet() {
    let f = fixture(Timekeeping::Real).await;
    let template = Arc::new(f.template(&cache_folder()).await);
    let (one, two) = (f.fork(&template, 1).await, f.fork(&template, 2).await);
    assert!(answers(&one).await && answers(&two).await);
    one.signal(nix::sys::signal::Signal::SIGKILL);
    one.exited(Duration::from_secs(10)).await;
    assert!(answers(&two).await, "the other one is not touched");
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
async fn an_interrupted_capture_leaves_nothing() {
    let f = fixture(Timekeeping::Real).await;
    let cache = tempfile::tempdir().unwrap();
    assert!(timeout(Duration::from_secs(4), f.template(cache.path())).await.is_err(), "no guest boots so fast");
    let left = std::fs::read_dir(cache.path().join("templates")).unwrap();
    let left: Vec<_> = left.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| name.ends_with(".lock")), "{left:?}");
}

/// It has changed much of its memory, and whoever had taken its QEMU over could not open its template's for writing.
async fn keeps_to_itself(time: Timekeeping) {
    let f = fixture(time.clone()).await;
    let template = Arc::new(f.template(&cache_folder()).await);
    let ram = template.captured().ram;
    let before = digest::of_file(&ram).unwrap();
    let live = f.fork(&template, 1).await;
    let fill = "dd if=/dev/urandom of=/dev/shm/full bs=1M count=64 2>/dev/null; stat -c %s /dev/shm/full";
    let filled = live.agent.present().unwrap().shell(fill, time::now() + ANSWER_LIMIT).await.unwrap();
    assert_eq!(filled.stdout.trim(), (64 << 20).to_string(), "{filled:?}");
    let place = format!("/proc/{}", live.pid().unwrap());
    let file = |name: &str| fs::read_to_string(format!("{place}/{name}")).unwrap();
    let mut opened = 0;
    for entry in fs::read_dir(format!("{place}/fd")).unwrap().flatten() {
        if fs::read_link(entry.path()).is_ok_and(|target| target == ram) {
            let info = file(&format!("fdinfo/{}", entry.file_name().to_string_lossy()));
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
            let mode = i32::from_str_radix(flags, 8).unwrap() & OFlag::O_ACCMODE.bits();
            assert_eq!(mode, OFlag::O_RDONLY.bits(), "{info}");
            opened += 1;
        }
    }
    let told = live_version().is_from(8, 2);
    // QEMU that opens it for writing has a copy of its own.
    assert_eq!(opened > 0, told || time != Timekeeping::Real, "{opened}");
    if opened > 0 {
        let maps = file("maps");
        let mapped: Vec<&str> = maps.lines().filter(|line| line.ends_with(ram.to_str().unwrap())).collect();
        assert!(!mapped.is_empty() && mapped.iter().all(|line| line.contains("rw-p")), "{mapped:?}");
    }
    // As its QEMU sees it, and with the rights of root.
    let inside = format!("{place}/root{}", ram.display());
    match File::options().write(true).open(&inside) {
        Err(e) if opened == 0 => assert_eq!(e.kind(), ErrorKind::NotFound, "{e}"),
        Err(e) => assert_eq!(e.kind(), ErrorKind::ReadOnlyFilesystem, "{e}"),
        Ok(_) => panic!("{inside} can be written to"),
    }
    live.signal(nix::sys::signal::Signal::SIGKILL);
    assert!(live.exited(Duration::from_secs(10)).await);
    assert_eq!(digest::of_file(&ram).unwrap(), before);
}

fn live_version() -> QemuVersion {
    LOCAL_HOST.find(Architecture::Amd64).unwrap().version
}

async fn cannot_change_its_template(time: Timekeeping) {
    if let Err(why) = confine::available().await {
        return eprintln!("SKIPPED, nothing can be confined here: {why}");
    }
    let given = time.clone();
    on_own_thread(&time, async move || keeps_to_itself(given).await).await.unwrap();
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
async fn a_fork_cannot_change_its_template() {
    let object = install(&cache_folder()).unwrap();
    cannot_change_its_template(Timekeeping::Guest { object, speed: LIKE_KVM, pace: None }).await;
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
async fn a_fork_in_real_time_cannot_change_its_template() {
    cannot_change_its_template(Timekeeping::Real).await;
}

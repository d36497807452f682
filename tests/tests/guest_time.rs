//! A real guest in guest time: what happens at which instant of its own clock, and what it makes of that clock. Ignored by a
//! plain `cargo test`, because it needs QEMU and the guest image: `cargo xtask test` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use nix::sys::signal::Signal;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use vmhealth_guests::fault;
use vmhealth_guests::guest::{BootMode, GuestEvent, Live, VmSpec};
use vmhealth_guests::guest_time::{LIKE_KVM, Timekeeping, install};
use vmhealth_guests::host::LOCAL_HOST;
use vmhealth_guests::image::Image;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::qemu::Accel;
use vmhealth_guests::scratch::Scratch;
use vmhealth_guests::time::{self, on_own_thread};
use vmhealth_images::{Recipe, Store};
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::manifest::Architecture;
use vmhealth_sim::scenario::Fault;
use xtask::host::cache_folder;
use xtask::run::catalogue;

const SECOND: Duration = Duration::from_secs(1);
/// The daemon's, in the scenario that is used.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Of guest time: for a boot up to the agent.
const BOOT: Duration = Duration::from_secs(60);
/// What the kernel says when its clock or its CPU is not what it should be.
const COMPLAINTS: &str = "dmesg | grep -iE 'unstable|lockup|stall|hung task|skew|clocksource.*wrong' || true";

struct Fixture {
    live: Live,
    events: mpsc::UnboundedReceiver<GuestEvent>,
    _scratch: Scratch,
    _evidence: tempfile::TempDir,
}

impl Fixture {
    async fn boot(time: Timekeeping, vcpus: u32) -> Fixture {
        let (architecture, recipe) = (Architecture::Amd64, Recipe::default_for("amd64").unwrap());
        let stored = Store::new(&cache_folder()).ensure(recipe, &|line| eprintln!("{line}")).unwrap();
        let emulator = LOCAL_HOST.find(architecture).unwrap();
        let platform = Platform { architecture, image: Image::new(stored, recipe), emulator, accel: Accel::Tcg, time };
        let mut cases = catalogue::read(None).unwrap().into_iter();
        let case = cases.find(|c| c.id() == "killed-daemon/watchdog/reset").unwrap();
        let mut manifest = (*case.manifest).clone();
        manifest.vmi.vcpus = Some(vcpus);
        let spec = VmSpec { manifest: manifest.into(), profile: case.scenario.spec.guest, platform };
        let (scratch, evidence) = (Scratch::new().unwrap(), tempfile::tempdir().unwrap());
        let prepared = spec.prepare(BootMode::Cold, 1, &scratch.subdir("1").unwrap(), evidence.path()).unwrap();
        let begun = time::now();
        let (live, events) = prepared.launch(begun, false).await.unwrap();
        assert_eq!(time::now(), begun, "starting QEMU takes no guest time");
        let mut guest = Fixture { live, events, _scratch: scratch, _evidence: evidence };
        guest.boots().await;
        guest
    }

    async fn boots(&mut self) {
        let begun = time::wall();
        let open = self.next(BOOT, |event| matches!(event, DomainEvent::AgentPort { open: true })).await;
        let booted = open.expect("the agent").duration_since(begun).unwrap();
        assert!(booted < 30 * SECOND, "as fast as under KVM, not as TCG is: {booted:?}");
        // All jobs of the boot are done: also the last, which sets up the watchdog's daemon.
        let system = self.shell("systemctl is-system-running --wait").await;
        assert!(["running", "degraded"].contains(&system.as_str()), "{system}");
    }

    /// When an event that is `wanted` happened, on the guest's wall clock; `None`: not within `limit`.
    async fn next(&mut self, limit: Duration, wanted: impl Fn(&DomainEvent) -> bool) -> Option<SystemTime> {
        let events = &mut self.events;
        let come = async {
            loop {
                match events.recv().await {
                    Some(GuestEvent { at, event }) if wanted(&event) => return Some(at),
                    Some(_) => {}
                    None => return None,
                }
            }
        };
        time::timeout(limit, come).await.ok().flatten()
    }

    /// Runs a script in the guest; what it printed.
    async fn shell(&self, script: &str) -> String {
        let agent = self.live.agent.present().unwrap();
        agent.shell(script, time::now() + 10 * BOOT).await.unwrap().stdout.trim().to_owned()
    }

    async fn number(&self, script: &str) -> f64 {
        self.shell(script).await.parse().unwrap()
    }

    async fn uptime(&self) -> f64 {
        self.number("cut -d' ' -f1 /proc/uptime").await
    }
}

/// Runs `job` with a guest that has booted.
fn with_guest<F: Future<Output = ()>>(vcpus: u32, job: impl FnOnce(Fixture) -> F + Send + 'static) {
    let keeping = Timekeeping::Guest { object: install(&cache_folder()).unwrap(), speed: LIKE_KVM, pace: None };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let time = keeping.clone();
    runtime.block_on(on_own_thread(&keeping, async move || job(Fixture::boot(time, vcpus).await).await)).unwrap();
}

fn fired(event: &DomainEvent) -> bool {
    matches!(event, DomainEvent::Watchdog(_))
}

#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_guest_lives_by_our_clock() {
    with_guest(1, async |mut guest| {
        // An hour of waiting is jumped over, and the guest's own clocks go with ours.
        let (begun, earliest) = (guest.uptime().await, time::now());
        time::sleep(3600 * SECOND).await;
        let least = (time::now() - earliest).as_secs_f64();
        let passed = guest.uptime().await - begun;
        let most = (time::now() - earliest).as_secs_f64() + 1.0;
        // The guest's clock is refined by at most a hundredth of a percent once it has measured its counter; uptime has 10 ms.
        assert!(
            passed > least - 0.4 && passed < most + 0.4,
            "{passed} s in the guest, {least} to {most} s on our clock"
        );
        let date = guest.number("date +%s.%N").await;
        let ours = time::wall().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((date - ours).abs() < 2.0, "{date} in the guest, {ours} on our clock");
        assert_eq!(guest.shell(COMPLAINTS).await, "");
        let source = "cat /sys/devices/system/clocksource/clocksource0/current_clocksource";
        assert_eq!(guest.shell(source).await, "tsc");

        // Nobody writes to the device any more: it fires a heartbeat after that, to the tick of its own clock.
        let held = "systemctl is-active watchdog.service; cat /sys/class/watchdog/watchdog0/timeout";
        assert_eq!(guest.shell(held).await, "active\n10");
        let before = time::wall();
        guest.shell("pkill -9 -x watchdog").await;
        let killed = time::wall();
        let at = guest.next(2 * HEARTBEAT, fired).await.expect("WATCHDOG");
        // Closing the device was the last write: 10.07 s after that (qemu-watchdog.md 2.2).
        let (tick, late) = (Duration::from_millis(70), Duration::from_millis(1));
        assert!(at >= before + HEARTBEAT && at <= killed + HEARTBEAT + tick + late, "{:?}", at.duration_since(before));

        // It boots again, and a panicked kernel counts its watchdog down although it never sleeps.
        guest.boots().await;
        fault::inject(&guest.live, &Fault::KernelPanic, 1.0).await.unwrap();
        let panicked = time::wall();
        let at = guest.next(2 * HEARTBEAT, fired).await.expect("WATCHDOG after a panic");
        assert!(at <= panicked + HEARTBEAT + tick, "{:?}", at.duration_since(panicked));

        // A QEMU that is killed ends, and time goes on without it.
        guest.live.signal(Signal::SIGKILL);
        let ended = |event: &DomainEvent| matches!(event, DomainEvent::Exited(_));
        assert!(guest.next(SECOND, ended).await.is_some());
        time::sleep(3600 * SECOND).await;
    });
}

/// Programs that are hard on a clock, beside each other on four vCPUs: two seconds are two seconds, and nobody complains.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_guest_that_never_sleeps_has_the_same_time() {
    with_guest(4, async |guest| {
        for busy in [
            // Never idle.
            "while :; do :; done",
            // Reads the clock without a pause.
            "while :; do read up </proc/uptime; done",
            // Sleeps for next to nothing, again and again.
            "perl -e 'select(undef, undef, undef, 0.000001) while 1'",
            // Sets the clock.
            "while :; do date -s '+1 hour' >/dev/null; sleep 0.5; date -s '-1 hour' >/dev/null; sleep 0.5; done",
        ] {
            let runs = format!("({busy}) </dev/null >/dev/null 2>&1 & sleep 0.2; kill -0 $! && echo runs");
            assert_eq!(guest.shell(&runs).await, "runs", "{busy}");
            let (begun, ours) = (guest.uptime().await, time::now());
            time::sleep(2 * SECOND).await;
            let passed = guest.uptime().await - begun;
            let (least, most) = (1.9, (time::now() - ours).as_secs_f64() + 0.5);
            assert!(
                passed >= least && passed <= most,
                "{busy}: {passed} s in the guest, at most {most} s on our clock"
            );
        }
        // Stopped and continued: it has missed that, as under KVM.
        let (begun, ours) = (guest.uptime().await, time::now());
        guest.live.qmp.execute(qapi::qmp::stop {}, 10 * SECOND).await.unwrap();
        time::sleep(30 * SECOND).await;
        guest.live.qmp.execute(qapi::qmp::cont {}, 10 * SECOND).await.unwrap();
        let passed = guest.uptime().await - begun;
        let all = (time::now() - ours).as_secs_f64();
        assert!(passed < all - 29.0, "{passed} s in the guest, {all} s on our clock");
        assert_eq!(guest.shell(COMPLAINTS).await, "");
    });
}

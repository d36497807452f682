//! A real guest in guest time: what happens at which instant of its own clock, and what it makes of that clock. Ignored by a
//! plain `cargo test`, because it needs QEMU and the guest image: `cargo xtask test` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};
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

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Read from the disk, of 4 KiB each.
const BLOCKS: u32 = 100;
/// Of the host's time: what a slow disk takes for each request.
const DELAY: Duration = Duration::from_millis(50);

/// While it lives, every request of a QEMU to its disks takes [`DELAY`] more.
struct SlowDisk(Child);

impl SlowDisk {
    fn of(pid: u32) -> SlowDisk {
        let calls = "pread64,preadv,preadv2,pwrite64,pwritev,pwritev2,fdatasync";
        let inject = format!("--inject={calls}:delay_enter={}", DELAY.as_micros());
        let trace =
            Command::new("strace").args(["-f", "-q", "-o", "/dev/null", &inject, "-p", &pid.to_string()]).spawn();
        let slow = SlowDisk(trace.expect("strace (apt-get install strace)"));
        let status = format!("/proc/{pid}/status");
        while !fs::read_to_string(&status).unwrap().contains(&format!("TracerPid:\t{}\n", slow.0.id())) {
            std::thread::yield_now();
        }
        slow
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // It lets go of QEMU when it is asked to end, and not when it is killed.
        let _gone = nix::sys::signal::kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ended = self.0.wait();
    }
}

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
        fault::inject(&guest.live, 0, &Fault::KernelPanic, 1.0).await.unwrap();
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

/// A simulated day: what is due once happens once, and nobody in the guest complains of its clock.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_day_is_a_day() {
    with_guest(1, async |guest| {
        // A guest that wakes every second would make the day three times as long for the host.
        let rarely = "echo 'interval = 5' >>/etc/watchdog.conf; systemctl restart watchdog.service; systemctl is-active watchdog.service";
        assert_eq!(guest.shell(rarely).await, "active");
        let every_hour = "--on-calendar=hourly --timer-property=AccuracySec=1s --unit=hour";
        guest.shell(&format!("systemd-run {every_hour} sh -c 'date +%s >>/run/hours'")).await;
        // Nobody answers there: each SYN is sent again after 1, 2, 4 ... 64 s, and then connect gives up.
        let nowhere = "ip neigh replace 10.0.2.99 lladdr 02:00:00:00:00:63 nud permanent dev $(ip -o route get 10.0.2.99 | sed 's/.* dev \\([^ ]*\\).*/\\1/')";
        guest.shell(nowhere).await;
        let (begun, earliest) = (guest.uptime().await, time::now());
        let connect =
            "perl -MIO::Socket::INET -e 'print defined IO::Socket::INET->new(\"10.0.2.99:80\") ? \"open\" : $!'";
        assert_eq!(guest.shell(connect).await, "Connection timed out");
        let passed = guest.uptime().await - begun;
        assert!((127.0..140.0).contains(&passed), "connect gave up after {passed} s");

        while time::now() - earliest < DAY {
            time::sleep(DAY / 24).await;
            let (date, ours) = (guest.number("date +%s.%N").await, time::wall());
            let ours = ours.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
            assert!((date - ours).abs() < 20.0, "{date} in the guest, {ours} on our clock");
        }
        let hours = guest.shell("cat /run/hours").await;
        let hours: Vec<u64> = hours.lines().map(|line| line.parse().unwrap()).collect();
        assert!((24..=25).contains(&hours.len()), "{hours:?}");
        assert!(hours.iter().all(|at| at % 3600 <= 2), "{hours:?}");
        assert!(hours.windows(2).all(|pair| (3598..=3602).contains(&(pair[1] - pair[0]))), "{hours:?}");
        assert_eq!(guest.shell(COMPLAINTS).await, "");
        let failed =
            "systemctl --failed --no-legend --plain; journalctl -b --no-pager | grep -i '[w]atchdog timeout' || true";
        assert_eq!(guest.shell(failed).await, "");
    });
}

/// A host whose disk takes its time: the guest's clock waits for it and does not jump over it.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn the_disk_of_a_slow_host_is_not_slow_for_the_guest() {
    with_guest(1, async |guest| {
        // Each block once, past the guest's cache. The first run warms up what it runs.
        let read = |from: u32| {
            let dd = format!("dd if=/dev/vda of=/dev/null bs=4k count={BLOCKS} skip={from} iflag=direct status=none");
            format!("b=$(cut -d' ' -f1 /proc/uptime); {dd}; e=$(cut -d' ' -f1 /proc/uptime); perl -e \"print $e - $b\"")
        };
        guest.shell(&read(0)).await;
        let (quick, began) = (guest.number(&read(1000)).await, Instant::now());
        let quick_host = began.elapsed();
        let slow_disk = SlowDisk::of(guest.live.pid().unwrap());
        let began = Instant::now();
        let slow = guest.number(&read(2000)).await;
        let slow_host = began.elapsed();
        drop(slow_disk);
        assert!(slow_host > DELAY * BLOCKS, "the disk was not slow: {slow_host:?}, {quick_host:?} without");
        assert!(slow < 2.0 * quick + 0.1, "{slow} s of guest time from a slow disk, {quick} s from a quick one");
        assert_eq!(guest.shell(COMPLAINTS).await, "");
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

//! A real guest in guest time: what happens at which instant of its own clock, and what it makes of that clock. Ignored by a
//! plain `cargo test`, because it needs QEMU and the guest image: `cargo xtask test` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use nix::sys::signal::Signal;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use vmhealth_guests::guest::{BootMode, GuestEvent, Live, VmSpec};
use vmhealth_guests::guest_time::{GuestClock, Still, install};
use vmhealth_guests::host::LOCAL_HOST;
use vmhealth_guests::image::Image;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::qemu::Accel;
use vmhealth_guests::scratch::Scratch;
use vmhealth_images::{Recipe, Store};
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::manifest::Architecture;
use xtask::host::cache_folder;
use xtask::run::catalogue;

/// A TCG guest whose CPU looks four times as fast boots about as one under KVM does.
const LIKE_KVM: f64 = 0.25;
/// A panicked kernel only spins.
const SPINNING: f64 = 50.0;
/// No step of these takes as long on any host that can run them.
const REAL_LIMIT: Duration = Duration::from_secs(300);
/// Of guest time, while the guest is asked something.
const STEP: Duration = Duration::from_millis(10);
/// The daemon's, in the scenario that is used.
const HEARTBEAT: Duration = Duration::from_secs(10);

struct Fixture {
    clock: GuestClock,
    live: Live,
    events: mpsc::UnboundedReceiver<GuestEvent>,
    _scratch: Scratch,
    _evidence: tempfile::TempDir,
}

impl Fixture {
    async fn boot() -> Fixture {
        let (architecture, recipe) = (Architecture::Amd64, Recipe::default_for("amd64").unwrap());
        let stored = Store::new(&cache_folder()).ensure(recipe, &|line| eprintln!("{line}")).unwrap();
        let emulator = LOCAL_HOST.find(architecture).unwrap();
        let platform = Platform { architecture, image: Image::new(stored, recipe), emulator, accel: Accel::Tcg };
        let mut cases = catalogue::read(None).unwrap().into_iter();
        let case = cases.find(|c| c.id() == "killed-daemon/watchdog/reset").unwrap();
        let spec = VmSpec { manifest: case.manifest, profile: case.scenario.spec.guest, platform };
        let (scratch, evidence) = (Scratch::new().unwrap(), tempfile::tempdir().unwrap());
        let folder = scratch.subdir("1").unwrap();
        let clock = GuestClock::create(&folder, Duration::ZERO, LIKE_KVM).unwrap();
        let prepared = spec.prepare(BootMode::Cold, 1, &folder, evidence.path()).unwrap();
        let prepared = prepared.in_guest_time(&clock, &install(&cache_folder()).unwrap());
        let (live, events) = prepared.launch(Instant::now(), false).await.unwrap();
        assert_eq!(clock.now(), Duration::ZERO, "it stands still until it is told otherwise");
        Fixture { clock, live, events, _scratch: scratch, _evidence: evidence }
    }

    /// Lets guest time run to `limit`, or until an event of QEMU's is `wanted`; when that was.
    async fn run(&mut self, limit: Duration, wanted: impl Fn(&DomainEvent) -> bool) -> Option<Duration> {
        let clock = &self.clock;
        clock.run_to(limit).unwrap();
        let run = async {
            loop {
                tokio::select! {
                    biased;
                    event = self.events.recv() => match event {
                        Some(GuestEvent { event, .. }) if wanted(&event) => return Some(clock.now()),
                        Some(_) => {}
                        None => return None,
                    },
                    still = clock.stands_still() => match still.unwrap() {
                        Still::AtLimit => return None,
                        Still::Asks { .. } => clock.grant().unwrap(),
                    },
                }
            }
        };
        tokio::time::timeout(REAL_LIMIT, run).await.expect("guest time does not stand still for so long")
    }

    async fn run_for(&mut self, span: Duration) {
        let limit = self.clock.now() + span;
        assert_eq!(self.run(limit, |_| false).await, None);
        assert_eq!(self.clock.now(), limit, "it stops at the instant that it is told");
    }

    /// Runs a script in the guest; what it printed. When it ran lies between guest time before and after.
    async fn shell(&mut self, script: &str) -> String {
        let agent = self.live.agent.present().unwrap();
        let clock = &self.clock;
        let answer = agent.shell(script, Instant::now() + REAL_LIMIT);
        tokio::pin!(answer);
        // The agent is asked for the end again and again, at the host's pace: the guest goes no faster meanwhile.
        let mut pace = tokio::time::interval(STEP);
        loop {
            tokio::select! {
                biased;
                output = &mut answer => return output.unwrap().stdout,
                _ = pace.tick() => clock.run_to(clock.now() + STEP).unwrap(),
                still = clock.stands_still() => match still.unwrap() {
                    Still::Asks { .. } => clock.grant().unwrap(),
                    Still::AtLimit => {
                        pace.tick().await;
                        clock.run_to(clock.now() + STEP).unwrap();
                    }
                },
            }
        }
    }
}

fn uptime(text: &str) -> f64 {
    text.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
async fn a_guest_lives_by_our_clock() {
    let mut guest = Fixture::boot().await;
    let open = |event: &DomainEvent| matches!(event, DomainEvent::AgentPort { open: true });
    let booted = guest.run(Duration::from_secs(120), open).await.expect("the agent");
    assert!(booted < Duration::from_secs(30), "as fast as under KVM, not as TCG is: {booted:?}");
    // The daemon is set up by the last thing of the boot.
    guest.run_for(Duration::from_secs(40)).await;

    // An hour of waiting is jumped over, and the guest's own clock goes with ours.
    let jumped = guest.clock.jumped();
    let earliest = guest.clock.now();
    let before = uptime(&guest.shell("cat /proc/uptime").await);
    let begun = guest.clock.now();
    guest.run_for(Duration::from_secs(3600)).await;
    let ended = guest.clock.now();
    let passed = uptime(&guest.shell("cat /proc/uptime").await) - before;
    let (least, most) = ((ended - begun).as_secs_f64(), (guest.clock.now() - earliest).as_secs_f64());
    // The guest's clock is refined by at most a hundredth of a percent once it has measured its counter; uptime has 10 ms.
    assert!(passed > least - 0.4 && passed < most + 0.4, "{passed} s in the guest, {least} to {most} s on our clock");
    assert!(guest.clock.jumped() - jumped > Duration::from_secs(3500), "{:?}", guest.clock.jumped() - jumped);
    let complaints = guest.shell("dmesg | grep -iE 'unstable|lockup|stall|hung task|skew' || true").await;
    assert_eq!(complaints, "");
    let source = guest.shell("cat /sys/devices/system/clocksource/clocksource0/current_clocksource").await;
    assert_eq!(source.trim(), "tsc");
    let fired = |event: &DomainEvent| matches!(event, DomainEvent::Watchdog(_));

    // Nobody writes to the device any more: it fires a heartbeat after that, to the tick of its own clock.
    let held = guest.shell("systemctl is-active watchdog.service; cat /sys/class/watchdog/watchdog0/timeout").await;
    assert_eq!(held, "active\n10\n");
    let before = guest.clock.now();
    guest.shell("pkill -9 -x watchdog").await;
    let killed = guest.clock.now();
    let at = guest.run(killed + 2 * HEARTBEAT, fired).await.expect("WATCHDOG");
    // Closing the device was the last write: 10.07 s after that (qemu-watchdog.md 2.2).
    let (tick, late) = (Duration::from_millis(70), Duration::from_millis(30));
    assert!(
        at >= before + HEARTBEAT && at <= killed + HEARTBEAT + tick + late,
        "{at:?}, killed {before:?} to {killed:?}"
    );

    // It boots again, and a panicked kernel counts its watchdog down although it never sleeps.
    guest.run(at + Duration::from_secs(60), open).await.expect("the agent after the reset");
    guest.run_for(Duration::from_secs(40)).await;
    // Later than the agent's answer in any case.
    guest.shell("(sleep 30; echo c > /proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &").await;
    guest.run_for(Duration::from_secs(31)).await;
    let panicked = guest.clock.now();
    guest.clock.set_speed(SPINNING);
    let at = guest.run(panicked + 2 * HEARTBEAT, fired).await.expect("WATCHDOG after a panic");
    // The main loop of QEMU wakes some milliseconds late, which are so many times longer in the guest.
    assert!(at - panicked <= HEARTBEAT + Duration::from_secs(1), "{:?}", at - panicked);

    // A QEMU that is killed ends the wait for its clock's owner by its event.
    guest.live.signal(Signal::SIGKILL);
    let ended = |event: &DomainEvent| matches!(event, DomainEvent::Exited(_));
    assert!(guest.run(at + Duration::from_secs(3600), ended).await.is_some());
}

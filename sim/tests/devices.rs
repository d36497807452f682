//! The devices' registers and Linux's use of them, against the numbers of qemu-watchdog.md 2 and 3.
//!
//! What QEMU itself does with the i6300esb's registers is tests/tests/registers.rs.

use proptest::prelude::*;
use std::time::Duration;
use vmhealth_sim::devices::{
    Busy, Diag288, Function, I6300esb, InvalidArgument, LinuxWatchdog, Region, SpecificationException, Width,
    fires_after,
};
use vmhealth_sim::manifest::{WatchdogAction, WatchdogModel};
use vmhealth_sim::time::Time;

const ACTION: WatchdogAction = WatchdogAction::Reset;

fn second(n: u64) -> Time {
    Time::from_secs(n)
}

/// Runs the device alone until it fires or has nothing to do.
fn fires_at(watchdog: &mut LinuxWatchdog) -> Option<Time> {
    while let Some(t) = watchdog.next_wakeup() {
        if watchdog.expire(t, ACTION) {
            return Some(t);
        }
    }
    None
}

fn opened(model: WatchdogModel, heartbeat: u32) -> LinuxWatchdog {
    let mut watchdog = LinuxWatchdog::probe(model, Time::ZERO);
    watchdog.open(Time::ZERO).expect("nobody has it open");
    watchdog.set_timeout(Time::ZERO, heartbeat).expect("in the driver's range");
    watchdog
}

/// qemu-watchdog.md 2.2 and 3: T(N), nanoseconds.
#[test]
fn from_the_last_pet_to_the_firing() {
    use WatchdogModel::{Diag288, I6300esb};
    for (model, n, nanos) in [
        (I6300esb, 1, 1_006_632_960),
        (I6300esb, 2, 2_013_265_920),
        (I6300esb, 4, 4_026_531_840),
        (I6300esb, 10, 10_066_329_600),
        (I6300esb, 30, 30_198_988_800),
        (I6300esb, 2046, 2_059_571_036_160),
        // Refused by the driver, which stays at its 30 s.
        (I6300esb, 0, 30_198_988_800),
        (I6300esb, 2047, 30_198_988_800),
        (Diag288, 15, 15_000_000_000),
        (Diag288, 3600, 3_600_000_000_000),
        (Diag288, 14, 30_000_000_000),
        (Diag288, 3601, 30_000_000_000),
    ] {
        assert_eq!(fires_after(model, n).as_nanos(), nanos, "{model:?} {n}");
    }
    assert_eq!((I6300esb.heartbeats(), Diag288.heartbeats()), (1..=2046, 15..=3600));
}

/// A device that nobody programmed: both preloads at their longest (qemu-watchdog.md 2.2).
#[test]
fn enabled_as_it_comes() {
    let mut device = I6300esb::default();
    device.write(Time::ZERO, Region::Config, 0x68, Width::Byte, 0x02);
    let mut last = None;
    while let Some(t) = device.next_wakeup() {
        last = Some(t);
        device.expire(t);
    }
    assert_eq!(last, Some(Time::from_nanos(2 * 0xf_ffff * 983_040)), "2061.58 s");
}

fn unlocked(device: &mut I6300esb, register: u8, width: Width, value: u32) {
    device.write(Time::ZERO, Region::Memory, 0xc, Width::Byte, 0x80);
    device.write(Time::ZERO, Region::Memory, 0xc, Width::Byte, 0x86);
    device.write(Time::ZERO, Region::Memory, register, width, value);
}

/// 30 ns a tick of the PCI clock, 2^15 of them for a tick of the slow one and 2^5 of the fast; 20 bits of a preload count.
#[test]
fn clocks_and_preloads() {
    for (config, preloads, nanos) in [
        (0x00, [1, 2], 3 * 983_040),
        (0x04, [1, 2], 3 * 960),
        (0x04, [0x30_0001, 0x7f10_0002], 3 * 960),
        (0x04, [0xf_ffff, 0], 0xf_ffff * 960),
    ] {
        let mut device = I6300esb::default();
        device.write(Time::ZERO, Region::Config, 0x60, Width::Word, config);
        unlocked(&mut device, 0x0, Width::Long, preloads[0]);
        unlocked(&mut device, 0x4, Width::Long, preloads[1]);
        assert_eq!(device.fires_after(), Duration::from_nanos(nanos), "{config:#x} {preloads:?}");
    }
}

/// Who opens, closes and dies (qemu-watchdog.md 2.5): seconds of the last thing that counts as a pet.
#[test]
fn opening_closing_and_the_magic_letter() {
    type Act = fn(&mut LinuxWatchdog);
    let rows: &[(&str, Act, Option<u64>)] = &[
        ("nobody opens it again", |_| {}, Some(0)),
        ("a pet", |w| w.write(second(5), b"\0"), Some(5)),
        ("nothing written is no pet", |w| w.write(second(5), b""), Some(0)),
        ("its holder dies: a pet", |w| w.close(second(5)), Some(5)),
        (
            "opened again: no pet",
            |w| {
                w.close(second(5));
                assert_eq!(w.open(second(7)), Ok(()));
            },
            Some(5),
        ),
        (
            "a V and a close stop it",
            |w| {
                w.write(second(5), b"xVx");
                w.close(second(5));
            },
            None,
        ),
        (
            "a V that is not the last write",
            |w| {
                w.write(second(5), b"V");
                w.write(second(6), b"x");
                w.close(second(7));
            },
            Some(7),
        ),
        (
            "nowayout",
            |w| {
                w.set_nowayout();
                w.write(second(5), b"V");
                w.close(second(6));
            },
            Some(6),
        ),
        ("a second open", |w| assert_eq!(w.open(second(5)), Err(Busy)), Some(0)),
        (
            "a write by nobody",
            |w| {
                w.close(second(5));
                w.write(second(6), b"x");
            },
            Some(5),
        ),
        (
            "a heartbeat that the driver refuses",
            |w| assert_eq!(w.set_timeout(second(5), 4000), Err(InvalidArgument)),
            Some(0),
        ),
        ("the same heartbeat again is a pet", |w| assert_eq!(w.set_timeout(second(5), 20), Ok(())), Some(5)),
    ];
    for model in [WatchdogModel::I6300esb, WatchdogModel::Diag288] {
        for (name, act, last_pet) in rows {
            let mut watchdog = opened(model, 20);
            act(&mut watchdog);
            let expected = last_pet.map(|s| second(s) + fires_after(model, 20));
            assert_eq!(fires_at(&mut watchdog), expected, "{model:?}: {name}");
        }
    }
}

/// After a firing that the guest survives (qemu-watchdog.md 1.8, 1.9, 2.4, 3).
#[test]
fn what_is_left_after_firing() {
    let mut watchdog = opened(WatchdogModel::I6300esb, 10);
    assert_eq!(watchdog.bootstatus(), 0);
    let fired = fires_at(&mut watchdog).expect("nobody pets it");
    watchdog.write(fired, b"x");
    assert_eq!(watchdog.next_wakeup(), None, "a spent i6300esb is petted in vain");
    watchdog.machine_reset(fired);
    assert_eq!(watchdog.bootstatus(), 32, "it remembers across the reset");
    watchdog.machine_reset(fired);
    assert_eq!(watchdog.bootstatus(), 0, "once");

    for (action, revives) in [
        (WatchdogAction::None, true),
        (WatchdogAction::Pause, true),
        (WatchdogAction::Reset, false),
        (WatchdogAction::Shutdown, false),
        (WatchdogAction::Poweroff, false),
    ] {
        let mut watchdog = opened(WatchdogModel::Diag288, 15);
        assert!(watchdog.expire(second(15), action));
        assert_eq!(watchdog.next_wakeup(), None);
        watchdog.write(second(20), b"x");
        assert_eq!(watchdog.next_wakeup(), revives.then(|| second(35)), "{action}");
        watchdog.machine_reset(second(40));
        assert_eq!((watchdog.bootstatus(), watchdog.next_wakeup()), (0, None), "diag288 never says that it fired");
    }
}

#[test]
fn guest_time_stands_still() {
    let mut watchdog = opened(WatchdogModel::I6300esb, 10);
    watchdog.freeze(second(2));
    assert_eq!(watchdog.next_wakeup(), None);
    watchdog.thaw(second(102));
    assert_eq!(watchdog.next_wakeup(), Some(Time::from_nanos(105_033_164_800)), "a pause keeps what was left");
    assert!(!watchdog.expire(second(110), ACTION), "a stalled host");
    assert_eq!(watchdog.next_wakeup(), Some(Time::from_nanos(115_033_164_800)), "stage 2 counts from its callback");
    watchdog.machine_reset(second(111));
    assert_eq!(watchdog.next_wakeup(), None, "a reset disarms");
}

/// Whatever the device: frozen it has no end, thawed it has what was left, and a reset of the machine disarms it.
#[test]
fn guest_time_stands_still_for_every_device() {
    for model in [WatchdogModel::I6300esb, WatchdogModel::Diag288, WatchdogModel::Itco] {
        let mut watchdog = opened(model, 30);
        let end = watchdog.next_wakeup();
        watchdog.freeze(second(2));
        assert_eq!(watchdog.next_wakeup(), None, "{model:?}");
        watchdog.thaw(second(102));
        assert_eq!(watchdog.next_wakeup(), end.map(|t| t + Duration::from_secs(100)), "{model:?}");
        watchdog.machine_reset(second(103));
        assert_eq!(watchdog.next_wakeup(), None, "{model:?}: a reset disarms");
    }
}

/// qemu-watchdog.md 3: which calls the instruction takes.
#[test]
fn diag288_refuses() {
    use Function::{Cancel, Change, Init};
    let refused = Err(SpecificationException);
    type Row = (&'static [(Function, u32)], Result<(), SpecificationException>, Option<u64>);
    let rows: &[Row] = &[
        (&[(Init, 15)], Ok(()), Some(15)),
        (&[(Init, 14)], refused, None),
        (&[(Change, 15)], refused, None),
        (&[(Cancel, 0)], refused, None),
        (&[(Init, 20), (Change, 30)], Ok(()), Some(30)),
        (&[(Init, 20), (Change, 14)], refused, Some(20)),
        (&[(Init, 20), (Cancel, 0)], Ok(()), None),
        (&[(Init, 20), (Cancel, 0), (Change, 20)], refused, None),
        (&[(Init, 4_000_000)], Ok(()), Some(4_000_000)),
    ];
    for (calls, answer, ends) in rows {
        let mut device = Diag288::default();
        let last = calls.iter().map(|(f, s)| device.call(Time::ZERO, *f, *s)).last();
        assert_eq!(last.as_ref(), Some(answer), "{calls:?}");
        assert_eq!(device.next_wakeup(), ends.map(second), "{calls:?}");
        assert_eq!(device.enabled(), ends.is_some(), "{calls:?}");
    }
}

proptest! {
    /// Whatever the pets: it fires exactly T(N) after the last effective one, once.
    #[test]
    fn the_watchdog_fires_after_the_last_pet(heartbeat in 1_u32..2047, gaps in prop::collection::vec(0_u64..3_000_000, 0..20)) {
        let mut watchdog = opened(WatchdogModel::I6300esb, heartbeat);
        let whole = Duration::from_nanos(2 * 512 * 32_768 * 30 * u64::from(heartbeat));
        let (mut now, mut last, mut fired) = (Time::ZERO, Time::ZERO, None);
        for gap in gaps {
            now = now + Duration::from_millis(gap);
            while let Some(t) = watchdog.next_wakeup().filter(|t| *t <= now) {
                if watchdog.expire(t, ACTION) {
                    fired = Some(t);
                }
            }
            last = if fired.is_none() { now } else { last };
            watchdog.write(now, b"x");
        }
        if let Some(t) = fires_at(&mut watchdog) {
            prop_assert!(fired.is_none(), "fired twice");
            fired = Some(t);
        }
        prop_assert_eq!(fired, Some(last + whole));
    }
}

/// Registers by hand (qemu-watchdog.md 2.1, 2.3); (region, register, width, value) writes, then what LOCK and CONFIG read.
#[test]
fn registers() {
    use Region::{Config, Memory};
    use Width::{Byte, Long, Word};
    type Write = (Region, u8, Width, u32);
    type Row = (&'static str, &'static [Write], (u32, u32), bool);
    let rows: &[Row] = &[
        ("as it comes", &[], (0, 0), false),
        ("enabled", &[(Config, 0x68, Byte, 2)], (2, 0), true),
        ("disabled again", &[(Config, 0x68, Byte, 2), (Config, 0x68, Byte, 4)], (4, 0), false),
        ("locked: nothing is heard", &[(Config, 0x68, Byte, 3), (Config, 0x68, Byte, 0)], (3, 0), true),
        ("LOCK by another width", &[(Config, 0x68, Word, 2)], (0, 0), false),
        ("CONFIG by another width", &[(Config, 0x60, Byte, 0x3f), (Config, 0x60, Long, 0x3f)], (0, 0), false),
        ("CONFIG keeps 0x35", &[(Config, 0x60, Word, 0xffff)], (0, 0x35), false),
        (
            "a pet does not enable",
            &[(Memory, 0xc, Byte, 0x80), (Memory, 0xc, Byte, 0x86), (Memory, 0xc, Word, 0x100)],
            (0, 0),
            false,
        ),
    ];
    for (name, writes, expected, runs) in rows {
        let mut device = I6300esb::default();
        for (region, register, width, value) in *writes {
            device.write(Time::ZERO, *region, *register, *width, *value);
        }
        assert_eq!((device.read(Config, 0x68, Byte), device.read(Config, 0x60, Word)), *expected, "{name}");
        assert_eq!(device.next_wakeup().is_some(), *runs, "{name}");
    }
}

/// What it takes for a preload to be heard, as the length of both stages in slow ticks.
#[test]
fn unlocking() {
    use Width::{Byte, Long, Word};
    let (whole, one) = (2 * 0xf_ffff, 0xf_ffff);
    type Row = (&'static str, &'static [(u8, Width, u32)], u64);
    let rows: &[Row] = &[
        ("not unlocked", &[(0, Long, 5)], whole),
        ("unlocked", &[(0xc, Byte, 0x80), (0xc, Byte, 0x86), (0, Long, 5)], one + 5),
        ("stage 2", &[(0xc, Word, 0x80), (0xc, Long, 0x86), (4, Long, 5)], one + 5),
        ("half the sequence", &[(0xc, Byte, 0x80), (0, Long, 5)], whole),
        ("the other half first", &[(0xc, Byte, 0x86), (0xc, Byte, 0x80), (0, Long, 5)], whole),
        ("one write only", &[(0xc, Byte, 0x80), (0xc, Byte, 0x86), (0, Long, 5), (4, Long, 5)], one + 5),
        ("only the other half", &[(0xc, Byte, 0x86), (0, Long, 5)], whole),
        ("used up by a word", &[(0xc, Byte, 0x80), (0xc, Byte, 0x86), (0, Word, 5), (0, Long, 5)], whole),
        ("not by a byte", &[(0xc, Byte, 0x80), (0xc, Byte, 0x86), (0, Byte, 5), (0, Long, 5)], one + 5),
        ("20 bits", &[(0xc, Byte, 0x80), (0xc, Byte, 0x86), (0, Long, 0x30_0005)], one + 5),
    ];
    for (name, writes, ticks) in rows {
        let mut device = I6300esb::default();
        for (register, width, value) in *writes {
            device.write(Time::ZERO, Region::Memory, *register, *width, *value);
        }
        assert_eq!(device.fires_after(), Duration::from_nanos(ticks * 983_040), "{name}");
    }
}

/// Neither enabling it again nor a word without the pet's bit (qemu-watchdog.md 2.1).
#[test]
fn only_a_pet_starts_the_countdown_over() {
    use Region::{Config, Memory};
    use Width::{Byte, Word};
    for (what, region, register, width, value, starts_over) in [
        ("enabled again", Config, 0x68, Byte, 2, false),
        ("another word", Memory, 0xc, Word, 0x1000, false),
        ("a pet", Memory, 0xc, Word, 0x100, true),
    ] {
        let mut device = I6300esb::default();
        device.write(second(0), Config, 0x68, Byte, 2);
        let before = device.next_wakeup();
        for unlock in [0x80, 0x86] {
            device.write(second(5), Memory, 0xc, Byte, unlock);
        }
        device.write(second(5), region, register, width, value);
        assert_eq!(device.next_wakeup() != before, starts_over, "{what}");
    }
}

/// CONFIG bit 5: stage 2 ends without a sound, and free-run starts over (qemu-watchdog.md 2.3).
#[test]
fn silent_and_free_running() {
    for (lock, ends) in [(0x02, 2), (0x06, 5)] {
        let mut device = I6300esb::default();
        device.write(Time::ZERO, Region::Config, 0x60, Width::Word, 0x20);
        device.write(Time::ZERO, Region::Config, 0x68, Width::Byte, lock);
        let seen = (0..5).map_while(|_| device.next_wakeup().map(|t| device.expire(t))).collect::<Vec<_>>();
        assert_eq!(seen, vec![false; ends], "lock {lock:#x}");
    }
}

/// qemu-watchdog.md 4: two rounds of floor(10 N / 6) ticks of 0.6 s.
#[test]
fn itco() {
    for (heartbeat, milliseconds) in [(3, 6_000), (5, 9_600), (10, 19_200), (30, 60_000), (614, 1_227_600)] {
        let fires = fires_after(WatchdogModel::Itco, heartbeat);
        assert_eq!(fires, Duration::from_millis(milliseconds), "{heartbeat} s");
    }
    // What the driver does not take leaves its own 30 s.
    for refused in [0, 2, 615] {
        assert_eq!(fires_after(WatchdogModel::Itco, refused), Duration::from_secs(60), "{refused} s");
    }
    let mut killed = opened(WatchdogModel::Itco, 10);
    let second = |n| Time::ZERO + Duration::from_secs(n);
    killed.close(second(7));
    assert_eq!(fires_at(&mut killed), Some(second(7) + Duration::from_millis(19_200)), "a close without V pets");
    assert_eq!(killed.next_wakeup(), None, "it stands still once it has fired");
    let mut closed = opened(WatchdogModel::Itco, 10);
    closed.write(second(1), b"V");
    closed.close(second(1));
    assert_eq!(closed.next_wakeup(), None, "a close with V stops it");
    let mut second_round = opened(WatchdogModel::Itco, 10);
    assert!(!second_round.expire(Time::ZERO + Duration::from_millis(9_600), ACTION));
    second_round.write(second(10), b"x");
    assert_eq!(fires_at(&mut second_round), Some(second(10) + Duration::from_millis(19_200)), "a pet begins anew");
}

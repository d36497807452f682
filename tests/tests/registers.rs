//! The i6300esb's model against the device in QEMU: random register sequences, every register and every nanosecond.
//!
//! Ignored by a plain `cargo test`, because it needs QEMU: `cargo xtask test` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;
use std::time::Duration;
use vmhealth_guests::registers::{Machine, TICK};
use vmhealth_guests::scratch::Scratch;
use vmhealth_sim::devices::{I6300esb, Region, Width};
use vmhealth_sim::time::Time;

/// One thing that is done to both.
#[derive(Debug, Clone)]
enum Act {
    Write(Region, u8, Width, u32),
    /// The unlock sequence, then a write to BAR 0.
    Unlocked(u8, Width, u32),
    /// Guest time runs for so many percent of what the device is programmed to take.
    Run(u64),
    Reset,
}

/// All that can be read: the four registers at their own widths, and what reads as nothing.
const READS: [(Region, u8, Width); 9] = [
    (Region::Config, 0x60, Width::Word),
    (Region::Config, 0x68, Width::Byte),
    (Region::Memory, 0xc, Width::Word),
    (Region::Memory, 0xc, Width::Byte),
    (Region::Memory, 0xc, Width::Long),
    (Region::Memory, 0x0, Width::Long),
    (Region::Memory, 0x4, Width::Long),
    (Region::Memory, 0x4, Width::Word),
    (Region::Memory, 0x8, Width::Long),
];

fn width() -> impl Strategy<Value = Width> + Clone {
    prop_oneof![Just(Width::Byte), Just(Width::Word), Just(Width::Long)]
}

/// Never 0: a free-running device whose stages take no time hangs QEMU itself.
fn preload() -> impl Strategy<Value = u32> + Clone {
    let high_bits = prop_oneof![9 => Just(0_u32), 1 => 1_u32..16];
    (prop_oneof![8 => 1_u32..5000, 1 => 1_u32..3, 1 => 0xf_fff0_u32..=0xf_ffff], high_bits)
        .prop_map(|(v, h)| v | h << 20)
}

fn act() -> impl Strategy<Value = Act> {
    use Region::{Config, Memory};
    let memory = || prop::sample::select(vec![0x0_u8, 0x2, 0x4, 0x8, 0xc]);
    prop_oneof![
        4 => (0_u32..0x40).prop_map(|v| Act::Write(Config, 0x60, Width::Word, v)),
        8 => prop_oneof![12 => Just(2_u32), 2 => Just(6_u32), 2 => Just(0_u32), 1 => 0_u32..256].prop_map(|v| Act::Write(Config, 0x68, Width::Byte, v)),
        2 => (prop::sample::select(vec![0x60_u8, 0x68]), width(), 0_u32..0x40).prop_map(|(r, w, v)| Act::Write(Config, r, w, v)),
        8 => (prop::sample::select(vec![0_u8, 4]), preload()).prop_map(|(r, v)| Act::Unlocked(r, Width::Long, v)),
        6 => prop::sample::select(vec![0x100_u32, 0x100, 0x200, 0x1000, 0x300, 0x0]).prop_map(|v| Act::Unlocked(0xc, Width::Word, v)),
        2 => (memory(), width(), preload()).prop_map(|(r, w, v)| Act::Unlocked(r, w, v)),
        2 => (memory(), width(), prop_oneof![Just(0x80_u32), Just(0x86), Just(0x100)]).prop_map(|(r, w, v)| Act::Write(Memory, r, w, v)),
        14 => prop_oneof![1_u64..100, 90_u64..260].prop_map(Act::Run),
        1 => Just(Act::Reset),
    ]
}

/// Most begin as a driver does: preloads, enable.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let programmed = (preload(), preload()).prop_map(|(first, second)| {
        vec![
            Act::Unlocked(0x0, Width::Long, first),
            Act::Unlocked(0x4, Width::Long, second),
            Act::Write(Region::Config, 0x68, Width::Byte, 2),
        ]
    });
    (prop_oneof![3 => programmed, 1 => Just(Vec::new())], prop::collection::vec(act(), 1..24))
        .prop_map(|(begin, rest)| [begin, rest].concat())
}

/// Both, and the time that they share.
struct Pair {
    machine: Machine,
    model: I6300esb,
    now: Time,
    transitions: u64,
    /// Stops after which the CPU had jumped on.
    jumps: u64,
}

impl Pair {
    async fn write(&mut self, writes: &[(Region, u8, Width, u32)]) {
        self.machine.write(writes).await.unwrap();
        for (region, register, width, value) in writes {
            self.model.write(self.now, *region, *register, *width, *value);
        }
    }

    async fn run(&mut self, percent: u64) -> Result<(), TestCaseError> {
        let ticks = self.model.fires_after().as_nanos() * u128::from(percent) / 100 / TICK.as_nanos();
        let (asked, read) = self.machine.run(u64::try_from(ticks).unwrap()).await.unwrap();
        // The HPET's 10 ns hide which tick it was; every time of the machine is a whole one.
        let at = Time::from_nanos(read.as_nanos().next_multiple_of(TICK.as_nanos() as u64));
        prop_assert!(at.since(read) < Duration::from_nanos(10), "{} ns is no tick", read.as_nanos());
        let mut stop = self.now + asked;
        // At the stop all that is due has run; where the CPU jumped on, what is due there has not.
        while let Some(t) = self.model.next_wakeup().filter(|t| *t < at || (*t == at && *t <= stop)) {
            self.transitions += 1;
            if self.model.expire(t) {
                stop = stop.min(t);
            }
        }
        prop_assert!(at >= stop, "stopped at {} ns, before {} ns", at.as_nanos(), stop.as_nanos());
        self.jumps += u64::from(at > stop);
        self.now = at;
        Ok(())
    }

    async fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Write(region, register, width, value) => self.write(&[(*region, *register, *width, *value)]).await,
            Act::Unlocked(register, width, value) => {
                let unlock = |v| (Region::Memory, 0xc, Width::Byte, v);
                self.write(&[unlock(0x80), unlock(0x86), (Region::Memory, *register, *width, *value)]).await;
            }
            Act::Run(percent) => self.run(*percent).await?,
            Act::Reset => {
                self.machine.reset().await.unwrap();
                self.model.reset();
                self.now = Time::ZERO;
            }
        }
        let real = self.machine.read(&READS).await.unwrap();
        let modelled: Vec<u32> = READS.iter().map(|(region, r, w)| self.model.read(*region, *r, *w)).collect();
        prop_assert_eq!(real, modelled, "after {:?} at {} ns", act, self.now.as_nanos());
        Ok(())
    }
}

#[test]
#[ignore = "needs QEMU: cargo xtask test"]
fn ten_thousand_register_sequences() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scratch = Scratch::new().unwrap();
    let machine = runtime.block_on(Machine::start(scratch.path())).unwrap();
    let pair = RefCell::new(Pair { machine, model: I6300esb::default(), now: Time::ZERO, transitions: 0, jumps: 0 });
    let config = Config { cases: 10_000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&acts(), |acts| {
        let mut pair = pair.borrow_mut();
        runtime.block_on(async {
            // A machine as new, whatever the sequence before has left.
            pair.act(&Act::Reset).await.ok();
            pair.act(&Act::Unlocked(0xc, Width::Word, 0x200)).await.ok();
            pair.model = I6300esb::default();
            for act in &acts {
                pair.act(act).await?;
            }
            Ok(())
        })
    });
    if let Err(e) = outcome {
        panic!("{e}");
    }
    let (transitions, jumps) = (pair.borrow().transitions, pair.borrow().jumps);
    println!("{transitions} ends of stages, {jumps} jumps");
    assert!(transitions > 10_000, "only {transitions} ends of stages: the sequences do not reach what they are for");
}

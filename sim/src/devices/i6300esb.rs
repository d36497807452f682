//! The i6300esb as QEMU has it (qemu-watchdog.md 2.1-2.3): configuration and lock in PCI configuration space, two
//! preloads and a reload register behind an unlock sequence, two stages, disarmed whenever it fires.

use super::timer::GuestTimer;
use crate::time::Time;
use std::time::Duration;

/// How wide an access is; registers ignore all but their own width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Word,
    /// 32 bits.
    Long,
}

/// Where a register is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// PCI configuration space.
    Config,
    /// BAR 0.
    Memory,
}

/// CONFIG, configuration space, 16 bits: what the stages do, and the clock.
const CONFIG: u8 = 0x60;
/// CONFIG: nothing happens at the end of stage 2.
const CONFIG_NO_REBOOT: u32 = 0x20;
/// CONFIG: the fast clock.
const CONFIG_FAST: u32 = 0x04;
/// CONFIG: the interrupt type's bits that QEMU keeps. Up to 10.0 not the specification's 0x03.
const CONFIG_INTERRUPT: u32 = 0x11;
/// LOCK, configuration space, 8 bits.
const LOCK: u8 = 0x68;
/// LOCK: no further write is heard until a reset.
const LOCK_LOCKED: u32 = 0x01;
/// LOCK: the timer runs.
const LOCK_ENABLED: u32 = 0x02;
/// LOCK: stage 1 again after stage 2.
const LOCK_FREE_RUN: u32 = 0x04;
/// TIMER1, memory, 32 bits: stage 1's preload.
const TIMER1: u8 = 0x0;
/// TIMER2, memory, 32 bits: stage 2's preload.
const TIMER2: u8 = 0x4;
/// RELOAD, memory, 16 bits; the unlock sequence goes to it in any width.
const RELOAD: u8 = 0xc;
/// RELOAD: a pet.
const RELOAD_PET: u32 = 0x100;
/// RELOAD: forget that it has fired. Bit 12 does it too, for Linux's sake.
const RELOAD_FORGET: u32 = 0x1200;
/// What a preload keeps.
const PRELOAD_MASK: u32 = 0xf_ffff;
/// A PCI clock.
const PCI_TICK_NANOS: u64 = 30;

/// The device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct I6300esb {
    reboot_enabled: bool,
    fast: bool,
    interrupt: u32,
    free_run: bool,
    locked: bool,
    enabled: bool,
    /// 1 or 2.
    stage: u8,
    /// How far the unlock sequence is: 2 lets one write through.
    unlocked: u8,
    preloads: [u32; 2],
    fired_before: bool,
    timer: GuestTimer,
}

impl Default for I6300esb {
    fn default() -> Self {
        I6300esb {
            reboot_enabled: true,
            fast: false,
            interrupt: 0,
            free_run: false,
            locked: false,
            enabled: false,
            stage: 1,
            unlocked: 0,
            preloads: [PRELOAD_MASK; 2],
            fired_before: false,
            timer: GuestTimer::default(),
        }
    }
}

impl I6300esb {
    /// A reset of the machine, or its own after firing: all as new, but it remembers that it has fired.
    pub fn reset(&mut self) {
        *self = I6300esb { fired_before: self.fired_before, ..I6300esb::default() };
    }

    /// A write by the guest.
    pub fn write(&mut self, now: Time, region: Region, register: u8, width: Width, value: u32) {
        match (region, register, width) {
            (Region::Config, CONFIG, Width::Word) => {
                self.reboot_enabled = value & CONFIG_NO_REBOOT == 0;
                self.fast = value & CONFIG_FAST != 0;
                self.interrupt = value & CONFIG_INTERRUPT;
            }
            (Region::Config, LOCK, Width::Byte) => self.write_lock(now, value),
            (Region::Memory, ..) => self.write_memory(now, register, width, value),
            (Region::Config, ..) => {}
        }
    }

    /// A read by the guest: 0 where no register of its own answers.
    pub fn read(&self, region: Region, register: u8, width: Width) -> u32 {
        let bit = |yes: bool, bit: u32| if yes { bit } else { 0 };
        match (region, register, width) {
            (Region::Config, CONFIG, Width::Word) => {
                bit(!self.reboot_enabled, CONFIG_NO_REBOOT) | bit(self.fast, CONFIG_FAST) | self.interrupt
            }
            (Region::Config, LOCK, Width::Byte) => {
                bit(self.free_run, LOCK_FREE_RUN) | bit(self.locked, LOCK_LOCKED) | bit(self.enabled, LOCK_ENABLED)
            }
            (Region::Memory, RELOAD, Width::Word) => bit(self.fired_before, RELOAD_FORGET),
            _ => 0,
        }
    }

    fn write_lock(&mut self, now: Time, value: u32) {
        if self.locked {
            return;
        }
        self.locked = value & LOCK_LOCKED != 0;
        self.free_run = value & LOCK_FREE_RUN != 0;
        let was = std::mem::replace(&mut self.enabled, value & LOCK_ENABLED != 0);
        if self.enabled && !was {
            self.start_stage(now, 1);
        } else if !self.enabled {
            self.timer.stop();
        }
    }

    fn write_memory(&mut self, now: Time, register: u8, width: Width, value: u32) {
        match (register, value) {
            (RELOAD, 0x80) => self.unlocked = 1,
            (RELOAD, 0x86) if self.unlocked == 1 => self.unlocked = 2,
            // A byte is heard only as part of the unlock sequence, and does not use the unlock up.
            _ if width == Width::Byte || self.unlocked != 2 => {}
            _ => {
                self.unlocked = 0;
                match (register, width) {
                    (TIMER1, Width::Long) => self.preloads[0] = value & PRELOAD_MASK,
                    (TIMER2, Width::Long) => self.preloads[1] = value & PRELOAD_MASK,
                    (RELOAD, Width::Word) => {
                        if value & RELOAD_PET != 0 {
                            self.start_stage(now, 1);
                        }
                        self.fired_before &= value & RELOAD_FORGET == 0;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Nothing unless it is enabled, and the guest does not notice.
    fn start_stage(&mut self, now: Time, stage: u8) {
        if self.enabled {
            self.stage = stage;
            self.timer.start(now, self.stage_length(stage));
        }
    }

    fn stage_length(&self, stage: u8) -> Duration {
        let ticks = u64::from(self.preloads[usize::from(stage - 1)]) << if self.fast { 5 } else { 15 };
        Duration::from_nanos(ticks * PCI_TICK_NANOS)
    }

    /// From a pet to its firing, as it is programmed now.
    pub fn fires_after(&self) -> Duration {
        self.stage_length(1) + self.stage_length(2)
    }

    /// When the present stage ends.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.timer.ends()
    }

    /// Ends a stage that is over at `now`; `true` if it fires, which disarms it whatever the action.
    pub fn expire(&mut self, now: Time) -> bool {
        if !self.timer.take(now) {
            return false;
        }
        if self.stage == 1 {
            // The second stage counts from when the first one's callback really ran.
            self.start_stage(now, 2);
            return false;
        }
        let fires = self.reboot_enabled;
        if fires {
            self.fired_before = true;
            self.reset();
        } else if self.free_run {
            self.start_stage(now, 1);
        }
        fires
    }

    /// Its clock.
    pub fn timer_mut(&mut self) -> &mut GuestTimer {
        &mut self.timer
    }
}

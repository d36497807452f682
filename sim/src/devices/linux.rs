//! `/dev/watchdog`: Linux's watchdog core and its drivers for the devices (qemu-watchdog.md 2.4, 2.5, 3 and 4).

use super::diag288::{Diag288, Function};
use super::i6300esb::{I6300esb, Region, Width};
use super::itco::Itco;
use super::model::{WatchdogAction, WatchdogModel};
use crate::time::Time;
use std::time::Duration;

/// Every driver's heartbeat until somebody sets another, seconds.
const DEFAULT_HEARTBEAT: u32 = 30;
/// The i6300esb's driver writes so many ticks per second of heartbeat into each preload.
const TICKS_PER_SECOND: u32 = 512;

/// Somebody has the device open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// The driver or the device does not take that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidArgument;

/// From the last pet to the firing. A heartbeat that the driver does not take leaves it at its default.
pub fn fires_after(model: WatchdogModel, heartbeat: u32) -> Duration {
    let mut watchdog = LinuxWatchdog::probe(model, Time::ZERO);
    let _ = watchdog.open(Time::ZERO);
    let _ = watchdog.set_timeout(Time::ZERO, heartbeat);
    let mut at = Time::ZERO;
    while let Some(t) = watchdog.next_wakeup() {
        at = t;
        if watchdog.expire(t, WatchdogAction::Poweroff) {
            break;
        }
    }
    at.since_origin()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hardware {
    I6300esb(I6300esb),
    Diag288(Diag288),
    Itco(Itco),
}

/// The driver has a device and userspace may open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinuxWatchdog {
    hardware: Hardware,
    heartbeat: u32,
    nowayout: bool,
    open: bool,
    /// The core believes that it runs; a firing that the guest survives leaves it in this belief.
    active: bool,
    /// The last write had a 'V'.
    magic: bool,
    bootstatus: u32,
}

/// WDIOF_CARDRESET.
const CARD_RESET: u32 = 0x20;

impl LinuxWatchdog {
    /// A machine just switched on, and its driver.
    pub fn probe(model: WatchdogModel, now: Time) -> Self {
        let hardware = match model {
            WatchdogModel::I6300esb => Hardware::I6300esb(I6300esb::default()),
            WatchdogModel::Diag288 => Hardware::Diag288(Diag288::default()),
            WatchdogModel::Itco => Hardware::Itco(Itco::default()),
        };
        LinuxWatchdog::load(hardware, now)
    }

    /// The machine is reset, and its driver loaded again.
    pub fn machine_reset(&mut self, now: Time) {
        match &mut self.hardware {
            Hardware::I6300esb(device) => device.reset(),
            Hardware::Diag288(device) => device.reset(),
            Hardware::Itco(device) => device.reset(),
        }
        *self = LinuxWatchdog::load(self.hardware.clone(), now);
    }

    fn load(hardware: Hardware, now: Time) -> Self {
        let mut watchdog = LinuxWatchdog {
            hardware,
            heartbeat: DEFAULT_HEARTBEAT,
            nowayout: false,
            open: false,
            active: false,
            magic: false,
            bootstatus: 0,
        };
        match &mut watchdog.hardware {
            Hardware::I6300esb(device) => {
                // No interrupts, action on, slow clock; then a running one is stopped.
                device.write(now, Region::Config, 0x60, Width::Word, 0x0003);
                device.write(now, Region::Config, 0x68, Width::Byte, 0);
                if device.read(Region::Memory, 0xc, Width::Word) & 0x200 != 0 {
                    watchdog.bootstatus = CARD_RESET;
                }
                unlocked(device, now, 0xc, Width::Word, 0x200);
                program(device, now, DEFAULT_HEARTBEAT);
            }
            Hardware::Diag288(device) => {
                // It tries whether the instruction works.
                let _ = device.call(now, Function::Init, DEFAULT_HEARTBEAT);
                let _ = device.call(now, Function::Cancel, 0);
            }
            Hardware::Itco(device) => {
                device.halt(true);
                device.set_ticks(itco_ticks(DEFAULT_HEARTBEAT));
            }
        }
        watchdog
    }

    /// The module parameter `nowayout`: closing never stops it.
    pub fn set_nowayout(&mut self) {
        self.nowayout = true;
    }

    /// `/sys/class/watchdog/watchdog0/bootstatus`: 32 once after it has fired. diag288 never says so.
    pub fn bootstatus(&self) -> u32 {
        self.bootstatus
    }

    /// Opens it, which starts it. One that still runs after an unclean close is not petted by that.
    ///
    /// # Errors
    /// It is open.
    pub fn open(&mut self, now: Time) -> Result<(), Busy> {
        if std::mem::replace(&mut self.open, true) {
            return Err(Busy);
        }
        self.magic = false;
        if !std::mem::replace(&mut self.active, true) {
            match &mut self.hardware {
                Hardware::I6300esb(device) => {
                    pet(device, now);
                    let lock = if self.nowayout { 0x01 } else { 0 };
                    device.write(now, Region::Config, 0x68, Width::Byte, 0x02 | lock);
                }
                Hardware::Diag288(device) => {
                    let _ = device.call(now, Function::Init, self.heartbeat);
                }
                Hardware::Itco(device) => {
                    device.halt(false);
                    device.reload(now);
                }
            }
        }
        Ok(())
    }

    /// Writes to it: a pet, if it is not empty. A 'V' in the last write before the close allows stopping.
    pub fn write(&mut self, now: Time, bytes: &[u8]) {
        if self.open && !bytes.is_empty() {
            self.magic = bytes.contains(&b'V');
            self.ping(now);
        }
    }

    /// WDIOC_SETTIMEOUT, seconds; pets as well.
    ///
    /// # Errors
    /// The driver does not take it, or (diag288) the device does not run.
    pub fn set_timeout(&mut self, now: Time, seconds: u32) -> Result<(), InvalidArgument> {
        let model = match &self.hardware {
            Hardware::I6300esb(_) => WatchdogModel::I6300esb,
            Hardware::Diag288(_) => WatchdogModel::Diag288,
            Hardware::Itco(_) => WatchdogModel::Itco,
        };
        if !model.heartbeats().contains(&seconds) {
            return Err(InvalidArgument);
        }
        self.heartbeat = seconds;
        match &mut self.hardware {
            Hardware::I6300esb(device) => {
                program(device, now, seconds);
                Ok(())
            }
            Hardware::Diag288(device) => device.call(now, Function::Change, seconds).map_err(|_| InvalidArgument),
            Hardware::Itco(device) => {
                device.set_ticks(itco_ticks(seconds));
                device.reload(now);
                Ok(())
            }
        }
    }

    /// Its holder closes it, or dies: stops it after a 'V', else pets it once more.
    pub fn close(&mut self, now: Time) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        if !self.magic || self.nowayout {
            return self.ping(now);
        }
        self.active = false;
        match &mut self.hardware {
            Hardware::I6300esb(device) => {
                pet(device, now);
                device.write(now, Region::Config, 0x68, Width::Byte, 0);
            }
            Hardware::Diag288(device) => {
                let _ = device.call(now, Function::Cancel, 0);
            }
            Hardware::Itco(device) => device.halt(true),
        }
    }

    fn ping(&mut self, now: Time) {
        match &mut self.hardware {
            Hardware::I6300esb(device) => pet(device, now),
            Hardware::Diag288(device) => {
                let _ = device.call(now, Function::Change, self.heartbeat);
            }
            Hardware::Itco(device) => device.reload(now),
        }
    }

    /// When the device has something to do.
    pub fn next_wakeup(&self) -> Option<Time> {
        match &self.hardware {
            Hardware::I6300esb(device) => device.next_wakeup(),
            Hardware::Diag288(device) => device.next_wakeup(),
            Hardware::Itco(device) => device.next_wakeup(),
        }
    }

    /// Does what is due at `now`; `true` if the device fires.
    pub fn expire(&mut self, now: Time, action: WatchdogAction) -> bool {
        match &mut self.hardware {
            Hardware::I6300esb(device) => device.expire(now),
            Hardware::Diag288(device) => device.expire(now, action),
            Hardware::Itco(device) => device.expire(now),
        }
    }

    /// Guest time stops.
    pub fn freeze(&mut self, now: Time) {
        self.timer().freeze(now);
    }

    /// Guest time goes on.
    pub fn thaw(&mut self, now: Time) {
        self.timer().thaw(now);
    }

    fn timer(&mut self) -> &mut super::GuestTimer {
        match &mut self.hardware {
            Hardware::I6300esb(device) => device.timer_mut(),
            Hardware::Diag288(device) => device.timer_mut(),
            Hardware::Itco(device) => device.timer_mut(),
        }
    }
}

/// iTCO_wdt's seconds_to_ticks; a version of 2 and more does not halve them, so two rounds are twice the heartbeat.
const fn itco_ticks(heartbeat: u32) -> u32 {
    heartbeat * 10 / 6
}

/// One write to a protected register.
fn unlocked(device: &mut I6300esb, now: Time, register: u8, width: Width, value: u32) {
    device.write(now, Region::Memory, 0xc, Width::Byte, 0x80);
    device.write(now, Region::Memory, 0xc, Width::Byte, 0x86);
    device.write(now, Region::Memory, register, width, value);
}

fn pet(device: &mut I6300esb, now: Time) {
    unlocked(device, now, 0xc, Width::Word, 0x100);
}

/// Both preloads, and a pet, whether it runs or not.
fn program(device: &mut I6300esb, now: Time, heartbeat: u32) {
    for register in [0x0, 0x4] {
        unlocked(device, now, register, Width::Long, heartbeat * TICKS_PER_SECOND);
    }
    pet(device, now);
}

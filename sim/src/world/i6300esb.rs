//! The i6300esb watchdog as Linux drives it: two equal stages, guest time, disarmed after firing.
//!
//! qemu-watchdog.md 2.2 and 2.3. One tick is 32768 x 30 ns and the driver writes 512 N into both preloads, so a
//! heartbeat of N seconds fires 1.00663296 N seconds after the last pet.

use crate::time::Time;
use std::time::Duration;

/// Nanoseconds of one stage per second of heartbeat.
const STAGE_PER_SECOND: u64 = 512 * 32_768 * 30;

/// The device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct I6300esb {
    heartbeat: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Disarmed,
    /// Stage 1 or 2, ending then.
    Armed {
        stage: u8,
        ends: Time,
    },
    /// Guest time stands still; this is left of the stage.
    Frozen {
        stage: u8,
        left: Duration,
    },
}

impl I6300esb {
    /// A device that its driver has given a heartbeat in seconds (1..2046), not yet armed.
    pub fn new(heartbeat: u32) -> Self {
        I6300esb { heartbeat, state: State::Disarmed }
    }

    /// The longest heartbeat that the driver takes, seconds.
    pub const MAX_HEARTBEAT: u32 = 2046;

    /// From the last pet to its firing, for a heartbeat in seconds.
    pub fn fires_after(heartbeat: u32) -> Duration {
        2 * I6300esb::new(heartbeat).stage_length()
    }

    fn stage_length(&self) -> Duration {
        Duration::from_nanos(STAGE_PER_SECOND * u64::from(self.heartbeat))
    }

    /// The driver's open: arms it.
    pub fn arm(&mut self, now: Time) {
        if self.state == State::Disarmed {
            self.state = State::Armed { stage: 1, ends: now + self.stage_length() };
        }
    }

    /// A pet; nothing if it is not armed, and the guest does not notice.
    pub fn pet(&mut self, now: Time) {
        if let State::Armed { .. } = self.state {
            self.state = State::Armed { stage: 1, ends: now + self.stage_length() };
        }
    }

    /// A magic close, or a device reset.
    pub fn disarm(&mut self) {
        self.state = State::Disarmed;
    }

    /// Whether it would fire without pets.
    pub fn armed(&self) -> bool {
        self.state != State::Disarmed
    }

    /// Guest time stops.
    pub fn freeze(&mut self, now: Time) {
        if let State::Armed { stage, ends } = self.state {
            self.state = State::Frozen { stage, left: ends.since(now) };
        }
    }

    /// Guest time goes on.
    pub fn thaw(&mut self, now: Time) {
        if let State::Frozen { stage, left } = self.state {
            self.state = State::Armed { stage, ends: now + left };
        }
    }

    /// When the present stage ends.
    pub fn next_wakeup(&self) -> Option<Time> {
        match self.state {
            State::Armed { ends, .. } => Some(ends),
            State::Disarmed | State::Frozen { .. } => None,
        }
    }

    /// Ends a stage that is over at `now`; `true` if it fires, which disarms it whatever the action.
    pub fn expire(&mut self, now: Time) -> bool {
        match self.state {
            State::Armed { stage: 1, ends } if ends <= now => {
                // The second stage counts from when the first one's callback really ran.
                self.state = State::Armed { stage: 2, ends: now + self.stage_length() };
                false
            }
            State::Armed { ends, .. } if ends <= now => {
                self.disarm();
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the device alone until it fires.
    fn fires_at(device: &mut I6300esb) -> Option<Time> {
        while let Some(t) = device.next_wakeup() {
            if device.expire(t) {
                return Some(t);
            }
        }
        None
    }

    /// qemu-watchdog.md 2.2: the table of T(N).
    #[test]
    fn heartbeats() {
        for (n, t) in [(1, 1.00663296), (4, 4.02653184), (10, 10.0663296), (30, 30.1989888), (2046, 2059.57103616)] {
            let mut device = I6300esb::new(n);
            device.arm(Time::ZERO);
            assert_eq!(fires_at(&mut device), Some(Time::from_nanos((t * 1e9_f64).round() as u64)), "N = {n}");
            assert!(!device.armed(), "firing disarms");
            device.pet(Time::from_secs(9999));
            assert_eq!(device.next_wakeup(), None, "petting a spent device does nothing");
        }
    }

    #[test]
    fn pets_pauses_and_late_callbacks() {
        let second = Time::from_secs;
        let mut device = I6300esb::new(10);
        device.pet(second(0));
        assert_eq!(device.next_wakeup(), None, "a pet does not arm");
        device.arm(second(1));
        device.arm(second(4));
        assert_eq!(device.next_wakeup(), Some(Time::from_nanos(6_033_164_800)), "enable while enabled is not a pet");
        device.freeze(second(2));
        assert_eq!(device.next_wakeup(), None);
        device.thaw(second(102));
        assert_eq!(device.next_wakeup(), Some(Time::from_nanos(106_033_164_800)), "a pause keeps what was left");
        assert!(!device.expire(second(110)), "a stalled host");
        assert_eq!(device.next_wakeup(), Some(Time::from_nanos(115_033_164_800)));
        device.disarm();
        assert_eq!(fires_at(&mut device), None);
    }
}

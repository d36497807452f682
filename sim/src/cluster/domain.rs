//! The libvirt domain as a reduction of QEMU's events, and what its end means for the VMI.
//!
//! kubevirt-health.md 5.1 and 7, qemu-watchdog.md 5, 6 and 16.5. QEMU runs as libvirt runs it (`-no-shutdown`):
//! a clean end is SHUTDOWN and STOP and waits for us to quit it; a bare exit is a crash, even with status 0.

use crate::manifest::Grace;
use crate::time::Time;
use crate::trace::{DomainEvent, PanicAction, PauseReason, Phase};
use std::time::Duration;

/// Why the domain is off: libvirt's shutoff reasons (`virDomainShutoffReason`), as far as they decide the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutoffReason {
    /// SHUTDOWN was seen: the guest (or a signal) ended it in order.
    Shutdown,
    /// We destroyed it.
    Destroyed,
    /// The process went away by itself, without SHUTDOWN.
    Crashed,
    /// GUEST_PANICKED, and on_crash destroyed it.
    Panicked,
}

/// RESET events closer than this are one reset.
const RESET_WINDOW: Duration = Duration::from_secs(1);

/// The domain of one VMI.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Domain {
    running: bool,
    /// The vCPUs stand still.
    stopped: bool,
    /// A user asked for that.
    user_paused: bool,
    /// A disk has failed since they last went on.
    io_error: bool,
    /// It had no space.
    no_space: bool,
    end: Option<ShutoffReason>,
    exited: bool,
    last_reset: Option<Time>,
    boots: u32,
}

impl Domain {
    /// Takes an event; `false` if it only repeats a reset that was already seen.
    pub fn take(&mut self, at: Time, event: &DomainEvent) -> bool {
        match event {
            DomainEvent::Started => {
                self.running = true;
                self.boots = 1;
            }
            DomainEvent::Reset { .. } => {
                let repeated = self.last_reset.is_some_and(|t| at.since(t) < RESET_WINDOW);
                self.last_reset = Some(at);
                if repeated {
                    return false;
                }
                self.boots += 1;
            }
            DomainEvent::Shutdown { .. } => {
                self.end.get_or_insert(ShutoffReason::Shutdown);
            }
            DomainEvent::Panicked { action } if *action != PanicAction::Run => {
                self.end.get_or_insert(ShutoffReason::Panicked);
            }
            DomainEvent::Stop => self.stopped = true,
            DomainEvent::IoError | DomainEvent::NoSpace => {
                self.io_error = true;
                self.no_space = *event == DomainEvent::NoSpace;
            }
            DomainEvent::Resume => {
                self.stopped = false;
                self.user_paused = false;
                self.io_error = false;
            }
            DomainEvent::Exited(_) => {
                self.end.get_or_insert(ShutoffReason::Crashed);
                self.exited = true;
                self.running = false;
            }
            DomainEvent::Watchdog(_)
            | DomainEvent::Powerdown
            | DomainEvent::Panicked { .. }
            | DomainEvent::AgentPort { .. } => {}
        }
        true
    }

    /// We are about to kill it: its end is ours unless it ended before. `true` the first time.
    pub fn destroyed(&mut self) -> bool {
        let first = self.end.is_none();
        self.end.get_or_insert(ShutoffReason::Destroyed);
        first
    }

    /// The process runs.
    pub fn running(&self) -> bool {
        self.running
    }

    /// A user asks for the vCPUs to stand still, until they go on again.
    pub fn user_pauses(&mut self) {
        self.user_paused = true;
    }

    /// Why the VMI has the condition Paused, if it has.
    pub fn paused(&self) -> Option<PauseReason> {
        let reason = match (self.user_paused, self.io_error) {
            (true, _) => Some(PauseReason::PausedByUser),
            (false, true) => Some(PauseReason::PausedIoError),
            (false, false) => None,
        };
        reason.filter(|_| self.stands_still())
    }

    /// What virt-launcher says of the disk that has failed (kubevirt-health.md 7.5).
    pub fn disk_error(&self) -> &'static str {
        if self.no_space { "not enough space on volume" } else { "IO error at the volume" }
    }

    /// A user has paused it.
    pub fn paused_by_user(&self) -> bool {
        self.paused() == Some(PauseReason::PausedByUser)
    }

    /// The vCPUs stand still although no user asked for it: virt-handler's next sync resumes it (kubevirt-health.md 7.2).
    pub fn to_be_resumed(&self) -> bool {
        self.stands_still() && !self.user_paused
    }

    /// For a reason other than its end.
    fn stands_still(&self) -> bool {
        self.running && self.stopped && self.end.is_none()
    }

    /// How it ended, once the process is gone.
    pub fn ended(&self) -> Option<ShutoffReason> {
        self.end.filter(|_| self.exited)
    }

    /// It has ended but the process waits to be quit: `-no-shutdown` makes STOP its last event.
    pub fn waits_to_be_reaped(&self) -> bool {
        !self.exited && self.stopped && self.end.is_some_and(|e| e != ShutoffReason::Destroyed)
    }

    /// How often the guest was started: 1, and one more for each reset.
    pub fn boots(&self) -> u32 {
        self.boots
    }
}

/// The VMI's final phase (KubeVirt handler `calculateVmPhaseForStatusReason`): from how the guest ended, never from why.
/// `acpi`: the domain has it; one without is not expected to shut down in order.
pub fn final_phase(end: ShutoffReason, grace: Grace, acpi: bool) -> Phase {
    match end {
        ShutoffReason::Crashed | ShutoffReason::Panicked => Phase::Failed,
        ShutoffReason::Shutdown => Phase::Succeeded,
        ShutoffReason::Destroyed if grace.is_zero() || !acpi => Phase::Succeeded,
        ShutoffReason::Destroyed => Phase::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::WatchdogAction;
    use crate::trace::{Exit, ShutdownCause};

    #[test]
    fn the_end_decides_the_phase() {
        let shutdown = |reason| DomainEvent::Shutdown { reason };
        let exit = DomainEvent::Exited(Exit::Status(0));
        let rows: &[(&str, Vec<DomainEvent>, bool, i64, Phase)] = &[
            (
                "watchdog poweroff: a bare exit",
                vec![DomainEvent::Watchdog(WatchdogAction::Poweroff), exit],
                false,
                30,
                Phase::Failed,
            ),
            (
                "guest poweroff",
                vec![shutdown(ShutdownCause::GuestShutdown), DomainEvent::Stop, exit],
                false,
                30,
                Phase::Succeeded,
            ),
            ("killed by SIGKILL", vec![DomainEvent::Exited(Exit::Signal(9))], false, 30, Phase::Failed),
            (
                "panic device",
                vec![DomainEvent::Panicked { action: PanicAction::Pause }, DomainEvent::Stop, exit],
                false,
                30,
                Phase::Failed,
            ),
            (
                "a panic that QEMU goes on after is no end",
                vec![DomainEvent::Panicked { action: PanicAction::Run }, shutdown(ShutdownCause::HostSignal), exit],
                false,
                30,
                Phase::Succeeded,
            ),
            ("destroyed after the grace period", vec![exit], true, 30, Phase::Failed),
            ("destroyed with grace 0", vec![exit], true, 0, Phase::Succeeded),
            ("destroyed with a grace below 0", vec![exit], true, -1, Phase::Failed),
            ("SIGTERM", vec![shutdown(ShutdownCause::HostSignal), exit], false, 30, Phase::Succeeded),
        ];
        for (name, events, destroyed, grace, expected) in rows {
            let mut domain = Domain::default();
            domain.take(Time::ZERO, &DomainEvent::Started);
            if *destroyed {
                domain.destroyed();
            }
            for event in events {
                domain.take(Time::from_secs(9), event);
            }
            let end = domain.ended().expect(name);
            assert_eq!(final_phase(end, Grace { seconds: *grace }, true), *expected, "{name}");
            // s390x: only what is destroyed ends otherwise.
            let without_acpi = if *destroyed { Phase::Succeeded } else { *expected };
            assert_eq!(final_phase(end, Grace { seconds: *grace }, false), without_acpi, "{name}, without ACPI");
        }
    }

    /// A user's pause ends with the guest going on; whoever stops it then is not a user.
    #[test]
    fn a_pause_ends_with_resume() {
        let mut domain = Domain::default();
        domain.take(Time::ZERO, &DomainEvent::Started);
        domain.user_pauses();
        for (event, paused, to_be_resumed) in [
            (DomainEvent::Stop, Some(PauseReason::PausedByUser), false),
            (DomainEvent::Resume, None, false),
            (DomainEvent::Stop, None, true),
            (DomainEvent::Resume, None, false),
            (DomainEvent::IoError, None, false),
            (DomainEvent::Stop, Some(PauseReason::PausedIoError), true),
            (DomainEvent::Resume, None, false),
            (DomainEvent::Stop, None, true),
        ] {
            domain.take(Time::from_secs(1), &event);
            assert_eq!((domain.paused(), domain.to_be_resumed()), (paused, to_be_resumed), "{event}");
        }
    }

    #[test]
    fn resets_within_a_second_are_one() {
        let mut domain = Domain::default();
        let reset = DomainEvent::Reset { reason: ShutdownCause::GuestReset };
        domain.take(Time::ZERO, &DomainEvent::Started);
        assert!(domain.take(Time::from_millis(1000), &reset));
        assert!(!domain.take(Time::from_millis(1050), &reset));
        // The window counts from the last one of any kind, and a whole second is outside of it.
        assert!(domain.take(Time::from_millis(2050), &reset));
        assert_eq!(domain.boots(), 3);
    }
}

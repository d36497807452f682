//! The VM controller: what `runStrategy` makes of the VMI (KubeVirt `vm.go syncRunStrategy`; kubevirt-health.md 6).

use crate::manifest::RunStrategy;
use crate::time::Time;
use crate::trace::{Answer, Phase};
use std::time::Duration;

/// What the controller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Create a VMI.
    Create,
    /// Delete the VMI.
    Delete,
    /// Nothing.
    Nothing,
}

/// The controller's own memory.
#[derive(Debug, Clone)]
pub struct VmController {
    strategy: RunStrategy,
    start_requested: bool,
    stop_requested: bool,
    ever_created: bool,
    /// The VM has a deletion time.
    deleted: bool,
    /// `status.startFailure`: VMIs in a row that ended without ever having run, and when the next may be created.
    failures: u32,
    retry_after: Time,
}

impl VmController {
    /// The controller of a VM just created.
    pub fn new(strategy: RunStrategy) -> Self {
        VmController {
            strategy,
            start_requested: false,
            stop_requested: false,
            ever_created: false,
            deleted: false,
            failures: 0,
            retry_after: Time::ZERO,
        }
    }

    /// A `start` request; `vmi` is the phase of the VMI that exists. Answers as the API does.
    pub fn start(&mut self, vmi: Option<Phase>) -> Answer {
        let live = vmi.is_some_and(|p| !p.is_final());
        match self.strategy {
            RunStrategy::Always | RunStrategy::Once => Answer::Refused,
            _ if live => Answer::Refused,
            RunStrategy::RerunOnFailure if vmi == Some(Phase::Failed) => Answer::Refused,
            RunStrategy::Halted => {
                self.strategy = RunStrategy::Always;
                Answer::Accepted
            }
            RunStrategy::Manual | RunStrategy::RerunOnFailure => {
                self.start_requested = true;
                Answer::Accepted
            }
        }
    }

    /// A `stop` request, with a grace period that is `shorter` than the VMI's or without one. Answers as the API does.
    pub fn stop(&mut self, vmi: Option<Phase>, shorter: bool) -> Answer {
        if vmi.is_none_or(Phase::is_final) {
            return Answer::Refused;
        }
        match self.strategy {
            RunStrategy::Always | RunStrategy::Once => self.strategy = RunStrategy::Halted,
            RunStrategy::Manual | RunStrategy::RerunOnFailure => self.stop_requested = true,
            RunStrategy::Halted if shorter => self.stop_requested = true,
            RunStrategy::Halted => return Answer::Refused,
        }
        Answer::Accepted
    }

    /// A `restart` request. Answers as the API does.
    pub fn restart(&mut self, vmi: Option<Phase>) -> Answer {
        let impossible = matches!(self.strategy, RunStrategy::Halted | RunStrategy::Once);
        if impossible || vmi.is_none_or(Phase::is_final) {
            return Answer::Refused;
        }
        (self.stop_requested, self.start_requested) = (true, true);
        Answer::Accepted
    }

    /// The VirtualMachine is deleted.
    pub fn delete(&mut self) {
        self.deleted = true;
    }

    /// The VirtualMachine is being deleted.
    pub fn deleted(&self) -> bool {
        self.deleted
    }

    /// A VMI runs: start failures are forgotten.
    pub fn running(&mut self) {
        self.failures = 0;
    }

    /// A VMI was found final, for the first time. One that never ran counts as a start failure (`syncStartFailureStatus`).
    pub fn found_final(&mut self, now: Time, ran: bool, random: &mut fastrand::Rng) {
        if ran || !self.backs_off() {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.retry_after = now + start_delay(self.failures, random);
        }
    }

    fn backs_off(&self) -> bool {
        matches!(self.strategy, RunStrategy::Always | RunStrategy::RerunOnFailure | RunStrategy::Once)
    }

    /// `CrashLoopBackOff` is shown while there is no live VMI.
    pub fn crash_looping(&self) -> bool {
        self.failures > 0 && self.backs_off()
    }

    /// When a start that was put off is due. Once does not start again, and Manual never waits.
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        let waits = self.failures > 0 && matches!(self.strategy, RunStrategy::Always | RunStrategy::RerunOnFailure);
        Some(self.retry_after).filter(|t| waits && *t > now)
    }

    /// A VMI was created.
    pub fn created(&mut self) {
        self.ever_created = true;
        self.start_requested = false;
    }

    /// The VMI object is gone.
    pub fn gone(&mut self) {
        self.stop_requested = false;
    }

    /// A final VMI is being deleted: under RerunOnFailure only a Failed one leaves a start request behind.
    pub fn deleting(&mut self, phase: Phase) {
        self.start_requested |= self.strategy == RunStrategy::RerunOnFailure && phase == Phase::Failed;
    }

    /// What to do about the VMI in this phase (`None`: there is none).
    pub fn decide(&self, now: Time, vmi: Option<Phase>) -> Decision {
        if self.deleted || self.stop_requested {
            return if vmi.is_some() { Decision::Delete } else { Decision::Nothing };
        }
        let waits = self.next_wakeup(now).is_some();
        match (self.strategy, vmi) {
            (RunStrategy::Always | RunStrategy::RerunOnFailure, None) if waits => Decision::Nothing,
            (RunStrategy::Halted, Some(_)) => Decision::Delete,
            (RunStrategy::Halted, None) => Decision::Nothing,
            (RunStrategy::Always, None) => Decision::Create,
            (RunStrategy::Always, Some(phase)) if phase.is_final() => Decision::Delete,
            (RunStrategy::RerunOnFailure, None) if !self.ever_created || self.start_requested => Decision::Create,
            (RunStrategy::RerunOnFailure, Some(phase)) if phase.is_final() => Decision::Delete,
            (RunStrategy::Manual, None) if self.start_requested => Decision::Create,
            (RunStrategy::Manual, Some(phase)) if phase.is_final() && self.start_requested => Decision::Delete,
            // No second start, unless somebody deletes the VMI; the backoff is not looked at.
            (RunStrategy::Once, None) => Decision::Create,
            _ => Decision::Nothing,
        }
    }
}

/// Whether a new VMI follows one that ended in this phase, without anybody asking for it.
pub fn is_replaced(strategy: RunStrategy, phase: Phase) -> bool {
    let mut vm = VmController::new(strategy);
    vm.created();
    let deletes = vm.decide(Time::ZERO, Some(phase)) == Decision::Delete;
    vm.deleting(phase);
    deletes && vm.decide(Time::ZERO, None) == Decision::Create
}

/// 10 n^2 seconds and up to half of that more, at most 300 (`calculateStartBackoffTime`).
fn start_delay(failures: u32, random: &mut fastrand::Rng) -> Duration {
    let base = 10_u64.saturating_mul(u64::from(failures).pow(2));
    Duration::from_secs(base.saturating_add(random.u64(0..=base / 2)).min(300))
}

#[cfg(test)]
mod tests {
    use super::*;
    use RunStrategy::*;

    /// kubevirt-health.md 6: the table. What happens to the final VMI, and what after it is gone.
    #[test]
    fn reactions_to_a_final_vmi() {
        for (strategy, phase, then, after) in [
            (Always, Phase::Succeeded, Decision::Delete, Decision::Create),
            (Always, Phase::Failed, Decision::Delete, Decision::Create),
            (RerunOnFailure, Phase::Succeeded, Decision::Delete, Decision::Nothing),
            (RerunOnFailure, Phase::Failed, Decision::Delete, Decision::Create),
            (Manual, Phase::Succeeded, Decision::Nothing, Decision::Nothing),
            (Manual, Phase::Failed, Decision::Nothing, Decision::Nothing),
            // Kept; only a user can delete it, and then it is created again.
            (Once, Phase::Succeeded, Decision::Nothing, Decision::Create),
            (Once, Phase::Failed, Decision::Nothing, Decision::Create),
            (Halted, Phase::Succeeded, Decision::Delete, Decision::Nothing),
            (Halted, Phase::Failed, Decision::Delete, Decision::Nothing),
        ] {
            let mut vm = VmController::new(strategy);
            vm.created();
            assert_eq!(
                vm.decide(Time::ZERO, Some(Phase::Running)),
                if strategy == Halted { Decision::Delete } else { Decision::Nothing }
            );
            assert_eq!(vm.decide(Time::ZERO, Some(phase)), then, "{strategy} {phase}");
            vm.deleting(phase);
            vm.gone();
            assert_eq!(vm.decide(Time::ZERO, None), after, "{strategy} after {phase}");
            let replaced = then == Decision::Delete && after == Decision::Create;
            assert_eq!(is_replaced(strategy, phase), replaced, "{strategy} after {phase}");
        }
    }

    #[test]
    fn first_start_and_requests() {
        for (strategy, first, start_when_stopped) in [
            (Always, Decision::Create, Answer::Refused),
            (RerunOnFailure, Decision::Create, Answer::Accepted),
            (Manual, Decision::Nothing, Answer::Accepted),
            (Once, Decision::Create, Answer::Refused),
            (Halted, Decision::Nothing, Answer::Accepted),
        ] {
            assert_eq!(VmController::new(strategy).decide(Time::ZERO, None), first, "{strategy}");
            let mut vm = VmController::new(strategy);
            assert_eq!(vm.start(None), start_when_stopped, "{strategy}");
            if start_when_stopped == Answer::Accepted {
                assert_eq!(vm.decide(Time::ZERO, None), Decision::Create, "{strategy}");
            }
        }
        let mut halted = VmController::new(Halted);
        halted.start(None);
        assert_eq!(halted.strategy, Always, "the API switches Halted to Always");
        assert_eq!(VmController::new(RerunOnFailure).start(Some(Phase::Failed)), Answer::Refused);
        for strategy in [RerunOnFailure, Manual, Halted] {
            assert_eq!(VmController::new(strategy).start(Some(Phase::Running)), Answer::Refused, "{strategy}: it runs");
        }
        let mut manual = VmController::new(Manual);
        assert_eq!(manual.start(Some(Phase::Failed)), Answer::Accepted);
        assert_eq!(manual.decide(Time::ZERO, Some(Phase::Failed)), Decision::Delete, "start deletes the final VMI");
    }

    /// kubevirt-health.md 6.1: the shortest and the longest delay after n early failures.
    #[test]
    fn start_failures_back_off() {
        let mut random = fastrand::Rng::with_seed(1);
        for (n, shortest, longest) in
            [(1, 10, 15), (2, 40, 60), (3, 90, 135), (4, 160, 240), (5, 250, 300), (6, 300, 300)]
        {
            let delays: Vec<u64> = (0..2000).map(|_| start_delay(n, &mut random).as_secs()).collect();
            assert_eq!((delays.iter().min(), delays.iter().max()), (Some(&shortest), Some(&longest)), "n = {n}");
        }
        assert_eq!(start_delay(u32::MAX, &mut random).as_secs(), 300);
    }

    #[test]
    fn who_waits_and_what_is_shown() {
        for (strategy, at_once, crash_looping) in [
            (Always, Decision::Nothing, true),
            (RerunOnFailure, Decision::Nothing, true),
            (Once, Decision::Create, true),
            (Manual, Decision::Nothing, false),
        ] {
            let mut vm = VmController::new(strategy);
            vm.created();
            vm.found_final(Time::from_secs(100), false, &mut fastrand::Rng::with_seed(1));
            vm.deleting(Phase::Failed);
            vm.gone();
            assert_eq!(vm.decide(Time::from_secs(109), None), at_once, "{strategy}");
            assert_eq!(vm.crash_looping(), crash_looping, "{strategy}");
            let waits = [Always, RerunOnFailure].contains(&strategy);
            assert_eq!(vm.next_wakeup(Time::from_secs(100)).is_some(), waits, "{strategy}");
            let later = if strategy == Manual { Decision::Nothing } else { Decision::Create };
            assert_eq!(vm.decide(Time::from_secs(115), None), later, "{strategy}");
            vm.running();
            assert!(!vm.crash_looping(), "{strategy}");
            vm.found_final(Time::from_secs(200), true, &mut fastrand::Rng::with_seed(1));
            assert!(!vm.crash_looping(), "{strategy}: it has run");
            vm.delete();
            assert_eq!(vm.decide(Time::from_secs(300), None), Decision::Nothing, "{strategy}");
            assert_eq!(vm.decide(Time::from_secs(300), Some(Phase::Running)), Decision::Delete, "{strategy}");
        }
    }

    /// A strategy that does not back off shows none, whatever was counted before.
    #[test]
    fn a_stop_ends_the_crash_loop() {
        let mut vm = VmController::new(Always);
        vm.created();
        vm.found_final(Time::ZERO, false, &mut fastrand::Rng::with_seed(1));
        assert!(vm.crash_looping());
        assert_eq!(vm.stop(Some(Phase::Scheduled), false), Answer::Accepted);
        assert!(!vm.crash_looping());
    }

    /// A VM that is Halted and whose VMI is still there has a stop under way: only a shorter grace period changes anything.
    #[test]
    fn a_stop_of_a_stop_needs_a_shorter_grace_period() {
        for (vmi, shorter, answer) in [
            (Some(Phase::Running), true, Answer::Accepted),
            (Some(Phase::Running), false, Answer::Refused),
            (Some(Phase::Succeeded), true, Answer::Refused),
            (None, true, Answer::Refused),
        ] {
            assert_eq!(VmController::new(Halted).stop(vmi, shorter), answer, "{vmi:?}, {shorter}");
        }
    }

    #[test]
    fn restart_requests() {
        for (strategy, answer) in [
            (Always, Answer::Accepted),
            (RerunOnFailure, Answer::Accepted),
            (Manual, Answer::Accepted),
            (Once, Answer::Refused),
            (Halted, Answer::Refused),
        ] {
            let mut vm = VmController::new(strategy);
            vm.created();
            assert_eq!(vm.restart(Some(Phase::Running)), answer, "{strategy}");
            if answer == Answer::Accepted {
                assert_eq!(vm.decide(Time::ZERO, Some(Phase::Running)), Decision::Delete, "{strategy}");
                vm.gone();
                assert_eq!(vm.decide(Time::ZERO, None), Decision::Create, "{strategy}");
            }
            assert_eq!(vm.restart(None), Answer::Refused, "{strategy}");
        }
    }
}

//! The VM controller: what `runStrategy` makes of the VMI (KubeVirt `vm.go syncRunStrategy`; kubevirt-health.md 6).

use super::vmi::Phase;
use crate::manifest::RunStrategy;

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
}

impl VmController {
    /// The controller of a VM just created.
    pub fn new(strategy: RunStrategy) -> Self {
        VmController { strategy, start_requested: false, stop_requested: false, ever_created: false }
    }

    /// A `start` request; `vmi` is the phase of the VMI that exists. Answers as the API does.
    pub fn start(&mut self, vmi: Option<Phase>) -> &'static str {
        let live = vmi.is_some_and(|p| !p.is_final());
        match self.strategy {
            RunStrategy::Always | RunStrategy::Once => "refused",
            _ if live => "refused",
            RunStrategy::RerunOnFailure if vmi == Some(Phase::Failed) => "refused",
            RunStrategy::Halted => {
                self.strategy = RunStrategy::Always;
                "accepted"
            }
            RunStrategy::Manual | RunStrategy::RerunOnFailure => {
                self.start_requested = true;
                "accepted"
            }
        }
    }

    /// A `stop` request. Answers as the API does.
    pub fn stop(&mut self, vmi: Option<Phase>) -> &'static str {
        if vmi.is_none_or(Phase::is_final) {
            return "refused";
        }
        match self.strategy {
            RunStrategy::Always | RunStrategy::Once => self.strategy = RunStrategy::Halted,
            RunStrategy::Manual | RunStrategy::RerunOnFailure => self.stop_requested = true,
            RunStrategy::Halted => return "refused",
        }
        "accepted"
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
    pub fn decide(&self, vmi: Option<Phase>) -> Decision {
        if self.stop_requested && vmi.is_some() {
            return Decision::Delete;
        }
        match (self.strategy, vmi) {
            (RunStrategy::Halted, Some(_)) => Decision::Delete,
            (RunStrategy::Halted, None) => Decision::Nothing,
            (RunStrategy::Always, None) => Decision::Create,
            (RunStrategy::Always, Some(phase)) if phase.is_final() => Decision::Delete,
            (RunStrategy::RerunOnFailure, None) if !self.ever_created || self.start_requested => Decision::Create,
            (RunStrategy::RerunOnFailure, Some(phase)) if phase.is_final() => Decision::Delete,
            (RunStrategy::Manual, None) if self.start_requested => Decision::Create,
            (RunStrategy::Manual, Some(phase)) if phase.is_final() && self.start_requested => Decision::Delete,
            (RunStrategy::Once, None) if !self.ever_created => Decision::Create,
            _ => Decision::Nothing,
        }
    }
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
            (Once, Phase::Succeeded, Decision::Nothing, Decision::Nothing),
            (Once, Phase::Failed, Decision::Nothing, Decision::Nothing),
            (Halted, Phase::Succeeded, Decision::Delete, Decision::Nothing),
            (Halted, Phase::Failed, Decision::Delete, Decision::Nothing),
        ] {
            let mut vm = VmController::new(strategy);
            vm.created();
            assert_eq!(
                vm.decide(Some(Phase::Running)),
                if strategy == Halted { Decision::Delete } else { Decision::Nothing }
            );
            assert_eq!(vm.decide(Some(phase)), then, "{strategy} {phase}");
            vm.deleting(phase);
            vm.gone();
            assert_eq!(vm.decide(None), after, "{strategy} after {phase}");
        }
    }

    #[test]
    fn first_start_and_requests() {
        for (strategy, first, start_when_stopped) in [
            (Always, Decision::Create, "refused"),
            (RerunOnFailure, Decision::Create, "accepted"),
            (Manual, Decision::Nothing, "accepted"),
            (Once, Decision::Create, "refused"),
            (Halted, Decision::Nothing, "accepted"),
        ] {
            assert_eq!(VmController::new(strategy).decide(None), first, "{strategy}");
            let mut vm = VmController::new(strategy);
            assert_eq!(vm.start(None), start_when_stopped, "{strategy}");
            if start_when_stopped == "accepted" {
                assert_eq!(vm.decide(None), Decision::Create, "{strategy}");
            }
        }
        let mut halted = VmController::new(Halted);
        halted.start(None);
        assert_eq!(halted.strategy, Always, "the API switches Halted to Always");
        assert_eq!(VmController::new(RerunOnFailure).start(Some(Phase::Failed)), "refused");
        let mut manual = VmController::new(Manual);
        assert_eq!(manual.start(Some(Phase::Failed)), "accepted");
        assert_eq!(manual.decide(Some(Phase::Failed)), Decision::Delete, "start deletes the final VMI");
    }
}

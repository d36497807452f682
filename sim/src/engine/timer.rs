//! The engine's own timers.

/// What the engine itself waits for; its VMI, controller, script and judge have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The migration of the VMI with this number is over.
    MigrationOver {
        /// The VMI's number.
        vmi: u32,
        /// Its target was killed.
        failed: bool,
    },
    /// It is tried again.
    MigrationAgain {
        /// The VMI's number.
        vmi: u32,
    },
    /// What a step broke for a while is whole again, if it is still that VMI's.
    FaultOver {
        /// The VMI's number.
        vmi: u32,
        /// The step's index.
        step: usize,
    },
    /// The final VMI that is being deleted is gone.
    VmiGone,
    /// The present boot has taken too long.
    BootDeadline,
    /// The run has.
    RunDeadline,
}

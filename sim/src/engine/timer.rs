//! The engine's own timers.

/// What the engine itself waits for; its VMI, controller, script and judge have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The present VMI's migration is over.
    MigrationOver,
    /// The final VMI that is being deleted is gone.
    VmiGone,
    /// The present boot has taken too long.
    BootDeadline,
    /// The run has.
    RunDeadline,
}

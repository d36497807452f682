//! A template is kept only once a fork of it has lived.
//!
//! Seen on s390x under TCG: a guest that was captured while six compilers ran beside it was as its profile says, and in each
//! of its forks timers hardly ever came. Why is not known, so the fork is asked, not the template.

use super::error::CaptureError;
use crate::guest::{BootMode, Captured, NotReady, VerifyMode, VmSpec, verify};
use crate::time;
use std::path::Path;
use std::time::Duration;

/// For a fork to be made a machine of its own, and to be seen as its profile says: seconds where it works.
const VERIFY_LIMIT: Duration = Duration::from_secs(60);
/// Timers that must come, one after another.
const TIMERS: &str = "for i in 1 2 3 4 5; do sleep 0.2; done";
const TIMERS_LIMIT: Duration = Duration::from_secs(20);

/// Forks the guest once. `scratch` and `evidence` as in [`VmSpec::prepare`].
pub(super) async fn fork_lives(
    spec: &VmSpec,
    captured: Captured,
    scratch: &Path,
    evidence: &Path,
) -> Result<(), CaptureError> {
    let bad = |why: String| CaptureError::BadFork(why);
    std::fs::create_dir_all(scratch).map_err(|e| CaptureError::File(format!("{}: {e}", scratch.display())))?;
    let prepared = spec.clone().prepare(BootMode::Fork(captured), 1, scratch, evidence)?;
    let (live, _events) = prepared.launch(time::now(), false).await?;
    let agent = live.agent.present().map_err(|e| bad(e.to_string()))?;
    verify(&agent, spec.expected(), VerifyMode::Forked, VERIFY_LIMIT).await.map_err(|e| match e {
        NotReady::Reason(why) => bad(why),
        NotReady::SessionOver => bad("its agent has gone".into()),
    })?;
    let timers = agent.shell(TIMERS, time::now() + TIMERS_LIMIT).await;
    timers.map(drop).map_err(|e| bad(format!("a second of sleep has no end: {e}")))
}

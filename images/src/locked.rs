//! What a recipe's lock pins, and packages that the mirror no longer has.

use crate::error::BuildError;
use crate::lock::{Lock, Package};
use crate::mmdebstrap::{Progress, run};
use crate::recipe::Recipe;
use std::process::Command;

impl Recipe {
    /// Every package of the image.
    pub fn locked(&self) -> Result<Vec<Package>, BuildError> {
        Ok(self.lock()?.packages)
    }

    /// Parsed.
    pub(crate) fn lock(&self) -> Result<Lock, BuildError> {
        Lock::parse(self.lock).map_err(|source| BuildError::Lock { lock: self.lock_path, source })
    }

    /// Packages that the mirror does not have are the lock's.
    pub(crate) fn run(&self, command: Command, progress: Progress<'_>) -> Result<(), BuildError> {
        run(command, progress).map_err(|e| match e {
            BuildError::Mmdebstrap { gone, .. } if !gone.is_empty() => self.stale(gone),
            e => e,
        })
    }

    pub(crate) fn stale(&self, difference: Vec<String>) -> BuildError {
        BuildError::LockStale { lock: self.lock_path, architecture: self.architecture, difference }
    }
}

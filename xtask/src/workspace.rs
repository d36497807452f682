//! vmhealth's own sources, for what cannot do without them: its tests, its mutants, the lock files of its images.

use std::path::{Path, PathBuf};

/// There are none here.
#[derive(Debug, thiserror::Error)]
#[error("this needs vmhealth's sources: {} is not inside a copy of its repository", .0.display())]
pub struct NoSources(PathBuf);

/// The repository's folder that holds the current folder.
pub fn find() -> Result<PathBuf, NoSources> {
    let here = std::env::current_dir().unwrap_or_default();
    above(&here).map(Path::to_owned).ok_or(NoSources(here))
}

fn above(folder: &Path) -> Option<&Path> {
    let is_root = |f: &&Path| ["Cargo.lock", "sim/Cargo.toml", "tests/scenarios"].iter().all(|p| f.join(p).exists());
    folder.ancestors().find(is_root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_any_folder_of_the_sources() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(above(&own.join("src/run")), own.parent());
        assert_eq!(above(own.parent().unwrap()), own.parent());
        assert_eq!(above(tempfile::tempdir().unwrap().path()), None);
    }
}

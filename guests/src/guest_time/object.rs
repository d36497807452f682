//! The object that is loaded into QEMU, as a file.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use vmhealth_images::digest;

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/clock.so"));
/// Of its digest, in the file's name.
const DIGITS: usize = 16;

/// What parts a list of folders for the linker (ld.so(8)).
const SEPARATORS: &[u8] = b":;";

/// Puts it into the folder `cache`, under a name of its content, unless it is there; its path.
pub fn install(cache: &Path) -> io::Result<PathBuf> {
    if cache.as_os_str().as_bytes().iter().any(|byte| SEPARATORS.contains(byte)) {
        let text = "nothing in a folder with a `:` or `;` in its path can be loaded into QEMU; name another with XDG_CACHE_HOME, \
                    or use --clock real";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {text}", cache.display())));
    }
    let digest = digest::of_bytes(OBJECT);
    let file = cache.join(format!("clock-{}.so", digest.get(..DIGITS).unwrap_or(&digest)));
    if digest::of_file(&file).is_ok_and(|found| found == digest) {
        return Ok(file);
    }
    std::fs::create_dir_all(cache)?;
    let new = NamedTempFile::new_in(cache)?;
    std::fs::write(new.path(), OBJECT)?;
    // Another run may have put the same there meanwhile.
    new.persist(&file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_once_and_again_when_damaged() {
        let cache = tempfile::tempdir().unwrap();
        let file = install(&cache.path().join("new")).unwrap();
        assert_eq!(install(&cache.path().join("new")).unwrap(), file);
        std::fs::write(&file, "half").unwrap();
        install(&cache.path().join("new")).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), OBJECT);
        let refused = install(&cache.path().join("a:b")).unwrap_err().to_string();
        assert!(refused.contains("name another with XDG_CACHE_HOME"), "{refused}");
    }
}

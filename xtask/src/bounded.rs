//! Files of the user's, of which no more is read than a limit: a device or a pipe may have no end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// What is in a file, or for `-` in standard input, of at most so many bytes; the error names it.
pub(crate) fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let (is_input, mut bytes) = (path.as_os_str() == "-", Vec::new());
    let shown = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let read = match is_input {
        true => io::stdin().lock().take(limit + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|e| format!("cannot read {shown}: {e}"))?;
    match bytes.len() as u64 > limit {
        true => Err(format!("{shown} is larger than {} MiB", limit >> 20)),
        false => Ok(bytes),
    }
}

/// The same as a text.
pub(crate) fn text(path: &Path, limit: u64) -> Result<String, String> {
    String::from_utf8(bytes(path, limit)?).map_err(|_| format!("cannot read {}: it is no UTF-8 text", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_without_an_end() {
        let endless = text(Path::new("/dev/zero"), 1 << 20);
        assert_eq!(endless, Err("/dev/zero is larger than 1 MiB".to_owned()));
    }
}

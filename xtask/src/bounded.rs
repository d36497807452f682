//! Files of the user's, of which no more is read than a limit: a device or a pipe may have no end.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// A file's text of at most so many bytes; the error names the file.
pub(crate) fn text(path: &Path, limit: u64) -> Result<String, String> {
    let shown = path.display();
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut text));
    read.map_err(|e| format!("cannot read {shown}: {e}"))?;
    if text.len() as u64 > limit {
        return Err(format!("{shown} is larger than {} MiB", limit >> 20));
    }
    String::from_utf8(text).map_err(|_| format!("cannot read {shown}: it is no UTF-8 text"))
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

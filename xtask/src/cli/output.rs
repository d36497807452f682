//! What a command prints on stdout as its result.

use std::io::{self, Write as _};

/// Prints a text. Whoever reads it may have seen enough, like `head`: that is no error.
pub(super) fn out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(()),
    }
}

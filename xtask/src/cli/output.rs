//! What a command prints on stdout as its result.

use super::exit::{Failure, usage};
use crate::lines::tell;
use crate::stderr;
use anyhow::anyhow;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

/// Prints a text, in a terminal after the lines that were said before. Whoever reads it may have seen enough, like `head`: that is
/// no error.
pub(super) fn out(text: &str) -> io::Result<()> {
    if io::stdout().is_terminal() && io::stderr().is_terminal() {
        stderr::finish();
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(()),
    }
}

/// Writes a page and says where it is.
pub(super) fn write_report(file: &Path, page: &str) -> Result<(), Failure> {
    std::fs::write(file, page).map_err(|e| usage(anyhow!("--report: {} cannot be written: {e}", file.display())))?;
    tell(&format!("report: {}", file.display()));
    Ok(())
}

//! Which QEMU this is.

use std::fmt;
use std::process::Command;

/// A QEMU's version as it says it itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QemuVersion {
    /// `7.2.22`.
    pub number: String,
    /// The whole first line.
    pub line: String,
}

impl fmt::Display for QemuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number)
    }
}

/// Asks the binary; an error says why it cannot be run.
pub fn version(binary: &str) -> Result<QemuVersion, String> {
    let output = Command::new(binary).arg("--version").output().map_err(|e| format!("cannot run {binary}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().to_owned();
    parse(&line).ok_or_else(|| format!("{binary} --version says {line:?}"))
}

fn parse(line: &str) -> Option<QemuVersion> {
    let number = line.strip_prefix("QEMU emulator version ")?.split([' ', '(']).next()?;
    number.starts_with(|c: char| c.is_ascii_digit()).then(|| QemuVersion { number: number.into(), line: line.into() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn versions() {
        let number = |line| parse(line).map(|v| v.number);
        assert_eq!(number("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"), Some("7.2.22".into()));
        assert_eq!(number("QEMU emulator version 10.0.13"), Some("10.0.13".into()));
        assert_eq!(number("bash: not found"), None);
    }
}

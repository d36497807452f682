//! Which QEMU this is.

use std::fmt;
use std::process::Command;
use vmhealth_images::digest;

/// The program for x86 guests.
pub const QEMU_X86: &str = "qemu-system-x86_64";
/// The program for s390x guests.
pub const QEMU_S390X: &str = "qemu-system-s390x";

/// A QEMU's version as it says it itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QemuVersion {
    /// `7.2.22`.
    pub number: String,
    /// The whole first line.
    pub line: String,
    /// Of the binary.
    pub digest: String,
}

impl QemuVersion {
    /// Whether it is this release, or a later one.
    pub fn is_from(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.number.split('.').map(|part| part.parse().unwrap_or(0));
        let own: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        own >= (major, minor)
    }
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
    let number = parse(&line).ok_or_else(|| format!("{binary} --version says {line:?}"))?;
    // What was run was found in the same folders.
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::env::split_paths(&folders).map(|dir| dir.join(binary));
    let digest = paths.filter(|p| p.is_file()).find_map(|p| digest::of_file(&p).ok()).unwrap_or_default();
    Ok(QemuVersion { number, line, digest })
}

/// The number in `--version`'s first line.
pub(crate) fn parse(line: &str) -> Option<String> {
    let number = line.strip_prefix("QEMU emulator version ")?.split([' ', '(']).next()?;
    number.starts_with(|c: char| c.is_ascii_digit()).then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{QemuVersion, parse};

    #[test]
    fn versions() {
        assert_eq!(parse("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"), Some("7.2.22".into()));
        assert_eq!(parse("QEMU emulator version 10.0.13"), Some("10.0.13".into()));
        assert_eq!(parse("bash: not found"), None);
        for (number, expected) in
            [("7.2.22", false), ("8.1.5", false), ("8.2", true), ("8.10.0", true), ("10.0.13", true)]
        {
            let version = QemuVersion { number: number.into(), line: String::new(), digest: String::new() };
            assert_eq!(version.is_from(8, 2), expected, "{number}");
        }
    }
}

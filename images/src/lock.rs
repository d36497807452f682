//! The lock file: every package of the image as `name version sha256`, one a line.
//!
//! apt checks the archive's signatures; the lock says which of what it serves is ours.

use std::fmt;

/// One package of the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Of the .deb, in hex.
    pub sha256: String,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.version, self.sha256)
    }
}

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Sorted by name.
    pub packages: Vec<Package>,
}

/// A line that is not `name version sha256`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected `name version sha256`, found {text:?}")]
pub struct LockError {
    /// From 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

impl Lock {
    /// Reads a lock file; lines that begin with `#` are remarks.
    pub fn parse(text: &str) -> Result<Lock, LockError> {
        let mut packages = Vec::new();
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.starts_with('#') && !l.trim().is_empty()) {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                [name, version, sha256] if sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    packages.push(Package {
                        name: (*name).into(),
                        version: (*version).into(),
                        sha256: (*sha256).into(),
                    });
                }
                _ => return Err(LockError { line: i + 1, text: line.to_owned() }),
            }
        }
        packages.sort();
        Ok(Lock { packages })
    }

    /// What is in only one of the two, a line each: what the lock wants (`-`) and what was found (`+`).
    pub fn difference(&self, found: &Lock) -> Vec<String> {
        let missing = self.packages.iter().filter(|p| !found.packages.contains(p)).map(|p| format!("- {p}"));
        let extra = found.packages.iter().filter(|p| !self.packages.contains(p)).map(|p| format!("+ {p}"));
        missing.chain(extra).collect()
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.packages.iter().try_for_each(|p| writeln!(f, "{p}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_and_compared() {
        let sum = |c: &str| c.repeat(64);
        let text = format!("# remark\nb 2 {}\na 1:1-1 {}\n", sum("b"), sum("a"));
        let lock = Lock::parse(&text).unwrap();
        assert_eq!(lock.to_string(), format!("a 1:1-1 {}\nb 2 {}\n", sum("a"), sum("b")));
        let moved = Lock::parse(&format!("a 1:1-2 {}\nb 2 {}\n", sum("c"), sum("b"))).unwrap();
        assert_eq!(lock.difference(&lock), Vec::<String>::new());
        assert_eq!(lock.difference(&moved), vec![format!("- a 1:1-1 {}", sum("a")), format!("+ a 1:1-2 {}", sum("c"))]);
        let error = Lock::parse("a 1\n").unwrap_err();
        assert_eq!(error.to_string(), "line 1: expected `name version sha256`, found \"a 1\"");
    }
}

//! What this host has and lacks, and the command that mends it.

use std::path::PathBuf;
use std::process::Command;
use vmhealth_guests::qemu::{QEMU_X86, QemuVersion, version};

/// A program that vmhealth runs, and the Debian package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The program.
    pub program: &'static str,
    /// Its package.
    pub package: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

/// Everything that the main job needs.
pub const TOOLS: &[Tool] = &[
    Tool { program: QEMU_X86, package: "qemu-system-x86", purpose: "runs the guests" },
    Tool { program: "qemu-img", package: "qemu-utils", purpose: "makes their overlays" },
    Tool { program: "mmdebstrap", package: "mmdebstrap", purpose: "builds the guest image" },
    Tool { program: "mke2fs", package: "e2fsprogs", purpose: "makes its file system" },
    Tool { program: "debugfs", package: "e2fsprogs", purpose: "makes its file system reproducible" },
];

/// The tools that are missing.
pub fn missing() -> Vec<Tool> {
    TOOLS.iter().filter(|t| find(t.program).is_none()).copied().collect()
}

/// Where a program is, also in the administrator's folders that an ordinary user's PATH lacks.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let admin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(admin).map(|dir| dir.join(program)).find(|p| p.is_file())
}

/// The command that installs what is missing.
pub fn install_command(missing: &[Tool]) -> String {
    let mut packages: Vec<&str> = missing.iter().map(|t| t.package).collect();
    packages.sort_unstable();
    packages.dedup();
    format!("apt-get install -y --no-install-recommends {}", packages.join(" "))
}

/// Installs what is missing where that is ours to do: on Debian, as root. Else says what to type.
pub fn install(missing: &[Tool]) -> Result<(), String> {
    let command = install_command(missing);
    let as_user = format!("missing: {}; type: sudo {command}", names(missing));
    if !nix::unistd::geteuid().is_root() || find("apt-get").is_none() {
        return Err(as_user);
    }
    let apt = |line: &str| {
        // stdout is for results.
        let line = &format!("({line}) >&2");
        let status = Command::new("sh").args(["-c", line]).env("DEBIAN_FRONTEND", "noninteractive").status();
        status.map_err(|e| e.to_string()).and_then(|s| if s.success() { Ok(()) } else { Err(format!("{line}: {s}")) })
    };
    eprintln!("installing {}: {command}", names(missing));
    apt(&format!("{command} >/dev/null 2>/dev/null")).or_else(|_| apt(&format!("apt-get update -q && {command}")))
}

fn names(tools: &[Tool]) -> String {
    tools.iter().map(|t| t.program).collect::<Vec<_>>().join(", ")
}

/// The QEMU that runs the guests.
pub fn qemu() -> Result<QemuVersion, String> {
    version(QEMU_X86)
}

/// MiB of memory that guests may use: four fifths of what is available.
pub fn memory_budget_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib =
        text.lines().find_map(|l| l.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(2 << 20) / 1024 * 4 / 5
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The user's cache folder of vmhealth.
pub fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|h| h.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("vmhealth")
}

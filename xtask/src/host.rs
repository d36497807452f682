//! The tools that this host has, those that are missing, and the command that installs them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use vmhealth_guests::qemu::{QEMU_S390X, QEMU_X86};
use vmhealth_sim::manifest::Architecture;

/// A program that vmhealth runs, and the Debian package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The program; under any of these names.
    pub programs: &'static [&'static str],
    /// Its package; the first that this host's release has.
    pub packages: &'static [&'static str],
    /// What it is for.
    pub purpose: &'static str,
}

const fn tool(programs: &'static [&'static str], packages: &'static [&'static str], purpose: &'static str) -> Tool {
    Tool { programs, packages, purpose }
}

/// What guests of any architecture need.
const COMMON: [Tool; 4] = [
    tool(&["qemu-img"], &["qemu-utils"], "makes the guests' overlays"),
    tool(&["mmdebstrap"], &["mmdebstrap"], "builds guest images"),
    tool(&["mke2fs"], &["e2fsprogs"], "makes their file systems"),
    tool(&["debugfs"], &["e2fsprogs"], "makes their file systems reproducible"),
];
const AMD64: [Tool; 1] = [tool(&[QEMU_X86], &["qemu-system-x86"], "runs amd64 guests")];
const S390X: [Tool; 3] = [
    tool(&[QEMU_S390X], &["qemu-system-s390x", "qemu-system-misc"], "runs s390x guests"),
    tool(
        &["qemu-s390x-static", "qemu-s390x"],
        &["qemu-user-static", "qemu-user"],
        "runs s390x programs while the image is built",
    ),
    tool(&["arch-test"], &["arch-test"], "checks whether s390x programs run"),
];

/// Files, which are found as programs are: both OVMFs come in one package.
const OVMF: Tool = tool(
    &["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/edk2/ovmf/OVMF_CODE.fd"],
    &["ovmf"],
    "firmware of guests with UEFI",
);
/// mmdebstrap makes a user namespace for an ordinary user.
const NEWUIDMAP: Tool = tool(&["newuidmap"], &["uidmap"], "lets an ordinary user build guest images");
const STRACE: Tool = tool(&["strace"], &["strace"], "makes a guest's disk slow, in a test");

impl Tool {
    /// The name that it is installed under, or the first of its names.
    pub fn name(&self) -> &'static str {
        self.programs.iter().find(|p| find(p).is_some()).or(self.programs.first()).copied().unwrap_or_default()
    }

    /// Its path, if it is installed.
    pub fn path(&self) -> Option<PathBuf> {
        self.programs.iter().find_map(|p| find(p))
    }

    fn package(&self) -> &'static str {
        let known = |package: &&&str| {
            let policy = Command::new("apt-cache").args(["policy", package]).output();
            policy.is_ok_and(|o| {
                String::from_utf8_lossy(&o.stdout).contains("Candidate: ")
                    && !String::from_utf8_lossy(&o.stdout).contains("Candidate: (none)")
            })
        };
        // Before the first `apt-get update` nothing is known: then the oldest name, which is asked for again afterwards.
        let only = self.packages.len() == 1;
        let known = if only { self.packages.first() } else { self.packages.iter().find(known) };
        known.or(self.packages.last()).copied().unwrap_or_default()
    }
}

/// What guests of an architecture need.
pub fn tools(architecture: Architecture) -> Vec<Tool> {
    let own: &[Tool] = match architecture {
        Architecture::Amd64 => &AMD64,
        Architecture::S390x => &S390X,
        Architecture::Arm64 => &[],
    };
    own.iter().chain(&COMMON).copied().collect()
}

/// The tools that are missing for guests of an architecture.
pub fn missing(architecture: Architecture) -> Vec<Tool> {
    tools(architecture).into_iter().filter(|t| t.path().is_none()).collect()
}

/// What it takes to build a guest image besides its guests' tools.
pub fn tools_to_build() -> Vec<Tool> {
    if is_root() { Vec::new() } else { vec![NEWUIDMAP] }
}

/// What is missing of it.
pub fn missing_to_build() -> Vec<Tool> {
    tools_to_build().into_iter().filter(|t| t.path().is_none()).collect()
}

/// The firmware of guests with UEFI, if it is missing.
pub fn missing_ovmf() -> Vec<Tool> {
    [OVMF].into_iter().filter(|t| t.path().is_none()).collect()
}

/// What the tests need besides, and is missing.
pub fn missing_for_tests() -> Vec<Tool> {
    [OVMF, STRACE].into_iter().filter(|t| t.path().is_none()).collect()
}

/// The tools that are missing where QEMU itself runs in a container.
pub fn missing_beside_qemu(architecture: Architecture) -> Vec<Tool> {
    let mut missing = missing(architecture);
    missing.retain(|t| !t.programs.iter().any(|p| [QEMU_X86, QEMU_S390X].contains(p)));
    missing
}

/// Whether vmhealth may install packages: on Debian, as root, unless the user does not want it.
pub fn can_install() -> bool {
    let unwanted = std::env::var_os("VMHEALTH_NO_INSTALL").is_some_and(|value| !value.is_empty());
    !unwanted && is_root() && find("apt-get").is_some()
}

/// Not an ordinary user who is mapped to root in a user namespace.
fn is_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    nix::unistd::geteuid().is_root() && map.split_whitespace().nth(2) != Some("1")
}

/// Where a program is, also in the administrator's folders that an ordinary user's PATH lacks.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let admin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(admin).map(|dir| dir.join(program)).find(|p| p.is_file())
}

/// The command that installs what is missing.
pub fn install_command(missing: &[Tool]) -> String {
    let mut packages: Vec<&str> = missing.iter().map(Tool::package).collect();
    packages.sort_unstable();
    packages.dedup();
    format!("apt-get install -y --no-install-recommends {}", packages.join(" "))
}

/// Installs what is missing on Debian as root; otherwise the error says what to type.
pub fn install(missing: &[Tool]) -> Result<(), String> {
    /// Two of them at once would find apt's lock taken.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let command = install_command(missing);
    let as_user = format!("missing: {}; type: sudo {command}", names(missing));
    if !can_install() {
        return Err(as_user);
    }
    let apt = |line: &str| {
        // stdout is for results.
        let line = &format!("(umask 022; {line}) >&2");
        let status = Command::new("sh").args(["-c", line]).env("DEBIAN_FRONTEND", "noninteractive").status();
        status.map_err(|e| e.to_string()).and_then(|s| if s.success() { Ok(()) } else { Err(format!("{line}: {s}")) })
    };
    eprintln!("installing {}: {command}", names(missing));
    apt(&format!("{command} >/dev/null 2>/dev/null"))
        .or_else(|_| apt("apt-get update -q").and_then(|()| apt(&install_command(missing))))
}

fn names(tools: &[Tool]) -> String {
    tools.iter().map(Tool::name).collect::<Vec<_>>().join(", ")
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

/// Templates in the cache have what is in their guests' user data; an older vmhealth left it open.
pub fn make_cache_private() -> std::io::Result<()> {
    let cache = cache_folder();
    std::fs::create_dir_all(&cache)?;
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o700))
}

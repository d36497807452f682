//! What a program that lies outside of the system's folders needs of its own: one that was built by hand, or unpacked.
//!
//! Its folder's parent may be a home: so nothing is taken as a whole but the folders that QEMU itself says it reads its firmware
//! from (`-L help`) and those of its modules. Libraries are the loader's own list (ld.so(8), `LD_TRACE_LOADED_OBJECTS`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// Programs, libraries, firmware; links among them are made again as they are.
pub(super) const SYSTEM: [&str; 9] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix", "/etc/ld.so.cache", "/etc/alternatives"];
/// Below the folder in which its own lies: where QEMU's build puts modules (`--libdir`, and `qemu` below it).
const LIBRARY_FOLDERS: [&str; 3] = ["lib", "lib64", "libexec"];
const MODULES: &str = "qemu";
/// For an answer that takes no time, on a host that is busy.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of an answer; the loader's list of a large QEMU has 10 KiB.
const LONGEST: u64 = 1 << 20;

/// Whether it is in one of the folders that every confined process sees.
pub(super) fn is_system(path: &Path) -> bool {
    SYSTEM.iter().any(|known| path.starts_with(known))
}

/// Files and folders that are to be seen, outside of the system's; found once for each program. An error: it could not be asked,
/// and is asked again the next time.
pub(super) fn needs(program: &Path) -> io::Result<Arc<Vec<PathBuf>>> {
    static FOUND: Mutex<BTreeMap<PathBuf, Arc<Vec<PathBuf>>>> = Mutex::new(BTreeMap::new());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = found.get(program) {
        return Ok(known.clone());
    }
    let new = Arc::new(find(program)?);
    found.insert(program.to_owned(), new.clone());
    Ok(new)
}

fn find(program: &Path) -> io::Result<Vec<PathBuf>> {
    if is_system(program) {
        return Ok(Vec::new());
    }
    // The loader lists; a program without a loader says its version.
    let libraries = said(program, &["--version"], true, LIMIT)?;
    let folders = said(program, &["-L", "help"], false, LIMIT)?;
    let data: Vec<PathBuf> = folders.lines().map(plain).filter(|p| p.is_dir()).collect();
    let linked: Vec<PathBuf> = data.iter().flat_map(|folder| links(folder)).collect();
    let all = libraries_of(&libraries).into_iter().chain(data).chain(linked).chain(modules(program));
    let outside = all.filter(|path| path.is_absolute() && !is_system(path) && path.exists());
    let mut needed: BTreeSet<PathBuf> = outside.collect();
    needed.insert(program.to_owned());
    let in_another = |path: &PathBuf| path.ancestors().skip(1).any(|folder| needed.contains(folder));
    Ok(needed.iter().filter(|path| !in_another(path)).cloned().collect())
}

/// What it prints; nothing where it does not understand. An error: it cannot be started, or has not ended its answer in time.
fn said(program: &Path, arguments: &[&str], traced: bool, limit: Duration) -> io::Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).env_clear();
    if traced {
        command.env("LD_TRACE_LOADED_OBJECTS", "1");
    }
    let told = |e: io::Error| io::Error::new(e.kind(), format!("{} {}: {e}", program.display(), arguments.join(" ")));
    let mut child = command.spawn().map_err(told)?;
    let (heard, answer) = mpsc::channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(LONGEST).read_to_end(&mut bytes));
        // Nobody listens after the limit.
        let _ = heard.send(read.map(|_| bytes));
    });
    let answer = answer.recv_timeout(limit);
    // It has said all, or is not to go on.
    let _ = child.kill();
    child.wait().map_err(told)?;
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"));
    let bytes = answer.unwrap_or_else(|_| Err(late())).map_err(told)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `\tlibz.so.1 => /opt/lib/libz.so.1 (0x...)`, and without a name `\t/opt/lib/ld.so (0x...)`.
fn libraries_of(listed: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let (found, _) = line.trim().rsplit_once(" (0x")?;
        let found = found.split_once(" => ").map_or(found, |(_, path)| path);
        found.starts_with('/').then(|| plain(found))
    };
    listed.lines().filter_map(path).collect()
}

/// Without `..`: QEMU names its folders from its program's on, `/opt/bin/../share/qemu`, and so does the loader with `$ORIGIN`.
fn plain(path: &str) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// Where the links in there lead: a build's folder of data has links to its sources.
fn links(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    links.filter_map(|entry| entry.path().canonicalize().ok()).filter(|path| path.is_file()).collect()
}

/// `lib/qemu`, and `lib/x86_64-linux-gnu/qemu` as distributions have it.
fn modules(program: &Path) -> Vec<PathBuf> {
    let Some(prefix) = program.parent().and_then(Path::parent) else { return Vec::new() };
    let folders = LIBRARY_FOLDERS.iter().map(|folder| prefix.join(folder));
    let with_triplets = folders.flat_map(|folder| {
        let below = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        below.filter(|path| path.file_name() != Some(OsStr::new(MODULES))).chain([folder]).collect::<Vec<_>>()
    });
    with_triplets.map(|folder| folder.join(MODULES)).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_list() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /opt/q/lib/libz.so.1 (0x00007f)\n\tlibgone.so => not found\n\
                      \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\nQEMU emulator version 7.2 (0x1)\n";
        let expected = ["/opt/q/lib/libz.so.1", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(libraries_of(listed), expected);
    }

    /// A home with a program, modules and firmware in it: nothing else of it is seen.
    #[test]
    fn nothing_beside_a_program_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for folder in ["bin", "lib/qemu", "lib/triplet/qemu", "lib/other", "source", "share/data"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        std::fs::write(path("source/bios.bin"), "").unwrap();
        std::fs::write(path("share/data/own.bin"), "").unwrap();
        std::os::unix::fs::symlink(path("source/bios.bin"), path("share/data/bios.bin")).unwrap();
        std::os::unix::fs::symlink("own.bin", path("share/data/link.bin")).unwrap();
        let script = format!(
            "#!/bin/sh\n[ \"$1 $2\" = \"-L help\" ] && echo {}/../share/data && echo /no/folder\n",
            path("bin").display()
        );
        let program = path("bin/qemu-system-x86_64");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let names = ["bin/qemu-system-x86_64", "lib/qemu", "lib/triplet/qemu", "share/data", "source/bios.bin"];
        assert_eq!(find(&program).unwrap(), names.map(path));
        assert_eq!(find(Path::new("/usr/bin/true")).unwrap(), Vec::<PathBuf>::new());
    }

    /// A program that does not answer holds nobody up for long, and one that could not be asked is asked again.
    #[test]
    fn a_failure_to_ask_is_told_and_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("qemu");
        std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
        let may_run = |mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&program, mode).unwrap();
        };
        may_run(0o755);
        let late = said(&program, &["-L", "help"], false, Duration::from_millis(100)).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert_eq!(late.to_string(), format!("{} -L help: no answer within 100ms", program.display()));
        may_run(0o644);
        assert_eq!(needs(&program).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        may_run(0o755);
        assert_eq!(*needs(&program).unwrap(), std::slice::from_ref(&program));
    }
}

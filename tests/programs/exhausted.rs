//! `vmhealth` on hosts that have too little: disks for its scratch folder and for its cache that are full, few file descriptors.
//! Each run ends with a verdict, or as the host's failure by its name (exit status 3), and leaves nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod place;

use place::Place;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

/// A file of ours that does not fit; and the guest's overlay, when QEMU says so.
const NAMED: [&str; 2] = ["No space left on device", "the host has no room for what the guest writes to its disk"];
/// Mounts a disk of `$1` over the folder `$2`, runs the rest, and says what is left in there.
const ON_A_DISK: &str = r#"mount -t tmpfs -o size="$1",mode=700 tmpfs "$2" && folder=$2 && shift 2 && "$@"; status=$?
echo "left: $(ls -A "$folder")" >&2; exit $status"#;

/// Runs `command` with a disk of its own over one of the place's folders.
fn on_a_disk(place: &Place, folder: &str, size: &str, command: &Command) -> Output {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", ON_A_DISK, "sh", size]).arg(place.path(folder));
    unshare.arg(command.get_program()).args(command.get_args());
    unshare.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).output().unwrap()
}

fn can_mount() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs tmpfs \"$1\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(folder.path());
    command.output().is_ok_and(|output| output.status.success())
}

/// What a run without room for a template says; it goes on.
const DONE_WITHOUT: &str = "no template, booting cold";

/// Larger and larger, until all fits; returns how many were too small, and said so.
fn on_ever_larger_disks(place: &Place, folder: &str, sizes: &[&str], more: &[&str], named: &[&str]) -> usize {
    let mut full = 0;
    for size in sizes {
        let out = format!("{}-{size}", folder.replace('/', "-"));
        let output = on_a_disk(place, folder, size, &place.command(&out, more));
        let said = String::from_utf8_lossy(&output.stderr);
        let is_named = named.iter().any(|words| said.contains(words));
        match output.status.code() {
            Some(3) => assert!(is_named && said.contains("left: \n"), "{folder} of {size}: {said}"),
            Some(0) => assert!(said.contains("left: "), "{folder} of {size}: {said}"),
            status => panic!("{folder} of {size}: {status:?}: {said}"),
        }
        full += usize::from(is_named && (output.status.code() == Some(3) || said.contains(DONE_WITHOUT)));
        eprintln!("{folder} of {size}: {:?}\n{said}", output.status.code());
    }
    full
}

#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_full_scratch_folder_is_named() {
    if !can_mount() {
        return eprintln!("SKIPPED, nothing can be mounted here");
    }
    let place = Place::new();
    let sizes = ["4k", "16k", "64k", "256k", "1m", "4m", "16m"];
    let full = on_ever_larger_disks(&place, "tmp", &sizes, &[], &NAMED);
    assert!(full > 1, "{full}");
}

#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_full_cache_is_named_or_done_without() {
    if !can_mount() {
        return eprintln!("SKIPPED, nothing can be mounted here");
    }
    let place = Place::without_templates();
    fs::create_dir_all(place.path("cache/vmhealth/templates")).unwrap();
    let sizes = ["16k", "100m"];
    let full = on_ever_larger_disks(&place, "cache/vmhealth/templates", &sizes, &[], &NAMED);
    assert!(full > 0, "no cache was too small: nothing was tested");
}

/// `ulimit -n`
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn few_descriptors_are_enough_or_named() {
    let place = Place::new();
    let mut too_few = 0;
    for (files, more) in [(64, &[][..]), (24, &[]), (16, &[]), (64, &["killed-daemon", "--quick", "--jobs", "4"])] {
        let mut command = place.command(&format!("out-{files}-{}", more.len()), more);
        // SAFETY: one system call.
        unsafe {
            command.pre_exec(move || {
                nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, files, files)?;
                Ok(())
            });
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("{files}: {:?}\n{said}", output.status.code());
        let named = output.status.code() == Some(3) && said.contains("Too many open files");
        assert!(output.status.success() || named, "{files}: {:?}: {said}", output.status.code());
        too_few += usize::from(named);
        place.nothing_is_left("few descriptors");
    }
    assert!(too_few > 0, "every run had enough: nothing was tested");
}

//! A run that is held at an event of its guest, and reached there: `repro --until --freeze` and `shell`, with a real guest.
//! Ignored by a plain `cargo test`: `cargo xtask test` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const SCENARIO: &str = "killed-daemon/watchdog/reset";
/// A busy machine builds a template before.
const PATIENCE: Duration = Duration::from_secs(600);
/// Of the host's time, while the guest is held.
const HELD: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);

fn vmhealth(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
    command.args(arguments).current_dir(folder).env("TMPDIR", folder.join("tmp"));
    command
}

/// Commands in the guest.
fn shell(folder: &Path, more: &[&str]) -> Output {
    vmhealth(folder, &[&["shell"], more].concat()).output().unwrap()
}

/// What a command in the guest prints.
fn said(folder: &Path, command: &str) -> String {
    let output = shell(folder, &["-c", command]);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_held_run_is_reached_and_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("tmp")).unwrap();
    let log = folder.join("log");
    let until = ["--until", "fault killWatchdog confirmed", "--freeze"];
    let mut run = vmhealth(folder, &[&["repro", SCENARIO, "--world", "qemu"], &until[..]].concat());
    let mut run = run.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let since = Instant::now();
    let told = || fs::read_to_string(&log).unwrap();
    while !told().contains("it stays until Ctrl-C") {
        assert!(run.try_wait().unwrap().is_none() && since.elapsed() < PATIENCE, "not held: {}", told());
        std::thread::sleep(LOOK);
    }
    assert!(told().contains("the guest of VMI 1 is held at "), "{}", told());

    // The daemon is dead, the watchdog counts, and only the commands' own time passes.
    assert_eq!(said(folder, "pidof watchdog || echo none"), "none\n");
    let uptime = || said(folder, "cut -d ' ' -f 1 /proc/uptime").trim().parse::<f64>().unwrap();
    let first = uptime();
    // Not a wait for anything: the host's time that must not be the guest's.
    std::thread::sleep(HELD);
    let passed = uptime() - first;
    assert!((0.0..2.0).contains(&passed), "{passed} s of the guest's time");
    assert_eq!(shell(folder, &["-c", "exit 3"]).status.code(), Some(1));

    // It ends when it is asked to, and nothing is left.
    assert!(shell(folder, &["--end"]).status.success());
    assert_eq!(run.wait().unwrap().code(), Some(0), "{}", told());
    assert_eq!(shell(folder, &["-c", "true"]).status.code(), Some(2), "the run is over");
    assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
}

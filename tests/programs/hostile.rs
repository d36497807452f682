//! `vmhealth` on hosts that are out to hurt: signals, processes that are stopped or killed, disks that are full, folders that
//! two want. What comes of it has a name and the right exit status, what is known is kept, and nothing is left.
//!
//! Those with a real guest are ignored by a plain `cargo test`: `cargo xtask test` runs them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod place;

use nix::fcntl::{FcntlArg, OFlag};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use place::{LOOK, Place, SCENARIO, wait};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::FromRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A run's processes that are killed, one after another; the variable asks for the long form.
const KILLS: usize = 20;
const KILLS_VARIABLE: &str = "VMHEALTH_KILLS";
/// A model's run, and the time that a reader has at its end.
const UNREAD: Duration = Duration::from_secs(60);
/// A run that forks its guest takes about so long.
const RUN: Duration = Duration::from_secs(5);

fn model(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
    command.args(["e2e", SCENARIO, "--world", "model", "--out"]).arg(out);
    command
}

#[test]
fn a_folder_that_cannot_be_had_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "").unwrap();
    for (out, status, words) in
        [("/proc/no/folder".as_ref(), 3, "/proc/no/folder: "), (folder.path(), 2, "is not empty: name another folder")]
    {
        let output = model(out).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(status) && said.contains(words), "{:?}: {said}", output.status);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was added to what is there");
}

#[test]
fn of_runs_with_one_folder_one_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let start = |_| model(&out).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let runs: Vec<Child> = (0..8).map(start).collect();
    let ends: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    assert_eq!(ends.iter().filter(|end| end.status.success()).count(), 1);
    for end in ends.iter().filter(|end| !end.status.success()) {
        let said = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.code() == Some(2) && said.contains("is not empty"), "{:?}: {said}", end.status);
    }
}

/// A terminal that was closed, a `| head`.
#[test]
fn nobody_has_to_read_what_a_run_says() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = model(&out).stdout(Stdio::null()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(out.join("results.json").exists());
}

/// The run's files on ever larger disks, until they fit: each write fails once.
#[test]
fn a_full_disk_is_named_wherever_it_is_met() {
    let folder = tempfile::tempdir().unwrap();
    let run = |kib: u32| {
        let script = format!("mount -t tmpfs -o size={kib}k tmpfs \"$1\" && shift && exec \"$@\"");
        let out = folder.path().join("out");
        let vmhealth = model(&out);
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]).arg(folder.path());
        command.arg(vmhealth.get_program()).args(vmhealth.get_args()).output().unwrap()
    };
    if !run(1 << 20).status.success() {
        eprintln!("SKIPPED, nothing can be mounted here: {}", String::from_utf8_lossy(&run(1 << 20).stderr));
        return;
    }
    let mut failed = 0;
    for kib in (4..).step_by(4) {
        let output = run(kib);
        if output.status.success() {
            break;
        }
        failed += 1;
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        // The folder, a file in it, or the guest's evidence.
        let named = last.contains(": No space left on device") && last.contains("out");
        assert!(output.status.code() == Some(3) && named, "{kib} KiB: {:?}: {said}", output.status);
    }
    assert!(failed > 5, "{failed}");
}

/// Stopped for ever, in guest time and in the host's: the host's failure, in time, and not the guest's.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_qemu_that_stands_still_is_not_the_guests_failure() {
    let place = Place::new();
    for (out, more, words) in
        [("guest", &[][..], "QEMU's clock has stood at"), ("real", &["--clock", "real"], "was stopped by a signal of")]
    {
        let mut run = place.run(out, more);
        run.says("guest ready (");
        kill(place.qemu(), Signal::SIGSTOP).unwrap();
        let (status, said) = run.end();
        assert!(status == Some(3) && said.contains(words), "{out}: {status:?}\n{said}");
        assert!(said.contains("0 fail, 1 infra"), "{said}");
        assert!(place.path(out).join("qemu/killed-daemon.watchdog.poweroff/timeline.jsonl").exists());
        place.nothing_is_left(out);
    }
}

/// While it boots the guest that others would be forked from: that is given up, and the scenario has its verdict.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_template_whose_qemu_stands_still_is_done_without() {
    let place = Place::without_templates();
    let mut run = place.run("out", &[]);
    run.says("booting the guest that is forked from now on");
    kill(place.qemu(), Signal::SIGSTOP).unwrap();
    // While it starts that is seen by its silence, later by its clock.
    run.says("no template, booting cold: QEMU");
    let (status, said) = run.end();
    assert_eq!(status, Some(0), "{said}");
    place.nothing_is_left("a template that was given up");
}

/// In guest time nothing is lost by it.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_run_that_was_stopped_goes_on() {
    const PAUSE: Duration = Duration::from_secs(30);
    let place = Place::without_templates();
    let mut run = place.run("out", &[]);
    for words in ["booting the guest that is forked from now on", "fault killWatchdog begun"] {
        run.says(words);
        kill(run.pid(), Signal::SIGSTOP).unwrap();
        std::thread::sleep(PAUSE);
        kill(run.pid(), Signal::SIGCONT).unwrap();
    }
    let (status, said) = run.end();
    assert!(status == Some(0) && !said.contains("no template"), "{said}");
    place.nothing_is_left("a pause");
}

/// What is known is written, and nothing is left; whoever asks twice does not wait.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn who_asks_a_run_to_end_gets_what_is_known() {
    let place = Place::new();
    for (out, signals) in [
        ("interrupted", &[Signal::SIGINT][..]),
        ("terminated", &[Signal::SIGTERM]),
        ("hung-up", &[Signal::SIGHUP]),
        ("twice", &[Signal::SIGINT, Signal::SIGTERM]),
    ] {
        let mut run = place.run(out, &["--cold"]);
        run.says("qemu STARTED");
        for signal in signals {
            kill(run.pid(), *signal).unwrap();
        }
        let (status, said) = run.end();
        assert_eq!(status, Some(130), "{out}: {said}");
        assert!(said.contains("interrupted; ending the guests"), "{out}: {said}");
        wait("the end of every process", || place.processes().is_empty());
        if signals.len() == 1 {
            assert!(place.path(out).join("results.json").exists(), "{out}");
            place.nothing_is_left(out);
        }
    }
}

/// Its overlay is open, so that it is gone for everybody but QEMU.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn an_overlay_that_is_removed_in_mid_run_changes_nothing() {
    let place = Place::new();
    let mut run = place.run("removed", &["--cold"]);
    run.says("guest ready (");
    let removed = overlays(&place.path("tmp")).iter().filter(|path| fs::remove_file(path).is_ok()).count();
    assert_eq!(removed, 1);
    let (status, said) = run.end();
    assert_eq!(status, Some(0), "{said}");
    place.nothing_is_left("an overlay that was removed");
}

fn overlays(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    let below = entries.iter().filter(|path| path.is_dir()).flat_map(|path| overlays(path));
    below.chain(entries.iter().filter(|path| path.ends_with("disk.qcow2")).cloned()).collect()
}

/// A pipe, and a terminal, that are full, that nobody reads and nobody closes.
#[test]
fn a_reader_that_does_not_read_holds_nothing_up() {
    let (pipe, pipes_writer) = std::io::pipe().unwrap();
    let [terminal, terminals_writer] = terminal();
    for (name, writer) in
        [("pipe", File::from(std::os::fd::OwnedFd::from(pipes_writer))), ("terminal", terminals_writer)]
    {
        let folder = tempfile::tempdir().unwrap();
        let blocks = |how| nix::fcntl::fcntl(&writer, FcntlArg::F_SETFL(how)).unwrap();
        blocks(OFlag::O_NONBLOCK);
        while (&writer).write(&[b'x'; 4096]).is_ok() {}
        while (&writer).write(b"x").is_ok() {}
        blocks(OFlag::empty());
        let mut command = model(&folder.path().join("out"));
        let mut child = command.env("TERM", "xterm").stderr(writer.try_clone().unwrap()).spawn().unwrap();
        let mut status = None;
        let begun = Instant::now();
        while status.is_none() && begun.elapsed() < UNREAD {
            status = child.try_wait().unwrap();
            std::thread::sleep(LOOK);
        }
        let _ = child.kill().and_then(|()| child.wait());
        assert_eq!(status.map(|s| s.code()), Some(Some(0)), "{name}");
        assert!(folder.path().join("out/results.json").exists(), "{name}");
    }
    drop((pipe, terminal));
}

/// A pseudo-terminal: whoever looks at it, and what programs have.
fn terminal() -> [File; 2] {
    let (mut ours, mut theirs) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: the two numbers outlive the call; both descriptors are ours when it succeeds.
    unsafe {
        assert_eq!(libc::openpty(&raw mut ours, &raw mut theirs, none, none.cast(), none.cast()), 0);
        [ours, theirs].map(|fd| File::from_raw_fd(fd))
    }
}

/// At any moment, from the first template's boot to the verdict; the next run removes what they left.
#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn runs_that_are_killed_leave_nothing() {
    let kills = std::env::var(KILLS_VARIABLE).map_or(KILLS, |n| n.parse().unwrap());
    let place = Place::without_templates();
    let mut first = place.run("first", &[]);
    first.says("booting the guest that is forked from now on");
    place.qemu();
    drop(first);
    wait("the end of every process", || place.processes().is_empty());
    // A run that makes the template, so that the others come further.
    let (status, said) = place.run("second", &[]).end();
    assert_eq!(status, Some(0), "{said}");
    place.nothing_is_left("a template's builder that was killed");
    for n in 0..kills {
        // Evenly over a run: every moment has its turn.
        let run = place.run(&format!("k{n}"), &[]);
        std::thread::sleep(RUN * n as u32 / kills as u32);
        // SIGKILL.
        drop(run);
        wait("the end of every process", || place.processes().is_empty());
    }
    let (status, said) = place.run("last", &[]).end();
    assert_eq!(status, Some(0), "{said}");
    place.nothing_is_left("runs that were killed");
}

//! `vmhealth run` in a real terminal: what is on the screen, what keys do, and that the terminal is as it was afterwards.
//!
//! Ignored like all that boots a guest: `cargo test -p xtask --test live -- --ignored`. Needs tmux.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// For an image that is built first, on a busy host.
const LONG: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_millis(200);

/// With a guest that answers and is looked at every second.
const VM: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web}
spec:
  runStrategy: Always
  template:
    spec:
      domain:
        memory: {guest: 512Mi}
        devices: {watchdog: {name: w, i6300esb: {action: reset}}, interfaces: [{name: default, masquerade: {}, ports: [{port: 80}]}]}
      networks: [{name: default, pod: {}}]
      readinessProbe: {httpGet: {port: 80}, periodSeconds: 2, failureThreshold: 2}
      livenessProbe: {tcpSocket: {port: 80}, periodSeconds: 2, failureThreshold: 60}
";

/// A tmux server of its own, which ends with this value.
struct Terminal<'a> {
    folder: &'a Path,
}

impl Terminal<'_> {
    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = Command::new("tmux").arg("-S").arg(self.folder.join("socket")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    /// A shell of 100 columns and 30 lines.
    fn open(folder: &Path) -> Terminal<'_> {
        let terminal = Terminal { folder };
        let at = folder.display().to_string();
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "30",
            "-c",
            &at,
            "env -u NO_COLOR PS1='$ ' TERM=screen sh",
        ]);
        terminal
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// The screen once it is as wanted.
    fn wait_for(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < LONG, "{what} has not come within {LONG:?}; on the screen:\n{screen}");
            std::thread::sleep(LOOK);
        }
    }

    /// What the shell runs.
    fn running(&self) -> i32 {
        let shell = String::from_utf8(self.tmux(&["display-message", "-p", "#{pane_pid}"]).stdout).unwrap();
        let shell = shell.trim();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        children.trim().parse().unwrap()
    }

    /// Starts a run that breaks nothing by itself, and waits for its picture.
    fn watch(&self) {
        let run = format!("{} run vm.yaml --no-fault --for 1h --pace 4x", env!("CARGO_BIN_EXE_vmhealth"));
        self.keys(&[&run, "Enter"]);
        self.wait_for("a Ready VM", |s| s.contains("Running") && s.contains("in   connections: delivered"));
    }

    /// The shell answers as before, on the screen that was there before.
    fn is_given_back(&self, status: &str) -> String {
        self.wait_for("the table", |s| s.contains("run folder: ") && !s.contains("q end and explain"));
        self.keys(&["echo status $?; stty -a | grep -o ' .\\?icanon'", "Enter"]);
        self.wait_for("the shell", |s| s.contains(status) && s.lines().any(|line| line.trim() == "icanon"))
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(self.folder.join("socket")).arg("kill-server").output();
    }
}

fn guest_time(screen: &str) -> f64 {
    let after = screen.split("guest time ").nth(1).unwrap();
    after.split(' ').next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "boots a guest"]
fn watched_paused_broken_and_ended_by_keys() {
    if Command::new("tmux").arg("-V").output().is_err() {
        eprintln!("SKIPPED: there is no tmux; type: apt-get install tmux");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vm.yaml"), VM).unwrap();
    let terminal = Terminal::open(folder.path());
    terminal.watch();

    terminal.keys(&["Space"]);
    let paused = terminal.wait_for("the pause", |s| s.contains("PAUSED"));
    // What was under way when the key came; then nothing goes on.
    let still = terminal.wait_for("guest time to stand", |s| guest_time(s) >= guest_time(&paused));
    std::thread::sleep(5 * LOOK);
    assert!(guest_time(&terminal.screen()) < guest_time(&still) + 0.5, "{still}\n{}", terminal.screen());
    terminal.keys(&["Space", "+"]);
    terminal.wait_for("a faster pace", |s| s.contains("pace 8x") && guest_time(s) > guest_time(&still) + 1.0);

    terminal.keys(&["b"]);
    terminal.wait_for("the list", |s| s.contains("what is to break?") && s.contains("kernelPanic"));
    terminal.keys(&["Enter"]);
    terminal.wait_for("the countdown", |s| s.contains("kernelPanic confirmed") && s.contains("nobody writes to it"));
    terminal.wait_for("the VM to be back", |s| {
        s.contains("Running / ready") && s.contains("connections: delivered") && s.contains("True")
    });
    terminal.keys(&["q"]);
    let screen = terminal.is_given_back("status 0");
    assert!(screen.contains("kernelPanic at "), "the answer is about what the key has broken:\n{screen}");

    // Killed, and broken off.
    for (how, status) in [("kill", "status 130"), ("key", "status 130")] {
        terminal.keys(&["clear", "Enter"]);
        terminal.watch();
        match how {
            "kill" => kill(Pid::from_raw(terminal.running()), Signal::SIGTERM).unwrap(),
            _ => terminal.keys(&["C-c"]),
        }
        terminal.is_given_back(status);
    }
}

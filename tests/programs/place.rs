//! A place of its own for a run of `vmhealth` on QEMU, and what is left there when it has ended.

#![allow(dead_code, reason = "each test program uses its part")]

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const SCENARIO: &str = "killed-daemon/watchdog/poweroff";
/// For whatever must come on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// A place of its own for a run: its temporary folder, its cache, its results.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    /// With the user's images and templates.
    pub(crate) fn new() -> Place {
        let place = Place::without_templates();
        let (own, users) = (place.path("cache/vmhealth/templates"), xtask::host::cache_folder().join("templates"));
        fs::create_dir(&own).unwrap();
        for entry in fs::read_dir(users).into_iter().flatten().flatten() {
            if entry.path().join("entry.json").exists() && !entry.file_name().to_string_lossy().starts_with('.') {
                std::os::unix::fs::symlink(entry.path(), own.join(entry.file_name())).unwrap();
            }
        }
        place
    }

    pub(crate) fn without_templates() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let [temporary, cache] = [folder.path().join("tmp"), folder.path().join("cache/vmhealth")];
        fs::create_dir_all(&cache).unwrap();
        fs::create_dir(temporary).unwrap();
        for entry in fs::read_dir(xtask::host::cache_folder()).into_iter().flatten().flatten() {
            // What was found out about this host, and the images.
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("accel-") || name == "images" {
                std::os::unix::fs::symlink(entry.path(), cache.join(name)).unwrap();
            }
        }
        Place(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A run on QEMU whose results go to `out`.
    pub(crate) fn command(&self, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
        command.args(["e2e", SCENARIO, "--world", "qemu", "--out"]).arg(self.path(out)).args(more);
        command.env("TMPDIR", self.path("tmp")).env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Begins it.
    pub(crate) fn run(&self, out: &str, more: &[&str]) -> Run {
        let log = self.path(&format!("{out}.log"));
        let mut command = self.command(out, more);
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        // Whoever runs the tests in the background may have these ignored, and a run would obey.
        // SAFETY: system calls only.
        unsafe {
            command.pre_exec(|| {
                for number in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                    signal(number, SigHandler::SigDfl)?;
                }
                Ok(())
            });
        }
        Run { child: command.spawn().unwrap(), log }
    }

    /// Processes of this host that were told of this place, the runs' own aside.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let place = self.0.path().to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|p| p.file_name().to_str()?.parse().ok());
        let knows = |n: &i32| {
            let told = fs::read(format!("/proc/{n}/cmdline")).unwrap_or_default();
            let told = String::from_utf8_lossy(&told).into_owned();
            told.contains("qemu-system") && told.contains(place)
        };
        numbers.filter(knows).collect()
    }

    /// The QEMU that runs now, once there is one.
    pub(crate) fn qemu(&self) -> Pid {
        let mut found = None;
        wait("QEMU's process", || {
            found = self.processes().first().copied();
            found.is_some()
        });
        Pid::from_raw(found.unwrap())
    }

    pub(crate) fn nothing_is_left(&self, after: &str) {
        wait("the end of every process", || self.processes().is_empty());
        let left: Vec<_> = fs::read_dir(self.path("tmp")).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.is_empty(), "{after}: {left:?}");
        let templates = fs::read_dir(self.path("cache/vmhealth/templates")).into_iter().flatten().flatten();
        let half: Vec<_> =
            templates.map(|e| e.file_name()).filter(|n| n.to_string_lossy().starts_with(".building")).collect();
        assert!(half.is_empty(), "{after}: {half:?}");
    }
}

pub(crate) struct Run {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Run {
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Waits until it has said this; impossible once it has ended.
    pub(crate) fn says(&mut self, words: &str) {
        wait(words, || {
            let ended = self.child.try_wait().unwrap();
            let said = self.log().contains(words);
            assert!(said || ended.is_none(), "it ended ({ended:?}) before it said {words:?}:\n{}", self.log());
            said
        });
    }

    /// Its exit status, and all that it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut status = None;
        wait("the run's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap().code(), self.log())
    }
}

/// A test that goes wrong leaves no run behind.
impl Drop for Run {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[track_caller]
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}");
        std::thread::sleep(LOOK);
    }
}

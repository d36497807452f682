//! A confined process from its start to its end, and whether this host lets there be one.
//!
//! It is the first of its pid namespace, which the thread that forks it has made: so it has a thread of its own, which waits
//! for it.

use super::cgroup::{self, Group, join};
use super::enter::enter;
use super::landlock::Rules;
use super::needs::needs;
use super::plan::{Access, Plan, seen};
use crate::process::{End, GivenUp, Process, end_of, guard, guarded};
use crate::scratch::{FilesAreIn, Scratch};
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use tokio::sync::{OnceCell, oneshot};
use vmhealth_sim::cluster::Exit;

/// Address space beside the guest's memory: translated code, stacks, libraries.
const OVERHEAD_MIB: u64 = 8 << 10;

/// A process that is to be started.
#[derive(Debug)]
pub(crate) struct Confined<'a> {
    /// Its name, found as a shell would, or its path.
    pub(crate) program: &'a str,
    pub(crate) args: &'a [OsString],
    /// All of its environment: the host's own may hold tokens.
    pub(crate) environment: &'a [(&'static str, OsString)],
    /// Descriptors that it inherits.
    pub(crate) inherit: &'a [RawFd],
    /// What it can see beside the system.
    pub(crate) accesses: &'a [Access],
    /// Whether it needs `/dev/kvm`.
    pub(crate) kvm: bool,
    pub(crate) memory_mib: u64,
    /// What it can write to its disk, in its folder.
    pub(crate) disk_mib: u64,
    /// A folder of its own, which it can write to.
    pub(crate) scratch: &'a Path,
    pub(crate) stderr: File,
}

/// Starts it; its end comes out of the [`Process`], and dropping that ends it. Call it from a runtime.
pub(crate) fn spawn(confined: Confined<'_>) -> io::Result<Process> {
    let program = find(confined.program)?;
    // Empty and outside of what it can see.
    let root = confined.scratch.with_added_extension("root");
    std::fs::create_dir_all(&root)?;
    let mut accesses = vec![Access::write(confined.scratch)];
    accesses.extend_from_slice(confined.accesses);
    let plan = Plan::new(&root, &program, &accesses, confined.kvm, confined.memory_mib + OVERHEAD_MIB)?;
    let files_mib = FilesAreIn::of(confined.scratch).memory_mib(confined.disk_mib);
    let group = group(confined.memory_mib + files_mib);
    let door = group.as_ref().map(Group::door);
    let parent = pidfd(std::process::id())?;
    // Its loader asks /proc for it, which is not there (ld.so(8)).
    let origin = program.parent().unwrap_or(Path::new("/")).to_owned();
    let mut command = Command::new(program);
    // Its unlinked files are made in there.
    command
        .env_clear()
        .env("LD_ORIGIN_PATH", origin)
        .args(confined.args)
        .envs(confined.environment.iter().map(|(n, v)| (n, v)))
        .env("TMPDIR", confined.scratch);
    command.stdout(Stdio::null()).stderr(confined.stderr);
    guard(&mut command, confined.inherit, None);
    // SAFETY: system calls only, on what was allocated here.
    unsafe {
        command.pre_exec(move || {
            // Without its limits it is still confined.
            let _ = door.map(join);
            enter(&plan, parent.as_raw_fd())
        });
    }
    let (started, start) = mpsc::channel();
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new().name("qemu".into()).spawn(move || {
        run(command, &started, ended);
        // Nobody is in it any more.
        drop(group);
    })?;
    let (pid, handle) = start.recv().map_err(io::Error::other)??;
    Ok(Process::new(Some(pid), |given_up| wait(Handle(handle), end, given_up)))
}

/// The group that a process is to be in, with what its files can take where they lie in memory; `None`: there are none here, or no more of them. The rest of the confinement does without.
fn group(memory_mib: u64) -> Option<Group> {
    cgroup::parent().ok().and_then(|parent| Group::new(&parent, memory_mib).ok())
}

/// The same where there can be no namespaces: among the host's files and with the rights of the runner, but what it may open,
/// Landlock's rules say, where there are any.
pub(crate) fn spawn_in_the_open(confined: Confined<'_>) -> io::Result<Process> {
    let program = find(confined.program)?;
    let mut accesses = vec![Access::write(confined.scratch)];
    accesses.extend_from_slice(confined.accesses);
    let own = needs(&program)?;
    let rules = Rules::new(seen(&own, &accesses, confined.kvm))?;
    let mut command = guarded(&program, confined.inherit);
    command.env_clear().args(confined.args).envs(confined.environment.iter().map(|(n, v)| (n, v)));
    command.env("TMPDIR", confined.scratch).stdout(Stdio::null()).stderr(confined.stderr);
    // SAFETY: system calls only.
    unsafe {
        command.pre_exec(move || {
            let Some(rules) = &rules else { return Ok(()) };
            nix::sys::prctl::set_no_new_privs()?;
            rules.take_on()
        });
    }
    command.spawn().map(Process::local)
}

/// The life of its thread.
fn run(mut command: Command, started: &mpsc::Sender<io::Result<(u32, OwnedFd)>>, ended: oneshot::Sender<End>) {
    let child = unshare(CloneFlags::CLONE_NEWPID).map_err(io::Error::from).and_then(|()| command.spawn());
    drop(command);
    let mut child = match child {
        Ok(child) => child,
        // The asker waits for it.
        Err(e) => return drop(started.send(Err(e))),
    };
    // Not reaped before this thread waits for it: the number is its own until then.
    let handle = pidfd(child.id()).map(|handle| (child.id(), handle));
    if handle.is_err() {
        // It has ended, or is ended now.
        let _ = child.kill();
    }
    drop(started.send(handle));
    drop(ended.send(end_of(child.wait())));
}

async fn wait(handle: Handle, mut end: oneshot::Receiver<End>, given_up: GivenUp) -> End {
    let told = tokio::select! {
        told = &mut end => told,
        _ = given_up => {
            handle.kill();
            end.await
        }
    };
    told.unwrap_or_else(|_| Err("nobody waits for QEMU any more".into()))
}

/// Dropped, it takes the process with it, also where nobody could wait any more.
struct Handle(OwnedFd);

impl Handle {
    fn kill(&self) {
        // SAFETY: a descriptor that lives; of one that has ended there is nothing to kill.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), libc::SIGKILL, 0, 0) };
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain pidfd_open(2), which closes on exec; the descriptor is ours when it succeeds.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0) as RawFd;
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// The file of a program, without links: in there it stands at that path.
fn find(program: &str) -> io::Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    named.unwrap_or_else(|| program.into()).canonicalize()
}

/// Whether processes can be confined here, found out by doing it once; an error says what the host does not let.
pub async fn available() -> Result<(), String> {
    static FOUND: OnceCell<Result<(), String>> = OnceCell::const_new();
    FOUND.get_or_init(try_once).await.clone()
}

async fn try_once() -> Result<(), String> {
    let folder = Scratch::new().map_err(|e| e.to_string())?;
    let (scratch, stderr) = (folder.path().join("scratch"), folder.path().join("stderr"));
    let made = std::fs::create_dir(&scratch).and_then(|()| File::create(&stderr));
    let said = made.map_err(|e| e.to_string())?;
    let confined = Confined {
        program: "true",
        args: &[],
        environment: &[],
        inherit: &[],
        accesses: &[],
        kvm: false,
        memory_mib: 0,
        disk_mib: 0,
        scratch: &scratch,
        stderr: said,
    };
    let end = match spawn(confined) {
        Ok(mut process) => process.wait().await,
        Err(e) => Err(e.to_string()),
    };
    let why = match end {
        Ok(Exit::Status(0)) => return Ok(()),
        Ok(other) => format!("{other:?}"),
        Err(why) => why,
    };
    let words = std::fs::read_to_string(&stderr).unwrap_or_default();
    Err(format!("{} ({why})", words.lines().next().unwrap_or("a process in there ended")))
}

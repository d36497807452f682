//! One QEMU in one container.

use super::engine::{EngineError, connect};
use super::label::{LOCK, PLACE, here};
use crate::docker::Docker;
use crate::host::Launch;
use crate::process::{End, GivenUp, Process};
use crate::scratch::lock_of;
use nix::sys::resource::{Resource, getrlimit};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use vmhealth_sim::cluster::Exit;

/// For a container's process to become QEMU, and how often that is looked at.
const SIGHT_LIMIT: Duration = Duration::from_secs(10);
const SIGHT_STEP: Duration = Duration::from_millis(20);
/// Of what it said, about this many bytes are kept.
const SAID_CAP: usize = 1 << 20;

/// The user that QEMU is to run as, where this process has become another one in a user namespace.
static OWNER: OnceLock<(u32, u32)> = OnceLock::new();

/// Keeps the user and group that this process has now for the containers that it starts later.
pub fn set_owner() {
    // The first one is right.
    let _ = OWNER.set((nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()));
}

static LAUNCHING: AtomicUsize = AtomicUsize::new(0);

/// Containers that the engine has been asked for and that nobody holds yet.
pub(super) fn launching() -> usize {
    LAUNCHING.load(Ordering::Relaxed)
}

struct Launching;

impl Launching {
    fn begin() -> Launching {
        LAUNCHING.fetch_add(1, Ordering::Relaxed);
        Launching
    }
}

impl Drop for Launching {
    fn drop(&mut self) {
        LAUNCHING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts `program` in a container of `image`. Whoever gives up waiting for it leaves nothing: a process that nobody takes is
/// given up.
pub(super) async fn start(image: &str, program: &str, launch: Launch<'_>) -> Result<Process, EngineError> {
    set_owner();
    let container = container(image, program, &launch, OWNER.get().copied().unwrap_or_default())?;
    let (mark, stderr) = (launch.scratch.to_owned(), launch.stderr.to_owned());
    let (answer, started) = oneshot::channel();
    let begun = Launching::begin();
    tokio::spawn(async move {
        let process = run(container, &mark, stderr).await;
        drop(begun);
        drop(answer.send(process));
    });
    started.await.unwrap_or(Err(EngineError::OutOfSight))
}

/// Makes a container and starts it. `mark` stands in its command line once it is QEMU.
async fn run(container: Value, mark: &Path, stderr: PathBuf) -> Result<Process, EngineError> {
    let docker = connect().await?;
    let id = docker.create(&container).await?;
    if let Err(e) = docker.start(&id).await {
        // What cannot be removed now is the next run's sweep.
        let _ = docker.remove(&id).await;
        return Err(e.into());
    }
    // Of one that has ended it is 0.
    let pid = docker.container(&id).await.ok().flatten().map(|state| state.pid).filter(|pid| *pid > 0);
    let process = Process::new(pid, |given_up| wait(docker.clone(), id.clone(), stderr, given_up));
    match pid {
        Some(pid) if becomes_ours(pid, mark).await => Ok(process),
        // It may have ended at once, and then says why.
        _ if docker.container(&id).await.is_ok_and(|state| state.is_some_and(|s| !s.running)) => Ok(process),
        _ => Err(EngineError::OutOfSight),
    }
}

/// The container as the engine is asked for it: no network, no privileges, this host's process ids, and the paths that QEMU opens.
fn container(image: &str, program: &str, launch: &Launch<'_>, (uid, gid): (u32, u32)) -> Result<Value, EngineError> {
    let lock = lock_of(launch.scratch).ok_or(EngineError::NoRun)?;
    let args: Vec<_> = launch.args.iter().map(|arg| arg.to_string_lossy()).collect();
    let variable = |(name, value): &(&str, OsString)| format!("{name}={}", value.to_string_lossy());
    let environment: Vec<String> = launch.environment.iter().map(variable).collect();
    let mount = |path: &PathBuf, read_only: bool| json!({ "Type": "bind", "Source": path, "Target": path, "ReadOnly": read_only });
    let reads = launch.reads.iter().map(|path| mount(path, true));
    let devices = launch
        .kvm
        .then(|| json!([{ "PathOnHost": "/dev/kvm", "PathInContainer": "/dev/kvm", "CgroupPermissions": "rw" }]));
    Ok(json!({
        "Image": image,
        "Entrypoint": [program],
        "Cmd": args,
        "Env": environment,
        "User": format!("{uid}:{gid}"),
        "Labels": { LOCK: lock, PLACE: here() },
        "HostConfig": {
            "NetworkMode": "none",
            "PidMode": "host",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Ulimits": limits(),
            "Mounts": reads.chain(launch.writes.iter().map(|path| mount(path, false))).collect::<Vec<_>>(),
            "Devices": devices,
        },
    }))
}

/// More than a QEMU needs, and no more than we have. Where nothing is said, Podman asks for more than a root without
/// CAP_SYS_RESOURCE may give; processes are counted over all of its user's.
fn limits() -> Vec<Value> {
    let limit = |name: &str, resource, enough: u64| {
        let (_, hard) = getrlimit(resource).ok()?;
        let n = enough.min(hard);
        Some(json!({ "Name": name, "Soft": n, "Hard": n }))
    };
    let limits = [limit("nofile", Resource::RLIMIT_NOFILE, 4096), limit("nproc", Resource::RLIMIT_NPROC, 32_768)];
    limits.into_iter().flatten().collect()
}

/// The engine may tell of a process that is not QEMU yet.
async fn becomes_ours(pid: u32, mark: &Path) -> bool {
    let seen = async {
        while !is_ours(pid, mark) {
            tokio::time::sleep(SIGHT_STEP).await;
        }
    };
    tokio::time::timeout(SIGHT_LIMIT, seen).await.is_ok()
}

/// Whether that process of this host is the one that we have just started: its signals go there.
fn is_ours(pid: u32, mark: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&*mark.to_string_lossy())
}

/// Waits for its end, keeps what it said, and removes it.
async fn wait(docker: Docker, id: String, stderr: PathBuf, given_up: GivenUp) -> End {
    let end = tokio::select! {
        code = docker.wait(&id) => code.map_err(|e| format!("the container engine lost sight of QEMU: {e}")),
        // It is removed below, whatever it does.
        _ = given_up => Err("the container engine lost sight of QEMU".to_owned()),
    };
    // Its last words are for messages; one without them says less.
    if let Ok(said) = docker.logs(&id, SAID_CAP).await {
        let _ = tokio::fs::write(&stderr, said).await;
    }
    // What cannot be removed now is the next run's sweep.
    let _ = docker.remove(&id).await;
    end.map(|code| match i32::try_from(code).unwrap_or(-1) {
        // As a shell tells of signals.
        code @ 129..=192 => Exit::Signal(code - 128),
        code => Exit::Status(code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_is_asked_for() {
        let args: [OsString; 1] = ["-S".into()];
        let ask = |scratch: &Path| {
            let launch = Launch {
                args: &args,
                environment: &[],
                tap: None,
                reads: vec!["/cache/kernel".into()],
                writes: vec![scratch.to_owned()],
                accesses: &[],
                memory_mib: 512,
                disk_mib: 3072,
                kvm: true,
                scratch,
                stderr: Path::new("/run/qemu-1.stderr"),
            };
            container("vmhealth-qemu:debian-12-1f", "qemu", &launch, (1000, 100))
        };
        let error = ask(Path::new("/elsewhere/1")).unwrap_err();
        assert!(matches!(error, EngineError::NoRun), "{error}");
        let mut asked = ask(Path::new("/tmp/vmh-1/1")).unwrap();
        // This machine's own.
        assert_eq!(asked["Labels"]["dev.vmhealth.place"].take(), here());
        assert_eq!(asked["HostConfig"]["Ulimits"].take().as_array().map(Vec::len), Some(2));
        insta::assert_json_snapshot!("container", asked);
    }
}

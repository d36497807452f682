//! One QEMU in one container.

use super::ContainerHost;
use super::engine::{EngineError, LOCK, PLACE, connect, here};
use crate::process::{End, GivenUp, Process};
use bollard::models::{DeviceMapping, ResourcesUlimits};
use bollard::query_parameters::{LogsOptionsBuilder, RemoveContainerOptionsBuilder, WaitContainerOptionsBuilder};
use futures_util::StreamExt as _;
use nix::sys::resource::{Resource, getrlimit};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testcontainers::core::AccessMode;
use testcontainers::core::Mount;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{GenericImage, ImageExt as _, bollard};
use tokio::sync::oneshot;
use vmhealth_sim::cluster::Exit;

/// What a QEMU in a container needs of this host.
#[derive(Debug)]
pub(crate) struct Needs {
    /// Files and folders that it reads only.
    pub(crate) reads: Vec<PathBuf>,
    /// Folders that it writes to.
    pub(crate) writes: Vec<PathBuf>,
    /// Whether it needs `/dev/kvm`.
    pub(crate) kvm: bool,
    /// The run's lock.
    pub(crate) lock: Option<PathBuf>,
    /// A path that stands in its command line.
    pub(crate) mark: PathBuf,
    /// Where its stderr goes.
    pub(crate) stderr: PathBuf,
}

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

/// Starts `program` with `args`. Whoever gives up waiting for it leaves nothing: a process that nobody takes is given up.
pub(crate) async fn start(
    host: &ContainerHost,
    program: &'static str,
    args: Vec<String>,
    needs: Needs,
) -> Result<Process, EngineError> {
    let host = host.clone();
    let (answer, started) = oneshot::channel();
    let begun = Launching::begin();
    tokio::spawn(async move {
        let process = launch(&host, program, args, needs).await;
        drop(begun);
        drop(answer.send(process));
    });
    started.await.unwrap_or(Err(EngineError::OutOfSight))
}

async fn launch(host: &ContainerHost, program: &str, args: Vec<String>, needs: Needs) -> Result<Process, EngineError> {
    let lock = needs.lock.ok_or(EngineError::NoRun)?;
    let (repository, tag) = (host.image.repository, host.image.tag.as_str());
    let docker = connect().await?;
    // A tag that is not there would be asked of a registry.
    docker.inspect_image(&format!("{repository}:{tag}")).await?;
    set_owner();
    let (uid, gid) = OWNER.get().copied().unwrap_or_default();
    let image = GenericImage::new(repository, tag).with_entrypoint(program);
    let mut request = image
        .with_cmd(args)
        .with_label(LOCK, lock.display().to_string())
        .with_label(PLACE, here())
        .with_user(format!("{uid}:{gid}"))
        .with_cap_drop("ALL")
        .with_security_opt("no-new-privileges");
    for path in &needs.reads {
        request = request.with_mount(mount(path).with_access_mode(AccessMode::ReadOnly));
    }
    for folder in &needs.writes {
        request = request.with_mount(mount(folder));
    }
    let kvm = needs.kvm;
    let request = request.with_host_config_modifier(move |config| {
        config.network_mode = Some("none".into());
        config.pid_mode = Some("host".into());
        config.ulimits = Some(limits());
        config.devices = kvm.then(|| {
            let path = Some("/dev/kvm".to_owned());
            vec![DeviceMapping {
                path_on_host: path.clone(),
                path_in_container: path,
                cgroup_permissions: Some("rw".into()),
            }]
        });
    });
    let container = request.start().await?;
    let id = container.id().to_owned();
    // Its drop would block the only thread of our runtime, on a connection that may belong to that runtime. We remove it.
    std::mem::forget(container);
    let state = docker.inspect_container(&id, None).await.map(|c| c.state);
    // Of one that has ended it is 0.
    let pid = state.ok().flatten().and_then(|s| s.pid).and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
    let (engine, container) = (docker.clone(), id.clone());
    let process = Process::new(pid, |given_up| wait(docker, id, needs.stderr, given_up));
    match pid {
        Some(pid) if becomes_ours(pid, &needs.mark).await => Ok(process),
        // It may have ended at once, and then says why.
        _ if engine
            .inspect_container(&container, None)
            .await
            .is_ok_and(|c| c.state.and_then(|s| s.running) == Some(false)) =>
        {
            Ok(process)
        }
        _ => Err(EngineError::OutOfSight),
    }
}

/// More than a QEMU needs, and no more than we have. Where nothing is said, Podman asks for more than a root without
/// CAP_SYS_RESOURCE may give; processes are counted over all of its user's.
fn limits() -> Vec<ResourcesUlimits> {
    let limit = |name: &str, resource, enough: u64| {
        let (_, hard) = getrlimit(resource).ok()?;
        let n = i64::try_from(enough.min(hard)).ok();
        Some(ResourcesUlimits { name: Some(name.into()), soft: n, hard: n })
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

fn mount(path: &Path) -> Mount {
    let path = path.display().to_string();
    Mount::bind_mount(path.clone(), path)
}

/// Waits for its end, keeps what it said, and removes it.
async fn wait(docker: bollard::Docker, id: String, stderr: PathBuf, mut given_up: GivenUp) -> End {
    let answer = loop {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let mut waiting = std::pin::pin!(docker.wait_container(&id, Some(options)));
        tokio::select! {
            answer = waiting.next() => match answer {
                // The client's patience with any request is shorter than a guest's life.
                Some(Err(bollard::errors::Error::RequestTimeoutError)) => continue,
                answer => break answer,
            },
            // It is removed below, whatever it does.
            _ = &mut given_up => break None,
        }
    };
    let end = match answer {
        Some(Ok(answer)) => Ok(answer.status_code),
        Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(e)) => Err(format!("the container engine lost sight of QEMU: {e}")),
        None => Err("the container engine lost sight of QEMU".to_owned()),
    };
    let mut said = Vec::new();
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
    let mut logs = std::pin::pin!(docker.logs(&id, Some(options)));
    while said.len() < SAID_CAP
        && let Some(Ok(line)) = logs.next().await
    {
        said.extend_from_slice(&line.into_bytes());
    }
    // Its last words are for messages; one without them says less.
    let _ = tokio::fs::write(&stderr, said).await;
    // What cannot be removed now is the next run's sweep.
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let _ = docker.remove_container(&id, Some(force)).await;
    end.map(|code| match i32::try_from(code).unwrap_or(-1) {
        // As a shell tells of signals.
        code @ 129..=192 => Exit::Signal(code - 128),
        code => Exit::Status(code),
    })
}

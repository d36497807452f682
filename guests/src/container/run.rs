//! One QEMU in one container.

use super::ContainerHost;
use super::engine::{EngineError, LABEL, connect};
use crate::process::{End, Process};
use bollard::models::DeviceMapping;
use bollard::query_parameters::{LogsOptionsBuilder, WaitContainerOptionsBuilder};
use futures_util::StreamExt as _;
use std::path::{Path, PathBuf};
use testcontainers::core::AccessMode;
use testcontainers::core::Mount;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _, bollard};
use vmhealth_sim::cluster::Exit;

/// What a QEMU in a container needs of this host.
#[derive(Debug)]
pub(crate) struct Needs {
    /// Folders that it reads only.
    pub(crate) reads: Vec<PathBuf>,
    /// Folders that it writes to.
    pub(crate) writes: Vec<PathBuf>,
    /// Whether it needs `/dev/kvm`.
    pub(crate) kvm: bool,
    /// The run's lock.
    pub(crate) lock: PathBuf,
    /// Where its stderr goes.
    pub(crate) stderr: PathBuf,
}

/// Starts `program` with `args`.
pub(crate) async fn start(
    host: &ContainerHost,
    program: &str,
    args: Vec<String>,
    needs: Needs,
) -> Result<Process, EngineError> {
    let (repository, tag) = (host.image.repository, host.image.tag.as_str());
    let docker = connect().await?;
    // A tag that is not there would be asked of a registry.
    docker.inspect_image(&format!("{repository}:{tag}")).await?;
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let image = GenericImage::new(repository, tag).with_entrypoint(program);
    let mut request = image
        .with_cmd(args)
        .with_label(LABEL, needs.lock.display().to_string())
        .with_user(format!("{uid}:{gid}"))
        .with_cap_drop("ALL")
        .with_security_opt("no-new-privileges");
    for folder in &needs.reads {
        request = request.with_mount(mount(folder).with_access_mode(AccessMode::ReadOnly));
    }
    for folder in &needs.writes {
        request = request.with_mount(mount(folder));
    }
    let kvm = needs.kvm;
    let request = request.with_host_config_modifier(move |config| {
        config.network_mode = Some("none".into());
        config.pid_mode = Some("host".into());
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
    let state = docker.inspect_container(container.id(), None).await?.state;
    let pid = state.and_then(|s| s.pid).and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
    Ok(Process::new(pid, wait(docker, container, needs.stderr)))
}

fn mount(folder: &Path) -> Mount {
    let path = folder.display().to_string();
    Mount::bind_mount(path.clone(), path)
}

/// Waits for its end, keeps what it said, and removes it.
async fn wait(docker: bollard::Docker, container: ContainerAsync<GenericImage>, stderr: PathBuf) -> End {
    let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
    let mut waiting = std::pin::pin!(docker.wait_container(container.id(), Some(options)));
    let end = match waiting.next().await {
        Some(Ok(answer)) => Ok(answer.status_code),
        Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(e)) => Err(format!("the container engine lost sight of QEMU: {e}")),
        None => Err("the container engine lost sight of QEMU".to_owned()),
    };
    let mut said = Vec::new();
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
    let mut logs = std::pin::pin!(docker.logs(container.id(), Some(options)));
    while let Some(Ok(line)) = logs.next().await {
        said.extend_from_slice(&line.into_bytes());
    }
    // Its last words are for messages; one without them says less.
    let _ = tokio::fs::write(&stderr, said).await;
    // What cannot be removed now is the next run's sweep.
    let _ = container.rm().await;
    end.map(|code| match i32::try_from(code).unwrap_or(-1) {
        // As a shell tells of signals.
        code @ 129..=192 => Exit::Signal(code - 128),
        code => Exit::Status(code),
    })
}

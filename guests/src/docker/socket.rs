//! Which socket is the engine's.

use super::DockerError;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// The sockets that may be the engine's, the likeliest first: what `DOCKER_HOST` says and nothing else; or Docker's, Docker's of
/// a user without root, Docker Desktop's, and Podman's of the user and of root.
pub(super) fn candidates(variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<PathBuf>, DockerError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        let host = host.to_string_lossy().into_owned();
        return match host.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(vec![path.into()]),
            _ => Err(DockerError::NotLocal(host)),
        };
    }
    let below = |folder: &str, paths: &[&str]| -> Vec<PathBuf> {
        set(folder).map_or(Vec::new(), |folder| paths.iter().map(|path| Path::new(&folder).join(path)).collect())
    };
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    sockets.extend(below("XDG_RUNTIME_DIR", &["docker.sock", ".docker/run/docker.sock"]));
    sockets.extend(below("HOME", &[".docker/run/docker.sock", ".docker/desktop/docker.sock"]));
    sockets.extend(below("XDG_RUNTIME_DIR", &["podman/podman.sock"]));
    sockets.push("/run/podman/podman.sock".into());
    Ok(sockets)
}

/// The first of them that somebody listens at. `installed`: an engine is there, whether it runs or not.
pub(super) async fn find(sockets: Vec<PathBuf>, installed: bool) -> Result<PathBuf, DockerError> {
    let mut failed = None;
    for socket in sockets {
        match UnixStream::connect(&socket).await {
            Ok(_) => return Ok(socket),
            // A socket that is there says more than one that is not.
            Err(e) if failed.is_none() || e.kind() != ErrorKind::NotFound => {
                let text = format!("{}: {e}", socket.display());
                failed = Some(match e.kind() {
                    ErrorKind::PermissionDenied => DockerError::Forbidden(text),
                    ErrorKind::NotFound if !installed => DockerError::Missing,
                    _ => DockerError::Stopped(text),
                });
                if e.kind() == ErrorKind::PermissionDenied {
                    break;
                }
            }
            Err(_) => {}
        }
    }
    Err(failed.unwrap_or(DockerError::Missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_is_looked_for() {
        let check = |environment: &[(&str, &str)], expected: Result<&[&str], &str>| {
            let variable = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(*v));
            let found = candidates(variable).map_err(|e| e.to_string());
            match expected {
                Ok(paths) => assert_eq!(found, Ok(paths.iter().map(PathBuf::from).collect()), "{environment:?}"),
                Err(part) => assert!(found.as_ref().unwrap_err().contains(part), "{environment:?}: {found:?}"),
            }
        };
        check(&[], Ok(&["/var/run/docker.sock", "/run/podman/podman.sock"]));
        check(&[("DOCKER_HOST", "unix:///x/podman.sock"), ("HOME", "/h")], Ok(&["/x/podman.sock"]));
        check(
            &[("DOCKER_HOST", ""), ("XDG_RUNTIME_DIR", "")],
            Ok(&["/var/run/docker.sock", "/run/podman/podman.sock"]),
        );
        check(
            &[("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/h")],
            Ok(&[
                "/var/run/docker.sock",
                "/run/user/7/docker.sock",
                "/run/user/7/.docker/run/docker.sock",
                "/h/.docker/run/docker.sock",
                "/h/.docker/desktop/docker.sock",
                "/run/user/7/podman/podman.sock",
                "/run/podman/podman.sock",
            ]),
        );
        for host in ["tcp://10.0.0.1:2375", "unix://relative", "/var/run/docker.sock"] {
            check(&[("DOCKER_HOST", host)], Err("export DOCKER_HOST=unix:///var/run/docker.sock"));
        }
    }

    #[tokio::test]
    async fn the_first_that_listens_or_why_none_does() {
        let folder = tempfile::tempdir().unwrap();
        let [absent, dead, alive] = ["absent", "dead", "alive"].map(|name| folder.path().join(name));
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let _listener = tokio::net::UnixListener::bind(&alive).unwrap();
        let search = async |sockets: &[&PathBuf], installed| {
            let sockets = sockets.iter().map(|s| (*s).clone()).collect();
            find(sockets, installed).await.map_err(|e| e.to_string())
        };
        assert_eq!(search(&[&absent, &dead, &alive], false).await, Ok(alive.clone()));
        for (sockets, installed, part) in [
            (&[&absent][..], false, "there is no container engine; on Debian: sudo apt-get install"),
            (&[&absent], true, "its daemon does not answer"),
            (&[&absent, &dead, &absent], false, "dead: Connection refused"),
            (&[], false, "there is no container engine"),
        ] {
            let error = search(sockets, installed).await.unwrap_err();
            assert!(error.contains(part), "{sockets:?}: {error}");
        }
    }
}

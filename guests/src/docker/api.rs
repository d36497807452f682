//! The calls. Paths have no version: the engine answers with its own. Shapes: Docker's Engine API 1.41, which Podman 4 serves too.

use super::http::{self, Body, bytes};
use super::{DockerError, socket};
use futures_util::TryStreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Method;
use hyper::body::Frame;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::io::ReaderStream;
use url::form_urlencoded::Serializer;

/// For an answer that the engine has at hand.
const QUICK: Duration = Duration::from_secs(10);
/// For a container to be made, started or removed on a busy host.
const WORK: Duration = Duration::from_secs(120);
/// For an image of some hundred megabytes to be unpacked.
const IMPORT: Duration = Duration::from_secs(600);
/// Of any answer but logs.
const ANSWER_CAP: usize = 4 << 20;
/// Of an answer's text, in a message.
const TEXT_CAP: usize = 300;
const JSON: &str = "application/json";

/// An engine that was there when it was looked for.
#[derive(Debug, Clone)]
pub struct Docker {
    socket: PathBuf,
    quick: Duration,
}

/// What the engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Info {
    /// Of the host that it runs on.
    #[serde(default)]
    pub(crate) name: String,
}

/// An image in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageInfo {
    /// The engine's own digest of it.
    pub(crate) id: String,
    pub(crate) labels: HashMap<String, String>,
}

/// A container as `inspect` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerState {
    /// Its first process runs.
    pub running: bool,
    /// On the engine's host; 0 once it has ended.
    #[serde(default)]
    pub pid: u32,
}

/// A container as `list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedContainer {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Podman says `null` for none.
    #[serde(default)]
    labels: Option<HashMap<String, String>>,
}

impl ListedContainer {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.as_ref()?.get(name).map(String::as_str)
    }
}

impl Docker {
    /// Finds the engine: `DOCKER_HOST`, or the sockets of Docker and Podman.
    pub async fn find() -> Result<Docker, DockerError> {
        let installed =
            ["/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/bin/podman"].iter().any(|p| Path::new(p).exists());
        let named = std::env::var_os("DOCKER_HOST").is_some();
        let sockets = socket::candidates(|name| std::env::var_os(name))?;
        let socket = socket::find(sockets, installed || named).await?;
        Ok(Docker { socket, quick: QUICK })
    }

    /// What it says of itself.
    pub(crate) async fn info(&self) -> Result<Info, DockerError> {
        match self.get("say who it is", "/info").await {
            Err(DockerError::Late { limit, .. }) => {
                Err(DockerError::Stopped(format!("no answer within {} s", limit.as_secs())))
            }
            answer => answer,
        }
    }

    /// An image by its `repository:tag`; `None`: it is not there.
    pub(crate) async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, DockerError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Image {
            id: String,
            config: Option<Config>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Config {
            labels: Option<HashMap<String, String>>,
        }
        let image = found(self.get::<Image>("show an image", &format!("/images/{reference}/json")).await)?;
        Ok(image
            .map(|image| ImageInfo { id: image.id, labels: image.config.and_then(|c| c.labels).unwrap_or_default() }))
    }

    /// Makes an image of the root in an uncompressed tar `archive`; `changes` are lines of a Dockerfile.
    pub(crate) async fn import(&self, archive: &Path, reference: &str, changes: &[String]) -> Result<(), DockerError> {
        let what = "import an image";
        let file = tokio::fs::File::open(archive).await;
        let file = file.map_err(|e| DockerError::Garbled { what, problem: format!("{}: {e}", archive.display()) })?;
        let frames = ReaderStream::with_capacity(file, 1 << 20).map_ok(Frame::data);
        let changes = changes.iter().map(|change| ("changes", change.as_str()));
        // Repository and tag in one: Podman 4.3 does not look at a tag apart.
        let query = [("fromSrc", "-"), ("repo", reference)].into_iter().chain(changes);
        let request = (Method::POST, query_of("/images/create", query));
        let said = self.call(what, request, ("application/x-tar", StreamBody::new(frames).boxed()), IMPORT).await?;
        // Its status is that of the beginning: what went wrong later is one of the lines.
        for line in said.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let line: Value = parse(what, line)?;
            if let Some(message) = line["error"].as_str() {
                return Err(DockerError::Refused { what, status: 200, message: message.to_owned() });
            }
        }
        Ok(())
    }

    /// Makes a container of a `ContainerCreateBody`; its id. An image that is not there is an error: nothing is ever pulled.
    pub(crate) async fn create(&self, container: &Value) -> Result<String, DockerError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created {
            id: String,
        }
        let (what, request) = ("make a container", (Method::POST, "/containers/create".to_owned()));
        let answer = self.call(what, request, (JSON, bytes(container.to_string())), WORK).await?;
        parse(what, &answer).map(|created: Created| created.id)
    }

    /// Starts a container that was made.
    pub(crate) async fn start(&self, id: &str) -> Result<(), DockerError> {
        let request = (Method::POST, format!("/containers/{id}/start"));
        self.call("start a container", request, (JSON, bytes("")), WORK).await.map(drop)
    }

    /// How a container is; `None`: it is not there.
    pub async fn container(&self, id: &str) -> Result<Option<ContainerState>, DockerError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Container {
            state: ContainerState,
        }
        let container = found(self.get::<Container>("show a container", &format!("/containers/{id}/json")).await)?;
        Ok(container.map(|container| container.state))
    }

    /// Waits, as long as it takes, until a container does not run; its exit code.
    pub(crate) async fn wait(&self, id: &str) -> Result<i64, DockerError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Ended {
            status_code: i64,
        }
        let what = "wait for a container";
        let target = format!("/containers/{id}/wait?condition=not-running");
        let answer = self.answer(what, (Method::POST, target), (JSON, bytes(""))).await?;
        parse(what, &answer).map(|ended: Ended| ended.status_code)
    }

    /// What a container without a terminal has said on stdout and stderr: at most about `cap` bytes, from its beginning.
    pub(crate) async fn logs(&self, id: &str, cap: usize) -> Result<Vec<u8>, DockerError> {
        let what = "show a container's output";
        let target = format!("/containers/{id}/logs?stdout=true&stderr=true");
        let read = async {
            let answer = http::send(&self.socket, what, (Method::GET, &target), (JSON, bytes(""))).await?;
            let status = answer.status();
            let (bytes, _) = answer.read(cap).await?;
            refused(what, status, &bytes).map_or(Ok(bytes), Err)
        };
        within(what, WORK, read).await.map(|frames| without_heads(&frames))
    }

    /// Ends and removes a container with its anonymous volumes; one that is gone already is removed.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), DockerError> {
        let request = (Method::DELETE, format!("/containers/{id}?force=true&v=true"));
        found(self.call("remove a container", request, (JSON, bytes("")), WORK).await).map(drop)
    }

    /// All containers, also those that have ended, that have every one of these labels (`name` or `name=value`).
    pub async fn list(&self, labels: &[&str]) -> Result<Vec<ListedContainer>, DockerError> {
        let filters = serde_json::json!({ "label": labels }).to_string();
        let query = [("all", "true"), ("filters", filters.as_str())];
        self.get("list containers", &query_of("/containers/json", query)).await
    }

    async fn get<T: DeserializeOwned>(&self, what: &'static str, target: &str) -> Result<T, DockerError> {
        let answer = self.call(what, (Method::GET, target.to_owned()), (JSON, bytes("")), self.quick).await?;
        parse(what, &answer)
    }

    async fn call(
        &self,
        what: &'static str,
        request: (Method, String),
        body: (&str, Body),
        limit: Duration,
    ) -> Result<Vec<u8>, DockerError> {
        within(what, limit, self.answer(what, request, body)).await
    }

    /// A whole answer, unless it is an error's.
    async fn answer(
        &self,
        what: &'static str,
        (method, target): (Method, String),
        body: (&str, Body),
    ) -> Result<Vec<u8>, DockerError> {
        let answer = http::send(&self.socket, what, (method, &target), body).await?;
        let status = answer.status();
        let (bytes, whole) = answer.read(ANSWER_CAP).await?;
        match refused(what, status, &bytes) {
            Some(error) => Err(error),
            None if whole => Ok(bytes),
            None => {
                let problem = format!("it is longer than {} MiB", ANSWER_CAP >> 20);
                Err(DockerError::Garbled { what, problem })
            }
        }
    }
}

fn query_of<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("{path}?{}", Serializer::new(String::new()).extend_pairs(pairs).finish())
}

async fn within<T>(
    what: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<T, DockerError>>,
) -> Result<T, DockerError> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(DockerError::Late { what, limit }))
}

fn parse<T: DeserializeOwned>(what: &'static str, answer: &[u8]) -> Result<T, DockerError> {
    serde_json::from_slice(answer)
        .map_err(|e| DockerError::Garbled { what, problem: format!("{e} in {:?}", beginning(answer)) })
}

/// The error of an answer that is one. Docker has its words in `message`, and so has Podman.
fn refused(what: &'static str, status: u16, answer: &[u8]) -> Option<DockerError> {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    (!(200..300).contains(&status)).then(|| {
        let message = serde_json::from_slice(answer).map_or_else(|_| beginning(answer), |m: Message| m.message);
        DockerError::Refused { what, status, message }
    })
}

fn beginning(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).trim().chars().take(TEXT_CAP).collect()
}

/// What is not there is no error.
fn found<T>(answer: Result<T, DockerError>) -> Result<Option<T>, DockerError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(DockerError::Refused { status: 404, .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Without the heads of stdout's and stderr's frames: stream, three zeroes, length (big-endian). A frame that was cut off counts
/// as far as it goes; what does not begin with a head is from a terminal and has none.
fn without_heads(mut frames: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    while let Some(([0..=2, 0, 0, 0, length @ ..], rest)) = frames.split_first_chunk::<8>() {
        let length = usize::try_from(u32::from_be_bytes([length[0], length[1], length[2], length[3]]));
        let (data, rest) = rest.split_at(length.unwrap_or(usize::MAX).min(rest.len()));
        said.extend_from_slice(data);
        frames = rest;
    }
    if said.is_empty() { frames.to_vec() } else { said }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;

//! One request to the engine, on a connection of its own: the answer's status and a body that is read within bounds.

use super::DockerError;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io;
use std::path::Path;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

/// What a request carries.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// Nothing, or some JSON.
pub(super) fn bytes(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// An answer whose body is still to come; dropped, its connection is closed.
#[derive(Debug)]
pub(super) struct Answer {
    what: &'static str,
    response: Response<Incoming>,
    _connection: Connection,
}

#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request; `what` is asked for in it, for messages. Not bounded in time: the caller is.
pub(super) async fn send(
    socket: &Path,
    what: &'static str,
    (method, target): (Method, &str),
    (content_type, body): (&str, Body),
) -> Result<Answer, DockerError> {
    let garbled = |e: &dyn Error| DockerError::Garbled { what, problem: with_cause(e) };
    let request = Request::builder().method(method).uri(target).header(header::HOST, "docker");
    let request = request.header(header::CONTENT_TYPE, content_type).body(body).map_err(|e| garbled(&e))?;
    let stream = UnixStream::connect(socket).await;
    let stream = stream.map_err(|e| DockerError::Stopped(format!("{}: {e}", socket.display())))?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| garbled(&e))?;
    // Its error comes out of the request or the body.
    let connection = Connection(tokio::spawn(async move { drop(connection.await) }));
    let response = sender.send_request(request).await.map_err(|e| garbled(&e))?;
    Ok(Answer { what, response, _connection: connection })
}

/// hyper says in the cause what was wrong.
fn with_cause(e: &dyn Error) -> String {
    e.source().map_or_else(|| e.to_string(), |cause| format!("{e}: {cause}"))
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The body up to `cap` bytes, and whether that is all of it.
    pub(super) async fn read(mut self, cap: usize) -> Result<(Vec<u8>, bool), DockerError> {
        let mut bytes = Vec::new();
        while let Some(frame) = self.response.body_mut().frame().await {
            let frame = frame.map_err(|e| DockerError::Garbled { what: self.what, problem: with_cause(&e) })?;
            if let Ok(data) = frame.into_data() {
                let room = cap - bytes.len();
                bytes.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() > room {
                    return Ok((bytes, false));
                }
            }
        }
        Ok((bytes, true))
    }
}

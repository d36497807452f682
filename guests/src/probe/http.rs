//! httpGet (kubelet `pkg/probe/http`; kubelet-prober.md 9): a new connection per request, redirects by host name, the
//! body read before the status is judged, one deadline over everything.

use super::attempt::{attempt, error, failure, success};
use super::connection::{Connection, OddStatus};
use super::hop::{Hop, HttpTarget, first_hop, named_host};
use super::network::{Network, dial};
use super::tls;
use crate::time;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use vmhealth_sim::kubelet::{Attempt, Verdict};

/// Of Go's transport, whatever the probe's own timeout (apimachinery SetTransportDefaults).
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// The kubelet that we speak for.
const USER_AGENT: &str = "kube-probe/1.36";
/// Of a body, at most; reaching it is no error.
const BODY_CAP: usize = 10 * 1024;
/// Of a response's head (Go's `MaxResponseHeaderBytes`), and more header lines than that could hold in practice.
const HEAD_CAP: usize = 10 << 20;
const MAX_HEADERS: usize = 16 << 10;
/// In one chain.
const MAX_REQUESTS: usize = 10;
/// Never sent, whatever the user wrote.
const NEVER_SENT: [HeaderName; 3] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::TRAILER];

/// How far an attempt came; decides what running out of time means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Dialing,
    Headers,
    Body,
}

/// A request as it went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where to.
    pub url: String,
    /// `GET`, the target and the version.
    pub line: String,
    /// Header names as on the wire, in their order.
    pub headers: Vec<(String, String)>,
}

/// What is known of a redirect chain while it lasts.
struct Chain<'a> {
    phase: Cell<Phase>,
    /// Of the last connection, as Go shows them.
    ends: RefCell<String>,
    sent: &'a RefCell<Vec<Sent>>,
}

/// One attempt.
pub async fn get(network: Network<'_>, target: &HttpTarget, timeout: Duration) -> Attempt {
    get_logged(network, target, timeout, &RefCell::default()).await
}

/// One attempt; what was sent is added to `sent`.
pub async fn get_logged(
    network: Network<'_>,
    target: &HttpTarget,
    timeout: Duration,
    sent: &RefCell<Vec<Sent>>,
) -> Attempt {
    let chain = Chain { phase: Cell::new(Phase::Dialing), ends: RefCell::default(), sent };
    let first = match first_hop(target) {
        Ok(first) => first,
        Err(text) => return failure(text),
    };
    let url = first.shown();
    match time::timeout(timeout, follow(network, target, first, &chain)).await {
        Ok(attempt) => attempt,
        Err(_) if chain.phase.get() == Phase::Body => {
            error("context deadline exceeded (Client.Timeout or context cancellation while reading body)")
        }
        Err(_) => failure(format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )),
    }
}

/// What an attempt makes of an answer that comes on a stream; a redirect is not followed.
pub(crate) async fn answered_on<S>(stream: S, target: &HttpTarget) -> Attempt
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let sent = RefCell::default();
    let chain = Chain { phase: Cell::new(Phase::Dialing), ends: RefCell::default(), sent: &sent };
    let asked = first_hop(target).and_then(|hop| Ok((hop.shown(), head(target, &hop, false)?)));
    match asked {
        Ok((shown, request)) => match exchange(stream, false, request, &chain, &shown).await {
            Ok(response) => judge(response, &chain).await,
            Err(attempt) => attempt,
        },
        Err(text) => failure(text),
    }
}

/// A redirect chain.
async fn follow(network: Network<'_>, target: &HttpTarget, mut hop: Hop, chain: &Chain<'_>) -> Attempt {
    let first = hop.shown();
    let mut requests = 0;
    loop {
        requests += 1;
        chain.phase.set(Phase::Dialing);
        let response = match request(network, target, &hop, chain).await {
            Ok(response) => response,
            Err(attempt) => return attempt,
        };
        let status = response.status();
        let Some(location) = redirect(&response) else { return judge(response, chain).await };
        let Some(next) = hop.next(&location, matches!(status.as_u16(), 307 | 308)) else {
            return failure(format!("Get \"{first}\": failed to parse Location header \"{location}\""));
        };
        // The host rule comes before the count: text against the very first URL's host name, the port plays no part.
        if named_host(&location).is_some_and(|host| host != target.host) {
            return judge(response, chain).await;
        }
        if requests >= MAX_REQUESTS {
            return failure(format!("Get \"{location}\": stopped after {MAX_REQUESTS} redirects"));
        }
        hop = next;
    }
}

fn redirect(response: &Response<Incoming>) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    let text = String::from_utf8_lossy(location.as_bytes()).into_owned();
    (!text.is_empty()).then_some(text)
}

/// The body of the answer that counts is read before its status is judged; that of a followed redirect is not read.
async fn judge(response: Response<Incoming>, chain: &Chain<'_>) -> Attempt {
    chain.phase.set(Phase::Body);
    let (parts, body) = response.into_parts();
    let odd = parts.extensions.get::<OddStatus>();
    let status = odd.map_or(parts.status.as_u16(), |odd| odd.of(parts.status.as_u16()));
    let ends = chain.ends.borrow().clone();
    let body = match read_body(body, &ends).await {
        Ok(body) => body,
        Err(attempt) => return attempt,
    };
    let body = String::from_utf8_lossy(&body);
    match status {
        200..=299 => success(body),
        300..=399 => attempt(Verdict::Warning, format!("Probe terminated redirects, Response body: {body}")),
        n => failure(format!("HTTP probe failed with statuscode: {n}")),
    }
}

/// One request on one connection.
async fn request(
    network: Network<'_>,
    target: &HttpTarget,
    hop: &Hop,
    chain: &Chain<'_>,
) -> Result<Response<Incoming>, Attempt> {
    let (url, shown) = (&hop.url, hop.shown());
    let failed = |text: String| failure(format!("Get \"{shown}\": {text}"));
    if !matches!(url.scheme(), "http" | "https") {
        return Err(failed(format!("unsupported protocol scheme \"{}\"", url.scheme())));
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let stream = dial(network, &host, url.port_or_known_default().unwrap_or(80)).await.map_err(failed)?;
    chain.ends.replace(ends(&stream));
    if url.scheme() == "http" {
        return exchange(stream, false, head(target, hop, false).map_err(failed)?, chain, &shown).await;
    }
    let name = ServerName::try_from(host).map_err(|e| failed(e.to_string()))?;
    let stream = shake_hands(name, stream, HANDSHAKE_LIMIT).await.map_err(failed)?;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    exchange(stream, h2, head(target, hop, h2).map_err(failed)?, chain, &shown).await
}

async fn shake_hands(
    name: ServerName<'static>,
    stream: TcpStream,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, String> {
    let connector = TlsConnector::from(tls::client().map_err(|e| e.to_string())?);
    match time::timeout(limit, connector.connect(name, stream)).await {
        Ok(shaken) => shaken.map_err(|e| format!("tls: {e}")),
        Err(_) => Err("net/http: TLS handshake timeout".into()),
    }
}

/// The request's head, in Go's order: Host, User-Agent, the others sorted, Connection.
fn head(target: &HttpTarget, hop: &Hop, h2: bool) -> Result<Request<Empty<Bytes>>, String> {
    let mut users: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for (name, value) in &target.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("net/http: invalid header field name \"{name}\""))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| format!("net/http: invalid header field value for \"{name}\""))?;
        users.push((name, value));
    }
    let first = |name: &HeaderName| users.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let own = || HeaderValue::from_str(&hop.authority).map_err(|e| e.to_string());
    let host = hop.host_line.clone().map_or_else(own, Ok)?;
    let user_agent = first(&header::USER_AGENT).unwrap_or(HeaderValue::from_static(USER_AGENT));
    let mut others: Vec<(HeaderName, HeaderValue)> = users
        .iter()
        .filter(|(n, _)| *n != header::HOST && *n != header::USER_AGENT && !NEVER_SENT.contains(n))
        .filter(|(n, _)| !(hop.drop_content && n.as_str().starts_with("content-")))
        .cloned()
        .collect();
    match first(&header::ACCEPT) {
        None => others.push((header::ACCEPT, HeaderValue::from_static("*/*"))),
        Some(accept) if accept.is_empty() => others.retain(|(n, _)| *n != header::ACCEPT),
        Some(_) => {}
    }
    if let Some(referer) = hop.referer.as_ref().and_then(|r| HeaderValue::from_str(r).ok()) {
        others.push((header::REFERER, referer));
    }
    others.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    let closing =
        |v: &HeaderValue| v.as_bytes().split(|b| *b == b',').any(|t| t.trim_ascii().eq_ignore_ascii_case(b"close"));
    let closes = others.iter().any(|(n, v)| *n == header::CONNECTION && closing(v));

    let mut request = Request::builder().method("GET");
    if h2 {
        let authority = host.to_str().map_err(|e| e.to_string())?;
        request = request.version(Version::HTTP_2).uri(format!("https://{authority}{}", hop.target));
    } else {
        request = request.uri(&hop.target).header(header::HOST, host);
    }
    if !user_agent.is_empty() {
        request = request.header(header::USER_AGENT, user_agent);
    }
    for (name, value) in others {
        if !(h2 && name == header::CONNECTION) {
            request = request.header(name, value);
        }
    }
    if !h2 && !closes {
        request = request.header(header::CONNECTION, "close");
    }
    request.body(Empty::new()).map_err(|e| e.to_string())
}

async fn exchange<S>(
    stream: S,
    h2: bool,
    request: Request<Empty<Bytes>>,
    chain: &Chain<'_>,
    url: &str,
) -> Result<Response<Incoming>, Attempt>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |e: hyper::Error| failure(format!("Get \"{url}\": {}", transport_error(&e, &chain.ends.borrow())));
    chain.phase.set(Phase::Headers);
    chain.sent.borrow_mut().push(sent(&request, url));
    if h2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(failed)?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(failed)
    } else {
        let odd = OddStatus::default();
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .title_case_headers(true)
            // Go has no count limit; hyper's default of 100 would be an error.
            .max_headers(MAX_HEADERS)
            .max_buf_size(HEAD_CAP)
            .handshake(TokioIo::new(Connection::new(stream, odd.clone())))
            .await
            .map_err(failed)?;
        tokio::spawn(connection);
        let mut response = sender.send_request(request).await.map_err(failed)?;
        response.extensions_mut().insert(odd);
        Ok(response)
    }
}

/// `10.0.0.1:43210->10.0.0.5:80`
fn ends(stream: &TcpStream) -> String {
    let [own, peer] = [stream.local_addr(), stream.peer_addr()].map(|a| a.map(|a| a.to_string()).unwrap_or_default());
    format!("{own}->{peer}")
}

/// In Go's words, where there are any; `ends` are the connection's.
fn transport_error(e: &hyper::Error, ends: &str) -> String {
    let system = e.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    if system == Some(io::ErrorKind::ConnectionReset) {
        format!("read tcp {ends}: read: connection reset by peer")
    } else if e.is_incomplete_message() {
        "EOF".into()
    } else if e.is_parse() {
        format!("net/http: HTTP/1.x transport connection broken: malformed HTTP response ({e})")
    } else {
        e.to_string()
    }
}

fn sent(request: &Request<Empty<Bytes>>, url: &str) -> Sent {
    let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
    let h2 = request.version() == Version::HTTP_2;
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let name = if h2 { name.as_str().to_owned() } else { title_case(name.as_str()) };
        (name, String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Sent {
        url: url.to_owned(),
        line: format!("GET {target} {:?}", request.version()),
        headers: request.headers().iter().map(header).collect(),
    }
}

/// `x-foo` as `X-Foo`, as hyper and Go write it.
fn title_case(name: &str) -> String {
    let word = |w: &str| w.get(..1).map_or(String::new(), |first| first.to_uppercase() + &w[1..]);
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Up to the cap or the end; an error before that is an error of the probe, whatever the status was.
async fn read_body(mut body: Incoming, ends: &str) -> Result<Vec<u8>, Attempt> {
    let mut bytes = Vec::new();
    while bytes.len() < BODY_CAP
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|e| {
            let text = transport_error(&e, ends);
            error(if text.starts_with("read tcp") { text } else { "unexpected EOF".into() })
        })?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data[..data.len().min(BODY_CAP - bytes.len())]);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

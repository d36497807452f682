//! One probe as the kubelet makes it, with its retries, from this process's own network.

use serde::Serialize;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use vmhealth_guests::probe::{self, HttpTarget, Network, Sent};
use vmhealth_guests::scratch::Scratch;
use vmhealth_guests::wire::{Agent, AgentError, PortState, Transcript};
use vmhealth_sim::kubelet::{Attempt, Verdict};
use vmhealth_sim::manifest::Scheme;

/// How often a probe that ends in an error is tried (kubelet prober.go `maxProbeRetries`).
const TRIES: u32 = 3;

/// What is probed, and how.
#[derive(Debug, Clone)]
pub enum Handler {
    /// httpGet.
    Http(HttpTarget),
    /// tcpSocket: host and port.
    Tcp(String, u16),
    /// guestAgentPing, or exec where there is a command.
    Agent {
        /// The host's end of a running guest's agent port.
        socket: PathBuf,
        /// The program and its arguments.
        command: Vec<String>,
    },
}

/// What came of a probe; the fields of its JSON are stable.
#[derive(Debug, Serialize)]
pub struct ProbeReport {
    /// `success`, `warning`, `failure` or `error`.
    verdict: &'static str,
    /// The kubelet's text, but for a broken HTTP answer, which Go's library describes in other words than ours; empty for a
    /// success.
    message: String,
    attempts: u32,
    /// A body, or what a command printed.
    output: String,
    duration_ms: u64,
    requests: Vec<Request>,
}

#[derive(Debug, Serialize)]
struct Request {
    url: String,
    line: String,
    headers: Vec<[String; 2]>,
}

impl From<Sent> for Request {
    fn from(sent: Sent) -> Request {
        let headers = sent.headers.into_iter().map(|(name, value)| [name, value]).collect();
        Request { url: sent.url, line: sent.line, headers }
    }
}

/// Why there is no probe of an agent.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is no agent behind the socket that was named.
    #[error("cannot connect to {}: {error}", socket.display())]
    Connect {
        /// The socket as the user named it.
        socket: PathBuf,
        /// What went wrong.
        error: AgentError,
    },
    /// The host could not make it.
    #[error(transparent)]
    Host(#[from] io::Error),
}

/// Makes the probe.
pub async fn run(handler: &Handler, timeout: Duration) -> Result<ProbeReport, ProbeError> {
    let begun = Instant::now();
    let sent = RefCell::default();
    let (attempt, attempts) = match handler {
        Handler::Http(target) => tries(async || probe::get_logged(Network::Host, target, timeout, &sent).await).await,
        Handler::Tcp(host, port) => tries(async || probe::tcp(Network::Host, host, *port, timeout).await).await,
        Handler::Agent { socket, command } => {
            // The session goes on for as long as its sender is there.
            let (agent, _session) = connect(socket).await?;
            // The pod's timeout is a second longer than the VMI's, which virt-probe is given.
            let outer = timeout + Duration::from_secs(1);
            tries(async || match command.as_slice() {
                [] => probe::ping(&agent, outer).await,
                command => probe::exec(&agent, command, timeout, outer).await,
            })
            .await
        }
    };
    Ok(report(attempt, attempts, begun.elapsed(), sent.into_inner()))
}

/// Errors are tried again, at once; anything else counts.
async fn tries(attempt: impl AsyncFn() -> Attempt) -> (Attempt, u32) {
    let mut tries = 1;
    loop {
        let outcome = attempt().await;
        if outcome.verdict != Verdict::Error || tries == TRIES {
            return (outcome, tries);
        }
        tries += 1;
    }
}

fn report(attempt: Attempt, attempts: u32, lasted: Duration, sent: Vec<Sent>) -> ProbeReport {
    let (verdict, message, output) = match attempt.verdict {
        Verdict::Success => ("success", String::new(), attempt.text),
        Verdict::Warning => {
            let body = attempt.text.split_once("Response body: ").map(|(_, body)| body.to_owned());
            ("warning", attempt.text, body.unwrap_or_default())
        }
        Verdict::Failure => ("failure", attempt.text, String::new()),
        Verdict::Error => ("error", attempt.text, String::new()),
    };
    let duration_ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    ProbeReport {
        verdict,
        message,
        attempts,
        output,
        duration_ms,
        requests: sent.into_iter().map(Request::from).collect(),
    }
}

impl ProbeReport {
    /// Whether the kubelet would count it as a success.
    pub fn succeeded(&self) -> bool {
        matches!(self.verdict, "success" | "warning")
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for request in &self.requests {
            writeln!(f, "> {}  ({})", request.line, request.url)?;
            for [name, value] in &request.headers {
                writeln!(f, ">   {name}: {value}")?;
            }
        }
        let times = if self.attempts == 1 { String::new() } else { format!(", {} attempts", self.attempts) };
        writeln!(f, "{} after {} ms{times}", self.verdict, self.duration_ms)?;
        for text in [&self.message, &self.output].into_iter().filter(|t| !t.is_empty()) {
            writeln!(f, "{text}")?;
        }
        Ok(())
    }
}

/// A URL's parts, its path as it is written: the kubelet reads a probe's path its own way.
pub fn parse_url(url: &str) -> Result<HttpTarget, String> {
    let bad = || format!("{url:?} is not a URL like http://127.0.0.1:1500/healthz");
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let (scheme, default) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (Scheme::Http, 80),
        "https" => (Scheme::Https, 443),
        _ => return Err(bad()),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = host_and_port(authority, Some(default))?;
    let path = if path.is_empty() { "/" } else { path };
    Ok(HttpTarget { scheme, host, port, path: path.to_owned(), headers: Vec::new() })
}

/// `host:port` or `[::1]:port`.
pub fn parse_address(text: &str) -> Result<(String, u16), String> {
    host_and_port(text, None)
}

fn host_and_port(text: &str, default: Option<u16>) -> Result<(String, u16), String> {
    let bad = || format!("{text:?} is not an address like 127.0.0.1:1500 or [::1]:1500");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(bad)?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|p| *p > 0),
        None => default,
    };
    let host = Some(host).filter(|h| !h.is_empty());
    host.map(str::to_owned).zip(port).ok_or_else(bad)
}

async fn connect(socket: &Path) -> Result<(Agent, watch::Sender<PortState>), ProbeError> {
    let folder = Scratch::new()?;
    let transcript = Transcript::create(&folder.path().join("agent"), tokio::time::Instant::now())?;
    // Whether the guest has its end open cannot be known here; if not, nobody answers.
    let (session, port) = watch::channel(PortState { open: true, session: 1 });
    let agent = Agent::connect(socket, transcript, port).await;
    let agent = agent.map_err(|e| ProbeError::Connect { socket: socket.to_owned(), error: e })?;
    Ok((agent.present().map_err(io::Error::other)?, session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_addresses() {
        for (url, expected) in [
            ("http://127.0.0.1:1500/healthz", Some(("127.0.0.1", 1500, "/healthz"))),
            ("https://localhost", Some(("localhost", 443, "/"))),
            ("http://[::1]:80?q", Some(("::1", 80, "?q"))),
            ("http://h/a/../b", Some(("h", 80, "/a/../b"))),
            ("ftp://h/", None),
            ("h:80", None),
            ("http://h:0/", None),
            ("http://:80/", None),
        ] {
            let found = parse_url(url).ok();
            let found = found.as_ref().map(|t| (t.host.as_str(), t.port, t.path.as_str()));
            assert_eq!(found, expected, "{url}");
        }
        assert!(parse_address("h").is_err());
    }
}

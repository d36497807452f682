//! `cargo xtask probe`: one probe as the kubelet makes it, with its tries, from this process's own network.

use crate::cli::{Format, Handler, Probe};
use crate::exit::{Failure, Status, infra, usage};
use anyhow::{Context as _, anyhow};
use serde::Serialize;
use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use vmhealth_guests::probe::{self, HttpTarget, Network, Sent};
use vmhealth_guests::wire::{Agent, PortState, Transcript};
use vmhealth_sim::kubelet::{Attempt, Verdict};
use vmhealth_sim::manifest::Scheme;

/// Of a probe that ends in an error (kubelet prober.go `maxProbeRetries`).
const TRIES: u32 = 3;

/// What is printed. Fields may be added, these do not change.
#[derive(Debug, Serialize)]
struct Report {
    verdict: &'static str,
    /// As the kubelet words it, up to what Go's and our HTTP library say differently of a broken answer; empty for a success.
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

/// Makes the probe.
pub(crate) async fn probe(args: Probe) -> Result<Status, Failure> {
    let begun = Instant::now();
    let timeout = Duration::from_secs(args.timeout.into());
    let sent = RefCell::default();
    let (attempt, attempts) = match &args.handler {
        Handler::Http { url, headers } => {
            let target = HttpTarget { headers: headers.clone(), ..target(url).map_err(usage)? };
            tries(async || probe::get_logged(Network::Host, &target, timeout, &sent).await).await
        }
        Handler::Tcp { address } => {
            let (host, port) = host_and_port(address, None).map_err(usage)?;
            tries(async || probe::tcp(Network::Host, &host, port, timeout).await).await
        }
        Handler::Agent { socket, command } => {
            // The sender is what says that the session goes on.
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
    let report = report(attempt, attempts, begun.elapsed(), sent.into_inner());
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&report).map_err(infra)?),
        Format::Human => show(&report),
    }
    Ok(if matches!(report.verdict, "success" | "warning") { Status::Passed } else { Status::Failed })
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

fn report(attempt: Attempt, attempts: u32, lasted: Duration, sent: Vec<Sent>) -> Report {
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
    Report { verdict, message, attempts, output, duration_ms, requests: sent.into_iter().map(Request::from).collect() }
}

fn show(report: &Report) {
    for request in &report.requests {
        println!("> {}  ({})", request.line, request.url);
        for [name, value] in &request.headers {
            println!(">   {name}: {value}");
        }
    }
    let times = if report.attempts == 1 { String::new() } else { format!(", {} attempts", report.attempts) };
    println!("{} after {} ms{times}", report.verdict, report.duration_ms);
    for text in [&report.message, &report.output].into_iter().filter(|t| !t.is_empty()) {
        println!("{text}");
    }
}

/// A URL's parts, its path as it is written: the kubelet reads a probe's path its own way.
fn target(url: &str) -> anyhow::Result<HttpTarget> {
    let bad = || anyhow!("{url:?} is not a URL like http://127.0.0.1:1500/healthz");
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

/// `host:port`, `[::1]:port`.
fn host_and_port(text: &str, default: Option<u16>) -> anyhow::Result<(String, u16)> {
    let bad = || anyhow!("{text:?} is not an address like 127.0.0.1:1500 or [::1]:1500");
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

async fn connect(socket: &Path) -> Result<(Agent, watch::Sender<PortState>), Failure> {
    let folder = tempfile::tempdir()?;
    let transcript = Transcript::create(&folder.path().join("agent"), Instant::now())?;
    // Whether the guest has its end open is not ours to know; if not, nobody answers.
    let (session, port) = watch::channel(PortState { open: true, session: 1 });
    let agent = Agent::connect(socket, transcript, port).await;
    let agent = agent.with_context(|| format!("cannot connect to {}", socket.display())).map_err(usage)?;
    Ok((agent.present().map_err(infra)?, session))
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
            let found = target(url).ok();
            let found = found.as_ref().map(|t| (t.host.as_str(), t.port, t.path.as_str()));
            assert_eq!(found, expected, "{url}");
        }
        assert!(host_and_port("h", None).is_err());
    }
}

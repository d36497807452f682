//! Probes: what the user wrote, what KubeVirt defaults, and what ends up in the virt-launcher pod.
//!
//! kubevirt-health.md 1.2 (fields, defaults) and 3.1 (translation: +10 s for all, +1 s for what virt-probe runs).

use crate::yaml::{Cursor, Scalar};
use std::fmt;
use std::time::Duration;

/// `LibvirtStartupDelay`: added to every probe's initial delay (KubeVirt rendercontainer.go).
pub(crate) const LIBVIRT_STARTUP_DELAY: i32 = 10;
/// The program that KubeVirt puts around what the guest agent does; a command of this very name is left alone.
pub(crate) const VIRT_PROBE: &str = "virt-probe";

/// A VMI's probe with KubeVirt's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// How health is asked for.
    pub handler: Handler,
    /// The five numbers.
    pub timings: Timings,
}

impl Probe {
    /// Why Kubernetes refuses a pod that has it; `check` knows all of these rules (kubevirt-health.md 2.4).
    pub fn refusal(&self, liveness: bool) -> Option<String> {
        let timings = self.timings;
        match (self.handler.port(), &self.handler) {
            _ if liveness && timings.success_threshold > 1 => {
                Some(format!("successThreshold: Invalid value: {}: must be 1", timings.success_threshold))
            }
            _ if timings.initial_delay.checked_add(LIBVIRT_STARTUP_DELAY).is_none_or(|n| n < 0) => {
                Some("initialDelaySeconds: Invalid value: must be greater than or equal to 0".into())
            }
            (Some(Port::Number(n)), _) if !(1..=65535).contains(n) => {
                Some(format!("port: Invalid value: {n}: must be between 1 and 65535, inclusive"))
            }
            (_, Handler::Exec { command }) if command.is_empty() => Some("exec.command: Required value".into()),
            (_, Handler::HttpGet(get)) if get.headers.iter().any(|(name, _)| !is_header_name(name)) => {
                let rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
                Some(format!("httpGet.httpHeaders: Invalid value: {rule}"))
            }
            // One second more does not fit 32 bits.
            (_, handler) if handler.through_virt_probe() && timings.timeout == i32::MAX.unsigned_abs() => {
                Some("timeoutSeconds: Invalid value: must be greater than or equal to 0".into())
            }
            _ => None,
        }
    }
}

/// What Kubernetes takes for a header's name (apimachinery `IsHTTPHeaderName`).
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What the guest agent receives for a command that virt-launcher puts into its JSON as it is: the path, and the list of
/// arguments, where a quoted comma makes two of one. `None`: no JSON any more (KubeVirt agent/exec.go; kubevirt-health.md 3.3).
/// Line ends and tabs are received as they are: libvirt's parser takes them.
pub fn as_received(command: &[String]) -> Vec<Option<Vec<String>>> {
    let escaped = |c: char| if c < ' ' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    let received = |(i, text): (usize, String)| match i {
        0 => serde_json::from_str(&format!("\"{text}\"")).ok().map(|path| vec![path]),
        _ => serde_json::from_str(&format!("[\"{text}\"]")).ok(),
    };
    command.iter().map(|text| text.chars().map(escaped).collect()).enumerate().map(received).collect()
}

/// The five numbers of a probe; seconds are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// `initialDelaySeconds`.
    pub initial_delay: i32,
    /// `timeoutSeconds`, at least 1.
    pub timeout: u32,
    /// `periodSeconds`, at least 1.
    pub period: u32,
    /// `successThreshold`, at least 1.
    pub success_threshold: u32,
    /// `failureThreshold`, at least 1.
    pub failure_threshold: u32,
}

impl Timings {
    /// `periodSeconds` as a span.
    pub fn period(&self) -> Duration {
        Duration::from_secs(self.period.into())
    }

    /// `timeoutSeconds` as a span.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }
}

/// The four handlers of a VMI probe.
#[derive(Debug, Clone, PartialEq)]
pub enum Handler {
    /// `httpGet`.
    HttpGet(HttpGet),
    /// `tcpSocket`.
    TcpSocket {
        /// Another host than the VM.
        host: Option<String>,
        /// The port.
        port: Port,
    },
    /// `exec`, without a shell.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// `guestAgentPing`.
    GuestAgentPing,
}

impl Handler {
    /// The field's name.
    pub fn name(&self) -> &'static str {
        match self {
            Handler::HttpGet(_) => "httpGet",
            Handler::TcpSocket { .. } => "tcpSocket",
            Handler::Exec { .. } => "exec",
            Handler::GuestAgentPing => "guestAgentPing",
        }
    }

    /// The port that it connects to, if it does.
    pub fn port(&self) -> Option<&Port> {
        match self {
            Handler::HttpGet(get) => Some(&get.port),
            Handler::TcpSocket { port, .. } => Some(port),
            Handler::Exec { .. } | Handler::GuestAgentPing => None,
        }
    }

    /// Whether virt-probe runs it inside the compute container.
    fn through_virt_probe(&self) -> bool {
        match self {
            Handler::GuestAgentPing => true,
            Handler::Exec { command } => command.first().is_some_and(|c| c != VIRT_PROBE),
            Handler::HttpGet(_) | Handler::TcpSocket { .. } => false,
        }
    }
}

/// `httpGet`.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpGet {
    /// Another host than the VM.
    pub host: Option<String>,
    /// The port.
    pub port: Port,
    /// The path, `/` if absent.
    pub path: String,
    /// `HTTP` or `HTTPS`.
    pub scheme: Scheme,
    /// Headers in the order of the manifest.
    pub headers: Vec<(String, String)>,
}

/// `httpGet.scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP/1.1.
    Http,
    /// TLS, not verified.
    Https,
}

/// A port by number or by the name an interface gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// As written; the kubelet takes 1..65535.
    Number(i64),
    /// A name to resolve.
    Name(String),
}

impl Port {
    /// The port number, or why the kubelet cannot tell it (pkg/probe/util.go): an error, not a failure.
    pub fn resolve(&self, declared: &[(String, u16)]) -> Result<u16, String> {
        let number = match self {
            Port::Number(n) => *n,
            Port::Name(name) => match declared.iter().find(|(n, _)| n == name) {
                Some((_, port)) => i64::from(*port),
                None => name.parse().map_err(|_| format!("couldn't find port: {name:?} in pod"))?,
            },
        };
        u16::try_from(number).ok().filter(|p| *p > 0).ok_or_else(|| format!("invalid port number: {number}"))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Number(n) => n.fmt(f),
            Port::Name(n) => n.fmt(f),
        }
    }
}

/// The probe as the kubelet sees it on the `compute` container.
#[derive(Debug, Clone, PartialEq)]
pub struct PodProbe {
    /// How health is asked for.
    pub handler: Handler,
    /// The pod's numbers: the delay 10 s longer, the timeout 1 s longer where virt-probe runs it.
    pub timings: Timings,
    /// The timeout that virt-probe is given; the VMI's own number.
    pub inner_timeout: Duration,
}

impl PodProbe {
    /// virt-launcher cannot send it to the guest agent: every attempt fails.
    pub fn breaks_json(&self) -> bool {
        matches!(&self.handler, Handler::Exec { command } if as_received(command).contains(&None))
    }
}

impl From<&Probe> for PodProbe {
    fn from(probe: &Probe) -> Self {
        let mut timings = probe.timings;
        timings.initial_delay = timings.initial_delay.saturating_add(LIBVIRT_STARTUP_DELAY);
        if probe.handler.through_virt_probe() {
            timings.timeout = timings.timeout.saturating_add(1);
        }
        let handler = match &probe.handler {
            // What cannot be received is left as it is.
            Handler::Exec { command } => {
                let received = as_received(command).into_iter().collect::<Option<Vec<_>>>();
                Handler::Exec { command: received.map_or_else(|| command.clone(), |parts| parts.concat()) }
            }
            other => other.clone(),
        };
        PodProbe { handler, timings, inner_timeout: probe.timings.timeout() }
    }
}

/// Decodes a probe; `None` after having said why.
pub(super) fn decode(probe: Cursor<'_>) -> Option<Probe> {
    // Below 1 means "unset", negative numbers too (KubeVirt defaults.go SetDefaults_Probe).
    let number = |key: &str, default: u32| {
        let given = probe.get(key).and_then(Cursor::int32).and_then(|n| u32::try_from(n).ok());
        given.filter(|n| *n >= 1).unwrap_or(default)
    };
    let timings = Timings {
        initial_delay: probe.get("initialDelaySeconds").and_then(Cursor::int32).unwrap_or(0),
        timeout: number("timeoutSeconds", 1),
        period: number("periodSeconds", 10),
        success_threshold: number("successThreshold", 1),
        failure_threshold: number("failureThreshold", 3),
    };
    let handlers: Vec<Option<Handler>> = ["httpGet", "tcpSocket", "exec", "guestAgentPing"]
        .into_iter()
        .filter_map(|key| probe.get(key).map(|c| decode_handler(key, c)))
        .collect();
    match handlers.len() {
        1 => Some(Probe { handler: handlers.into_iter().next()??, timings }),
        0 => {
            probe.error("expected one of httpGet, tcpSocket, exec, guestAgentPing (a bare `guestAgentPing:` is null and dropped: write `guestAgentPing: {}`)");
            None
        }
        n => {
            probe.error(format!("expected exactly one handler, found {n}"));
            None
        }
    }
}

fn decode_handler(key: &str, c: Cursor<'_>) -> Option<Handler> {
    c.present();
    let text = |key: &str| c.text_at(key).filter(|text| !text.is_empty()).map(str::to_owned);
    match key {
        "httpGet" => {
            let header = |h: Cursor<'_>| {
                // The webhook fills an absent one in with nothing.
                let text = |key| h.get(key).map_or(Some(String::new()), |at| at.text().map(str::to_owned));
                text("name").zip(text("value"))
            };
            let schemes = [("HTTP", Scheme::Http), ("HTTPS", Scheme::Https)];
            let scheme = c.get("scheme").map_or(Some(Scheme::Http), |s| s.word(&schemes));
            let port = port(c);
            let (host, path) = (text("host"), text("path").unwrap_or_else(|| "/".into()));
            let headers = c.items_at("httpHeaders").filter_map(header).collect();
            Some(Handler::HttpGet(HttpGet { host, port: port?, path, scheme: scheme?, headers }))
        }
        "tcpSocket" => Some(Handler::TcpSocket { host: text("host"), port: port(c)? }),
        "exec" => {
            let command = c.items_at("command").filter_map(Cursor::text).map(str::to_owned).collect();
            Some(Handler::Exec { command })
        }
        _ => Some(Handler::GuestAgentPing),
    }
}

fn port(c: Cursor<'_>) -> Option<Port> {
    Some(match required(c, "port")?.scalar()? {
        Scalar::Int(n) => Port::Number(n),
        Scalar::Text(name) => Port::Name(name),
    })
}

fn required<'a>(c: Cursor<'a>, key: &str) -> Option<Cursor<'a>> {
    let found = c.get(key);
    if found.is_none() {
        c.error(format!("{key} is required"));
    }
    found
}

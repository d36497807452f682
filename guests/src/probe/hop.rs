//! Where a probe's request goes, and where a redirect leads from there (kubelet-prober.md 9.1 and 9.3).

use super::target::{has_scheme, is_reference, request_target};
use hyper::header::HeaderValue;
use url::{Position, Url};
use vmhealth_sim::manifest::Scheme;

/// What an attempt asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpTarget {
    /// HTTP or HTTPS.
    pub scheme: Scheme,
    /// A name or an address.
    pub host: String,
    /// The port, also in the Host line.
    pub port: u16,
    /// As in the manifest.
    pub path: String,
    /// As in the manifest.
    pub headers: Vec<(String, String)>,
}

/// What an attempt asks for first; an error is the attempt's.
pub(crate) fn first_hop(target: &HttpTarget) -> Result<Hop, String> {
    let scheme = match target.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let path = request_target(&target.path)
        .map_err(|_| format!("Get \"{scheme}:{}\": http: no Host in request URL", target.path))?;
    let authority = format!("{host}:{}", target.port);
    let text = format!("{scheme}://{authority}{path}");
    let url = Url::parse(&text).map_err(|e| format!("parse \"{text}\": {e}"))?;
    let custom_host = target.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("host")).map(|(_, v)| v);
    let host_line = match custom_host.filter(|v| !v.is_empty()).map(|v| HeaderValue::from_str(v)).transpose() {
        Ok(line) => line,
        Err(_) => return Err(format!("Get \"{text}\": http: invalid Host header")),
    };
    Ok(Hop { url, authority, target: path, host_line, referer: None, drop_content: false })
}

/// What a request needs beside its URL.
pub(crate) struct Hop {
    pub(super) url: Url,
    /// Host and port as they are written: always with the port in the first URL and what is relative to it.
    pub(super) authority: String,
    /// Origin-form; the first one is ours, because the crate would normalise it.
    pub(super) target: String,
    /// The Host line, if it is not the URL's own.
    pub(super) host_line: Option<HeaderValue>,
    pub(super) referer: Option<String>,
    /// After 301, 302 and 303 the content headers are dropped.
    pub(super) drop_content: bool,
}

impl Hop {
    /// The URL as Go shows it.
    pub(crate) fn shown(&self) -> String {
        format!("{}://{}{}", self.url.scheme(), self.authority, self.target)
    }

    /// What a Location asks for from here; `None`: url.Parse does not take it. `keeps_content`: a status of 307 or 308.
    pub(crate) fn next(&self, location: &str, keeps_content: bool) -> Option<Hop> {
        let next = Some(location).filter(|l| is_reference(l)).and_then(|l| self.url.join(l).ok())?;
        let relative = Url::parse(location).is_err() && !location.starts_with("//");
        let insecure = self.url.scheme() == "https" && next.scheme() == "http";
        let own = &next[Position::BeforeHost..Position::AfterPort];
        Some(Hop {
            authority: if relative { self.authority.clone() } else { own.to_owned() },
            target: next[Position::BeforePath..Position::AfterQuery].to_owned(),
            host_line: self.host_line.clone().filter(|_| relative),
            referer: (!insecure).then(|| self.shown()),
            drop_content: self.drop_content || !keeps_content,
            url: next,
        })
    }
}

/// The host that a Location names, as it is written, without brackets; empty where it has a scheme and no host (`mailto:x`);
/// `None`: it is relative.
pub(super) fn named_host(location: &str) -> Option<&str> {
    let absolute = has_scheme(location);
    let rest = if absolute { location.split_once(':')?.1 } else { location };
    let Some(authority) = rest.strip_prefix("//") else { return absolute.then_some("") };
    let authority = authority.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => host.split(':').next(),
    }
}

//! The target of a redirect as the kubelet's client reads it (kubelet-prober.md 9.3): which host it names, and which of its pages.
//!
//! A URL is taken apart no further than the modelled server needs. It must not know what is at the target.

/// A Location header's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location<'a> {
    /// `None`: the host that sent it. Empty: a scheme without a host, `mailto:x`.
    pub(super) host: Option<&'a str>,
    /// Scheme and port, where it says which.
    pub(super) server: Option<(&'a str, u16)>,
    /// Path and query.
    pub(super) page: &'a str,
}

impl<'a> Location<'a> {
    /// Takes it apart; a port that is none counts as the scheme's own.
    pub(super) fn of(url: &'a str) -> Location<'a> {
        let (scheme, rest) = match url.find([':', '/', '?', '#']) {
            Some(at) if url[at..].starts_with(':') => (Some(&url[..at]), &url[at + 1..]),
            _ => (None, url),
        };
        let Some(rest) = rest.strip_prefix("//") else {
            return Location { host: scheme.map(|_| ""), server: None, page: rest };
        };
        let (authority, page) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let scheme = scheme.unwrap_or("http");
        let usual = if scheme == "https" { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(usual)),
            None => (authority, usual),
        };
        Location { host: Some(host), server: Some((scheme, port)), page }
    }
}

//! `httpGet.path` as Go's net/url reads it (kubelet-prober.md 9.1).
//!
//! The `url` crate resolves dot segments and escapes other characters than Go does, so the path is ours; redirect
//! Locations are resolved by the crate, as Go resolves them too.

/// A path that made an opaque URL (`word:rest`): every probe fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opaque;

/// The origin-form target of a probe's path.
pub(super) fn request_target(path: &str) -> Result<String, Opaque> {
    match parse(path) {
        Some(Ok((path, query))) => Ok(format!("{}{query}", rooted(&path))),
        Some(Err(opaque)) => Err(opaque),
        // Go takes the whole text as a raw path then, question mark and all.
        None => Ok(rooted(&escape(path.as_bytes()))),
    }
}

/// Whether url.Parse takes a Location.
pub(super) fn is_reference(location: &str) -> bool {
    parse(location).is_some()
}

/// Whether it begins with a scheme, as net/url reads it.
pub(super) fn has_scheme(location: &str) -> bool {
    split_scheme(location).is_some_and(|(scheme, _)| scheme)
}

fn rooted(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// `None`: url.Parse fails.
fn parse(reference: &str) -> Option<Result<(String, String), Opaque>> {
    if reference.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return None;
    }
    let reference = reference.split('#').next().unwrap_or_default();
    let (scheme, rest) = split_scheme(reference)?;
    let (rest, query) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
    if !rest.starts_with('/') {
        if scheme {
            return Some(Err(Opaque));
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return None;
        }
    }
    // An authority: the host of an absolute URL, or the first segment after "//", which is lost.
    let rest = match rest.strip_prefix("//") {
        Some(authority) if scheme || !rest.starts_with("///") => authority.find('/').map_or("", |at| &authority[at..]),
        _ => rest,
    };
    let unescaped = unescape(rest)?;
    let path = if rest.bytes().all(may_stand) { rest.to_owned() } else { escape(&unescaped) };
    Some(Ok((path, query.to_owned())))
}

/// Whether there is a scheme, and what follows it; `None` for a leading colon.
fn split_scheme(text: &str) -> Option<(bool, &str)> {
    for (i, b) in text.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return None,
            b':' => return Some((true, &text[i + 1..])),
            _ => return Some((false, text)),
        }
    }
    Some((false, text))
}

/// `None` for a bad escape.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let digit = |b: Option<u8>| char::from(b?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(out)
}

/// Characters that a valid escaped path may hold as they are.
fn may_stand(b: u8) -> bool {
    plain(b) || b"!'()*[]%".contains(&b)
}

fn plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&b)
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &b in bytes {
        if plain(b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_go_reads_them() {
        for (path, expected) in [
            ("/healthz", Ok("/healthz")),
            ("/a?b", Ok("/a?b")),
            ("?foo", Ok("/?foo")),
            ("path", Ok("/path")),
            ("/a#frag", Ok("/a")),
            ("/a b", Ok("/a%20b")),
            ("/ü", Ok("/%C3%BC")),
            ("/a%2Fb", Ok("/a%2Fb")),
            ("/a/../b", Ok("/a/../b")),
            ("/bad%zz?q", Ok("/bad%25zz%3Fq")),
            ("//first/second", Ok("/second")),
            ("http://other:1/x?y", Ok("/x?y")),
            ("word:rest", Err(Opaque)),
            ("", Ok("/")),
        ] {
            assert_eq!(request_target(path), expected.map(str::to_owned), "{path:?}");
        }
    }
}

//! Where packages come from: the archive that the host itself uses, so that no host name is written down here.

use std::path::Path;

/// The host's own archive of the distribution, if it is Debian and says; else mmdebstrap's default.
pub(crate) fn of_host() -> Option<String> {
    let folder = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|e| e.path());
    let files = std::iter::once(Path::new("/etc/apt/sources.list").to_owned()).chain(folder);
    files.filter_map(|f| std::fs::read_to_string(f).ok()).find_map(|text| from_sources(&text))
}

/// The first URI whose entry has component `main` and a plain suite (not security, updates or somebody else's).
fn from_sources(text: &str) -> Option<String> {
    let one_line = text.lines().find_map(|line| {
        let line = line.trim().strip_prefix("deb ")?;
        let words: Vec<&str> = line.split_whitespace().filter(|w| !w.starts_with('[') && !w.ends_with(']')).collect();
        let [uri, suite, components @ ..] = words.as_slice() else { return None };
        plain(uri, suite, &components.join(" ")).then(|| (*uri).to_owned())
    });
    one_line.or_else(|| {
        text.split("\n\n").find_map(|paragraph| {
            let field = |name: &str| paragraph.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
            let uri = field("URIs:")?.split_whitespace().next()?;
            let suite = field("Suites:")?.split_whitespace().next()?;
            plain(uri, suite, field("Components:")?).then(|| uri.to_owned())
        })
    })
}

fn plain(uri: &str, suite: &str, components: &str) -> bool {
    const SUITES: [&str; 6] = ["bookworm", "trixie", "forky", "stable", "testing", "sid"];
    uri.trim_end_matches('/').ends_with("/debian")
        && SUITES.contains(&suite)
        && components.split(' ').any(|c| c == "main")
}

#[cfg(test)]
mod tests {
    use super::from_sources;

    #[test]
    fn archives_of_debian_hosts() {
        let deb822 =
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n";
        let security =
            "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n";
        let one_line = "deb [signed-by=/x] http://mirror.example/debian/ trixie main contrib\n";
        let other = "deb http://mirror.example/tools stable main\n";
        assert_eq!(from_sources(&format!("{security}\n{deb822}")), Some("http://mirror.example/debian".into()));
        assert_eq!(from_sources(one_line), Some("http://mirror.example/debian/".into()));
        assert_eq!(from_sources(other), None);
    }
}

//! Every citation of `sim/docs` in code and scenarios names a section, row or item that is there; so do the pages' own.

#![expect(clippy::disallowed_methods, reason = "this test reads the sources; it is not sim")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [&str; 4] = ["guest-images.md", "kubelet-prober.md", "kubevirt-health.md", "qemu-watchdog.md"];
const FOLDERS: [&str; 5] = ["sim", "images", "guests", "xtask", "tests"];
/// The section whose items are cited as `trap 2`.
const TRAPS: &str = "1";

/// `11.2` or, as `11.2 row 34`, one row of its table or item of its list.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    section: String,
    item: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {}", self.section)?;
        self.item.map_or(Ok(()), |item| write!(f, ", row or item {item}"))
    }
}

/// What stands under each heading up to the next one of any level, by the heading's number.
struct Page {
    sections: BTreeMap<String, Vec<String>>,
}

impl Page {
    fn new(text: &str) -> Self {
        let (mut sections, mut number) = (BTreeMap::<String, Vec<String>>::new(), String::new());
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
                number = title.split(' ').next().unwrap_or_default().trim_end_matches('.').to_owned();
            }
            sections.entry(number.clone()).or_default().push(line.to_owned());
        }
        Self { sections }
    }

    /// A row `| 5 | ...` or an item `5. ...` of a section.
    fn has_item(&self, section: &str, item: &str) -> bool {
        let starts = [format!("| {item} |"), format!("{item}. ")];
        let lines = self.sections.get(section).map_or(&[][..], Vec::as_slice);
        lines.iter().any(|l| starts.iter().any(|s| l.starts_with(s)))
    }

    fn has(&self, place: &Place) -> bool {
        match (place.item, place.section.split_once('.')) {
            (Some(item), _) => self.has_item(&place.section, &item.to_string()),
            (None, _) if self.sections.contains_key(&place.section) => true,
            (None, Some((section, item))) => self.has_item(section, item),
            (None, None) => false,
        }
    }
}

/// `2-6` and `2.1-2.3` with all that lies between; a single number is a range of one.
fn range(first: &str, last: &str) -> Vec<String> {
    let split =
        |n: &str| n.rsplit_once('.').map_or((String::new(), n.to_owned()), |(a, b)| (format!("{a}."), b.to_owned()));
    let ((chapter, first), (_, last)) = (split(first), split(last));
    let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else { return Vec::new() };
    (first..=last).map(|n| format!("{chapter}{n}")).collect()
}

/// The places that a text begins with: `2.4; 11.2 rows 5, 7 and 18`, `8.1, trap 2`, `2.2 to 2.7`.
fn places(text: &str) -> Vec<Place> {
    let (mut found, mut items, mut to) = (Vec::<Place>::new(), None, false);
    for word in text.split_whitespace() {
        let number = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let last_word = !matches!(&word[number.len()..], "" | "," | ";");
        match word {
            "and" => continue,
            "to" => {
                to = true;
                continue;
            }
            "row" | "rows" | "layer" => {
                items = found.last().map(|p| p.section.clone());
                found.pop_if(|p| p.item.is_none());
                continue;
            }
            "trap" | "traps" => {
                items = Some(TRAPS.to_owned());
                continue;
            }
            _ if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || ".-".contains(c)) => break,
            _ => {}
        }
        let (mut first, last) = number.split_once('-').unwrap_or((number, number));
        if let (true, Some(before)) = (to, found.last()) {
            first = before.section.as_str();
        }
        let numbers = range(first, last);
        if number.contains('.') {
            items = None;
        }
        for number in numbers {
            let place = match &items {
                Some(section) => Place { section: section.clone(), item: number.parse().ok() },
                None => Place { section: number, item: None },
            };
            if found.last() != Some(&place) {
                found.push(place);
            }
        }
        to = false;
        if last_word {
            break;
        }
    }
    found
}

/// What follows `word` wherever it stands, by line; up to the end of the next line, since a citation may be broken between two.
fn after<'a>(lines: &'a [&str], word: &'a str) -> impl Iterator<Item = (usize, String)> + 'a {
    let next = |i: usize| lines.get(i + 1).copied().unwrap_or_default();
    lines.iter().enumerate().flat_map(move |(i, line)| {
        line.match_indices(word).map(move |(at, _)| (i + 1, format!("{} {}", &line[at + word.len()..], next(i))))
    })
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()) {
        if entry.is_dir() {
            if !entry.ends_with("target") {
                sources(&entry, found);
            }
        } else if entry.extension().is_some_and(|e| e == "rs" || e == "yaml") {
            found.push(entry);
        }
    }
}

/// How often a text cites a page, which it calls `word`, and what of it the page does not have.
fn missing(file: &str, text: &str, word: &str, (name, page): (&str, &Page)) -> (usize, Vec<String>) {
    let bare: Vec<_> = text.lines().map(|l| l.trim_start().trim_start_matches(['/', '!', '#', ' '])).collect();
    let cited: Vec<_> =
        after(&bare, word).flat_map(|(line, text)| places(&text).into_iter().map(move |p| (line, p))).collect();
    let wrong = cited.iter().filter(|(_, place)| !page.has(place));
    (cited.len(), wrong.map(|(line, place)| format!("{file}:{line}: {name} has no {place}")).collect())
}

#[test]
fn what_is_cited_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    FOLDERS.iter().for_each(|f| sources(&root.join(f), &mut files));
    let (mut count, mut wrong) = (0, Vec::new());
    let mut add = |(n, mut w): (usize, Vec<String>)| {
        count += n;
        wrong.append(&mut w);
    };
    for name in PAGES {
        let text =
            fs::read_to_string(root.join("sim/docs").join(name)).unwrap_or_else(|e| panic!("sim/docs/{name}: {e}"));
        let page = Page::new(&text);
        for file in &files {
            let place = file.strip_prefix(root).unwrap().display().to_string();
            add(missing(&place, &fs::read_to_string(file).unwrap(), name, (name, &page)));
        }
        for own in ["ection ", "ections "] {
            add(missing(&format!("sim/docs/{name}"), &text, own, (name, &page)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "the citations are found: {count}");
}

#[test]
fn citations_are_read() {
    let check = |text: &str, expect: &[(&str, Option<u32>)]| {
        let expect: Vec<_> = expect.iter().map(|&(s, item)| Place { section: s.to_owned(), item }).collect();
        assert_eq!(places(text), expect, "{text:?}");
    };
    check("(Kubernetes v1.36.2)", &[]);
    check("2.4). And 3", &[("2.4", None)]);
    check("9 says what 3 do", &[("9", None)]);
    check("8, 14) and (13)", &[("8", None), ("14", None)]);
    check("2-4", &[("2", None), ("3", None), ("4", None)]);
    check("2.2 to 2.4 with", &[("2.2", None), ("2.3", None), ("2.4", None)]);
    check("2.1-2.2): x", &[("2.1", None), ("2.2", None)]);
    check("2.4; 11.2 rows 5, 7 and 18\",", &[("2.4", None), ("11.2", Some(5)), ("11.2", Some(7)), ("11.2", Some(18))]);
    check("2.1, layer 5). The", &[("2.1", Some(5))]);
    check("8.1, trap 2), and", &[("8.1", None), ("1", Some(2))]);
}

//! What a scenario's folder holds, read back: the run's lines, the end of each guest's console, the names of the files.
//!
//! A folder may be of an older vmhealth, cut off by a kill, or gone: whatever cannot be read is left out.

use super::plain::without_control;
use super::secrets::Secrets;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use vmhealth_guests::reality::{Line, TIMELINE};

/// A console's end is at most so many characters, so that a talkative guest does not make every reader wait.
const LONGEST_LINE: usize = 300;

/// Bytes of a timeline that are read: that of a run of many days is longer than any reader.
const LONGEST_TIMELINE: u64 = 64 << 20;
/// Bytes of a console in which its last lines are looked for.
const CONSOLE_END: u64 = 64 << 10;

/// A scenario's evidence in one world.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Evidence {
    /// In the order of their times.
    pub(super) lines: Vec<Line>,
    /// By file, the last lines of a console without what steers a terminal.
    pub(super) consoles: Vec<(String, String)>,
    /// All files, by name.
    pub(super) files: Vec<String>,
}

impl Evidence {
    /// Reads a folder; of each console the last `console_lines` lines.
    pub(super) fn read(folder: &Path, console_lines: usize) -> Evidence {
        let names =
            fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
        let mut files: Vec<String> = names.filter(|name| name != "started").collect();
        files.sort();
        let timeline = read(&folder.join(TIMELINE), Part::Beginning(LONGEST_TIMELINE)).unwrap_or_default();
        let is_console = |name: &&String| name.starts_with("serial-") && console_lines > 0;
        let consoles = files.iter().filter(is_console).filter_map(|name| {
            let tail = console_tail(&read(&folder.join(name), Part::End(CONSOLE_END))?, console_lines);
            (!tail.is_empty()).then(|| (name.clone(), tail))
        });
        Evidence { lines: lines(&timeline), consoles: consoles.collect(), files }
    }

    /// The same without these.
    pub(super) fn without(mut self, secrets: &Secrets) -> Evidence {
        let details = self.lines.iter_mut().flat_map(|line| [&mut line.detail, &mut line.event]);
        let consoles = self.consoles.iter_mut().map(|(_, text)| text);
        details.chain(consoles).for_each(|text| *text = secrets.hide(text));
        self
    }
}

enum Part {
    Beginning(u64),
    End(u64),
}

/// Part of a plain file; a folder may come from anywhere, and a pipe in it would be waited for.
fn read(path: &Path, part: Part) -> Option<String> {
    let length = path.symlink_metadata().ok().filter(|m| m.is_file())?.len();
    let mut file = File::open(path).ok()?;
    let bytes = match part {
        Part::Beginning(bytes) => bytes,
        Part::End(bytes) => {
            file.seek(SeekFrom::Start(length.saturating_sub(bytes))).ok()?;
            bytes
        }
    };
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read).ok()?;
    Some(String::from_utf8_lossy(&read).into_owned())
}

/// The lines of a timeline by their times; one that a killed run left half-written is left out.
pub(crate) fn lines(timeline: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = timeline.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    // QEMU's rate-limited events arrive late.
    lines.sort_by(|a: &Line, b: &Line| a.t.total_cmp(&b.t));
    lines
}

/// The last lines of a console's file; `None`: it is not there, or is no plain file.
pub(crate) fn console_end(file: &Path, lines: usize) -> Option<String> {
    Some(console_tail(&read(file, Part::End(CONSOLE_END))?, lines))
}

/// The last lines of a console, without colours, cursor movements and other control characters.
fn console_tail(text: &str, count: usize) -> String {
    let plain = without_control(text);
    let lines: Vec<&str> = plain.lines().filter(|l| !l.trim().is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(count)..];
    tail.iter().map(|l| shortened(l, LONGEST_LINE)).collect::<Vec<_>>().join("\n")
}

/// At most so many characters; what was cut is marked.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_text_and_has_an_end() {
        let raw = "first\n\n\u{1b}[0;32mOK\u{1b}[0m \u{202e}Started\r\n\u{7}bell\nlast\u{1b}[2K line\n";
        for (count, expected) in
            [(1, "last line"), (3, "OK Started\nbell\nlast line"), (9, "first\nOK Started\nbell\nlast line")]
        {
            assert_eq!(console_tail(raw, count), expected);
        }
        let long = "ä".repeat(LONGEST_LINE + 1);
        assert_eq!(console_tail(&long, 1).chars().count(), LONGEST_LINE + 1);
        assert!(console_tail(&long, 1).ends_with('…'));
    }

    #[test]
    fn a_half_written_line_is_left_out_and_late_ones_go_to_their_time() {
        let text = r#"{"detail":"","event":"b","replayed":false,"t":2.0,"vmi":1}
{"detail":"","event":"a","replayed":false,"t":1.0,"vmi":1}
{"detail":"","event":"c","#;
        let events: Vec<String> = lines(text).into_iter().map(|l| l.event).collect();
        assert_eq!(events, ["a", "b"]);
    }

    #[test]
    fn only_plain_files_are_read_and_no_more_than_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&folder.path().join(TIMELINE), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("serial-2.log")).unwrap();
        let talkative = "x\n".repeat(CONSOLE_END as usize) + "last\n";
        fs::write(folder.path().join("serial-1.log"), talkative).unwrap();
        let evidence = Evidence::read(folder.path(), 1);
        assert_eq!(evidence.lines, []);
        assert_eq!(evidence.consoles, [("serial-1.log".to_owned(), "last".to_owned())]);
    }
}

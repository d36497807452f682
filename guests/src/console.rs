//! What a guest's kernel says on its serial console, which is a file that QEMU writes.
//!
//! A guest may write without end. Of a long console its beginning and its end are kept: what lies between is given back to
//! the file system while QEMU goes on writing, and left out of the file when it has ended.

use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// At most so much is read at a time.
const LIMIT: u64 = 1 << 20;
/// Of its end, for its last line.
const LAST_BYTES: u64 = 4096;
const LAST_CHARS: usize = 200;
/// What a guest has written since the last look is read in at most so many reads.
const READS: usize = 16;
/// Of a console, at its beginning and at its end.
const KEPT: u64 = 16 << 20;
/// Given back at once.
const CHUNK: u64 = 4 << 20;
const PANIC: &str = "Kernel panic - not syncing: ";
/// What ends its report: of a kernel that waits for ever, of one that reboots by itself.
const REPORTED: [&str; 2] = ["---[ end Kernel panic - not syncing", "Rebooting in "];
/// The panic that `/proc/sysrq-trigger` makes.
pub(crate) const SYSRQ: &str = "sysrq triggered crash";
/// The panic that a non-maskable interrupt makes where `kernel.unknown_nmi_panic` is set.
pub(crate) const NMI: &str = "NMI: Not continuing";
/// The panics that its own detectors make of a soft lockup and of a hung task, where they are told to.
const SOFT_LOCKUP: &str = "softlockup: hung tasks";
const HUNG_TASK: &str = "hung_task: blocked tasks";
/// What a fault has made.
const OF_FAULTS: [&str; 4] = [SYSRQ, NMI, SOFT_LOCKUP, HUNG_TASK];
/// What the kernel says to one where it is not.
pub(crate) const NMI_IGNORED: &str = "Dazed and confused, but trying to continue";

/// The console's bytes from an offset on; nothing where it cannot be read: whoever waits for something has a deadline.
pub(crate) fn since(path: &Path, from: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path)
        && file.seek(SeekFrom::Start(from)).is_ok()
    {
        let _ = file.take(LIMIT).read_to_end(&mut bytes);
    }
    bytes
}

/// Why its kernel panicked, every time it did, in whole lines. The line that ends the report repeats it and does not count.
pub(crate) fn panics(console: &[u8]) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(console.get(..whole_lines(console)).unwrap_or_default()).into_owned();
    let reason = |line: &str| {
        let (before, reason) = line.split_once(PANIC)?;
        (!before.contains("end ")).then(|| reason.trim().to_owned())
    };
    text.lines().filter_map(reason).collect::<Vec<_>>().into_iter()
}

/// Whether its kernel has said all that it says of a panic (Linux `kernel/panic.c`): before that line it has stopped its other
/// CPUs.
pub(crate) fn has_reported_panic(console: &[u8]) -> bool {
    REPORTED.iter().any(|words| said(console, words).is_some())
}

/// The rest of the first whole line that has `words` in it.
pub(crate) fn said(console: &[u8], words: &str) -> Option<String> {
    let text = String::from_utf8_lossy(console.get(..whole_lines(console)).unwrap_or_default()).into_owned();
    text.lines().find_map(|line| line.split_once(words).map(|(_, rest)| plain(rest).trim().to_owned()))
}

/// The last line with something on it, without what moves a cursor, and not the whole of a long one.
pub(crate) fn last_line(path: &Path) -> Option<String> {
    let length = path.metadata().ok()?.len();
    let text = String::from_utf8_lossy(&since(path, length.saturating_sub(LAST_BYTES))).into_owned();
    let last = text.lines().map(|line| plain(line).trim().to_owned()).rfind(|line| !line.is_empty())?;
    Some(last.chars().take(LAST_CHARS).collect())
}

/// Without control characters and the sequences that begin with ESC: `[`, parameters and a letter; `]` and text up to BEL or ESC;
/// else intermediates and one more.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(match part.chars().next() {
            Some('[') => part[1..].split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest),
            Some(']') => part.split_once('\u{7}').map_or("", |(_, rest)| rest),
            _ => {
                let mut rest = part.trim_start_matches(|c| ('\u{20}'..='\u{2f}').contains(&c)).chars();
                rest.next();
                rest.as_str()
            }
        });
    }
    text.retain(|c| !c.is_control());
    text
}

/// A console that is read on and on for panics that nobody made.
pub(crate) struct Watched {
    path: PathBuf,
    read: u64,
    /// Up to here nothing but the beginning takes space.
    given_back: u64,
}

impl Watched {
    /// From its beginning.
    pub(crate) fn new(path: PathBuf) -> Watched {
        Watched { path, read: 0, given_back: KEPT }
    }

    /// Why its kernel has crashed by itself since the last look.
    pub(crate) fn crash(&mut self) -> Option<String> {
        self.give_back();
        for _ in 0..READS {
            let bytes = since(&self.path, self.read);
            // The rest of a line is read again with its end.
            self.read += whole_lines(&bytes) as u64;
            if let Some(found) = panics(&bytes).find(|p| !OF_FAULTS.contains(&p.as_str())) {
                return Some(found);
            }
            if (bytes.len() as u64) < LIMIT {
                break;
            }
        }
        None
    }

    /// A file system that cannot do that keeps it all.
    fn give_back(&mut self) {
        let Ok(file) = File::options().write(true).open(&self.path) else { return };
        let end = file.metadata().map_or(0, |m| m.len()).saturating_sub(KEPT).min(self.read) / CHUNK * CHUNK;
        if end > self.given_back {
            let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            let [from, length] = [self.given_back, end - self.given_back].map(|n| n as i64);
            let _ = fallocate(&file, hole, from, length);
            self.given_back = end;
        }
    }
}

/// Leaves the middle of a long console out; a file that cannot be written stays as it is.
pub(crate) fn shorten(path: &Path) {
    if let Ok(length) = path.metadata().map(|m| m.len())
        && length > 2 * KEPT
    {
        let short = path.with_added_extension("short");
        let done = copy_ends(path, &short, length).and_then(|()| std::fs::rename(&short, path));
        if done.is_err() {
            let _ = std::fs::remove_file(&short);
        }
    }
}

fn copy_ends(path: &Path, short: &Path, length: u64) -> io::Result<()> {
    let (mut from, mut to) = (File::open(path)?, File::create(short)?);
    io::copy(&mut (&mut from).take(KEPT), &mut to)?;
    writeln!(to, "\n[vmhealth: {} bytes were left out here]", length - 2 * KEPT)?;
    from.seek(SeekFrom::Start(length - KEPT))?;
    io::copy(&mut from.take(KEPT), &mut to).map(drop)
}

/// How many of the bytes are whole lines; a line longer than what is read at a time is as good as whole.
fn whole_lines(bytes: &[u8]) -> usize {
    let rest = if bytes.len() as u64 == LIMIT { bytes.len() } else { 0 };
    bytes.iter().rposition(|b| *b == b'\n').map_or(rest, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn its_last_line() {
        let check = |console: &str, expected: Option<&str>| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(console.as_bytes()).unwrap();
            assert_eq!(last_line(file.path()).as_deref(), expected, "{console:?}");
        };
        check("", None);
        check("\r\n \r\n", None);
        check("BdsDxe: no device\r\n\u{1b}[2J\u{1b}[01;01H", Some("BdsDxe: no device"));
        check("a\n\u{1b}[0;32m  OK  \u{1b}[0m] Reached\r\n\n", Some("OK  ] Reached"));
        check("booted\r\n\u{1b}]104\u{7}\u{1b}]104\u{1b}\\\u{1b}[6n", Some("booted"));
        check("done\u{1b}(B\u{1b}[m\r\n", Some("done"));
    }

    #[test]
    fn a_crash_is_told_once_and_in_whole_lines() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut console = Watched::new(file.path().to_owned());
        let mut say = |text: &str| {
            file.write_all(text.as_bytes()).unwrap();
            console.crash()
        };
        assert_eq!(say("booting\n"), None);
        for made in OF_FAULTS {
            assert_eq!(say(&format!("Kernel panic - not syncing: {made}\n")), None, "{made}");
        }
        assert_eq!(say("Kernel panic - not syncing: Attempted to"), None);
        assert_eq!(say(" kill init!\n").as_deref(), Some("Attempted to kill init!"));
        assert_eq!(say("CPU: 0\n"), None);
    }

    /// 80 MiB of noise with a panic near its end.
    #[test]
    fn of_an_endless_console_the_ends_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial.log");
        let mut file = File::create(&path).unwrap();
        let mut console = Watched::new(path.clone());
        writeln!(file, "the first line").unwrap();
        let noise = "\u{ff}noise without an end\n".repeat(40_000);
        for _ in 0..80 {
            file.write_all(noise.as_bytes()).unwrap();
            assert_eq!(console.crash(), None);
        }
        writeln!(file, "Kernel panic - not syncing: after the flood").unwrap();
        assert_eq!(console.crash().as_deref(), Some("after the flood"));
        file.sync_all().unwrap();
        let taken = path.metadata().unwrap().blocks() * 512;
        assert!(taken < 2 * KEPT + 2 * CHUNK, "{taken} bytes are taken");
        drop(file);
        shorten(&path);
        let text = std::fs::read(&path).unwrap();
        assert!((text.len() as u64) < 2 * KEPT + 100, "{}", text.len());
        assert!(text.starts_with(b"the first line\n") && text.ends_with(b"after the flood\n"));
        assert!(String::from_utf8_lossy(&text).contains("bytes were left out here]"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        shorten(&path);
        assert!(path.metadata().unwrap().len() < 2 * KEPT + 200, "once more changes little");
    }

    #[test]
    fn a_panic_is_reported_when_its_last_line_is_there() {
        let report = "[   27.9] Kernel panic - not syncing: sysrq triggered crash\r\n[   27.9] Call Trace:\r\n";
        for (more, expected) in [
            ("", false),
            ("[   38.2] Kernel Offset: disabled\r\n", false),
            ("[   38.2] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---", false),
            ("[   38.2] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---\r\n", true),
            ("[   38.2] Rebooting in 10 seconds..\r\n", true),
        ] {
            assert_eq!(has_reported_panic(format!("{report}{more}").as_bytes()), expected, "{more:?}");
        }
    }

    #[test]
    fn panics_are_told_apart() {
        let check = |console: &str, expected: &[&str]| {
            assert_eq!(panics(console.as_bytes()).collect::<Vec<_>>(), expected, "{console:?}");
        };
        check("", &[]);
        check("[    1.0] booting\r\n", &[]);
        check("[   32.6] Kernel panic - not syncing: sysrq triggered crash\r\n[   32.7] CPU: 0\r\n", &[SYSRQ]);
        // The rest of the line is still to come.
        check("[   32.6] Kernel panic - not syncing: sysrq trig", &[]);
        check(
            "[    1.0] Kernel panic - not syncing: Attempted to kill the idle task!\r\n\
             [    1.0] ---[ end Kernel panic - not syncing: Attempted to kill the idle task! ]---\r\n",
            &["Attempted to kill the idle task!"],
        );
    }
}

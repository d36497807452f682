//! What a hostile image can name, and what an honest one does: each in a folder of its own, each answered at once.

use super::qcow2::tests::overlay;
use super::{DiskFormat, Image, ImageWord};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const AT_ONCE: Duration = Duration::from_secs(2);

/// A folder with `own/` and `other/`; the image is `own/disk.qcow2`.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir_all(place.path("own/below")).unwrap();
        fs::create_dir(place.path("other")).unwrap();
        place
    }

    /// The path as the kernel has it.
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn look(&self, word: &ImageWord) -> Result<Image, String> {
        let begun = Instant::now();
        let found = Image::of_user(&self.path("own/disk.qcow2"), word);
        assert!(begun.elapsed() < AT_ONCE, "it took {:?}", begun.elapsed());
        found.map_err(|e| e.to_string())
    }
}

fn check(make: impl Fn(&Place), word: fn(&Place) -> ImageWord, expected: Result<&[&str], &str>) {
    let place = Place::new();
    make(&place);
    match (place.look(&word(&place)), expected) {
        (Ok(image), Ok(files)) => {
            assert_eq!(image.files, files.iter().map(|name| place.path(name)).collect::<Vec<_>>());
        }
        (Err(e), Err(part)) => assert!(e.contains(part), "expected {part:?}: {e}"),
        (found, expected) => panic!("expected {expected:?}: {found:?}"),
    }
}

fn no_word(_: &Place) -> ImageWord {
    ImageWord::default()
}

/// An overlay of whatever is named so.
fn of(name: &str, format: &str) -> impl Fn(&Place) + use<> {
    let header = overlay(name.as_bytes(), format.as_bytes());
    move |place: &Place| place.write("own/disk.qcow2", &header)
}

#[test]
fn honest_chains_are_followed_to_their_end() {
    let chain = |place: &Place| {
        of("below/middle.qcow2", "qcow2")(place);
        place.write("own/below/middle.qcow2", overlay(b"../link.raw", b"raw"));
        // Whatever it begins with, it is what it was said to be.
        place.write("own/base.raw", overlay(b"/etc/shadow", b"raw"));
        symlink("base.raw", place.path("own/link.raw")).unwrap();
    };
    check(chain, no_word, Ok(&["own/disk.qcow2", "own/below/middle.qcow2", "own/below/../link.raw"]));
    let alone = |place: &Place| place.write("own/disk.qcow2", overlay(b"", b""));
    check(alone, no_word, Ok(&["own/disk.qcow2"]));
    let elsewhere = |place: &Place| {
        of("../other/base.raw", "raw")(place);
        place.write("other/base.raw", [0; 512]);
    };
    let named = |place: &Place| ImageWord { backing_folder: Some(place.path("other")), ..ImageWord::default() };
    check(elsewhere, named, Ok(&["own/disk.qcow2", "own/../other/base.raw"]));
    check(elsewhere, no_word, Err("is an overlay of \"../other/base.raw\", which is outside of"));
    // A raw disk in which somebody has written a header.
    let mut sector = overlay(b"/etc/shadow", b"raw");
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    let raw = |_: &Place| ImageWord { format: Some(DiskFormat::Raw), ..ImageWord::default() };
    check(|place| place.write("own/disk.qcow2", &sector), raw, Ok(&["own/disk.qcow2"]));
    let qcow2 = |_: &Place| ImageWord { format: Some(DiskFormat::Qcow2), ..ImageWord::default() };
    check(|place| place.write("own/disk.qcow2", [0; 512]), qcow2, Err("is not a qcow2, as it was said to be"));
}

#[test]
fn what_else_an_image_can_name_is_refused_at_once() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    for name in [
        format!("nbd://127.0.0.1:{port}/disk"),
        format!("nbd:127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/disk"),
        format!("json:{{\"driver\":\"nbd\",\"host\":\"127.0.0.1\",\"port\":\"{port}\"}}"),
        "json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}".into(),
        "file:/etc/shadow".into(),
        "fd:3".into(),
    ] {
        check(of(&name, "raw"), no_word, Err("which is no path of a file"));
    }
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody has connected");
    for name in ["/etc/shadow", "../../../../../../../../etc/shadow", "/dev/fdset/1", "/dev/zero", "/proc/self/environ"]
    {
        check(of(name, "raw"), no_word, Err("which is outside of"));
    }
    let link = |to: &'static str| {
        move |place: &Place| {
            of("link", "raw")(place);
            symlink(to, place.path("own/link")).unwrap();
        }
    };
    check(link("/etc/shadow"), no_word, Err("is an overlay of \"link\", which is outside of"));
    check(link("absent"), no_word, Err("is an overlay of \"link\", which cannot be read: No such file"));
    for (format, refusal) in
        [("", "type: qemu-img rebase -u -b \"base\" -F FORMAT"), ("vmdk", "which is kept as vmdk;")]
    {
        let based = |place: &Place| {
            of("base", format)(place);
            place.write("own/base", [0; 512]);
        };
        check(based, no_word, Err(refusal));
    }
    let pipe = |place: &Place| {
        of("pipe", "raw")(place);
        mkfifo(&place.path("own/pipe"), Mode::S_IRWXU).unwrap();
    };
    check(pipe, no_word, Err("is an overlay of \"pipe\", which is no plain file"));
    check(|place| mkfifo(&place.path("own/disk.qcow2"), Mode::S_IRWXU).unwrap(), no_word, Err("is no plain file"));
    check(|place| fs::create_dir(place.path("own/disk.qcow2")).unwrap(), no_word, Err("is no plain file"));
    let device = |place: &Place| symlink("/dev/zero", place.path("own/disk.qcow2")).unwrap();
    check(device, no_word, Err("is no plain file"));
    check(of("disk.qcow2", "qcow2"), no_word, Err("is an overlay of itself"));
    let round = |place: &Place| {
        of("b", "qcow2")(place);
        place.write("own/b", overlay(b"below/../c", b"qcow2"));
        place.write("own/c", overlay(b"b", b"qcow2"));
    };
    check(round, no_word, Err("is an overlay of itself"));
    let deep = |place: &Place| {
        of("1", "qcow2")(place);
        for n in 1..200 {
            place.write(&format!("own/{n}"), overlay(format!("{}", n + 1).as_bytes(), b"qcow2"));
        }
    };
    check(deep, no_word, Err("is an overlay of more than 64 files"));
}

#[test]
fn headers_that_lie_are_refused_at_once() {
    let header = |at: usize, field: &'static [u8]| {
        move |place: &Place| {
            let mut header = overlay(b"base", b"raw");
            header[at..at + field.len()].copy_from_slice(field);
            place.write("own/disk.qcow2", header);
            place.write("own/base", [0; 512]);
        }
    };
    check(header(24, &[0x7f; 8]), no_word, Err("more than any disk of a cluster (64 TiB)"));
    check(header(79, &[0b100]), no_word, Err("keeps its data in another file"));
    check(header(35, &[1]), no_word, Err("is encrypted"));
    check(header(8, &[0xff; 8]), no_word, Err("is damaged: backing_file_offset is"));
    check(header(4, &[0, 0, 0, 1]), no_word, Err("is of version 1"));
    check(|place| place.write("own/disk.qcow2", b"QFI\xfb\0\0\0\x03"), no_word, Err("ends in the middle"));
    check(|place| place.write("own/disk.qcow2", [b"KDMV", [0; 600].as_slice()].concat()), no_word, Err("kept as vmdk"));
    check(|place| place.write("own/disk.qcow2", [0; 4096]), no_word, Err("has no boot sector"));
    let empty = |place: &Place| drop(File::create(place.path("own/disk.qcow2")).unwrap());
    check(empty, no_word, Err("has no boot sector"));
    let huge = |place: &Place| {
        of("base", "raw")(place);
        let base = File::create(place.path("own/base")).unwrap();
        // Some file systems have no files so large; those that have hold nothing in it.
        let _ = base.set_len(65 << 40).map_err(|_| header(24, &[0x7f; 8])(place));
    };
    check(huge, no_word, Err("more than any disk of a cluster (64 TiB)"));
}

/// As QEMU locks it: a byte per permission.
#[test]
fn an_image_that_somebody_writes_to_is_refused() {
    let lock = |path: &Path| {
        use std::os::fd::AsRawFd as _;
        let file = File::options().read(true).open(path).unwrap();
        let lock = nix::libc::flock {
            l_type: nix::libc::F_RDLCK as i16,
            l_whence: nix::libc::SEEK_SET as i16,
            l_start: 101,
            l_len: 1,
            l_pid: 0,
        };
        // SAFETY: a structure that outlives the call.
        assert_eq!(unsafe { nix::libc::fcntl(file.as_raw_fd(), nix::libc::F_OFD_SETLK, &raw const lock) }, 0);
        file
    };
    let place = Place::new();
    place.write("own/disk.qcow2", overlay(b"base", b"raw"));
    place.write("own/base", [0; 512]);
    place.look(&ImageWord::default()).unwrap();
    let held = lock(&place.path("own/base"));
    let refusal = place.look(&ImageWord::default()).unwrap_err();
    assert!(refusal.contains("is being written to by another program"), "{refusal}");
    drop(held);
    place.look(&ImageWord::default()).unwrap();
}

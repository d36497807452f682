//! The runner's half of the shared page.

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, SystemTime};
use tokio::net::unix::pipe;
use vmhealth_clock::page::{FOLDER_VARIABLE, LAYOUT};
use vmhealth_clock::{Page, Paths, Stand};

/// The clock of one QEMU.
#[derive(Debug)]
pub(crate) struct GuestClock {
    page: Mapped,
    stop: pipe::Receiver,
    wake: File,
    folder: PathBuf,
}

/// Why guest time stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Still {
    /// It has reached the limit.
    AtLimit,
    /// Nothing runs in the guest, and time would jump; but QEMU has sent something that was not dealt with yet.
    Asks,
}

impl GuestClock {
    /// The clock of a QEMU that is to be started, with its files in `folder`; its guest begins at `now` on the scenario's
    /// clock, whose 0 is `wall`. `speed`: how much guest time a second of a vCPU's CPU time is.
    pub(crate) fn create(folder: &Path, now: Duration, wall: SystemTime, speed: f64) -> io::Result<GuestClock> {
        let paths = Paths::in_folder(folder);
        let page = Mapped::create(&paths.page)?;
        for fifo in [&paths.stop, &paths.wake] {
            mkfifo(fifo, Mode::from_bits_truncate(0o600))?;
        }
        // Both ways, so that neither side ever sees its end.
        let stop = pipe::OpenOptions::new().read_write(true).open_receiver(&paths.stop)?;
        let wake = File::options().read(true).write(true).custom_flags(nix::libc::O_NONBLOCK).open(&paths.wake)?;
        let clock = GuestClock { page, stop, wake, folder: folder.to_owned() };
        clock.page().now.store(nanoseconds(now), SeqCst);
        clock.page().limit.store(nanoseconds(now), SeqCst);
        let wall = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        clock.page().wall.store(nanoseconds(wall), SeqCst);
        clock.set_speed(speed);
        clock.page().layout.store(LAYOUT, SeqCst);
        Ok(clock)
    }

    /// What QEMU's environment needs; `object` is what [`super::install`] gave.
    /// By its name, and where that is looked for: the linker takes a list, which a space in a path would part.
    pub(crate) fn environment(&self, object: &Path) -> [(&'static str, OsString); 3] {
        let (folder, name) = (object.parent().unwrap_or(object), object.file_name().unwrap_or_default());
        [("LD_PRELOAD", name.into()), ("LD_LIBRARY_PATH", folder.into()), (FOLDER_VARIABLE, self.folder.clone().into())]
    }

    /// Guest time.
    pub(crate) fn now(&self) -> Duration {
        duration(self.page().now.load(SeqCst))
    }

    /// How much guest time a second of a vCPU's CPU time is, from here on.
    pub(crate) fn set_speed(&self, speed: f64) {
        self.page().speed_milli.store((speed * 1000.0).max(1.0) as i64, SeqCst);
    }

    /// How much QEMU has sent so far: messages and frames.
    pub(crate) fn sent(&self) -> u64 {
        self.page().sent.load(SeqCst)
    }

    /// Lets guest time run on, to `limit` at most. What it had `sent` was dealt with.
    pub(crate) fn go_on(&self, limit: Duration, sent: u64) -> io::Result<()> {
        let page = self.page();
        page.dealt_with.store(sent, SeqCst);
        page.limit.store(nanoseconds(limit), SeqCst);
        self.wake()
    }

    /// Guest time stands still from here on, wherever it is.
    pub(crate) fn halt(&self) {
        let page = self.page();
        page.limit.store(page.now.load(SeqCst), SeqCst);
    }

    /// Why it stands still; `None`: it does not.
    pub(crate) fn still(&self) -> Option<Still> {
        let page = self.page();
        match Stand::of(page.stand.load(SeqCst)) {
            // It may not have seen a limit that was moved since.
            Stand::AtLimit if page.now.load(SeqCst) >= page.limit.load(SeqCst) => Some(Still::AtLimit),
            Stand::Asks if page.sent.load(SeqCst) != page.dealt_with.load(SeqCst) => Some(Still::Asks),
            _ => None,
        }
    }

    /// Waits until it stands still: for ever if QEMU has ended. Can be cancelled.
    pub(crate) async fn stands_still(&self) -> io::Result<Still> {
        loop {
            if let Some(still) = self.still() {
                return Ok(still);
            }
            self.stop.readable().await?;
            match self.stop.try_read(&mut [0; 512]) {
                Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(e),
                _ => {}
            }
        }
    }

    /// As a QEMU would that has nothing to do.
    #[cfg(test)]
    pub(crate) fn reach_limit(&self) {
        let page = self.page();
        page.now.fetch_max(page.limit.load(SeqCst), SeqCst);
        page.stand.store(Stand::AtLimit as u32, SeqCst);
    }

    fn page(&self) -> &Page {
        self.page.get()
    }

    fn wake(&self) -> io::Result<()> {
        match (&self.wake).write(&[1]) {
            // It is full of such bytes: it will wake.
            Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn duration(nanoseconds: i64) -> Duration {
    Duration::from_nanos(nanoseconds.try_into().unwrap_or(0))
}

/// A page in a file.
#[derive(Debug)]
struct Mapped(NonNull<Page>);

// SAFETY: it is made of atomics only.
unsafe impl Send for Mapped {}
// SAFETY: likewise.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn create(path: &Path) -> io::Result<Mapped> {
        let size = NonZeroUsize::new(size_of::<Page>()).ok_or(ErrorKind::InvalidInput)?;
        let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.set_len(size.get() as u64)?;
        let all = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, which nobody else in this process knows.
        let mapped = unsafe { mmap(None, size, all, MapFlags::MAP_SHARED, &file, 0)? };
        Ok(Mapped(mapped.cast()))
    }

    fn get(&self) -> &Page {
        // SAFETY: mapped for as long as this is; of zeros at first, which the page's atomics may be.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: mapped in `create`, and nobody has it any more.
        let _ = unsafe { munmap(self.0.cast(), size_of::<Page>()) };
    }
}

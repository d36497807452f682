//! The page and the two FIFOs, as the runner has made them.

use crate::page::{FOLDER_VARIABLE, LAYOUT, Page, Paths};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

static STOP: AtomicI32 = AtomicI32::new(-1);
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// Wakes the main loop from within: the last thread went to sleep.
static SLEPT: AtomicI32 = AtomicI32::new(-1);

/// Opens what the environment names; `None`: this process is none of ours (a helper that inherited the variable).
pub(crate) fn open() -> Option<Result<&'static Page, &'static str>> {
    let folder = std::env::var_os(FOLDER_VARIABLE)?;
    Some(open_in(Path::new(&folder)))
}

fn open_in(folder: &Path) -> Result<&'static Page, &'static str> {
    let paths = Paths::in_folder(folder);
    let page = descriptor(&paths.page, libc::O_RDWR).ok_or("the clock's page cannot be opened")?;
    // SAFETY: a fresh mapping of a file that holds a page.
    let mapped = unsafe {
        let all = libc::PROT_READ | libc::PROT_WRITE;
        let mapped = libc::mmap(std::ptr::null_mut(), size_of::<Page>(), all, libc::MAP_SHARED, page, 0);
        libc::close(page);
        mapped
    };
    if mapped == libc::MAP_FAILED {
        return Err("the clock's page cannot be mapped");
    }
    // SAFETY: mapped above, aligned to a page, never unmapped, and made of atomics only.
    let page = unsafe { &*mapped.cast::<Page>() };
    if page.layout.load(SeqCst) != LAYOUT {
        return Err("the clock's page is of another version of vmhealth");
    }
    // Both ways, so that neither side ever sees the end of a FIFO.
    let fifo =
        |path: &Path| descriptor(path, libc::O_RDWR | libc::O_NONBLOCK).ok_or("a FIFO of the clock cannot be opened");
    STOP.store(fifo(&paths.stop)?, SeqCst);
    WAKE.store(fifo(&paths.wake)?, SeqCst);
    // SAFETY: it takes no pointer.
    let slept = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if slept < 0 {
        return Err("there is no eventfd");
    }
    SLEPT.store(slept, SeqCst);
    Ok(page)
}

fn descriptor(path: &Path, flags: i32) -> Option<i32> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: a path that ends in 0.
    let fd = unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) };
    (fd >= 0).then_some(fd)
}

/// Tells the runner to look at the page. A FIFO that is full has told it already.
pub(crate) fn tell_runner() {
    // SAFETY: a byte of ours.
    unsafe { libc::write(STOP.load(SeqCst), [1u8].as_ptr().cast(), 1) };
}

/// Wakes the main loop: nothing runs any more.
pub(crate) fn tell_main_loop() {
    // SAFETY: eight bytes of ours.
    unsafe { libc::write(SLEPT.load(SeqCst), (&raw const ONE).cast(), 8) };
}

static ONE: u64 = 1;

/// What the main loop listens to beside its own descriptors.
pub(crate) fn wakers() -> [libc::pollfd; 2] {
    [&WAKE, &SLEPT].map(|fd| libc::pollfd { fd: fd.load(SeqCst), events: libc::POLLIN, revents: 0 })
}

/// Reads what has woken it.
pub(crate) fn drain(wakers: &[libc::pollfd]) {
    let mut bytes = [0u8; 64];
    for waker in wakers.iter().filter(|w| w.revents != 0) {
        // SAFETY: reads into a buffer of ours; neither descriptor blocks.
        unsafe { libc::read(waker.fd, bytes.as_mut_ptr().cast(), bytes.len()) };
    }
}

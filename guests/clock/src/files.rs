//! A template's memory is opened for reading only.
//!
//! A fork maps its template's memory privately, for which a descriptor that can be read is enough. QEMU before 8.2 opens it for
//! writing all the same, and would refuse to start where it may not: where it is bound read-only, as it is for a fork.

use crate::page::MEMORY_VARIABLE;
use libc::{c_char, c_int, c_long, mode_t};
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

static MEMORY: OnceLock<Option<CString>> = OnceLock::new();

/// The file of a template's memory, if this QEMU is a fork's.
fn memory() -> Option<&'static CStr> {
    let named = || std::env::var_os(MEMORY_VARIABLE).and_then(|path| CString::new(path.into_vec()).ok());
    MEMORY.get_or_init(named).as_deref()
}

/// # Safety
/// As of open.
unsafe fn open_file(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let writes = flags & libc::O_ACCMODE == libc::O_RDWR;
    // SAFETY: the caller's.
    let is_memory = |memory| !path.is_null() && unsafe { CStr::from_ptr(path) } == memory;
    let read_only = writes && memory().is_some_and(is_memory);
    let flags = if read_only { flags & !libc::O_ACCMODE | libc::O_RDONLY } else { flags };
    let (at, flags, mode) = (c_long::from(libc::AT_FDCWD), c_long::from(flags | libc::O_LARGEFILE), c_long::from(mode));
    // SAFETY: the caller's.
    unsafe { libc::syscall(libc::SYS_openat, at, path, flags, mode) as c_int }
}

// Of the C functions' `...` only the mode is ever there, and it is passed like any other argument.

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_file(path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_file(path, flags, mode) }
}

/// What `open` is called where its flags are not known to the compiler.
#[unsafe(no_mangle)]
unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_file(path, flags, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { open_file(path, flags, 0) }
}

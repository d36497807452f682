//! The way in: what a process does to itself between fork and exec. Only system calls; no allocation, no lock.

use super::landlock::Kind;
use super::plan::{Plan, Step};
use nix::libc::{self, c_int, c_ulong};
use std::ffi::CStr;
use std::io;
use std::ptr::null;

const NAMESPACES: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;
/// Open files: more than any machine of ours has devices and disks.
const FILES: u64 = 4096;
/// Bytes of one file: an overlay, a console's log.
const FILE_BYTES: u64 = 64 << 30;
/// No program has more rights than whoever starts it, uid 0 or not; none of it can be turned back (linux/securebits.h).
const SECURE_BITS: c_ulong = 0b1110_1111;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const LAST_CAPABILITY: c_int = 63;

/// Shuts this process in; what failed is said on stderr as well, because an error number is all that gets out otherwise.
/// `parent`: a pidfd of the process that is to be survived by nobody.
pub(super) fn enter(plan: &Plan, parent: c_int) -> io::Result<()> {
    // SAFETY: system calls on memory that the plan keeps.
    unsafe {
        own_namespaces(plan)?;
        own_root(plan)?;
        no_rights()?;
        if let Some(rules) = &plan.rules {
            check(if rules.take_on().is_ok() { 0 } else { -1 }, c"keep to Landlock's rules", c"")?;
        }
        limit(libc::RLIMIT_CORE, 0)?;
        limit(libc::RLIMIT_NOFILE, FILES)?;
        limit(libc::RLIMIT_FSIZE, FILE_BYTES)?;
        limit(libc::RLIMIT_AS, plan.memory)?;
        // A change of rights may have taken it away.
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL), c"die with vmhealth", c"")?;
        let mut ended = libc::pollfd { fd: parent, events: libc::POLLIN, revents: 0 };
        // Of another pid namespace there is no getppid.
        if libc::poll(&raw mut ended, 1, 0) != 0 {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}

unsafe fn own_namespaces(plan: &Plan) -> io::Result<()> {
    // SAFETY: as for `enter`.
    unsafe {
        check(libc::unshare(NAMESPACES), c"make namespaces", c"")?;
        write_to(c"/proc/self/setgroups", c"deny")?;
        write_to(c"/proc/self/uid_map", &plan.user)?;
        write_to(c"/proc/self/gid_map", &plan.group)
    }
}

unsafe fn own_root(plan: &Plan) -> io::Result<()> {
    let none = null();
    // SAFETY: as for `enter`.
    unsafe {
        let slave = libc::MS_REC | libc::MS_SLAVE;
        check(libc::mount(none, c"/".as_ptr(), none, slave, null()), c"keep mounts to itself", c"")?;
        let (tmpfs, root) = (c"tmpfs".as_ptr(), plan.root.as_ptr());
        let options = c"size=1m,mode=755".as_ptr().cast();
        let mounted = libc::mount(tmpfs, root, tmpfs, libc::MS_NOSUID | libc::MS_NODEV, options);
        check(mounted, c"mount an empty root over", &plan.root)?;
        for step in &plan.steps {
            make(step)?;
        }
        attributes(&plan.root, libc::MOUNT_ATTR_RDONLY, 0)?;
        check(libc::chdir(root), c"enter", &plan.root)?;
        let here = c".".as_ptr();
        check(libc::syscall(libc::SYS_pivot_root, here, here) as c_int, c"change the root", c"")?;
        // The old root is on top of the new one now.
        check(libc::umount2(here, libc::MNT_DETACH), c"leave the old root", c"")?;
        check(libc::chdir(c"/".as_ptr()), c"enter", c"/")
    }
}

unsafe fn make(step: &Step) -> io::Result<()> {
    // SAFETY: as for `enter`.
    unsafe {
        match step {
            Step::Folder(at) => check(libc::mkdir(at.as_ptr(), 0o755), c"make", at),
            Step::File(at) => check(libc::mknod(at.as_ptr(), libc::S_IFREG | 0o444, 0), c"make", at),
            Step::Link { text, at } => check(libc::symlink(text.as_ptr(), at.as_ptr()), c"link", at),
            Step::Bind { from, to, kind } => {
                // What it writes to is one folder or file; the new root itself is mounted in there.
                let whole = if matches!(kind, Kind::System | Kind::Read) { libc::MS_REC } else { 0 };
                let bound = libc::mount(from.as_ptr(), to.as_ptr(), null(), libc::MS_BIND | whole, null());
                check(bound, c"bind", from)?;
                let set = match kind {
                    Kind::System | Kind::Read => {
                        libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV
                    }
                    Kind::Write => libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC,
                    Kind::Device => libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
                };
                attributes(to, set, if whole == 0 { 0 } else { libc::AT_RECURSIVE })
            }
        }
    }
}

/// Unlike a remount it only adds: what a user namespace may not take away stays.
unsafe fn attributes(at: &CStr, set: u64, flags: c_int) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let (pointer, size) = (&raw const attributes, size_of::<libc::mount_attr>());
    // SAFETY: as for `enter`; the structure outlives the call.
    let done = unsafe { libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, at.as_ptr(), flags, pointer, size) };
    check(done as c_int, c"set what may be done with", at)
}

unsafe fn no_rights() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: c_int,
    }
    // SAFETY: as for `enter`; both structures have the layout of linux/capability.h and outlive the call.
    unsafe {
        for capability in 0..=LAST_CAPABILITY {
            // The kernel has not so many.
            if libc::prctl(libc::PR_CAPBSET_DROP, capability as c_ulong, 0, 0, 0) < 0 {
                break;
            }
        }
        check(libc::prctl(libc::PR_SET_SECUREBITS, SECURE_BITS), c"give up the rights of uid 0", c"")?;
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_ulong, 0, 0, 0), c"give up new rights", c"")?;
        let (header, nothing) = (Header { version: CAPABILITY_VERSION_3, pid: 0 }, [0_u32; 6]);
        let done = libc::syscall(libc::SYS_capset, &raw const header, nothing.as_ptr());
        check(done as c_int, c"give up capabilities", c"")
    }
}

/// No more than there is.
unsafe fn limit(resource: libc::__rlimit_resource_t, wanted: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: as for `enter`; the structure outlives the calls.
    unsafe {
        check(libc::getrlimit(resource, &raw mut limit), c"read a limit", c"")?;
        let n = wanted.min(limit.rlim_max);
        let limit = libc::rlimit { rlim_cur: n, rlim_max: n };
        check(libc::setrlimit(resource, &raw const limit), c"set a limit", c"")
    }
}

unsafe fn write_to(path: &CStr, what: &CStr) -> io::Result<()> {
    // SAFETY: as for `enter`.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        check(fd, c"open", path)?;
        let written = libc::write(fd, what.as_ptr().cast(), what.to_bytes().len());
        let written = check(written as c_int, c"write to", path);
        libc::close(fd);
        written
    }
}

/// The error of a call that failed, after words about it on stderr.
fn check(result: c_int, what: &CStr, object: &CStr) -> io::Result<()> {
    if result >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    for part in [c"cannot ", what, c" ", object, c"\n"] {
        // SAFETY: bytes that live; whether anybody reads them is nobody's concern here.
        unsafe { libc::write(libc::STDERR_FILENO, part.as_ptr().cast(), part.to_bytes().len()) };
    }
    Err(error)
}

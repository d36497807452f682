//! The guest's time-stamp counter, which is the host's under TCG: QEMU reads it with `rdtsc`.
//!
//! The kernel lets the instruction fault (PR_SET_TSC), and the handler answers it from guest time at a frequency that is the
//! same on every host. The vDSO reads the counter too; there the real one is what it must get. Elsewhere than on x86 no
//! QEMU reads a counter of the host's for its guest's clock under TCG.

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use crate::clock;
    use crate::page::TSC_KHZ;
    use libc::{c_int, c_void, siginfo_t, ucontext_t};
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    static VDSO: AtomicUsize = AtomicUsize::new(0);
    /// Of code in it; it has been two pages for years.
    const VDSO_LENGTH: usize = 0x4000;

    /// From here on, in every thread that this one makes.
    pub(crate) fn take_over() -> bool {
        // SAFETY: a handler that only uses what a handler may.
        unsafe {
            VDSO.store(libc::getauxval(libc::AT_SYSINFO_EHDR) as usize, SeqCst);
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = fault;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) == 0
                && libc::prctl(libc::PR_SET_TSC, libc::PR_TSC_SIGSEGV) == 0
        }
    }

    extern "C" fn fault(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel's; an instruction that faulted as it ran can be read, but for a jump into nowhere, for which
        // the second fault below ends the process as the first would have.
        unsafe {
            let registers = &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs;
            let at = registers[libc::REG_RIP as usize] as usize;
            let code = at as *const u8;
            let length = match (code.read(), code.add(1).read()) {
                (0x0f, 0x31) => 2,
                (0x0f, 0x01) if code.add(2).read() == 0xf9 => 3,
                _ => 0,
            };
            let Some(page) = clock::page().filter(|_| length > 0) else {
                // Somebody else's fault: as if there were no handler.
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                return;
            };
            let vdso = VDSO.load(SeqCst);
            let counter = if (vdso..vdso + VDSO_LENGTH).contains(&at) {
                libc::prctl(libc::PR_SET_TSC, libc::PR_TSC_ENABLE);
                let counter = std::arch::x86_64::_rdtsc();
                libc::prctl(libc::PR_SET_TSC, libc::PR_TSC_SIGSEGV);
                counter
            } else {
                let ticks = i128::from(clock::now(page)) * i128::from(TSC_KHZ) / 1_000_000;
                // A kernel takes a counter of 0 for a broken one.
                ticks as u64 + u64::from(TSC_KHZ) * 1000
            };
            registers[libc::REG_RAX as usize] = (counter & 0xffff_ffff) as i64;
            registers[libc::REG_RDX as usize] = (counter >> 32) as i64;
            registers[libc::REG_RIP as usize] += length;
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::take_over;

/// There is nothing to take over.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn take_over() -> bool {
    true
}

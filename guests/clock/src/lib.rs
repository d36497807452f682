//! A QEMU whose clock is ours.
//!
//! QEMU has no clock of its own. Under TCG everything that a guest can call time comes from what the QEMU process asks its
//! host for: `clock_gettime` and `gettimeofday`, the time-outs of `ppoll` (its timers fire there), and the `rdtsc`
//! instruction (the guest's time-stamp counter). With the feature `preload` this crate is a shared object that answers all
//! of them from one number, *guest time*. QEMU and the guest are unchanged. The runner steers guest time through a [`Page`]
//! of shared memory:
//!
//! - While a vCPU runs, guest time grows by the CPU time that it really got, times [`Page::speed_milli`]. A vCPU that waits
//!   for a core is not late: its clock waits too, so the host's load cannot be seen in the guest.
//! - When every vCPU and every disk worker sleeps, guest time jumps to QEMU's next timer: waiting costs nothing.
//! - Guest time never passes [`Page::limit`]. There, and where QEMU has sent something that the runner has not dealt with yet,
//!   it stands still until the runner says how to go on.
//!
//! ```text
//! runner --limit, speed, dealt with--> Page <--now, stand, sent-- QEMU's main loop, vCPUs
//!        --a byte into `wake`----->      <--a byte into `stop`--
//! ```
//!
//! `calls.rs` lists every call that is taken over, and why; `files.rs` has those that open files, which are not about time. Nothing here knows QMP, guests or scenarios.

pub mod page;

pub use page::{Page, Paths, Stand};

#[cfg(any(feature = "preload", test))]
mod sleepers;

#[cfg(feature = "preload")]
mod calls;
#[cfg(feature = "preload")]
mod clock;
#[cfg(feature = "preload")]
mod files;
#[cfg(feature = "preload")]
mod link;
#[cfg(feature = "preload")]
mod main_loop;
#[cfg(feature = "preload")]
mod real;
#[cfg(feature = "preload")]
mod tsc;

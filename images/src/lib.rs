//! What boots: a pinned Debian guest image, built reproducibly, kept in a content-addressed store.
//!
//! It must not know what a scenario is or how a guest is run.

mod build;
pub mod digest;
pub mod entries;
mod initramfs;
mod kernel;
mod lock;
mod mirror;
mod store;

pub use build::{BuildError, Progress, update_lock};
pub use lock::{Lock, LockError, Package};
pub use store::{Entry, Image, Store, StoreError};

/// The kernel's command line for every guest of ours. `mitigations=off` and the like only save time under TCG; `panic`
/// is left at the kernel's 0, as Debian has it: a panicked guest spins until something outside acts. The second half halves
/// what an idle guest costs its host (README.md): fewer timers, no accounting that nobody reads.
pub const CMDLINE: &str = "root=/dev/vda rw console=ttyS0 quiet loglevel=4 mitigations=off audit=0 apparmor=0 \
                           random.trust_cpu=1 net.ifnames=0 no_timer_check systemd.show_status=0 \
                           lsm=landlock,lockdown,yama \
                           tsc=nowatchdog nowatchdog psi=0 cgroup_disable=memory \
                           sysctl.vm.stat_interval=120 sysctl.vm.compaction_proactiveness=0";

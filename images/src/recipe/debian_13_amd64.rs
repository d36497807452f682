//! Debian 13 for amd64.

use super::recipe::{Distribution, KernelForm, Recipe};

/// `mitigations=off` and the like only save time under TCG; `panic` is left at the kernel's 0, as Debian has it: a panicked
/// guest spins until something outside acts. The second half halves what an idle guest costs its host (README.md): fewer
/// timers, no accounting that nobody reads.
pub(super) static RECIPE: Recipe = Recipe {
    name: "debian-13-amd64",
    distribution: Distribution::Debian,
    architecture: "amd64",
    // Chosen by measurement: cloud-init 25.1 runs its stages in one Python process (README.md of this crate).
    suite: "trixie",
    cmdline: "root=/dev/vda rw console=ttyS0 quiet loglevel=4 mitigations=off audit=0 apparmor=0 \
              random.trust_cpu=1 net.ifnames=0 no_timer_check systemd.show_status=0 \
              lsm=landlock,lockdown,yama \
              tsc=nowatchdog nowatchdog psi=0 cgroup_disable=memory \
              sysctl.vm.stat_interval=120 sysctl.vm.compaction_proactiveness=0",
    lock: include_str!("../../lock/debian-13-amd64.lock"),
    lock_path: "images/lock/debian-13-amd64.lock",
    kernel: KernelForm::UnpackedElf,
    python: "python3.13",
};

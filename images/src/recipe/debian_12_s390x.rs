//! Debian 12 for s390x, whose release no longer moves; its kernel's command line has the same reasons as [`super::debian_13_amd64`]'s.

use super::recipe::{Distribution, KernelForm, Recipe};

pub(super) static RECIPE: Recipe = Recipe {
    name: "debian-12-s390x",
    distribution: Distribution::Debian,
    architecture: "s390x",
    suite: "bookworm",
    cmdline: "root=/dev/vda rw console=ttysclp0 quiet loglevel=4 audit=0 apparmor=0 random.trust_cpu=1 net.ifnames=0 \
              systemd.show_status=0 lsm=landlock,lockdown,yama psi=0 cgroup_disable=memory \
              sysctl.vm.stat_interval=120 sysctl.vm.compaction_proactiveness=0",
    lock: include_str!("../../lock/debian-12-s390x.lock"),
    lock_path: "images/lock/debian-12-s390x.lock",
    kernel: KernelForm::AsPackaged,
    python: "python3.11",
};

//! What shapes an image: one recipe an architecture.

use crate::digest;

const PACKAGES: &str = include_str!("../assets/packages.list");
const MODULES: &str = include_str!("../assets/modules.list");
pub(crate) const CUSTOMIZE: &str = include_str!("../assets/customize.sh");
pub(crate) const INIT: &str = include_str!("../assets/init");
/// Every time in an image is this or earlier.
pub(crate) const SOURCE_DATE_EPOCH: &str = "1767225600";
pub(crate) const DISK_MIB: &str = "512";

/// How the kernel of an image is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KernelForm {
    /// The ELF inside a bzImage, which QEMU enters through PVH.
    UnpackedElf,
    /// As the package has it.
    AsPackaged,
}

/// A recipe.
#[derive(Debug)]
pub struct Recipe {
    /// Debian's word for the architecture.
    pub architecture: &'static str,
    /// The release.
    pub(crate) suite: &'static str,
    /// The kernel's command line for every guest of ours.
    pub cmdline: &'static str,
    /// The lock, and where it is in the repository.
    pub(crate) lock: &'static str,
    pub(crate) lock_path: &'static str,
    pub(crate) kernel: KernelForm,
    /// Its Python, whose compiled files are made natively in a build for another architecture.
    pub(crate) python: &'static str,
}

/// `mitigations=off` and the like only save time under TCG; `panic` is left at the kernel's 0, as Debian has it: a panicked
/// guest spins until something outside acts. The second half halves what an idle guest costs its host (README.md): fewer
/// timers, no accounting that nobody reads.
static AMD64: Recipe = Recipe {
    architecture: "amd64",
    // Chosen by measurement: cloud-init 25.1 runs its stages in one Python process (README.md of this crate).
    suite: "trixie",
    cmdline: "root=/dev/vda rw console=ttyS0 quiet loglevel=4 mitigations=off audit=0 apparmor=0 \
              random.trust_cpu=1 net.ifnames=0 no_timer_check systemd.show_status=0 \
              lsm=landlock,lockdown,yama \
              tsc=nowatchdog nowatchdog psi=0 cgroup_disable=memory \
              sysctl.vm.stat_interval=120 sysctl.vm.compaction_proactiveness=0",
    lock: include_str!("../lock/debian-13-amd64.lock"),
    lock_path: "images/lock/debian-13-amd64.lock",
    kernel: KernelForm::UnpackedElf,
    python: "python3.13",
};

static S390X: Recipe = Recipe {
    architecture: "s390x",
    suite: "bookworm",
    cmdline: "root=/dev/vda rw console=ttysclp0 quiet loglevel=4 audit=0 apparmor=0 random.trust_cpu=1 net.ifnames=0 \
              systemd.show_status=0 lsm=landlock,lockdown,yama psi=0 cgroup_disable=memory \
              sysctl.vm.stat_interval=120 sysctl.vm.compaction_proactiveness=0",
    lock: include_str!("../lock/debian-12-s390x.lock"),
    lock_path: "images/lock/debian-12-s390x.lock",
    kernel: KernelForm::AsPackaged,
    python: "python3.11",
};

impl Recipe {
    /// All recipes.
    pub fn all() -> [&'static Recipe; 2] {
        [&AMD64, &S390X]
    }

    /// The recipe for an architecture, if there is one.
    pub fn of(architecture: &str) -> Option<&'static Recipe> {
        Recipe::all().into_iter().find(|r| r.architecture == architecture)
    }

    /// Whether this host runs its programs itself.
    pub(crate) fn is_native(&self) -> bool {
        matches!((self.architecture, std::env::consts::ARCH), ("amd64", "x86_64") | ("s390x", "s390x"))
    }

    /// The packages that are asked for; apt finds what they need.
    pub(crate) fn packages(&self) -> Vec<String> {
        let kernel = format!("linux-image-{}", self.architecture);
        std::iter::once(kernel).chain(PACKAGES.split_whitespace().map(str::to_owned)).collect()
    }

    /// The kernel modules that stay.
    pub(crate) fn modules(&self) -> Vec<&'static str> {
        MODULES.lines().filter(|l| !l.starts_with('#')).flat_map(str::split_whitespace).collect()
    }

    /// What identifies an image before it is built: everything that shapes it.
    pub fn key(&self) -> String {
        let own = [self.architecture, self.suite, self.cmdline, self.lock, self.python];
        let shared = [PACKAGES, MODULES, CUSTOMIZE, INIT, SOURCE_DATE_EPOCH, DISK_MIB];
        let parts: Vec<&str> = own.into_iter().chain(shared).collect();
        digest::of_bytes(parts.join("\0").as_bytes())[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Lock;
    use std::collections::BTreeSet;

    #[test]
    fn recipes_are_apart_and_their_locks_can_be_read() {
        let keys: BTreeSet<String> = Recipe::all().iter().map(|r| r.key()).collect();
        assert_eq!(keys.len(), Recipe::all().len());
        for recipe in Recipe::all() {
            let lock = Lock::parse(recipe.lock).unwrap();
            let named = |name: &str| lock.packages.iter().any(|p| p.name == name);
            assert!(recipe.packages().iter().all(|p| named(p)), "{}: {lock}", recipe.architecture);
            assert!(named(&format!("{}-minimal", recipe.python)), "{}: {}", recipe.architecture, recipe.python);
        }
        assert!(Recipe::of("arm64").is_none());
    }
}

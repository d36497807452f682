//! What shapes an image. A recipe has a name; several may be of one architecture.

use crate::digest;

const PACKAGES: &str = include_str!("../../assets/packages.list");
const MODULES: &str = include_str!("../../assets/modules.list");
pub(crate) const CUSTOMIZE: &str = include_str!("../../assets/customize.sh");
pub(crate) const INIT: &str = include_str!("../../assets/init");
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

/// Whose packages an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Debian.
    Debian,
}

/// A recipe.
#[derive(Debug)]
pub struct Recipe {
    /// Distribution, release and architecture: `debian-13-amd64`.
    pub name: &'static str,
    /// Whose packages it has.
    pub distribution: Distribution,
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

impl Recipe {
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

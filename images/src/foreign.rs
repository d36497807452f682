//! Building for another architecture: its programs run under QEMU's user-mode emulation, a tenth as fast, so what takes long is
//! kept away from it. The packages' scripts find a Python that does nothing; what it would have compiled is compiled natively
//! afterwards, by the same Python of this host's architecture.

use crate::error::{BuildError, io_error};
use crate::mirror;
use crate::mmdebstrap::{Progress, mmdebstrap};
use crate::recipe::Recipe;
use std::fs;
use std::path::{Path, PathBuf};

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";
const FIX: &str = "as root on Debian: apt-get install -y --no-install-recommends qemu-user-static arch-test (qemu-user in \
                    Debian 13), and once: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc";
/// The head of an s390x ELF as binfmt_misc compares it: 64 bits, big-endian, any ABI, executable or shared, machine 22.
const S390X: (&str, &str) = (
    r"\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff",
);

/// The kernel runs another architecture's programs while this lives, and for as long as it did before.
#[derive(Debug)]
pub(crate) struct Emulation {
    ours: Option<PathBuf>,
}

impl Emulation {
    /// Registers QEMU's emulator with the kernel, unless somebody has.
    pub(crate) fn begin(recipe: &Recipe) -> Result<Emulation, BuildError> {
        let architecture = recipe.architecture;
        let foreign = |why: String| BuildError::Foreign { architecture, why, fix: FIX };
        // The name that mmdebstrap looks for.
        let entry = Path::new(BINFMT).join(format!("qemu-{architecture}"));
        if fs::read_to_string(&entry).is_ok_and(|text| text.starts_with("enabled")) {
            return Ok(Emulation { ours: None });
        }
        let emulators = ["static", ""].map(|kind| match kind {
            "" => format!("/usr/bin/qemu-{architecture}"),
            kind => format!("/usr/bin/qemu-{architecture}-{kind}"),
        });
        let Some(emulator) = emulators.iter().find(|p| Path::new(p).exists()) else {
            return Err(foreign(format!("neither {} nor {} is there", emulators[0], emulators[1])));
        };
        let register = Path::new(BINFMT).join("register");
        if !register.exists() {
            let mount = |e| foreign(format!("binfmt_misc cannot be mounted: {e}"));
            nix::mount::mount(
                Some("binfmt_misc"),
                BINFMT,
                Some("binfmt_misc"),
                nix::mount::MsFlags::empty(),
                None::<&str>,
            )
            .map_err(mount)?;
        }
        let (magic, mask) = S390X;
        // F: the emulator is opened now, and so found in every chroot.
        let line = format!(":qemu-{architecture}:M::{magic}:{mask}:{emulator}:F");
        fs::write(&register, line).map_err(|e| foreign(format!("{}: {e}", register.display())))?;
        Ok(Emulation { ours: Some(entry) })
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        if let Some(entry) = &self.ours {
            // What cannot be taken back harms nobody.
            let _ = fs::write(entry, "-1");
        }
    }
}

/// A tree of this host's architecture with the image's Python and depmod in it, and hooks that keep the emulated ones idle.
#[derive(Debug)]
pub(crate) struct Native {
    tree: PathBuf,
    python: &'static str,
}

impl Native {
    /// Unpacks one into `folder`; the version is the lock's, where there is one.
    pub(crate) fn unpack(recipe: &Recipe, folder: &Path, progress: Progress<'_>) -> Result<Native, BuildError> {
        let tree = folder.join("native");
        let packages: Vec<String> =
            ["-minimal", ""].iter().map(|part| format!("{}{part}", recipe.python)).chain(["kmod".to_owned()]).collect();
        let mut command = mmdebstrap("extract", &packages);
        command.arg("--format=directory").args([recipe.suite.as_ref(), tree.as_os_str()]).args(mirror::of_host());
        recipe.run(command, progress)?;
        fs::create_dir_all(tree.join("target")).map_err(io_error("make the native tree's mount point"))?;
        Ok(Native { tree, python: recipe.python })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.tree
    }

    /// For the build's own mmdebstrap: dpkg is told beforehand that the interpreter goes somewhere else, and in its place is
    /// one that does nothing.
    pub(crate) fn hooks(&self) -> [String; 2] {
        let path = format!("/usr/bin/{}", self.python);
        [
            format!(
                "--setup-hook=mkdir -p \"$1/var/lib/dpkg\" && printf '%s\\n' {path} {path}.real : >\"$1/var/lib/dpkg/diversions\""
            ),
            format!(
                "--extract-hook=mkdir -p \"$1/usr/bin\"; if [ -e \"$1{path}\" ]; then mv \"$1{path}\" \"$1{path}.real\"; fi; printf '#!/bin/sh\\n' >\"$1{path}\" && chmod 755 \"$1{path}\""
            ),
        ]
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // What cannot be removed goes with the unfinished entry around it.
        let _ = fs::remove_dir_all(&self.tree);
    }
}

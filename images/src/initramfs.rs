//! Our own initramfs: busybox, the root disk's modules, and a script of twenty lines. Byte for byte reproducible.

use cpio::newc::Builder;
use cpio::{NewcBuilder, newc};
use std::io::{self, Write};
use std::path::Path;

const INIT: &str = include_str!("../assets/init");

/// On the kernel's command line: print [`ACCELERATOR_MARK`] and power off.
pub const ACCELERATOR_WORD: &str = "vmhealth.probe";
/// What the initramfs prints then: an accelerator under which this comes out works.
pub const ACCELERATOR_MARK: &str = "vmhealth: accelerator works";

/// Packs the initramfs from `parts`: `busybox`, and `modules/` with the file `order`.
pub(crate) fn pack(parts: &Path) -> io::Result<Vec<u8>> {
    let mut archive = Archive { bytes: Vec::new(), inode: 0 };
    for dir in ["bin", "dev", "proc", "root", "sys", "modules"] {
        archive.add(dir, 0o040_755, (0, 0), &[])?;
    }
    // The kernel opens these before devtmpfs is mounted.
    archive.add("dev/console", 0o020_600, (5, 1), &[])?;
    archive.add("bin/busybox", 0o100_755, (0, 0), &std::fs::read(parts.join("busybox"))?)?;
    let order = std::fs::read_to_string(parts.join("modules/order"))?;
    archive.add("modules/order", 0o100_644, (0, 0), order.as_bytes())?;
    for module in order.lines() {
        let data = std::fs::read(parts.join("modules").join(module))?;
        archive.add(&format!("modules/{module}"), 0o100_644, (0, 0), &data)?;
    }
    archive.add("init", 0o100_755, (0, 0), INIT.as_bytes())?;
    newc::trailer(archive.bytes)
}

struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, device: (u32, u32), data: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let length = u32::try_from(data.len()).map_err(io::Error::other)?;
        let header: NewcBuilder =
            Builder::new(name).ino(self.inode).mode(mode).rdev_major(device.0).rdev_minor(device.1);
        let mut writer = header.write(&mut self.bytes, length);
        writer.write_all(data)?;
        writer.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_knows_the_word_and_prints_the_mark() {
        for part in [ACCELERATOR_WORD, ACCELERATOR_MARK] {
            assert!(INIT.contains(part), "{part}: {INIT}");
        }
    }
}

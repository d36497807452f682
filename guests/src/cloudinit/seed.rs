//! The seed volume: VFAT, label CIDATA, byte-for-byte reproducible.

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// The files of a NoCloud seed; `user-data` and `meta-data` must exist, else the volume is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// `user-data`.
    pub user_data: Vec<u8>,
    /// `meta-data`.
    pub meta_data: Vec<u8>,
    /// `network-config`; without one cloud-init asks by DHCP.
    pub network_config: Option<Vec<u8>>,
}

const MIN_BYTES: usize = 1 << 20;
const VOLUME_ID: u32 = 0x766d_6801;

/// Writes the seed as a raw disk.
pub fn write_seed(path: &Path, seed: &Seed) -> io::Result<()> {
    let mut files = vec![("user-data", &seed.user_data), ("meta-data", &seed.meta_data)];
    files.extend(seed.network_config.iter().map(|data| ("network-config", data)));
    let content: usize = files.iter().map(|(_, d)| d.len()).sum();
    let size = (2 * content).next_multiple_of(MIN_BYTES).max(MIN_BYTES);
    let mut disk = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    disk.set_len(size as u64)?;
    let options = FormatVolumeOptions::new().volume_label(*b"CIDATA     ").volume_id(VOLUME_ID);
    fatfs::format_volume(&mut disk, options)?;
    disk.seek(SeekFrom::Start(0))?;
    let volume = FileSystem::new(&mut disk, FsOptions::new())?;
    for (name, data) in files {
        volume.root_dir().create_file(name)?.write_all(data)?;
    }
    volume.unmount()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn read_back(path: &Path, name: &str) -> io::Result<Vec<u8>> {
        let mut disk = File::options().read(true).write(true).open(path)?;
        let volume = FileSystem::new(&mut disk, FsOptions::new())?;
        let mut data = Vec::new();
        volume.root_dir().open_file(name)?.read_to_end(&mut data)?;
        Ok(data)
    }

    #[test]
    fn a_seed_is_reproducible_and_readable() {
        let dir = tempfile::tempdir().unwrap();
        let seed = Seed {
            user_data: vec![b'u'; 3 << 20],
            meta_data: b"instance-id: a\n".to_vec(),
            network_config: Some(b"version: 2\n".to_vec()),
        };
        let (one, two) = (dir.path().join("1"), dir.path().join("2"));
        write_seed(&one, &seed).unwrap();
        write_seed(&two, &seed).unwrap();
        assert!(std::fs::read(&one).unwrap() == std::fs::read(&two).unwrap(), "two seeds of the same data differ");
        assert_eq!(read_back(&one, "user-data").unwrap(), seed.user_data);
        assert_eq!(read_back(&one, "meta-data").unwrap(), seed.meta_data);
    }
}

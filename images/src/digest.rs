//! SHA-256 of bytes and files, in hex.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Blocks of a file that are all zero are not hashed: a guest's memory is mostly holes.
const BLOCK: usize = 64 << 10;
static ZEROES: [u8; BLOCK] = [0; BLOCK];

/// Of bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Of a file: over its length and its blocks of 64 KiB that are not all zero, each after its offset.
pub fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BLOCK];
    let mut offset = 0u64;
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match file.read(&mut buffer[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        let block = &buffer[..filled];
        if *block != ZEROES[..filled] {
            hasher.update(offset.to_le_bytes());
            hasher.update(block);
        }
        offset += filled as u64;
        if filled < BLOCK {
            hasher.update(offset.to_le_bytes());
            return Ok(hex::encode(hasher.finalize()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_zeroes_and_places_count() {
        let dir = tempfile::tempdir().unwrap();
        let digest = |name: &str, make: &dyn Fn(&Path)| {
            let path = dir.path().join(name);
            make(&path);
            of_file(&path).unwrap()
        };
        let written = digest("written", &|p| std::fs::write(p, vec![0; 3 * BLOCK]).unwrap());
        let hole = digest("hole", &|p| File::create(p).unwrap().set_len(3 * BLOCK as u64).unwrap());
        assert_eq!(written, hole);
        let longer = digest("longer", &|p| File::create(p).unwrap().set_len(3 * BLOCK as u64 + 1).unwrap());
        assert_ne!(longer, hole, "the length counts");
        let with_one = |at: usize| {
            move |p: &Path| {
                let mut bytes = vec![0; 3 * BLOCK];
                bytes[at] = 1;
                std::fs::write(p, bytes).unwrap();
            }
        };
        assert_ne!(digest("first", &with_one(0)), digest("second", &with_one(BLOCK)), "the place counts");
    }
}

//! The header of a qcow2, as far as it decides what QEMU opens: read from bytes, with nothing opened.
//!
//! QEMU's docs/interop/qcow2.txt has the layout; all numbers are big-endian. The bytes are a stranger's.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// What a qcow2 begins with.
pub(super) const MAGIC: &[u8] = b"QFI\xfb";
/// The largest first cluster that QEMU knows; header, extensions and the backing file's name are all in it.
pub(super) const LONGEST_HEADER: u64 = 1 << 21;

/// In bytes, QEMU's own limits: a larger table is refused there as well.
const LONGEST_L1: u64 = 32 << 20;
const LONGEST_NAME: u32 = 1023;
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// Dirty, corrupt, external data file, compression type, extended L2 entries.
const KNOWN_FEATURES: u64 = 0b1_1111;
const EXTERNAL_DATA: u64 = 0b100;
const VERSION_2_LENGTH: usize = 72;
const VERSION_3_LENGTH: usize = 104;
const BACKING_FORMAT: u32 = 0xE279_2ACA;

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the disk that the guest sees.
    pub(super) bytes: u64,
    /// What it is an overlay of.
    pub(super) backing: Option<Backing>,
    /// Its clusters are encrypted.
    pub(super) encrypted: bool,
    /// Its data is in another file.
    pub(super) external_data: bool,
}

/// The file below an overlay, in the header's own words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Backing {
    /// A path, or anything else that QEMU can open.
    pub(super) name: PathBuf,
    /// `None`: QEMU would guess.
    pub(super) format: Option<String>,
}

/// Why it is no header that can be trusted with a disk.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("ends in the middle of its header")]
    Short,
    #[error("is of version {0}; QEMU's qcow2 has 2 and 3")]
    Version(u32),
    #[error("is damaged: {field} is {value}, expected {expected}")]
    Field { field: &'static str, value: u64, expected: &'static str },
    #[error("needs features that are not known here (bits {0:#x})")]
    Features(u64),
}

/// Reads a header; `bytes` are a file's first, [`LONGEST_HEADER`] of them at most.
pub(super) fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    let version = u32_at(bytes, 4)?;
    if !(2..=3).contains(&version) {
        return Err(HeaderError::Version(version));
    }
    let cluster_bits = u32_at(bytes, 20)?;
    if !CLUSTER_BITS.contains(&cluster_bits) {
        return Err(HeaderError::Field { field: "cluster_bits", value: cluster_bits.into(), expected: "9 to 21" });
    }
    let l1_bytes = 8 * u64::from(u32_at(bytes, 36)?);
    if l1_bytes > LONGEST_L1 {
        let expected = "a table of at most 32 MiB";
        return Err(HeaderError::Field { field: "l1_size", value: l1_bytes / 8, expected });
    }
    let cluster = &bytes[..bytes.len().min(1 << cluster_bits)];
    let (features, length) = match version {
        2 => (0, VERSION_2_LENGTH),
        _ => (u64_at(bytes, 72)?, u32_at(bytes, 100)? as usize),
    };
    if features & !KNOWN_FEATURES != 0 {
        return Err(HeaderError::Features(features & !KNOWN_FEATURES));
    }
    if version == 3 && (length < VERSION_3_LENGTH || length > cluster.len()) {
        let expected = "104 bytes at least, within the first cluster";
        return Err(HeaderError::Field { field: "header_length", value: length as u64, expected });
    }
    let (offset, name) = backing_name(cluster)?;
    let format = extension(cluster.get(length..offset.unwrap_or(cluster.len())).unwrap_or_default(), BACKING_FORMAT)?;
    Ok(Header {
        bytes: u64_at(bytes, 24)?,
        backing: name.map(|name| Backing { name, format }),
        encrypted: u32_at(bytes, 32)? != 0,
        external_data: features & EXTERNAL_DATA != 0,
    })
}

/// Where the name of the file below it stands, and the name.
fn backing_name(cluster: &[u8]) -> Result<(Option<usize>, Option<PathBuf>), HeaderError> {
    let (offset, length) = (u64_at(cluster, 8)?, u32_at(cluster, 16)?);
    if offset == 0 {
        return Ok((None, None));
    }
    if length > LONGEST_NAME {
        let expected = "at most 1023 bytes";
        return Err(HeaderError::Field { field: "backing_file_size", value: length.into(), expected });
    }
    let expected = "within the first cluster";
    let outside = HeaderError::Field { field: "backing_file_offset", value: offset, expected };
    let Ok(start) = usize::try_from(offset) else { return Err(outside) };
    let name = start.checked_add(length as usize).and_then(|end| cluster.get(start..end)).ok_or(outside)?;
    let name = (!name.is_empty()).then(|| OsString::from_vec(name.to_vec()).into());
    Ok((Some(start), name))
}

/// The text of an extension: type, length, data padded to eight bytes; a type of 0 ends them.
fn extension(mut rest: &[u8], wanted: u32) -> Result<Option<String>, HeaderError> {
    while rest.len() >= 8 {
        let (kind, length) = (u32_at(rest, 0)?, u32_at(rest, 4)? as usize);
        if kind == 0 {
            break;
        }
        let data = rest.get(8..).and_then(|r| r.get(..length)).ok_or(HeaderError::Field {
            field: "the length of a header extension",
            value: length as u64,
            expected: "one that ends before the backing file's name",
        })?;
        // One without a text is as good as none to QEMU.
        if kind == wanted && !data.is_empty() {
            return Ok(Some(String::from_utf8_lossy(data).into_owned()));
        }
        rest = rest.get(8 + length.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(None)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, HeaderError> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(HeaderError::Short)?;
    Ok(u32::from_be_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, HeaderError> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(HeaderError::Short)?;
    Ok(u64::from_be_bytes(*field))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An overlay of version 3 with clusters of 512 bytes.
    pub(in crate::image) fn overlay(name: &[u8], format: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, MAGIC);
        put(4, &3_u32.to_be_bytes());
        put(8, &256_u64.to_be_bytes());
        put(16, &(name.len() as u32).to_be_bytes());
        put(20, &9_u32.to_be_bytes());
        put(24, &(1_u64 << 30).to_be_bytes());
        put(100, &104_u32.to_be_bytes());
        put(104, &BACKING_FORMAT.to_be_bytes());
        put(108, &(format.len() as u32).to_be_bytes());
        put(112, format);
        put(256, name);
        bytes
    }

    #[test]
    fn what_a_header_says_and_what_is_refused() {
        let check = |change: &[(usize, &[u8])], expected: Result<(), &str>| {
            let mut bytes = overlay(b"base.raw", b"raw");
            for (at, field) in change {
                bytes[*at..at + field.len()].copy_from_slice(field);
            }
            match (parse(&bytes), expected) {
                (Ok(header), Ok(())) => {
                    let backing = Backing { name: "base.raw".into(), format: Some("raw".into()) };
                    let as_said =
                        Header { bytes: 1 << 30, backing: Some(backing), encrypted: false, external_data: false };
                    assert_eq!(header, as_said);
                }
                (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{change:x?}: {e}"),
                (found, _) => panic!("{change:x?}: {found:?}"),
            }
        };
        check(&[], Ok(()));
        check(&[(4, &[0, 0, 0, 1])], Err("is of version 1"));
        check(&[(20, &[0, 0, 0, 63])], Err("cluster_bits is 63, expected 9 to 21"));
        check(&[(36, &[0xff; 4])], Err("l1_size is 4294967295, expected a table of at most 32 MiB"));
        check(&[(79, &[0b100000])], Err("not known here (bits 0x20)"));
        check(&[(8, &[0xff; 8])], Err("backing_file_offset is 18446744073709551615"));
        check(&[(8, &511_u64.to_be_bytes())], Err("backing_file_offset is 511"));
        check(&[(16, &1024_u32.to_be_bytes())], Err("backing_file_size is 1024"));
        check(&[(100, &[0xff; 4])], Err("header_length is 4294967295"));
        check(&[(100, &[0; 4])], Err("header_length is 0"));
        check(&[(104, &[1; 4]), (108, &[0xff; 4])], Err("the length of a header extension is 4294967295"));
    }

    #[test]
    fn what_is_missing_and_what_is_cut_off() {
        let whole = overlay(b"base", b"");
        for length in 0..whole.len() {
            // Never a panic; what is there is believed.
            let _ = parse(&whole[..length]);
        }
        assert_eq!(parse(&whole[..71]), Err(HeaderError::Short));
        let mut flags = overlay(b"", b"raw");
        flags[35] = 2;
        flags[79] = 0b100;
        let header = parse(&flags).unwrap();
        assert!(header.encrypted && header.external_data && header.backing.is_none(), "{header:?}");
        let mut no_format = overlay(b"base", b"raw");
        no_format[104..108].fill(0);
        assert_eq!(parse(&no_format).unwrap().backing.unwrap().format, None);
    }
}

//! The ELF image inside a bzImage, which QEMU enters directly through PVH: the guest need not unpack itself.
//!
//! Under TCG unpacking costs seconds of every boot and of every reset. Layout: Linux Documentation/arch/x86/boot.rst.

/// Why there is no ELF to be had.
#[derive(Debug, thiserror::Error)]
#[error("the kernel is not a bzImage with a zstd payload: {0}")]
pub struct KernelError(String);

const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// Unpacks the kernel of a bzImage.
pub(crate) fn elf(bz_image: &[u8]) -> Result<Vec<u8>, KernelError> {
    let wrong = |what: &str| KernelError(what.to_owned());
    if bz_image.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        return Err(wrong("no HdrS"));
    }
    let word = |at: usize| {
        let bytes = bz_image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let sectors = usize::from(bz_image[SETUP_SECTORS]).max(1);
    let start = (sectors + 1) * 512 + word(PAYLOAD_OFFSET).ok_or_else(|| wrong("too short"))?;
    let length = word(PAYLOAD_LENGTH).ok_or_else(|| wrong("too short"))?;
    // The last four bytes are the unpacked length, not part of the frame.
    let payload =
        bz_image.get(start..start + length.saturating_sub(4)).ok_or_else(|| wrong("payload beyond the end"))?;
    let elf = zstd::stream::decode_all(payload).map_err(|e| KernelError(e.to_string()))?;
    if elf.starts_with(b"\x7fELF") { Ok(elf) } else { Err(wrong("the payload is no ELF")) }
}

#[cfg(test)]
mod tests {
    use super::elf;

    #[test]
    fn a_made_up_kernel_is_unpacked_and_others_are_refused() {
        let payload = zstd::stream::encode_all(&b"\x7fELF kernel"[..], 1).unwrap();
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len() + 4).unwrap().to_le_bytes());
        image.extend(&payload);
        image.extend([0; 4]);
        assert_eq!(elf(&image).unwrap(), b"\x7fELF kernel");
        for broken in [&image[..100], &image[..1030], &b"\x7fELF"[..]] {
            elf(broken).unwrap_err();
        }
    }
}

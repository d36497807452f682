//! Which part of many things a machine has: by a hash of each thing's name, so that a new one moves no other.

use vmhealth_images::digest;

/// Whether the thing of that name is in the `k`th of `n` parts, from 1.
pub(crate) fn is_in(name: &str, (k, n): (u64, u64)) -> bool {
    let digest = digest::of_bytes(name.as_bytes());
    // 60 of 256 bits: digits of a hash that always has so many.
    let number = u64::from_str_radix(digest.get(..15).unwrap_or_default(), 16).unwrap_or_default();
    number % n.max(1) + 1 == k
}

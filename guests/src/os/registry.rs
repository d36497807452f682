//! Which operating system an image of ours has.

use super::debian::DEBIAN;
use super::interface::GuestOs;
use vmhealth_images::Distribution;

/// The operating system of a distribution.
pub fn of(distribution: Distribution) -> &'static dyn GuestOs {
    match distribution {
        Distribution::Debian => &DEBIAN,
    }
}

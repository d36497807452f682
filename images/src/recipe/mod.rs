//! The recipes of guest images: one file each, and `registry`, which lists them.

mod debian_12_s390x;
mod debian_13_amd64;
#[expect(clippy::module_inception, reason = "the type that the recipes are values of")]
mod recipe;
mod registry;

pub(crate) use recipe::{CUSTOMIZE, DISK_MIB, KernelForm, SOURCE_DATE_EPOCH};
pub use recipe::{Distribution, Recipe};

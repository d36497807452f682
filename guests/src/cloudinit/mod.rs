//! The NoCloud seed: the manifest's own data first and unchanged, ours appended to it.

mod merge;
mod profile;
mod seed;

pub use merge::user_data;
pub use profile::cloud_config;
pub use seed::{Seed, write_seed};

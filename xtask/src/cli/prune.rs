//! `prune`: gives the cache's space back.

use super::exit::{Failure, Status, infra};
use super::output::out;
use crate::host;
use clap::Args;
use vmhealth_guests::template::Templates;
use vmhealth_images::Store;

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Keep so many MiB of templates, those that were used last
    #[arg(long, value_name = "MiB", default_value_t = 0)]
    keep: u32,
    /// The guest images as well; the next run builds them again
    #[arg(long)]
    images: bool,
}

impl Prune {
    /// What a run uses now stays.
    pub(super) fn run(self) -> Result<Status, Failure> {
        let cache = host::cache_folder();
        let templates = Templates::new(&cache).prune(u64::from(self.keep) << 20).map_err(infra)?;
        let mut text = format!("removed {} templates", templates.len());
        if self.images {
            text += &format!(" and {} guest images", Store::new(&cache).prune().map_err(infra)?.len());
        }
        out(&format!("{text} from {}\n", cache.display()))?;
        Ok(Status::Passed)
    }
}

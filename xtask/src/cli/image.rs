//! `image`: the store of guest images.

use super::exit::{Failure, Status, infra};
use crate::prepare::{self, say};
use crate::{host, program, workspace};
use anyhow::anyhow;
use clap::Subcommand;
use std::path::Path;
use vmhealth_images::{Recipe, Store, full_disk};
use vmhealth_sim::manifest::Architecture;

#[derive(Debug, Subcommand)]
pub(super) enum Image {
    /// Build the images that are not in the store yet, or are damaged there
    Build {
        /// Only for this architecture
        #[arg(long = "arch")]
        architecture: Option<Architecture>,
        /// Build nothing: resolve the packages anew and write the lock file; needs vmhealth's sources
        #[arg(long)]
        update_lock: bool,
    },
    /// Build a plain Debian with partitions and GRUB to try `run --image` with, and print its path
    FullDisk,
    /// List the images in the store
    List,
    /// Compare every stored image with its checksums
    Verify,
}

impl Image {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let store = Store::new(&host::cache_folder());
        match self {
            Image::Build { architecture, update_lock: lock } => {
                for recipe in Recipe::all() {
                    let own: Architecture = recipe.architecture.parse().map_err(|e: String| infra(anyhow!(e)))?;
                    if architecture.is_some_and(|a| a != own) {
                        continue;
                    }
                    prepare::install_missing(own)?;
                    if lock {
                        let changed = store.update_lock(recipe, &workspace::find()?, &say).map_err(infra)?;
                        changed.iter().for_each(|line| println!("{line}"));
                        println!(
                            "{own}: {} lines of the lock have changed; next: {} image build",
                            changed.len(),
                            program::name()
                        );
                    } else {
                        let image = store.ensure(recipe, &say).map_err(infra)?;
                        let folder = image.disk.parent().unwrap_or(Path::new("")).display();
                        println!("{own} {} {folder}", image.digest);
                    }
                }
            }
            Image::FullDisk => {
                prepare::install_missing(Architecture::Amd64)?;
                println!("{}", full_disk(&host::cache_folder(), &say).map_err(infra)?.display());
            }
            Image::List => {
                for entry in store.list().map_err(infra)? {
                    let what = match (&entry.image, entry.current) {
                        (Ok(image), Some(recipe)) => format!("{} {}, current", image.digest, recipe.name),
                        (Ok(image), None) => format!("{} not current: of another recipe or lock", image.digest),
                        (Err(problem), _) => format!("damaged: {problem}"),
                    };
                    println!("{}  {:4} MiB  {what}", entry.key, entry.bytes >> 20);
                }
            }
            Image::Verify => {
                let entries = store.list().map_err(infra)?;
                let damaged: Vec<_> =
                    entries.iter().filter_map(|e| e.image.as_ref().err().map(|p| (&e.key, p))).collect();
                for (key, problem) in &damaged {
                    println!("{key}: {problem}");
                }
                println!("{} of {} images are intact", entries.len() - damaged.len(), entries.len());
                return Ok(if damaged.is_empty() { Status::Passed } else { Status::Failed });
            }
        }
        Ok(Status::Passed)
    }
}

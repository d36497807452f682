//! `sbom`: what vmhealth and its guest images are made of.

use super::exit::{Failure, Status, infra, usage};
use crate::sbom::Sbom;
use crate::workspace;
use anyhow::anyhow;
use clap::Args;
use vmhealth_images::Recipe;

/// The tool itself.
const TOOL: &str = "tool";

#[derive(Debug, Args)]
pub(super) struct SbomArgs {
    /// `tool`, or the name of a guest image
    #[arg(default_value = TOOL)]
    of: String,
}

impl SbomArgs {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let sbom = if self.of == TOOL {
            Sbom::of_tool(&workspace::find()?)
        } else {
            let recipe = Recipe::all().into_iter().find(|recipe| recipe.name == self.of).ok_or_else(|| {
                let known: Vec<&str> = [TOOL].into_iter().chain(Recipe::all().map(|recipe| recipe.name)).collect();
                usage(anyhow!("there is no image {:?}; known: {}", self.of, known.join(", ")))
            })?;
            Sbom::of_image(recipe)
        };
        println!("{}", serde_json::to_string_pretty(&sbom.map_err(infra)?).map_err(infra)?);
        Ok(Status::Passed)
    }
}

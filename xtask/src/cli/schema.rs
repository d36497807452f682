//! `schema`: the JSON Schemas.

use super::exit::{Failure, Status, infra};
use crate::check::report_schema;
use clap::{Args, ValueEnum};
use vmhealth_sim::fleet;
use vmhealth_sim::scenario::json_schema;

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// What the schema describes
    #[arg(value_enum, default_value_t = SchemaOf::Scenario)]
    of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaOf {
    /// A scenario file
    Scenario,
    /// A fleet file
    Fleet,
    /// What `check --format json` prints
    Check,
}

impl Schema {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let schema = match self.of {
            SchemaOf::Scenario => json_schema(),
            SchemaOf::Fleet => fleet::json_schema(),
            SchemaOf::Check => report_schema(),
        };
        println!("{}", serde_json::to_string_pretty(&schema).map_err(infra)?);
        Ok(Status::Passed)
    }
}

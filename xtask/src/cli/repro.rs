//! `repro`: one scenario again.

use super::arguments::{AccelArg, ClockArg, ColdArg, SecretsArg, World};
use super::exit::{Failure, Status, usage};
use super::session::{run_cases, status_of};
use crate::prepare::{GuestOptions, HostChoice};
use crate::run::catalogue::{self, Case, unknown_scenario};
use anyhow::anyhow;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vmhealth_sim::manifest::Architecture;

#[derive(Debug, Args)]
pub(super) struct Repro {
    /// A scenario's id, or its folder in an earlier run
    pub(super) what: String,
    /// Where it runs: on QEMU, in the model, or both, compared
    #[arg(long, value_enum, default_value_t = World::Both)]
    pub(super) world: World,
    /// Where QEMU runs, as for e2e
    #[arg(long = "host", value_delimiter = ',')]
    pub(super) hosts: Vec<HostChoice>,
    #[command(flatten)]
    pub(super) accel: AccelArg,
    #[command(flatten)]
    pub(super) clock: ClockArg,
    #[command(flatten)]
    pub(super) cold: ColdArg,
    #[command(flatten)]
    pub(super) secrets: SecretsArg,
    /// The folder that the scenario is in, if it is not one of vmhealth's catalogue
    #[arg(long, value_name = "FOLDER")]
    pub(super) scenarios: Option<PathBuf>,
}

impl Repro {
    /// The architectures of the guests that it boots; `None`: it boots none.
    pub(super) fn guests(&self) -> Option<BTreeSet<Architecture>> {
        (self.world != World::Model).then(|| catalogue::architectures(&self.cases().unwrap_or_default()))
    }

    fn cases(&self) -> Result<Vec<Case>, Failure> {
        let result = Path::new(&self.what).join("result.json");
        let id = match std::fs::read_to_string(&result) {
            Ok(text) => {
                let result: serde_json::Value = serde_json::from_str(&text).map_err(usage)?;
                result["id"].as_str().unwrap_or_default().to_owned()
            }
            Err(_) => self.what.clone(),
        };
        let mut cases = catalogue::read(self.scenarios.as_deref()).map_err(usage)?;
        cases.retain(|c| c.id() == id);
        if cases.is_empty() { Err(usage(anyhow!(unknown_scenario(&id)))) } else { Ok(cases) }
    }

    pub(super) async fn run(self) -> Result<Status, Failure> {
        let cases = self.cases()?;
        let (accel, clock, cold) = (self.accel.choice(), self.clock.choice(None)?, self.cold.cold);
        let options = GuestOptions { accel, clock, cold, hosts: self.hosts, ..GuestOptions::default() };
        let results = run_cases(cases, self.world, options, None, self.secrets).await?;
        Ok(status_of(&results))
    }
}

//! `explore`: a fault at every moment, in virtual time.

use super::arguments::{Format, UserDataArg, parse_boot, parse_short};
use super::exit::{Failure, Status, infra};
use super::output::write_report;
use crate::own::{NamedFault, OwnExplore};
use crate::report::{ExploreReport, pictures};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_sim::cluster::KubevirtVersion;

#[derive(Debug, Args)]
pub(super) struct Explore {
    /// A file with one kubevirt.io/v1 VirtualMachine or VirtualMachineInstance, alone, in a list or beside other objects; - for standard
    /// input
    pub(super) manifest: PathBuf,
    /// What breaks, like killWatchdog or `{stopAgent: {for: 15s}}`. May be given twice: then every order and distance of the two
    /// is tried
    #[arg(long = "fault", required = true, num_args = 1)]
    pub(super) faults: Vec<NamedFault>,
    /// The time between two instants that are tried
    #[arg(long, value_parser = parse_short, default_value = "250ms")]
    pub(super) step: Duration,
    /// How much time the instants cover. If absent: the probes' common period, at most a minute
    #[arg(long, value_parser = parse_short)]
    pub(super) span: Option<Duration>,
    /// The time from the guest being ready to the first instant
    #[arg(long, value_parser = parse_short, default_value = "2m")]
    pub(super) from: Duration,
    /// How long each run is watched after the first instant
    #[arg(long = "for", value_parser = parse_short, default_value = "10m")]
    pub(super) lasting: Duration,
    /// The watchdog daemon's timeout in seconds; 0: no daemon runs. If absent: what the user data sets, or 60
    #[arg(long)]
    pub(super) heartbeat: Option<u32>,
    /// Do not mask Debian's wd_keepalive: it takes over from a killed watchdog daemon
    #[arg(long)]
    pub(super) keepalive: bool,
    /// How long the guest takes from its start until its service answers. If absent: 60s
    #[arg(long, value_parser = parse_boot)]
    pub(super) boot: Option<Duration>,
    /// The cluster's KubeVirt release, like v1.4 (OpenShift 4.18)
    #[arg(long, value_name = "VERSION", default_value_t = KubevirtVersion::default())]
    pub(super) kubevirt_version: KubevirtVersion,
    #[command(flatten)]
    pub(super) user_data: UserDataArg,
    /// Write a picture, too: a page of which outcome comes at which moment of the fault
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

impl Explore {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let names: Vec<String> = self.faults.iter().map(|f| f.text.clone()).collect();
        let own = OwnExplore {
            file: self.manifest,
            faults: self.faults,
            step: self.step,
            span: self.span,
            from: self.from,
            lasting: self.lasting,
            heartbeat: self.heartbeat,
            keepalive: self.keepalive,
            boot: self.boot,
            kubevirt_version: self.kubevirt_version,
            user_data: self.user_data.read()?,
        };
        let found = own.explore()?;
        if let Some(file) = &self.report {
            let title = format!("{}: {}", own.file.display(), names.join(" and "));
            let page = pictures::page(&title, vec![pictures::explored(&found)]).map_err(infra)?;
            write_report(file, &page)?;
        }
        let report = ExploreReport::from(&found);
        match self.format {
            Format::Json => println!("{}", serde_json::to_string_pretty(&report).map_err(infra)?),
            Format::Human => print!("{}", report.render(&names.join(" and "))),
        }
        Ok(Status::Passed)
    }
}

//! `pin`: the user's own VM as scenarios, with what the model says of them as expectation.

use super::arguments::{UserDataArg, parse_boot};
use super::exit::{Failure, Status};
use crate::check::github;
use crate::own::Pin as OwnPin;
use crate::prepare::say;
use crate::program;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_sim::yaml::Pos;

#[derive(Debug, Args)]
pub(super) struct Pin {
    /// A kubevirt.io/v1 VirtualMachine or VirtualMachineInstance
    pub(super) manifest: PathBuf,
    /// The folder for the scenarios; `e2e --scenarios FOLDER` runs them
    #[arg(long, value_name = "FOLDER", default_value = "pinned")]
    pub(super) out: PathBuf,
    /// Write what the manifest comes to now, although it was something else
    #[arg(long)]
    pub(super) accept: bool,
    /// The watchdog daemon's timeout in seconds. If absent: what the user data sets, or 60
    #[arg(long)]
    pub(super) heartbeat: Option<u32>,
    /// How long the guest takes from its start until its service answers. If absent: 60s
    #[arg(long, value_parser = parse_boot)]
    pub(super) boot: Option<Duration>,
    #[command(flatten)]
    pub(super) user_data: UserDataArg,
    /// How to say what is different
    #[arg(long, value_enum, default_value_t = PinFormat::Human)]
    pub(super) format: PinFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PinFormat {
    /// A line each
    Human,
    /// Annotations for a GitHub job, at the manifest
    Github,
}

impl Pin {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let user_data = self.user_data.read()?;
        let manifest = self.manifest.display().to_string();
        let pin = OwnPin { file: self.manifest, boot: self.boot, heartbeat: self.heartbeat, user_data };
        let folder = self.out.display().to_string();
        let annotate = |command, text: &str| {
            print!("{}", github::line(command, &manifest, Pos { line: 1, column: 1 }, "pinned", text));
        };
        let new = !OwnPin::is_in(&self.out);
        let changed = pin.write(&self.out, self.accept)?;
        for line in &changed {
            match self.format {
                PinFormat::Human => println!("{line}"),
                PinFormat::Github => annotate(if self.accept { "notice" } else { "error" }, line),
            }
        }
        // Of a job that names another folder than the one it keeps, nothing would ever be red.
        if new {
            let text = format!("nothing was pinned in {folder} before: nothing was compared");
            match self.format {
                PinFormat::Human => say(&text),
                PinFormat::Github => annotate("warning", &text),
            }
        }
        if !changed.is_empty() && !self.accept {
            say(&format!("not what is pinned in {folder}; --accept writes it"));
            return Ok(Status::Failed);
        }
        if changed.is_empty() && self.format == PinFormat::Human {
            for (name, outcome) in pin.outcomes()? {
                println!("{name}: {outcome}");
            }
        }
        say(&format!("run them: {}", program::command_line(["e2e", "--scenarios", &folder])));
        Ok(Status::Passed)
    }
}

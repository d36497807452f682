//! How much is said on stderr, whatever the command.

use crate::lines::Loudness;
use clap::Args;

/// Shown below the options.
pub(super) const ENVIRONMENT: &str = "\
Environment:
  NO_COLOR   not empty: no colours (no-color.org)
  TERM=dumb  a terminal that takes lines and nothing else: no live view, no line that is drawn anew
  VMHEALTH_NO_INSTALL  not empty: as root, too, nothing is installed; what is missing is said, with the command";

/// How much is said on stderr. What a command prints on stdout is the same.
#[derive(Debug, Args)]
pub(super) struct LoudnessArgs {
    /// Say only what went wrong, the table at the end and where the run folder is: not how far the run is, nor what was assumed
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say also every event of every scenario, each probe's attempt too, and how the guests are scheduled
    #[arg(short, long, global = true)]
    verbose: bool,
}

impl LoudnessArgs {
    /// How much is said.
    pub(super) fn loudness(&self) -> Loudness {
        match (self.quiet, self.verbose) {
            (true, _) => Loudness::Quiet,
            (_, true) => Loudness::Verbose,
            _ => Loudness::Usual,
        }
    }
}

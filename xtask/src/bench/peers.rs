//! `bench peers`: the same guest kernel brought to its first executed command by other tools, to compare a fork with.
//!
//! They are installed into a scratch folder by a script (peers.sh) and are not dependencies of vmhealth.

use super::stats::Spread;
use crate::report::Machine;
use crate::run::Progress;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use vmhealth_guests::platform::Platform;
use vmhealth_guests::process::guarded;

const SCRIPT: &str = include_str!("peers.sh");

/// The results of `bench peers`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeersBench {
    /// By tool: from exec to the end of the guest's first command, seconds.
    pub peers: BTreeMap<String, Spread>,
    /// By tool: why there is no figure.
    pub failed: BTreeMap<String, String>,
    /// The machine that it was measured on.
    pub machine: Machine,
}

/// Installs them into `scratch` where they are not there yet, and runs them.
pub async fn peers(
    platform: &Platform,
    machine: Machine,
    scratch: &Path,
    progress: &Progress,
) -> io::Result<PeersBench> {
    let Some(kernel) = &platform.image.kernel else {
        return Err(io::Error::other("the image has no kernel to boot directly"));
    };
    std::fs::create_dir_all(scratch)?;
    let script = scratch.join("peers.sh");
    std::fs::write(&script, SCRIPT)?;
    progress.say("installing and running virtme-ng and vmtest; the first time this takes minutes");
    let mut child = guarded("sh", &[]).arg(&script).arg(scratch).arg(&kernel.file).stdout(Stdio::piped()).spawn()?;
    let Some(stdout) = child.stdout.take() else { return Err(io::Error::other("no output")) };
    let mut lines = BufReader::new(stdout).lines();
    let (mut series, mut failed) = (BTreeMap::<String, Vec<f64>>::new(), BTreeMap::new());
    while let Some(line) = lines.next_line().await? {
        progress.say(&line);
        match line.split_once(' ').map(|(tool, rest)| (tool, rest, rest.parse::<f64>())) {
            Some((tool, _, Ok(seconds))) => series.entry(tool.to_owned()).or_default().push(seconds),
            Some((tool, reason, Err(_))) => {
                failed.insert(tool.to_owned(), reason.to_owned());
            }
            None => {}
        }
    }
    let status = child.wait().await?;
    if !status.success() {
        return Err(io::Error::other(format!("peers.sh ended with {status}")));
    }
    let peers = series.into_iter().map(|(tool, series)| (tool, Spread::of(series))).collect();
    Ok(PeersBench { peers, failed, machine })
}

impl fmt::Display for PeersBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exec to the end of the guest's first command, {}", self.machine.qemu)?;
        for (tool, spread) in &self.peers {
            writeln!(f, "  {tool:10} {:6.2} s (median of {})", spread.median, spread.n)?;
        }
        for (tool, reason) in &self.failed {
            writeln!(f, "  {tool:10} {reason}")?;
        }
        Ok(())
    }
}

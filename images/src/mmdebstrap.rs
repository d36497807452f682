//! The program that makes root file systems: its arguments, its output as progress, its errors.

use crate::error::{BuildError, io_error};
use crate::recipe::SOURCE_DATE_EPOCH;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Of its output, in an error.
const LOG_TAIL: usize = 15;

/// A line of progress.
pub type Progress<'a> = &'a dyn Fn(&str);

/// mmdebstrap with what all of our uses of it have in common; suite, target and mirror are to follow.
pub(crate) fn mmdebstrap(variant: &str, packages: &[String]) -> Command {
    let root = nix::unistd::geteuid().is_root();
    let mut command = Command::new("mmdebstrap");
    command
        .arg(if root { "--mode=root" } else { "--mode=unshare" })
        .arg(format!("--variant={variant}"))
        .args(["--aptopt=Apt::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\""])
        .args(["--dpkgopt=force-unsafe-io", "--dpkgopt=force-confold"])
        .arg(format!("--include={}", packages.join(",")));
    command
}

/// Runs it to its end.
pub(crate) fn run(mut command: Command, progress: Progress<'_>) -> Result<(), BuildError> {
    command
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH)
        // No initramfs of Debian's: ours is packed from the parts.
        .env("INITRD", "No")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // SAFETY: one async-signal-safe call. mmdebstrap cleans up after SIGTERM.
    unsafe { command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGTERM)?)) };
    let mut child = command.spawn().map_err(io_error("run mmdebstrap (apt-get install mmdebstrap)"))?;
    let mut log = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = String::from_utf8_lossy(&line.map_err(io_error("read mmdebstrap's output"))?).into_owned();
            if let Some(step) = line.strip_prefix("I: ") {
                progress(step.lines().next().unwrap_or_default().get(..100.min(step.len())).unwrap_or(step));
            }
            log.push(line);
        }
    }
    let status = child.wait().map_err(io_error("wait for mmdebstrap"))?;
    if status.success() {
        return Ok(());
    }
    let gone: Vec<String> =
        log.iter().filter(|l| l.contains("was not found") || l.contains("Unable to locate")).cloned().collect();
    let log = log[log.len().saturating_sub(LOG_TAIL)..].join("\n");
    Err(BuildError::Mmdebstrap { status: status.to_string(), log, gone })
}

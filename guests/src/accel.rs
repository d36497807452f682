//! KVM or TCG, decided by booting something.
//!
//! There are hosts where /dev/kvm opens, creates vCPUs and runs the firmware, and then hangs for ever (qemu-watchdog.md 13): only
//! a kernel that reaches our own initramfs proves anything. The answer is kept per host, kernel and QEMU version.

use crate::host::Emulator;
use crate::image::Kernel;
use crate::process::{guarded, signal_group};
use crate::qemu::{Accel, QemuVersion};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use vmhealth_images::{ACCELERATOR_MARK, ACCELERATOR_WORD};
use vmhealth_sim::manifest::Architecture;

/// A KVM that works is there in well under a second.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccelChoice {
    /// KVM if it works, else TCG.
    Auto,
    /// This one.
    Fixed(Accel),
}

/// The accelerator and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What guests run under.
    pub accel: Accel,
    /// Why, for people.
    pub why: String,
}

/// Finds the accelerator; `kernel` is of an image of ours, `cache` is a folder in which the answer is kept.
pub async fn find(
    choice: AccelChoice,
    architecture: Architecture,
    kernel: &Kernel,
    emulator: &Emulator,
    cache: &Path,
) -> Found {
    match choice {
        AccelChoice::Auto if !is_native(architecture) => {
            Found { accel: Accel::Tcg, why: format!("this host is not {architecture}") }
        }
        AccelChoice::Fixed(accel) => Found { accel, why: "as asked for".into() },
        AccelChoice::Auto => {
            let probe = Path::new("/usr/bin").join(emulator.program);
            if !emulator.host.runs_installed_qemu() && !probe.exists() {
                let why =
                    "KVM is only tried with a QEMU of this host's own, and there is none; --accel kvm asks for it";
                return Found { accel: Accel::Tcg, why: why.into() };
            }
            if let Err(e) = std::fs::File::options().read(true).write(true).open("/dev/kvm") {
                return Found { accel: Accel::Tcg, why: format!("/dev/kvm cannot be opened: {e}") };
            }
            let memo = memo_path(&emulator.version, cache);
            if let Ok(text) = std::fs::read_to_string(&memo) {
                let accel = if text.trim() == "kvm" { Accel::Kvm } else { Accel::Tcg };
                return Found { accel, why: format!("remembered in {}", memo.display()) };
            }
            let found = match boots_under_kvm(kernel, emulator.program).await {
                Ok(Ok(())) => Found { accel: Accel::Kvm, why: "a kernel booted under it".into() },
                Ok(Err(reason)) => Found { accel: Accel::Tcg, why: format!("no kernel boots under KVM: {reason}") },
                // That says nothing about KVM: not to be remembered.
                Err(e) => return Found { accel: Accel::Tcg, why: format!("cannot run {}: {e}", emulator.program) },
            };
            // Without the memo the next run looks again.
            let _ = std::fs::create_dir_all(cache).and_then(|()| std::fs::write(&memo, found.accel.as_str()));
            found
        }
    }
}

/// Whether this host could run its instructions itself. The probe's machine is an x86 one: elsewhere it is not tried.
fn is_native(architecture: Architecture) -> bool {
    architecture == Architecture::Amd64 && std::env::consts::ARCH == "x86_64"
}

fn memo_path(qemu: &QemuVersion, cache: &Path) -> PathBuf {
    let host = nix::sys::utsname::uname().ok();
    let part = |f: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        host.as_ref().map(|h| f(h).to_string_lossy().into_owned()).unwrap_or_default()
    };
    let digest = qemu.digest.rsplit(':').next().and_then(|d| d.get(..12)).unwrap_or_default();
    let name = format!("accel-{}-{}-qemu-{qemu}-{digest}", part(|h| h.nodename()), part(|h| h.release()));
    cache.join(name.replace('/', "_"))
}

/// Whether a kernel boots; the outer error: nothing could be tried.
async fn boots_under_kvm(kernel: &Kernel, program: &str) -> std::io::Result<Result<(), String>> {
    let mut child = guarded(program, &[])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"])
        .args(["-machine", "pc,accel=kvm", "-cpu", "host", "-m", "256M"])
        .arg("-kernel")
        .arg(&kernel.file)
        .arg("-initrd")
        .arg(&kernel.initrd)
        .args(["-append", &format!("{} {ACCELERATOR_WORD}", kernel.cmdline)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let Some(stdout) = child.stdout.take() else { return Err(std::io::Error::other("no console")) };
    let marked = async {
        let mut lines = BufReader::new(stdout).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            if String::from_utf8_lossy(&line).contains(ACCELERATOR_MARK) {
                return Ok(());
            }
        }
        Err("QEMU ended without reaching userspace".to_owned())
    };
    let result = tokio::time::timeout(PROBE_LIMIT, marked).await;
    signal_group(&child, Signal::SIGKILL);
    // Reap it; a QEMU that does not die is killed again on drop.
    let _ = tokio::time::timeout(PROBE_LIMIT, child.wait()).await;
    Ok(result.unwrap_or_else(|_| Err(format!("nothing reached userspace within {} s", PROBE_LIMIT.as_secs()))))
}

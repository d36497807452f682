//! What must be there before a guest can run: privileges, tools, image, accelerator.

use crate::cli::{Bench, Command};
use crate::exit::{Failure, infra};
use anyhow::anyhow;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use vmhealth_guests::accel::{self, AccelChoice};
use vmhealth_guests::guest::Image;
use vmhealth_guests::scratch;
use vmhealth_images::{CMDLINE, Store};
use vmhealth_tests::host;
use vmhealth_tests::report::Machine;
use vmhealth_tests::runner::Reality;

/// An ordinary user may make network namespaces inside a user namespace, where they are mapped to root. Only for commands
/// that need them, and after the image is built: mmdebstrap makes a user namespace of its own.
pub(crate) fn enter_user_namespace(command: &Command) {
    let (namespace, image) = match command {
        Command::E2e(args) => (args.runs_guests(), args.runs_guests()),
        Command::Repro(args) => (args.runs_guests(), args.runs_guests()),
        Command::Bench { command: Bench::Check { .. } } => (false, false),
        Command::Run(_) | Command::Compare(_) | Command::Test | Command::Bench { .. } => (true, true),
        Command::Doctor => (true, false),
        Command::Check(_)
        | Command::Explore(_)
        | Command::Mutants(_)
        | Command::Probe(_)
        | Command::Report { .. }
        | Command::Image { .. }
        | Command::Schema { .. } => (false, false),
    };
    if !namespace || geteuid().is_root() {
        return;
    }
    if image && let Err(e) = build_image_as_user() {
        eprintln!("warning: {:#}", e.error);
        return;
    }
    let (uid, gid) = (geteuid(), getegid());
    let mapped = unshare(CloneFlags::CLONE_NEWUSER).map_err(std::io::Error::from).and_then(|()| {
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
    });
    if let Err(e) = mapped {
        // The network's own error will name the mend.
        eprintln!("warning: no user namespace: {e}");
    }
}

fn build_image_as_user() -> Result<(), Failure> {
    install_missing()?;
    Store::new(&host::cache_folder()).ensure(&say).map(drop).map_err(infra)
}

pub(crate) fn install_missing() -> Result<(), Failure> {
    // Twice: QEMU's packages must be of one release, so apt removes the tools of another when it brings the emulator.
    for _ in 0..2 {
        let missing = host::missing();
        if missing.is_empty() {
            return Ok(());
        }
        host::install(&missing).map_err(|e| infra(anyhow!(e)))?;
    }
    match host::missing() {
        left if left.is_empty() => Ok(()),
        left => Err(infra(anyhow!("still missing after two installations; type: {}", host::install_command(&left)))),
    }
}

/// A line of progress, on stderr.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Prepares what is missing; `Err` in the reality says why QEMU cannot run while the model still can.
pub(crate) async fn prepare(
    choice: AccelChoice,
    cold: bool,
    jobs: Option<usize>,
) -> (Result<Reality, String>, Machine) {
    let mut machine = Machine {
        cores: host::cores(),
        kernel: nix::sys::utsname::uname().map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default(),
        ..Machine::default()
    };
    let reality = reality(choice, cold, jobs, &mut machine).await.map_err(|f| format!("{:#}", f.error));
    (reality, machine)
}

async fn reality(
    choice: AccelChoice,
    cold: bool,
    jobs: Option<usize>,
    machine: &mut Machine,
) -> Result<Reality, Failure> {
    for folder in scratch::sweep()? {
        say(&format!("removed {} of a run that was killed", folder.display()));
    }
    install_missing()?;
    let qemu = host::qemu().map_err(|e| infra(anyhow!(e)))?;
    let cache = host::cache_folder();
    let stored = Store::new(&cache).ensure(&say).map_err(infra)?;
    let image = Image {
        kernel: stored.kernel,
        initrd: stored.initrd,
        disk: stored.disk,
        cmdline: CMDLINE.into(),
        digest: stored.digest,
    };
    let found = accel::find(choice, &image, &qemu, &cache).await;
    let scale = found.accel.guest_scale();
    say(&format!("QEMU {qemu}, {} ({}), guest-time deadlines x{scale}", found.accel.as_str(), found.why));
    machine.qemu = qemu.line.clone();
    machine.accel = format!("{} ({})", found.accel.as_str(), found.why);
    machine.guest_scale = scale;
    machine.image = image.digest.clone();
    Ok(Reality { image, accel: found.accel, qemu, cold, jobs })
}

//! What makes a boot of Debian slow, or keep it from its end: a unit, or a word beside one (`systemd.unit(5)`).
//!
//! In a guest that runs they are files, and its next boot reads them. A new VMI has a fresh disk: there the kernel's command line
//! has them, as credentials that `systemd-debug-generator(8)` makes units of.

use super::super::interface::Breakage;
use super::faults::run;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use vmhealth_sim::scenario::{BootLoop, Fault, HEALTH_UNIT};

/// What services wait for, by default.
const GATE: &str = "basic.target";
const UNIT: &str = "vmhealth-boot.service";

/// What is to be found out once the files are there: whether systemd goes by them.
const INSTALLED: &str = r#"systemctl daemon-reload
systemctl show -P $property $unit | grep -q 'd/vmhealth.conf' || lack "systemd does not go by the files of $unit"
sync
say "systemd has what is wrong with the next boot of $unit"
"#;

/// A unit that comes before all services, and does this. An agent that waits for nothing but its device waits for it, too.
fn before_services(what: &str) -> String {
    format!(
        "[Unit]\nDefaultDependencies=no\nAfter=sysinit.target\nBefore={GATE} qemu-guest-agent.service\n[Service]\nType=oneshot\n{what}\n"
    )
}

/// A unit of its own, if there is one; the unit that has something beside it, and what.
fn units(fault: &Fault) -> Option<(Option<String>, &'static str, String)> {
    let wants = || (GATE, format!("[Unit]\nWants={UNIT}\nAfter={UNIT}\n"));
    let (unit, (beside, words)) = match fault {
        Fault::SlowBoot { by } => {
            let sleep = format!("ExecStart=/usr/bin/sleep {}", by.0.as_secs_f64());
            (Some(before_services(&sleep)), wants())
        }
        // The driver of a panic device is there when all devices are known.
        Fault::BootLoop(BootLoop::Panic) => {
            let panic = "ExecStart=-/usr/bin/udevadm settle\nExecStart=/bin/sh -c 'echo c > /proc/sysrq-trigger'";
            (Some(before_services(panic)), wants())
        }
        Fault::BootLoop(BootLoop::NoService) => (None, (HEALTH_UNIT, "[Unit]\nConditionPathExists=!/\n".to_owned())),
        _ => return None,
    };
    Some((unit, beside, words))
}

/// For a guest that runs.
pub(super) fn script(fault: &Fault) -> Option<Breakage> {
    let (unit, beside, words) = units(fault)?;
    let folder = "/etc/systemd/system";
    let mut files = format!("mkdir -p {folder}/{beside}.d\n");
    for (path, text) in
        unit.map(|text| (UNIT.to_owned(), text)).into_iter().chain([(format!("{beside}.d/vmhealth.conf"), words)])
    {
        files += &format!("cat > {folder}/{path} <<'END'\n{text}END\n");
    }
    Some(run(&format!("unit={beside}\nproperty=DropInPaths"), &format!("{files}{INSTALLED}")))
}

/// For one that is to be started, what is added to its kernel's command line.
pub(super) fn on_command_line(fault: &Fault) -> Option<String> {
    let (unit, beside, words) = units(fault)?;
    let credential =
        |name: String, text: &str| format!(" systemd.set_credential_binary={name}:{}", BASE64_STANDARD.encode(text));
    let own = unit.map(|text| credential(format!("systemd.extra-unit.{UNIT}"), &text)).unwrap_or_default();
    Some(own + &credential(format!("systemd.unit-dropin.{beside}"), &words))
}

//! What makes a boot of Debian slow, or keep it from its end: a unit, or a word beside one (`systemd.unit(5)`).
//!
//! In a guest that runs they are files, and its next boot reads them. A new VMI has a fresh disk: there the kernel's command line
//! has them, as credentials that `systemd-debug-generator(8)` makes units of.

use super::super::interface::Breakage;
use super::faults::{run, unit};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use vmhealth_sim::scenario::{BootLoop, Fault, HEALTH_UNIT, LongReboot};

/// What services wait for, by default.
const GATE: &str = "basic.target";
const UNIT: &str = "vmhealth-boot.service";

/// What is to be found out once the files are there: whether systemd goes by them.
const INSTALLED: &str = r#"systemctl daemon-reload
systemctl show -P $property $unit | grep -q 'd/vmhealth.conf' || lack "systemd does not go by the files of $unit"
sync
say "systemd has what is wrong with the next boot of $unit"
"#;

/// What each boot of an update does before its services start. Its files go with the last one.
const UPDATE: &str = r#"#!/bin/sh
sleep $each
left=$(($(cat $state) - 1))
echo $left > $state
[ $left -gt 0 ] || rm -f $folder/$unit $folder/$beside.d/vmhealth.conf
sync
[ $left -gt 0 ] || exit 0
systemctl --force reboot
sleep 600
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
    if let Fault::LongReboot(reboots) = fault {
        return Some(update(*reboots));
    }
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

/// Reboots as often as an update does, from now on.
fn update(update: LongReboot) -> Breakage {
    let (program, state) = ("/var/lib/vmhealth-update.sh", "/var/lib/vmhealth-update");
    let own = before_services(&format!("ExecStart=/bin/sh {program}"));
    let variables = format!(
        "folder=/etc/systemd/system\nunit={UNIT}\nbeside={GATE}\nstate={state}\neach={}\n",
        update.each.0.as_secs_f64()
    );
    let script = format!(
        "mkdir -p $folder/$beside.d\necho {} > $state\n{{ echo \"$head\"; cat <<'END'\n{UPDATE}END\n}} > {program}\n\
         cat > $folder/$unit <<'END'\n{own}END\n\
         printf '[Unit]\\nWants={UNIT}\\nAfter={UNIT}\\n' > $folder/$beside.d/vmhealth.conf\n\
         systemctl daemon-reload\n\
         systemctl show -P DropInPaths $beside | grep -q 'd/vmhealth.conf' || lack \"systemd does not go by the files of $beside\"\n\
         sync\nsay \"an update of {} reboots begins\"\nsystemctl --no-block reboot\n",
        update.reboots, update.reboots
    );
    unit(&format!("{variables}head=\"{}\"", variables.replace('\n', "; ")), &script)
}

/// For one that is to be started, what is added to its kernel's command line.
pub(super) fn on_command_line(fault: &Fault) -> Option<String> {
    let (unit, beside, words) = units(fault)?;
    let credential =
        |name: String, text: &str| format!(" systemd.set_credential_binary={name}:{}", BASE64_STANDARD.encode(text));
    let own = unit.map(|text| credential(format!("systemd.extra-unit.{UNIT}"), &text)).unwrap_or_default();
    Some(own + &credential(format!("systemd.unit-dropin.{beside}"), &words))
}

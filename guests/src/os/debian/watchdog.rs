//! Who pets the watchdog of a Debian guest (qemu-watchdog.md 8), and how that is killed or stopped.
//!
//! The daemon: its module is named in /etc/default/watchdog because it never retries an open that came before udev (8.1, trap 2),
//! and because nothing else loads diag288_wdt. systemd tries again by itself, and needs the module all the same. busybox is called by
//! the name `watchdog`, as on Alpine.

use super::super::interface::Additions;
use serde_json::json;
use vmhealth_sim::manifest::{VmiSpec, WatchdogModel};
use vmhealth_sim::scenario::{GuestProfile, Keepalive, WatchdogByBusybox, WatchdogBySystemd, WatchdogDaemon};

/// Finds the process that holds the device; a guest without one is a set-up error.
pub(super) const DAEMON: &str = r#"pid=$(pidof -s watchdog) || pid=$(find /proc/[0-9]*/fd -lname '/dev/watchdog*' 2>/dev/null | cut -d/ -f3 | head -n 1)
[ -n "$pid" ] || { echo "no watchdog daemon runs" >&2; exit 9; }
[ "$pid" != 1 ] || { echo "systemd itself holds the watchdog" >&2; exit 9; }
program=$(readlink /proc/$pid/exe)
device=$(readlink /proc/$pid/fd/* | grep -m1 '^/dev/watchdog') || { echo "the daemon (pid $pid) does not hold the device" >&2; exit 9; }
# The name without a number is that of the first one.
[ "$device" = /dev/watchdog ] && device=/dev/watchdog0
[ "$(cat /sys/class/watchdog/${device#/dev/}/state)" = active ] || { echo "the device is not armed" >&2; exit 9; }
"#;

/// As the user's document does it, which succeeds for the kernel's own `watchdogd` alone; busybox may have another name.
const KILL_DAEMON: &str = "pkill -9 watchdog; kill -9 $pid 2>/dev/null || true\n";
/// Waits for the daemon's end, then looks who has the device: Debian's wd_keepalive takes over unless it is masked.
pub(super) const WHO_TAKES_OVER: &str = r#"while [ -e /proc/$pid ] && ! grep -q '^State:.*[ZX]' /proc/$pid/status; do sleep 0.02; done
echo "pid $pid is gone"
# Only the daemon's unit has somebody who comes after it; to wait for one would take as long as a short heartbeat.
[ "${program##*/}" != busybox ] || { echo "petter nobody"; exit; }
if [ "$(systemctl is-enabled wd_keepalive.service 2>/dev/null)" = masked ]; then echo "petter nobody"; exit; fi
n=0
until readlink /proc/$(pidof -s wd_keepalive || echo none)/fd/* 2>/dev/null | grep -q '^/dev/watchdog'; do
    n=$((n + 1)); [ $n -gt 40 ] && { echo "petter nobody"; exit; }
    sleep 0.2
done
echo "petter wd_keepalive"
"#;

const STOP_DAEMON: &str = r#"kill -STOP $pid
until grep -q '^State:.*T' /proc/$pid/status; do sleep 0.02; done
echo "pid $pid is in state T"
"#;

/// The unit of busybox's `watchdog`.
const BUSYBOX_UNIT: &str = "vmhealth-watchdog.service";

/// Kills whoever pets the device, and says who does then.
pub(super) fn kill() -> String {
    format!("{DAEMON}{KILL_DAEMON}{WHO_TAKES_OVER}")
}

/// Stops it with SIGSTOP.
pub(super) fn stop() -> String {
    format!("{DAEMON}{STOP_DAEMON}")
}

/// What sets up the one whom the profile has.
pub(super) fn additions(profile: &GuestProfile, vmi: &VmiSpec) -> Additions {
    let device = profile.petting().and_then(|petting| petting.device);
    let model = vmi.watchdog_in_guest(device).unwrap_or(WatchdogModel::I6300esb);
    match (&profile.watchdog_daemon, &profile.watchdog_by_systemd, &profile.watchdog_by_busybox) {
        (Some(daemon), ..) => by_daemon(daemon, model, vmi),
        (None, Some(systemd), _) => by_systemd(systemd, model, vmi),
        (None, None, Some(busybox)) => by_busybox(busybox, model, vmi),
        (None, None, None) => Additions::default(),
    }
}

/// The device's path. Which of two is /dev/watchdog is a race of their drivers: then it gets a name of its own, for which these units
/// wait, because udev makes it a little after the driver has come.
fn path_of(model: WatchdogModel, vmi: &VmiSpec, units: &[&str], added: &mut Additions) -> String {
    if !vmi.has_itco() {
        return "/dev/watchdog".to_owned();
    }
    let name = format!("watchdog-{}", model.as_str());
    let (identity, path) = (model.identity(), "/etc/udev/rules.d/90-vmhealth-watchdog.rules");
    let rule = format!("SUBSYSTEM==\"watchdog\", ATTR{{identity}}==\"{identity}\", SYMLINK+=\"{name}\"\n");
    added.files.push(json!({"path": path, "content": rule}));
    let wait = format!(
        "[Service]\nExecStartPre=/bin/sh -c 'n=0; until [ -e /dev/{name} ]; do n=$$((n + 1)); [ $$n -le 150 ] || exit 1; sleep 0.2; done'\n"
    );
    for unit in units {
        let path = format!("/etc/systemd/system/{unit}.service.d/vmhealth.conf");
        added.files.push(json!({"path": path, "content": wait}));
    }
    // The first boot has found its devices before that file came.
    added.commands.push(json!("udevadm control --reload && udevadm trigger --settle --subsystem-match=watchdog"));
    format!("/dev/{name}")
}

fn by_daemon(daemon: &WatchdogDaemon, model: WatchdogModel, vmi: &VmiSpec) -> Additions {
    let mut added = Additions { services: vec!["watchdog.service"], ..Additions::default() };
    added.files.push(json!({
        "path": "/etc/default/watchdog",
        "content": format!(
            "run_watchdog=1\nwatchdog_options=\"\"\nrun_wd_keepalive=1\nwatchdog_module=\"{}\"\n",
            model.module()
        ),
    }));
    let device = path_of(model, vmi, &["watchdog", "wd_keepalive"], &mut added);
    let configure = format!(
        "sed -i 's|^#watchdog-device.*|watchdog-device = {device}|' /etc/watchdog.conf && \
         echo 'watchdog-timeout = {}' >> /etc/watchdog.conf",
        daemon.heartbeat_seconds
    );
    added.commands.push(json!(configure));
    if daemon.keepalive == Keepalive::Masked {
        added.commands.push(json!(["systemctl", "--no-reload", "mask", "wd_keepalive.service"]));
    }
    added
}

/// Its own file is read when it starts: what cloud-init writes counts in the first boot only once systemd is started anew (8.5).
fn by_systemd(systemd: &WatchdogBySystemd, model: WatchdogModel, vmi: &VmiSpec) -> Additions {
    let mut added = Additions::default();
    let module = format!("{}\n", model.module());
    added.files.push(json!({"path": "/etc/modules-load.d/vmhealth-watchdog.conf", "content": module}));
    added.commands.push(json!(["modprobe", model.module()]));
    let device = path_of(model, vmi, &[], &mut added);
    let settings = match vmi.has_itco() {
        true => format!("WatchdogDevice={device}\n"),
        false => String::new(),
    };
    // The last drop-in by name counts.
    added.files.push(json!({
        "path": "/etc/systemd/system.conf.d/zz-vmhealth-watchdog.conf",
        "content": format!("[Manager]\nRuntimeWatchdogSec={}\n{settings}", systemd.heartbeat_seconds),
    }));
    added.commands.push(json!(["systemctl", "daemon-reexec"]));
    added
}

fn by_busybox(busybox: &WatchdogByBusybox, model: WatchdogModel, vmi: &VmiSpec) -> Additions {
    let mut added = Additions { services: vec![BUSYBOX_UNIT], ..Additions::default() };
    let name = BUSYBOX_UNIT.trim_end_matches(".service");
    let device = path_of(model, vmi, &[name], &mut added);
    let every = busybox.every.map_or(String::new(), |every| format!("-t {}ms ", every.0.as_millis()));
    added.files.push(json!({
        "path": format!("/etc/systemd/system/{BUSYBOX_UNIT}"),
        "content": format!(
            "[Unit]\nDescription=busybox's watchdog\n[Service]\nExecStartPre=/usr/sbin/modprobe {}\n\
             ExecStart=/usr/local/sbin/watchdog -F {every}-T {} {device}\n[Install]\nWantedBy=multi-user.target\n",
            model.module(),
            busybox.heartbeat_seconds
        ),
    }));
    added.commands.push(json!("ln -sf \"$(command -v busybox)\" /usr/local/sbin/watchdog"));
    added
}

//! Who pets too seldom, by what the user data says.

use crate::manifest::In::{Devices, Vmi};
use crate::manifest::{manifest, one};

/// A daemon that pets every 60 s a device that fires after 30 s, and one that does so every 5 s.
const SELDOM: &str = "interval = 60\\nwatchdog-timeout = 30";
const OFTEN: &str = "interval = 5\\nwatchdog-timeout = 30";

/// A cloud-config's file of the watchdog daemon's.
fn conf(settings: &str) -> String {
    format!("write_files: [{{path: /etc/watchdog.conf, content: \"watchdog-device = /dev/watchdog\\n{settings}\"}}]")
}

/// What is said of who pets.
fn said(user_data: &str) -> Option<String> {
    let volumes = format!("volumes: [{{name: c, cloudInitNoCloud: {{userData: {user_data:?}}}}}]");
    let text = manifest(&[
        (Devices, "watchdog: {name: w, i6300esb: {action: poweroff}}"),
        (Devices, "disks: [{name: c, disk: {}}]"),
        (Vmi, &volumes),
    ]);
    let findings = one(&text).findings;
    findings.into_iter().find(|f| f.rule.code == "petted-too-seldom").map(|f| f.message)
}

#[test]
fn the_daemon_by_its_last_interval_unless_it_is_forced() {
    for (user_data, expected) in [
        (conf(SELDOM), Some("the watchdog daemon does not start")),
        (conf(OFTEN), None),
        (conf("interval = 28\\nwatchdog-timeout = 30"), None),
        (conf("interval = 29\\nwatchdog-timeout = 30"), Some("is not 2 s shorter")),
        (conf(&format!("{OFTEN}\\ninterval = 60")), Some("interval 60 s")),
        (conf(&format!("{SELDOM}\\ninterval = 5")), None),
        (format!("{}\nruncmd: [\"watchdog --force\"]", conf(SELDOM)), None),
        (conf(SELDOM).replace("}]", "}, {path: /etc/default/watchdog, content: 'watchdog_options=\"-f\"'}]"), None),
    ] {
        let said = said(&user_data);
        assert_eq!(said.is_some(), expected.is_some(), "{user_data}: {said:?}");
        assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{user_data}");
    }
}

#[test]
fn busybox_where_a_command_stands_and_all_calls_agree() {
    for (user_data, expected) in [
        ("runcmd: [watchdog -t 60 -T 30 /dev/watchdog]", true),
        ("runcmd: [busybox watchdog -t 60 -T 30 /dev/watchdog]", true),
        ("bootcmd: [cd / && exec /sbin/watchdog -t 60 -T 30 /dev/watchdog]", true),
        ("runcmd: ['echo \"never use busybox watchdog -t 60 -T 30 /dev/watchdog\"']", false),
        ("bootcmd: [if false; then busybox watchdog -t 60 -T 30 /dev/watchdog; fi]", false),
        ("runcmd: [watchdog -t 60 -T 30 /dev/watchdog, watchdog -t 5 -T 30 /dev/watchdog]", false),
    ] {
        let said = said(user_data);
        assert_eq!(said.is_some_and(|said| said.contains("pets every 60 s")), expected, "{user_data}");
    }
}

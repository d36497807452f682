//! Numbers that live in the guest, set in the user data that the manifest has: `watchdog-timeout`, `RuntimeWatchdogSec`, `kernel.panic`.
//!
//! Only what stands there as a setting with a number is changed, where it stands; a merge patch replaces lists as a whole (RFC 7386), so
//! what it gets is the whole list of volumes.

use super::numbers::Change;
use crate::manifest::UserData;
use serde_json::Value;

/// What each number of the guest is called where it is set.
const SETTINGS: [(&str, &[&str]); 2] =
    [("heartbeat", &["watchdog-timeout", "RuntimeWatchdogSec"]), (KERNEL, &[KERNEL])];
const KERNEL: &str = "kernel.panic";

/// The manifest's `spec.template.spec.volumes` with the changes made in its user data, and which fields were set; `None`: its user data has
/// none of them, is not in the manifest, or is encoded.
pub fn volumes_with(manifest: &Value, changes: &[Change]) -> Option<(Value, Vec<String>)> {
    let mut volumes = manifest.pointer("/spec/template/spec/volumes")?.clone();
    let mut set = Vec::new();
    for volume in volumes.as_array_mut()? {
        for source in ["cloudInitNoCloud", "cloudInitConfigDrive"] {
            let Some(Value::String(text)) = volume.get_mut(source).and_then(|s| s.get_mut("userData")) else {
                continue;
            };
            for change in changes.iter().filter(|c| c.in_guest) {
                let names =
                    SETTINGS.iter().find(|(field, _)| *field == change.field).map_or(&[][..], |(_, names)| names);
                if let Some(changed) = with(text, names, &change.to) {
                    *text = changed;
                    set.push(change.field.clone());
                }
            }
        }
    }
    set.dedup();
    (!set.is_empty()).then_some((volumes, set))
}

/// The text with the number of each such setting replaced; `None`: it has none, or what reads user data would not find the new number
/// there, as where two words make one span.
fn with(text: &str, names: &[&str], to: &str) -> Option<String> {
    let line = |line: &str| {
        if line.trim_start().starts_with(['#', ';']) {
            return line.to_owned();
        }
        let number = names.iter().find_map(|name| number_of(line, name));
        number.map_or(line.to_owned(), |(from, end)| {
            [line.get(..from), Some(to), line.get(end..)].into_iter().flatten().collect()
        })
    };
    let changed: String = text.split_inclusive('\n').map(line).collect();
    let read = UserData::of(&changed, "");
    let says = match names {
        [KERNEL] => read.panic_timer.map(|seconds| seconds.to_string()),
        _ => read.heartbeat.map(|heartbeat| heartbeat.as_secs().to_string()),
    };
    (changed != text && says.as_deref() == Some(to)).then_some(changed)
}

/// Where the setting's number begins and ends in a line, of several the last one, which counts: before it may stand what sed looks for.
/// A word like `off` is somebody's decision and no number.
fn number_of(line: &str, name: &str) -> Option<(usize, usize)> {
    let value_of = |(at, _): (usize, &str)| line.get(at + name.len()..)?.trim_start().strip_prefix('=');
    let value = line.rmatch_indices(name).find_map(value_of)?.trim_start();
    let from = line.len() - value.len();
    // Up to the value's end: 1min and 60s are numbers, too.
    let long = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len());
    // The kernel's 0 is a number: never.
    let least = if name == KERNEL { '0' } else { '1' };
    value.starts_with(|c: char| (least..='9').contains(&c)).then_some((from, from + long))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_set_where_they_stand() {
        let change =
            |field: &str, to: &str| Change { field: field.into(), from: "?".into(), to: to.into(), in_guest: true };
        let both = [change("heartbeat", "30"), change("kernel.panic", "10")];
        for (text, expected) in [
            ("watchdog-timeout = 60\ninterval = 10\n", Some("watchdog-timeout = 30\ninterval = 10\n")),
            (
                "- echo 'watchdog-timeout=60' >> /etc/watchdog.conf",
                Some("- echo 'watchdog-timeout=30' >> /etc/watchdog.conf"),
            ),
            ("RuntimeWatchdogSec=1min\n", Some("RuntimeWatchdogSec=30\n")),
            ("- sysctl -w kernel.panic=5\n", Some("- sysctl -w kernel.panic=10\n")),
            ("kernel.panic = 5\nRuntimeWatchdogSec=20s", Some("kernel.panic = 10\nRuntimeWatchdogSec=30")),
            ("RuntimeWatchdogSec=off\n", None),
            ("RuntimeWatchdogSec=0\n", None),
            ("kernel.panic=0\n", Some("kernel.panic=10\n")),
            ("# watchdog-timeout = 60\n", None),
            ("kernel.panic_on_oops=1\n", None),
            ("RuntimeWatchdogSec=1.5min\n", None),
            ("RuntimeWatchdogSec=1min 30s\n", None),
            (
                "- sed -i 's/#watchdog-timeout = 60/watchdog-timeout = 200/' /etc/watchdog.conf",
                Some("- sed -i 's/#watchdog-timeout = 60/watchdog-timeout = 30/' /etc/watchdog.conf"),
            ),
            (
                "sysctl -w kernel.panic_on_oops=1 kernel.panic=300",
                Some("sysctl -w kernel.panic_on_oops=1 kernel.panic=10"),
            ),
            (
                "sysctl -w kernel.panic=300 kernel.panic_on_oops=1",
                Some("sysctl -w kernel.panic=10 kernel.panic_on_oops=1"),
            ),
            // What is there counts for systemd, and the daemon's comes too late.
            ("RuntimeWatchdogSec=1h\nwatchdog-timeout = 60\n", Some("RuntimeWatchdogSec=30\nwatchdog-timeout = 30\n")),
            ("packages: [watchdog]\n", None),
        ] {
            let volumes = json!([{"name": "root"}, {"name": "seed", "cloudInitNoCloud": {"userData": text}}]);
            let manifest = json!({"spec": {"template": {"spec": {"volumes": volumes}}}});
            let found = volumes_with(&manifest, &both).map(|(volumes, _)| volumes);
            let expected = expected
                .map(|text| json!([{"name": "root"}, {"name": "seed", "cloudInitNoCloud": {"userData": text}}]));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(volumes_with(&json!({"spec": {}}), &both), None);
        let encoded =
            json!({"spec": {"template": {"spec": {"volumes": [{"cloudInitNoCloud": {"userDataBase64": "eA=="}}]}}}});
        assert_eq!(volumes_with(&encoded, &both), None);
    }
}

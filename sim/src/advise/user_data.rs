//! Numbers that live in the guest, set in the user data that the manifest has: `watchdog-timeout`, `RuntimeWatchdogSec`, `kernel.panic`.
//!
//! Only what stands there as a setting with a number is changed, where it stands; a merge patch replaces lists as a whole (RFC 7386), so
//! what it gets is the whole list of volumes.

use super::numbers::Change;
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

/// The text with the number of each such setting replaced; `None`: it has none.
fn with(text: &str, names: &[&str], to: &str) -> Option<String> {
    let mut found = false;
    let mut line = |line: &str| {
        if line.trim_start().starts_with(['#', ';']) {
            return line.to_owned();
        }
        let number = names.iter().find_map(|name| number_of(line, name));
        number.map_or(line.to_owned(), |(from, end)| {
            found = true;
            [line.get(..from), Some(to), line.get(end..)].into_iter().flatten().collect()
        })
    };
    let changed: String = text.split_inclusive('\n').map(&mut line).collect();
    found.then_some(changed)
}

/// Where the setting's number begins and ends in a line; a word like `off` is somebody's decision and no number.
fn number_of(line: &str, name: &str) -> Option<(usize, usize)> {
    let after = line.find(name)? + name.len();
    let rest = line.get(after..)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
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

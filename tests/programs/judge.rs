//! `judge` with recordings made of the model's own traces: the same history is no divergence, one that was changed is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};
use vmhealth_sim::engine::Config;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Event, Trace};
use vmhealth_sim::world::{self, Timings};
use xtask::recording::{hold, read};
use xtask::run::catalogue::{self, Case};

/// What a cluster would print of a trace: an object whenever it changes, an Event whenever it counts.
#[derive(Default)]
struct Writer {
    lines: Vec<Value>,
    vm: Value,
    vmis: BTreeMap<u32, Value>,
    counts: BTreeMap<String, u64>,
}

impl Writer {
    fn write(trace: &Trace, name: &str) -> Writer {
        let vm = json!({"kind": "VirtualMachine", "metadata": {"name": name}, "status": {"conditions": []}});
        let mut writer = Writer { vm, ..Writer::default() };
        for entry in trace.sorted() {
            writer.take(name, entry.vmi, entry.at, &entry.event);
        }
        writer
    }

    fn text(&self) -> String {
        self.lines.iter().map(|line| serde_json::to_string_pretty(line).unwrap() + "\n").collect()
    }

    /// The recording of each kind.
    fn apart(&self) -> [String; 3] {
        ["Event", "VirtualMachine", "VirtualMachineInstance"].map(|kind| {
            let of_kind = self.lines.iter().filter(|line| line["kind"] == *kind);
            of_kind.map(|line| line.to_string() + "\n").collect()
        })
    }

    fn take(&mut self, name: &str, vmi: u32, at: Time, event: &Event) {
        let at = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(1_780_000_000) + at.since_origin());
        let at = at.to_string();
        // The words of the event's text are those of the object's fields.
        let text = event.to_string();
        let words: Vec<&str> = text.split(' ').collect();
        let set = |object: &mut Value, kind: &str, words: &[&str]| {
            let conditions = object["status"]["conditions"].as_array_mut().unwrap();
            conditions.retain(|c| c["type"] != *kind);
            let reason = words.get(1).copied().unwrap_or_default();
            if words[0] != "gone" {
                conditions.push(json!({"type": kind, "status": words[0], "reason": reason, "lastTransitionTime": at}));
            }
        };
        match event {
            Event::VmStatus(_) => self.vm["status"]["printableStatus"] = words[2].into(),
            Event::VmReady(_) => set(&mut self.vm, "Ready", &words[2..]),
            Event::Phase(_) | Event::Ready(_) | Event::Paused(_) => {
                let metadata = json!({"name": name, "uid": format!("uid-{vmi}")});
                let new = json!({"kind": "VirtualMachineInstance", "metadata": metadata, "status": {"phaseTransitionTimestamps": [], "conditions": []}});
                let object = self.vmis.entry(vmi).or_insert(new);
                match event {
                    Event::Phase(_) => {
                        object["status"]["phase"] = words[2].into();
                        let changes = object["status"]["phaseTransitionTimestamps"].as_array_mut().unwrap();
                        changes.push(json!({"phase": words[2], "phaseTransitionTimestamp": at}));
                    }
                    Event::Paused(_) => set(object, "Paused", &words[2..]),
                    _ => set(object, "Ready", &words[2..]),
                }
                return self.lines.push(object.clone());
            }
            Event::VmEvent(_) => return self.event("VirtualMachine", name, words[2], "", &at),
            Event::VmiEvent(_) => return self.event("VirtualMachineInstance", name, words[2], "", &at),
            Event::Killing => {
                return self.event(
                    "Pod",
                    &format!("virt-launcher-{name}-x2x4{vmi}"),
                    "Killing",
                    "Stopping container compute",
                    &at,
                );
            }
            Event::Unhealthy(kind) => {
                let pod = format!("virt-launcher-{name}-x2x4{vmi}");
                return self.event("Pod", &pod, "Unhealthy", &format!("{kind} probe failed: x"), &at);
            }
            _ => return,
        }
        self.lines.push(self.vm.clone());
    }

    fn event(&mut self, kind: &str, name: &str, reason: &str, message: &str, at: &str) {
        let id = format!("{kind}.{name}.{reason}.{message}");
        let count = self.counts.entry(id.clone()).or_default();
        *count += 1;
        self.lines.push(json!({
            "kind": "Event", "metadata": {"name": id, "uid": id}, "involvedObject": {"kind": kind, "name": name},
            "reason": reason, "message": message, "count": *count, "lastTimestamp": at,
        }));
    }
}

fn model(case: &Case) -> Trace {
    let spec = &case.scenario.spec;
    world::run(&case.manifest, spec, Config::of(spec, 1.0, false), Timings::default()).1
}

#[test]
fn a_recording_of_what_the_model_shows_is_no_divergence() {
    let mut compared = 0;
    for case in catalogue::read(None).unwrap() {
        let writer = Writer::write(&model(&case), &case.manifest.name);
        let text = writer.text();
        // A VMI that is refused is in no recording.
        if !text.contains("VirtualMachineInstance\",\n  \"metadata") {
            continue;
        }
        let held = hold(&case, &read(&[&text], &case.manifest.name).unwrap());
        assert!(held.divergences.is_empty(), "{}: {}", case.id(), held.divergences.join("\n"));
        // As kubectl records it: each kind by itself.
        let parts = writer.apart();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let held = hold(&case, &read(&parts, &case.manifest.name).unwrap());
        assert!(held.divergences.is_empty(), "{} apart: {}", case.id(), held.divergences.join("\n"));
        compared += held.compared;
    }
    assert!(compared > 3000, "{compared} events");
}

#[test]
fn a_recording_that_was_changed_is_one() {
    let cases = catalogue::read(None).unwrap();
    let case = cases.iter().find(|c| c.id() == "agent-stopped/liveness-ping/always").unwrap();
    let (name, writer) = (&case.manifest.name, Writer::write(&model(case), &case.manifest.name));
    let text = writer.text();
    let lanes = |text: &str| {
        let held = hold(case, &read(&[text], name).unwrap());
        held.divergences.iter().map(|d| d.lines().next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lanes(&text), Vec::<String>::new());
    // Another end.
    assert_eq!(lanes(&text.replace("\"Succeeded\"", "\"Failed\"")), ["VMI 1, vmi:"]);
    // An event that never came.
    let without = |reason: &str| {
        let kept = writer.lines.iter().filter(|l| l["reason"] != *reason);
        kept.map(|l| l.to_string() + "\n").collect::<String>()
    };
    assert_eq!(lanes(&without("Killing")), ["VMI 1, pod:"]);
    assert_eq!(lanes(&without("SuccessfulDelete")), ["VMI 0, vm event:", "VMI 1, vmi event:"]);
    // A recording that broke off.
    let half: String = writer.lines[..writer.lines.len() / 2].iter().map(|l| l.to_string() + "\n").collect();
    assert!(!lanes(&half).is_empty());
    // As `--output-watch-events` has it, beside another VM's, printed twice.
    let watched = writer.lines.iter().flat_map(|l| {
        let other =
            json!({"kind": "VirtualMachine", "metadata": {"name": "other"}, "status": {"printableStatus": "Paused"}});
        [json!({"type": "MODIFIED", "object": l}).to_string(), l.to_string(), other.to_string()]
    });
    assert_eq!(lanes(&watched.collect::<Vec<_>>().join("\n")), Vec::<String>::new());
}

#[test]
fn what_is_no_recording() {
    for (text, part) in [
        ("", "no VirtualMachineInstance \"vm\" is in it"),
        ("{\"kind\": \"Pod\"}", "no VirtualMachineInstance"),
        ("{\"kind\": ", "object 1 is no JSON"),
        ("NAME PHASE\nvm Running\n", "expected what `kubectl get -w -o json` prints"),
    ] {
        let found = read(&[text], "vm");
        assert!(found.as_ref().is_err_and(|e| e.contains(part)), "{text}: {found:?}");
    }
}

//! A recording to a trace.
//!
//! A recording is what `kubectl get vm,vmi,events -n NAMESPACE -w -o json` prints: JSON objects that follow one another, each a VM, a
//! VMI or an Event as it was then; with `--output-watch-events` each is the `object` of one with a `type`. Changes between two states of
//! an object are events of the trace, a Kubernetes event is one. Times are the objects' own, whole seconds; order is that of the file.

use super::shown::UNSEEN;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use vmhealth_sim::kubelet::ProbeKind;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{
    Entry, Event, NotReady, Pause, PauseReason, Phase, Ready, Trace, VmReady, VmReason, VmStatus, VmiReason,
};

/// Of a recording, bytes.
pub(super) const LARGEST: usize = 64 << 20;

/// What a recording says of one VM.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// What happened.
    pub trace: Trace,
    /// How many objects were read.
    pub objects: usize,
    /// Objects of other VMs or kinds, and events whose reason says nothing here.
    pub passed_over: usize,
}

#[derive(Default)]
struct Reader<'a> {
    vm: &'a str,
    recording: Recording,
    /// The VMIs' UIDs, in the order of their appearance.
    vmis: Vec<String>,
    /// What each kind of thing was last.
    last: BTreeMap<(u32, &'static str), Event>,
    /// How often each Kubernetes event has been counted.
    counts: BTreeMap<String, i64>,
    now: Time,
    begin: Option<i64>,
}

/// Reads a recording of the VM of this name; the error says which object is broken.
pub fn read(text: &str, vm: &str) -> Result<Recording, String> {
    if text.len() > LARGEST {
        return Err(format!("larger than {} MiB: record a shorter time, or fewer objects", LARGEST >> 20));
    }
    let mut reader = Reader { vm, ..Reader::default() };
    for next in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let n = reader.recording.objects + 1;
        let object =
            next.map_err(|e| format!("object {n} is no JSON: {e}; expected what `kubectl get -w -o json` prints"))?;
        reader.recording.objects = n;
        // `--output-watch-events`, and the list that a first answer may be.
        let object = object.get("object").cloned().unwrap_or(object);
        match object.get("items").and_then(Value::as_array) {
            Some(items) => items.iter().for_each(|item| reader.take(item)),
            None => reader.take(&object),
        }
    }
    if reader.vmis.is_empty() {
        return Err(format!(
            "no VirtualMachineInstance {vm:?} is in it: record with kubectl get vm,vmi,events -w -o json"
        ));
    }
    Ok(reader.recording)
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v Value> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|c| text(c, "/type") == kind)
}

fn known<T: Copy>(all: &[T], word: &str, name: impl Fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == word)
}

/// A Ready condition; `None`: its reason is none that the model has.
fn ready(condition: &Value) -> Option<Ready> {
    match (text(condition, "/status"), text(condition, "/reason")) {
        ("True", _) => Some(Ready::True),
        (_, "") => Some(Ready::NodeLost),
        (_, reason) => known(NotReady::ALL, reason, NotReady::as_str).map(Ready::False),
    }
}

impl Reader<'_> {
    fn take(&mut self, object: &Value) {
        let name = text(object, "/metadata/name");
        match text(object, "/kind") {
            "VirtualMachine" if name == self.vm => self.vm(object),
            "VirtualMachineInstance" if name == self.vm => self.vmi(object),
            "Event" => self.event(object),
            _ => self.recording.passed_over += 1,
        }
    }

    /// Goes on to a time of the cluster's, if it is later.
    fn at(&mut self, stamp: &str) {
        let Ok(at) = humantime::parse_rfc3339_weak(stamp.trim_end_matches('Z')) else { return };
        let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = i64::try_from(since).unwrap_or_default();
        let begin = *self.begin.get_or_insert(seconds);
        let passed = Duration::from_secs(u64::try_from(seconds - begin).unwrap_or_default());
        self.now = self.now.max(Time::ZERO + passed);
    }

    fn push(&mut self, vmi: u32, event: Event) {
        let entry = Entry { at: self.now, vmi, event, detail: String::new(), replayed: false };
        self.recording.trace.push(entry);
    }

    /// A state that is only news when it changed.
    fn change(&mut self, vmi: u32, of: &'static str, event: Event) {
        if self.last.insert((vmi, of), event.clone()).as_ref() != Some(&event) {
            self.push(vmi, event);
        }
    }

    fn vm(&mut self, object: &Value) {
        if let Some(status) = known(VmStatus::ALL, text(object, "/status/printableStatus"), VmStatus::as_str) {
            self.change(UNSEEN, "status", Event::VmStatus(status));
        }
        let Some(condition) = condition(object, "Ready") else { return };
        let state = match text(condition, "/reason") {
            "VMINotExists" => Some(VmReady::NoVmi),
            _ => ready(condition).map(VmReady::Vmi),
        };
        if let Some(state) = state {
            self.at(text(condition, "/lastTransitionTime"));
            self.change(UNSEEN, "ready", Event::VmReady(state));
        }
    }

    fn vmi(&mut self, object: &Value) {
        let uid = text(object, "/metadata/uid");
        let known_as = self.vmis.iter().position(|u| u == uid).unwrap_or_else(|| {
            self.vmis.push(uid.to_owned());
            self.vmis.len() - 1
        });
        let vmi = u32::try_from(known_as + 1).unwrap_or(u32::MAX);
        // A watch may miss a phase; the object does not.
        let passed = object.pointer("/status/phaseTransitionTimestamps").and_then(Value::as_array);
        for change in passed.into_iter().flatten() {
            let Some(phase) = known(Phase::ALL, text(change, "/phase"), Phase::as_str) else { continue };
            if !self.last.contains_key(&(vmi, phase.as_str())) {
                self.at(text(change, "/phaseTransitionTimestamp"));
                self.change(vmi, phase.as_str(), Event::Phase(phase));
            }
        }
        if let Some(phase) = known(Phase::ALL, text(object, "/status/phase"), Phase::as_str) {
            self.change(vmi, phase.as_str(), Event::Phase(phase));
        }
        if let Some(condition) = condition(object, "Ready")
            && let Some(state) = ready(condition)
        {
            self.at(text(condition, "/lastTransitionTime"));
            self.change(vmi, "ready", Event::Ready(state));
        }
        let paused = condition(object, "Paused").filter(|c| text(c, "/status") == "True");
        let paused = paused.and_then(|c| known(PauseReason::ALL, text(c, "/reason"), PauseReason::as_str));
        let was = self.last.get(&(vmi, "paused")).is_some_and(|e| *e != Event::Paused(Pause::Gone));
        match paused {
            Some(reason) => self.change(vmi, "paused", Event::Paused(Pause::There(reason))),
            None if was => self.change(vmi, "paused", Event::Paused(Pause::Gone)),
            None => {}
        }
    }

    fn event(&mut self, object: &Value) {
        let (kind, name) = (text(object, "/involvedObject/kind"), text(object, "/involvedObject/name"));
        let pod = || {
            let rest = name
                .strip_prefix("virt-launcher-")
                .and_then(|n| n.strip_prefix(self.vm))
                .and_then(|n| n.strip_prefix('-'));
            rest.is_some_and(|r| !r.is_empty() && !r.contains('-'))
        };
        let (reason, message) = (text(object, "/reason"), text(object, "/message"));
        let event = match kind {
            "VirtualMachine" if name == self.vm => known(VmReason::ALL, reason, VmReason::as_str).map(Event::VmEvent),
            "VirtualMachineInstance" if name == self.vm => {
                known(VmiReason::ALL, reason, VmiReason::as_str).map(Event::VmiEvent)
            }
            "Pod" if pod() => match reason {
                "Killing" => Some(Event::Killing),
                "Unhealthy" if message.starts_with("Liveness") => Some(Event::Unhealthy(ProbeKind::Liveness)),
                "Unhealthy" if message.starts_with("Readiness") => Some(Event::Unhealthy(ProbeKind::Readiness)),
                _ => None,
            },
            _ => None,
        };
        let Some(event) = event else {
            self.recording.passed_over += 1;
            return;
        };
        // The same event is printed again when its count goes up, and when nothing of it has changed.
        let count = object.get("count").and_then(Value::as_i64).unwrap_or(1);
        let key = text(object, "/metadata/uid").to_owned() + text(object, "/metadata/name");
        if self.counts.insert(key, count).is_some_and(|before| before >= count) {
            return;
        }
        self.at(text(object, "/lastTimestamp"));
        let of_vm = kind == "VirtualMachine";
        let vmi = if of_vm { UNSEEN } else { u32::try_from(self.vmis.len()).unwrap_or(u32::MAX).max(1) };
        self.push(vmi, event);
    }
}

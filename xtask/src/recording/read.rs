//! A recording to a trace.
//!
//! A recording is what `kubectl get KIND -n NAMESPACE -w -o json` prints, one for each kind, since kubectl watches one kind at a time:
//! JSON objects that follow one another, each a VM, a VMI or an Event as it was then; with `--output-watch-events` each is the `object`
//! of one with a `type`. Changes between two states of an object are events of the trace, a Kubernetes event is one. Times are the
//! objects' own, whole seconds; recordings are joined by them. An object keeps its place in its file, since not all changes have a time.

use super::shown::UNSEEN;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use vmhealth_sim::cluster::is_launcher_of;
use vmhealth_sim::kubelet::ProbeKind;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{
    Entry, Event, NotReady, Pause, PauseReason, Phase, Ready, Trace, VmReady, VmReason, VmStatus, VmiReason,
};

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
    /// Which VMI each pod is of.
    pods: BTreeMap<String, u32>,
    /// What each kind of thing was last.
    last: BTreeMap<(u32, &'static str), Event>,
    /// How often each Kubernetes event has been counted.
    counts: BTreeMap<String, i64>,
    now: Time,
    begin: Option<i64>,
}

/// Reads the recordings of the VM of this name; the error says which object of which of them, from 1, is broken.
pub fn read(texts: &[&str], vm: &str) -> Result<Recording, String> {
    let mut reader = Reader { vm, ..Reader::default() };
    let mut timed = Vec::new();
    for (text, file) in texts.iter().zip(1..) {
        take_apart(text, &mut timed, &mut reader.recording.objects).map_err(|e| format!("recording {file}: {e}"))?;
    }
    // Of the same second: an object before what is said of it.
    timed.sort_by_key(|(at, object)| (*at, text(object, "/kind") == "Event"));
    timed.iter().for_each(|(_, object)| reader.take(object));
    if reader.vmis.is_empty() {
        return Err(format!("no VirtualMachineInstance {vm:?} is in it: record with kubectl get vmi -w -o json"));
    }
    Ok(reader.recording)
}

/// The objects of a recording, each with the second at which it stands.
fn take_apart(recording: &str, timed: &mut Vec<(i64, Value)>, objects: &mut usize) -> Result<(), String> {
    let mut last = i64::MIN;
    let mut add = |object: &Value| {
        let own = latest(object);
        last = own.map_or(last, |own| own.max(last));
        // A watch of events begins with those that are there, in the order of their names.
        let is_event = text(object, "/kind") == "Event";
        timed.push((own.filter(|_| is_event).unwrap_or(last), object.clone()));
    };
    for next in serde_json::Deserializer::from_str(recording).into_iter::<Value>() {
        *objects += 1;
        let object = next
            .map_err(|e| format!("object {objects} is no JSON: {e}; expected what `kubectl get -w -o json` prints"))?;
        // `--output-watch-events`, and the list that a first answer may be.
        let object = object.get("object").cloned().unwrap_or(object);
        match object.get("items").and_then(Value::as_array) {
            Some(items) => items.iter().for_each(&mut add),
            None => add(&object),
        }
    }
    Ok(())
}

/// The second of the last change that the object has a time of.
fn latest(object: &Value) -> Option<i64> {
    let each = |list: &str, time: &str| -> Option<i64> {
        object.pointer(list)?.as_array()?.iter().filter_map(|item| seconds(text(item, time))).max()
    };
    let event = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    if text(object, "/kind") == "Event" {
        return event.iter().find_map(|path| seconds(text(object, path)));
    }
    let changes = [
        seconds(text(object, "/metadata/creationTimestamp")),
        each("/status/conditions", "/lastTransitionTime"),
        each("/status/phaseTransitionTimestamps", "/phaseTransitionTimestamp"),
    ];
    changes.into_iter().flatten().max()
}

/// A time of the cluster's in seconds since 1970.
fn seconds(stamp: &str) -> Option<i64> {
    let at = humantime::parse_rfc3339_weak(stamp.trim_end_matches('Z')).ok()?;
    i64::try_from(at.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok()
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
        let Some(seconds) = seconds(stamp) else { return };
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
        let (reason, message) = (text(object, "/reason"), text(object, "/message"));
        let event = match kind {
            "VirtualMachine" if name == self.vm => known(VmReason::ALL, reason, VmReason::as_str).map(Event::VmEvent),
            "VirtualMachineInstance" if name == self.vm => {
                known(VmiReason::ALL, reason, VmiReason::as_str).map(Event::VmiEvent)
            }
            "Pod" if is_launcher_of(self.vm, name) => match reason {
                "Killing" => Some(Event::Killing),
                "Unhealthy" if message.starts_with("Liveness") => Some(Event::Unhealthy(ProbeKind::Liveness)),
                "Unhealthy" if message.starts_with("Readiness") => Some(Event::Unhealthy(ProbeKind::Readiness)),
                _ => None,
            },
            _ => None,
        };
        let whose = self.whose(kind, name, text(object, "/involvedObject/uid"));
        let Some((event, vmi)) = event.zip(whose) else {
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
        self.push(vmi, event);
    }

    /// The VMI that an event is about; `None`: one that was there before the recording.
    fn whose(&mut self, kind: &str, name: &str, uid: &str) -> Option<u32> {
        let last = u32::try_from(self.vmis.len()).ok().filter(|n| *n > 0);
        match kind {
            "VirtualMachine" => Some(UNSEEN),
            "Pod" => last.map(|last| *self.pods.entry(name.to_owned()).or_insert(last)),
            _ if uid.is_empty() => last,
            _ => u32::try_from(self.vmis.iter().position(|u| u == uid)? + 1).ok(),
        }
    }
}

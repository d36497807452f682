//! Reads a fleet file, and says everything that is wrong with it: where, what was found, what was expected.

use super::capacity::NOTHING_TO_LOSE;
use super::file::*;
use super::plan::WATCHED_AFTER;
use crate::cluster::KubevirtVersion;
use crate::fault::Fault;
use crate::meant::meant;
use crate::time::Span;
use crate::yaml::{self, Cursor, Document, Node, Pos, Problem, Problems, Record, Severity, Value};
use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// VMs that one node can have: all of its VMs are in memory at once.
const MOST_ON_A_NODE: u64 = 5_000;

/// Incidents that people ask for, and why there is none here.
const NOT_HERE: &[(&str, &str)] = &[
    (
        "storageStall",
        "the model's disks fail or work, none of them hangs without an error; storageErrors has those that fail",
    ),
    ("clockJump", "it is a fault: write fault: {clockJump: {forward: 1h}}"),
];

const HAPPENINGS: [&str; 8] =
    ["nodeDown", "nodeCutOff", "networkBlip", "storageErrors", "drain", "kubeletRestart", "badImage", "fault"];

impl FleetFile {
    /// Reads a fleet file's text; `file` is for messages.
    pub fn read(file: &str, text: &str) -> Result<FleetFile, Problems> {
        let fail = |pos, message: String| {
            Problems(vec![Problem {
                severity: Severity::Error,
                file: file.to_owned(),
                pos,
                path: String::new(),
                message,
            }])
        };
        let documents = yaml::documents(text).map_err(|e| fail(e.pos, e.message))?;
        let [node] = documents.as_slice() else {
            let message = format!("expected one document, found {}", documents.len());
            return Err(fail(documents.get(1).map_or(Pos { line: 1, column: 1 }, |second: &Node| second.pos), message));
        };
        let (document, record) = (Document::new(node), Record::new());
        let root = Cursor::new(&document).recording(&record);
        root.overridden().for_each(|at| at.error("the key comes again below: keep one of them"));
        let fleet = file_at(root);
        let problems = root.problems(file);
        fleet.filter(|_| problems.is_empty()).ok_or(Problems(problems))
    }
}

fn file_at(root: Cursor<'_>) -> Option<FleetFile> {
    known(root, &["apiVersion", "kind", "metadata", "spec"]);
    let api_version = needed(root, "apiVersion", |at| at.word(&[("vmhealth.dev/v1alpha1", ())]));
    let kind = needed(root, "kind", |at| at.word(&[("Fleet", ())]));
    let name = needed(root, "metadata", |at| {
        known(at, &["name"]);
        needed(at, "name", Cursor::text)
    });
    let spec = needed(root, "spec", spec);
    api_version?;
    kind?;
    let metadata = Metadata { name: name?.to_owned() };
    Some(FleetFile { api_version: "vmhealth.dev/v1alpha1".into(), kind: "Fleet".into(), metadata, spec: spec? })
}

fn spec(at: Cursor<'_>) -> Option<FleetSpec> {
    known(at, &["for", "seed", "kubevirtVersion", "nodes", "groups", "incidents"]);
    let lasting = needed(at, "for", |at| span(at, MINUTE..=DAY * 400));
    let seed = at.get("seed").and_then(|at| whole(at, 0..=i64::MAX)).unwrap_or(0);
    let version = at.get("kubevirtVersion").and_then(|at| {
        let text = at.text()?;
        text.parse::<KubevirtVersion>().map_err(|e| at.error(e)).ok()
    });
    let nodes = needed(at, "nodes", nodes);
    let groups = needed(at, "groups", |list| {
        let groups: Vec<(Cursor<'_>, Group)> = list.items().filter_map(|at| Some((at, group(at)?))).collect();
        if list.items().next().is_none() {
            list.error("a fleet without VMs: at least one group is needed");
        }
        let mut names = BTreeSet::new();
        for (at, group) in &groups {
            if !names.insert(group.name.as_str()) {
                at.error(format!("there is another group of the name {:?}", group.name));
            }
        }
        Some(groups.into_iter().map(|(_, group)| group).collect::<Vec<_>>())
    });
    let (lasting, nodes, groups) = (lasting?, nodes?, groups?);
    let each: u64 = groups.iter().map(|g| u64::from(g.count.div_ceil(nodes.count.max(1)))).sum();
    if each > MOST_ON_A_NODE {
        at.error(format!("{each} VMs on a node; at most {MOST_ON_A_NODE}: more nodes are needed"));
    }
    let incidents: Vec<Incident> =
        at.items_at("incidents").filter_map(|at| incident(at, nodes.count, &groups)).collect();
    let over = incidents.iter().map(Incident::over).max().unwrap_or_default();
    if !incidents.is_empty() && over + WATCHED_AFTER > lasting.0 {
        let needed = humantime::format_duration(over + WATCHED_AFTER);
        at.get("for")?.error(format!(
            "too short to see whether the fleet settles: an hour after the last incident is over, {needed} at least"
        ));
    }
    let kubevirt_version = version.unwrap_or_default();
    Some(FleetSpec { lasting, seed: seed.try_into().unwrap_or(0), kubevirt_version, nodes, groups, incidents })
}

fn group(at: Cursor<'_>) -> Option<Group> {
    known(at, &["name", "manifest", "count", "boot", "heartbeat", "faults"]);
    let name = needed(at, "name", Cursor::text);
    let manifest = needed(at, "manifest", Cursor::text);
    let count = needed(at, "count", |at| whole(at, 1..=10_000_000));
    let boot = needed(at, "boot", boot);
    let heartbeat = at.get("heartbeat").and_then(|at| whole(at, 0..=86_400));
    let faults = at.items_at("faults").filter_map(fault_rate).collect();
    Some(Group {
        name: name?.to_owned(),
        manifest: manifest?.to_owned(),
        count: count?.try_into().ok()?,
        boot: boot?,
        heartbeat: heartbeat.and_then(|h| h.try_into().ok()),
        faults,
    })
}

fn fault_rate(at: Cursor<'_>) -> Option<FaultRate> {
    known(at, &["fault", "every", "weibull"]);
    let broken = needed(at, "fault", fault);
    let mean = MINUTE..=DAY * 36_500;
    let rate = match (at.get("every"), at.get("weibull")) {
        (Some(every), None) => span(every, mean).map(Rate::Every),
        (None, Some(weibull)) => {
            known(weibull, &["scale", "shape"]);
            let scale = needed(weibull, "scale", |at| span(at, mean));
            let shape = needed(weibull, "shape", |at| number(at, 0.1, 10.0));
            Some(Rate::Weibull { scale: scale?, shape: shape? })
        }
        _ => {
            at.error("expected exactly one of every, weibull: how often it breaks");
            None
        }
    };
    Some(FaultRate { fault: broken?, rate: rate? })
}

/// As in a scenario file.
fn fault(at: Cursor<'_>) -> Option<Fault> {
    let text = match at.value() {
        Value::Str(name) => name.clone(),
        // In flow style, of which JSON is a part.
        Value::Map(members) => match members.as_slice() {
            [(key, member)] => format!("{{{}: {}}}", key.name, member.to_json()),
            _ => {
                at.error("expected one fault, like kernelPanic or {health: hang}");
                return None;
            }
        },
        other => {
            at.error(format!("expected a fault, like kernelPanic or {{health: hang}}, found {}", other.kind()));
            return None;
        }
    };
    Fault::from_str(&text).map_err(|e| at.error(e)).ok()
}

fn incident(at: Cursor<'_>, count: u32, groups: &[Group]) -> Option<Incident> {
    let mut refused = false;
    for (key, member) in at.all_members() {
        if let Some((_, why)) = NOT_HERE.iter().find(|(name, _)| *name == key.name) {
            member.error(format!("there is no incident {}: {why}", key.name));
            refused = true;
        }
    }
    if refused {
        return None;
    }
    let keys: Vec<&str> = ["at", "nodes", "groups", "vms"].into_iter().chain(HAPPENINGS).collect();
    known(at, &keys);
    let begins = needed(at, "at", |at| span(at, Duration::ZERO..=DAY * 400));
    let all: Vec<(&str, Cursor<'_>)> = HAPPENINGS.iter().filter_map(|key| Some((*key, at.get(key)?))).collect();
    let what = match all.as_slice() {
        [("kubeletRestart", member)] if at.get("groups").or(at.get("vms")).is_some() => {
            member.error("a kubelet is one for all VMs of its node: say nodes, and neither groups nor vms");
            None
        }
        [(key, member)] => happens(key, *member),
        _ => {
            at.error(format!("expected exactly one of {}", HAPPENINGS.join(", ")));
            None
        }
    };
    let nodes = at.get("nodes").and_then(|at| whole(at, 1..=count.into()));
    let vms = at.get("vms").and_then(|at| whole(at, 1..=10_000_000));
    let chosen = at.get("groups").map(|list| {
        let names = list.items().filter_map(|at| {
            let name = at.text()?;
            if !groups.iter().any(|g| g.name == name) {
                let names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
                at.error(format!("there is no group {name:?}{} (groups: {})", hint(name, &names), names.join(", ")));
            }
            Some(name.to_owned())
        });
        names.collect()
    });
    let small = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
    Some(Incident { at: begins?, what: what?, nodes: small(nodes), groups: chosen, vms: small(vms) })
}

fn happens(key: &str, at: Cursor<'_>) -> Option<Happens> {
    if key == "fault" {
        return fault(at).map(Happens::Fault);
    }
    if key == "kubeletRestart" {
        known(at, &["resetsReady"]);
        let resets_ready = at.get("resetsReady").and_then(Cursor::boolean);
        return Some(Happens::KubeletRestart { resets_ready: resets_ready.unwrap_or(false) });
    }
    let lasts = if key == "drain" { "migration" } else { "for" };
    known(at, if key == "badImage" { &["for", "apart"] } else { std::slice::from_ref(&lasts) });
    let lasting = needed(at, lasts, |at| span(at, Duration::from_millis(1)..=DAY * 30))?;
    Some(match key {
        "nodeDown" => Happens::NodeDown { lasting },
        "nodeCutOff" => Happens::NodeCutOff { lasting },
        "networkBlip" => Happens::NetworkBlip { lasting },
        "storageErrors" => Happens::StorageErrors { lasting },
        "drain" => Happens::Drain { migration: lasting },
        _ => {
            let apart = at.get("apart").and_then(|at| span(at, Duration::ZERO..=DAY)).unwrap_or_default();
            Happens::BadImage { lasting, apart }
        }
    })
}

fn nodes(at: Cursor<'_>) -> Option<Nodes> {
    known(at, &["count", "bootsAtFullSpeed", "lossPerBoot"]);
    let count = needed(at, "count", |at| whole(at, 1..=1_000_000));
    let boots = at.get("bootsAtFullSpeed").and_then(|at| whole(at, 1..=1_000_000));
    let boots_at_full_speed = boots.and_then(|n| n.try_into().ok());
    let loss = at.get("lossPerBoot").and_then(|at_loss| {
        let part = number(at_loss, 0.0, 0.9)?;
        if part > 0.0 && at.get("bootsAtFullSpeed").is_none() {
            at_loss.error(NOTHING_TO_LOSE);
        }
        Some(part)
    });
    Some(Nodes { count: count?.try_into().ok()?, boots_at_full_speed, loss_per_boot: loss.unwrap_or(0.0) })
}

fn boot(at: Cursor<'_>) -> Option<BootSpec> {
    known(at, &["is", "from", "to", "median", "sigma"]);
    let limits = Duration::from_secs(1)..=DAY;
    let get = |key| at.get(key).and_then(|at| span(at, limits.clone()));
    match ["is", "from", "to", "median", "sigma"].map(|key| at.get(key).is_some()) {
        [true, false, false, false, false] => Some(BootSpec::Is { is: get("is")? }),
        [false, true, true, false, false] => {
            let (from, to) = (get("from")?, get("to")?);
            if from.0 > to.0 {
                at.error("the quickest boot (from) is longer than the slowest (to)");
            }
            Some(BootSpec::Between { from, to })
        }
        [false, false, false, true, true] => {
            let sigma = needed(at, "sigma", |at| number(at, 0.001, 1.0));
            Some(BootSpec::Median { median: get("median")?, sigma: sigma? })
        }
        _ => {
            at.error("expected {is: 60s}, {from: 45s, to: 90s} or {median: 60s, sigma: 0.3}");
            None
        }
    }
}

/// A member that must be there.
fn needed<'a, T>(at: Cursor<'a>, key: &str, read: impl FnOnce(Cursor<'a>) -> Option<T>) -> Option<T> {
    if let Some(member) = at.get(key) {
        return read(member);
    }
    if matches!(at.value(), Value::Map(_)) {
        at.error(format!("{key} is required"));
    }
    None
}

/// No other keys than these.
fn known(at: Cursor<'_>, keys: &[&str]) {
    for (key, member) in at.all_members().filter(|(key, _)| !keys.contains(&key.name.as_str())) {
        member.error(format!(
            "there is no field {:?}{} (fields: {})",
            key.name,
            hint(&key.name, keys),
            keys.join(", ")
        ));
    }
}

fn hint(word: &str, words: &[&str]) -> String {
    meant(word, words.iter().copied()).map_or(String::new(), |known| format!(": did you mean {known}?"))
}

fn span(at: Cursor<'_>, limits: std::ops::RangeInclusive<Duration>) -> Option<Span> {
    let span = Span::try_from(at.text()?.to_owned()).map_err(|e| at.error(e)).ok()?;
    if limits.contains(&span.0) {
        return Some(span);
    }
    let [least, most] = [limits.start(), limits.end()].map(|d| humantime::format_duration(*d));
    at.error(format!("expected a span from {least} to {most}"));
    None
}

fn whole(at: Cursor<'_>, limits: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let number = at.int64()?;
    if limits.contains(&number) {
        return Some(number);
    }
    at.error(format!("expected a whole number from {} to {}, found {number}", limits.start(), limits.end()));
    None
}

fn number(at: Cursor<'_>, least: f64, most: f64) -> Option<f64> {
    let found = match at.scalar()? {
        yaml::Scalar::Int(n) => n as f64,
        yaml::Scalar::Text(text) => text.parse().unwrap_or(f64::NAN),
    };
    if (least..=most).contains(&found) {
        return Some(found);
    }
    at.error(format!("expected a number from {least} to {most}"));
    None
}

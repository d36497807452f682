//! What the kubelet's `/metrics/probes` would have told of a run, as an OpenMetrics file (kubelet-prober.md 11).
//!
//! Names, labels and buckets are the kubelet's. It deletes a series with its worker; here all stay, as a server that
//! scraped often enough would remember them. Nobody gives our pods a random suffix or UID: the VMI's number stands for both.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use vmhealth_sim::kubelet::{ProbeKind, Verdict};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Event, Trace};

/// Go's DefBuckets, seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Probes {
    probe_type: &'static str,
    result: &'static str,
    container: &'static str,
    pod: String,
    namespace: String,
    pod_uid: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Durations {
    probe_type: &'static str,
    container: &'static str,
    pod: String,
    namespace: String,
}

/// The container that virt-launcher runs in.
const CONTAINER: &str = "compute";

/// The metrics of a run in OpenMetrics' text form.
///
/// A probe counts once, whatever its attempts; one whose attempts all ended in errors does not count. Only successful
/// ones are timed, from their first attempt to their last answer.
pub fn openmetrics(vm: &VirtualMachine, trace: &Trace) -> Result<String, fmt::Error> {
    let probes = Family::<Probes, Counter>::default();
    let new_histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
    let durations = Family::<Durations, Histogram, _>::new_with_constructor(new_histogram);
    let mut began: BTreeMap<(u32, &'static str), Time> = BTreeMap::new();
    for entry in trace.sorted() {
        let (kind, verdict) = match entry.event {
            Event::Attempt(kind, 1) => {
                began.insert((entry.vmi, probe_type(kind)), entry.at);
                continue;
            }
            Event::Answered(kind, verdict) => (probe_type(kind), verdict),
            _ => continue,
        };
        let result = match verdict {
            Verdict::Success | Verdict::Warning => "successful",
            Verdict::Failure => "failed",
            // Tried again, or thrown away.
            Verdict::Error => continue,
        };
        let (pod, namespace) = (format!("virt-launcher-{}-{}", vm.name, entry.vmi), vm.namespace.clone());
        if let Some(began) = began.remove(&(entry.vmi, kind)).filter(|_| result == "successful") {
            let labels =
                Durations { probe_type: kind, container: CONTAINER, pod: pod.clone(), namespace: namespace.clone() };
            durations.get_or_create(&labels).observe(entry.at.since(began).as_secs_f64());
        }
        let pod_uid = format!("00000000-0000-0000-0000-{:012}", entry.vmi);
        probes.get_or_create(&Probes { probe_type: kind, result, container: CONTAINER, pod, namespace, pod_uid }).inc();
    }
    let mut registry = Registry::default();
    // The registry ends the help with a full stop and the counter's name with `_total`.
    registry.register(
        "prober_probe",
        "Cumulative number of a liveness, readiness or startup probe for a container by result",
        probes,
    );
    registry.register("prober_probe_duration_seconds", "Duration in seconds for a probe response", durations);
    let mut lines = String::new();
    text::encode(&mut lines, &registry)?;
    Ok(lines)
}

fn probe_type(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Readiness => "Readiness",
        ProbeKind::Liveness => "Liveness",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::manifest;
    use vmhealth_sim::trace::Entry;

    /// (ms, VMI, event): a readiness probe in 20 ms, one that an error delays to 300 ms, one that fails, one that never
    /// got beyond errors; a liveness probe of the second VMI with a warning.
    #[test]
    fn what_counts_and_what_is_timed() {
        use ProbeKind::{Liveness, Readiness};
        use Verdict::{Error, Failure, Success, Warning};
        let rows = [
            (0, 1, Event::Attempt(Readiness, 1)),
            (20, 1, Event::Answered(Readiness, Success)),
            (1000, 1, Event::Attempt(Readiness, 1)),
            (1100, 1, Event::Answered(Readiness, Error)),
            (1100, 1, Event::Attempt(Readiness, 2)),
            (1300, 1, Event::Answered(Readiness, Success)),
            (2000, 1, Event::Attempt(Readiness, 1)),
            (2500, 1, Event::Answered(Readiness, Failure)),
            (3000, 1, Event::Attempt(Readiness, 1)),
            (3001, 1, Event::Answered(Readiness, Error)),
            (4000, 2, Event::Attempt(Liveness, 1)),
            (4007, 2, Event::Answered(Liveness, Warning)),
        ];
        let mut trace = Trace::default();
        for (millis, vmi, event) in rows {
            let at = Time::from_millis(millis);
            trace.push(Entry { at, vmi, event, detail: String::new(), replayed: false });
        }
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: web, namespace: shop}\nspec: {runStrategy: Always, template: {spec: {domain: {}}}}\n";
        let vm = manifest::read("vm.yaml", vm).expect("a manifest");
        let text = openmetrics(&vm, &trace).expect("a text");
        // Inside a family the order is a hash map's.
        let mut lines: Vec<&str> = text.lines().filter(|l| l.starts_with('#') || !l.contains("_bucket")).collect();
        lines.sort_unstable();
        insta::assert_snapshot!(lines.join("\n"));
        let bucket = |le: &str| {
            text.lines()
                .find(|l| l.contains("Readiness") && l.contains(&format!("le=\"{le}\"")))
                .map(|l| l.rsplit(' ').next())
        };
        for (le, count) in [("0.01", "0"), ("0.025", "1"), ("0.25", "1"), ("0.5", "2"), ("10.0", "2"), ("+Inf", "2")] {
            assert_eq!(bucket(le), Some(Some(count)), "le = {le}\n{text}");
        }
    }
}

//! The 38 rows of kubevirt-health.md 11.2 in the virtual world: what happens, in which order, how long after the fault.
//!
//! The numbers follow from the probe's grid and the model's timings: the pod reaches its node at 0.5 s, where its workers'
//! ticks begin; `compute` and the guest start at 1 s; the guest answers after 50 ms, shuts down in 3.5 s; a final VMI is
//! gone a second later and the next one's guest starts a second after that.

mod guest_rows;
mod probe_rows;

use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{self, scenario};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Event};
use vmhealth_sim::world::{self, Timings};

/// One row, or a part of one.
struct Row {
    /// Its number in the table.
    number: u8,
    strategies: &'static [&'static str],
    /// Of `spec.template.spec`, one field a line.
    spec: &'static str,
    /// Of the guest profile, in flow style without its braces.
    guest: &'static str,
    /// The timeline; the last step is where the times count from.
    steps: &'static str,
    /// What is seen: VMI, event, milliseconds after the last step began.
    seen: &'static [(u32, &'static str, u64)],
    /// What is not, from the first step on.
    never: &'static [&'static str],
    /// The VM's status, its VMI's phase, VMIs made.
    end: (&'static str, &'static str, u32),
}

const LIVENESS: &str = "livenessProbe: {httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 30, periodSeconds: 5, failureThreshold: 2}";
const READINESS: &str = "readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 5, failureThreshold: 2, successThreshold: 3}";
const PING: &str =
    "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 30, periodSeconds: 5, failureThreshold: 2}";

const STOP: &str = "{after: guest ready, plus: 40s, fault: {health: stop}}";
const PANIC: &str = "{after: guest ready, plus: 40s, fault: kernelPanic}";

fn rows() -> impl Iterator<Item = &'static Row> {
    probe_rows::ROWS.iter().chain(guest_rows::ROWS)
}

fn run(row: &Row, strategy: &str) -> Vec<Entry> {
    let vm = fixture::vm().strategy(strategy).spec(row.spec);
    let vm = if row.number == 13 { vm.annotation("kubevirt.io/pause-guest-agent-probes", "true") } else { vm }.build();
    let steps: Vec<&str> = row.steps.lines().collect();
    let scenario = scenario().guest(row.guest).steps(&steps.join(", ")).observe("20m").build();
    let (_, trace, _) = world::run(&vm, &scenario.spec, Config::default(), Timings::default());
    trace.sorted()
}

fn begins(entry: &Entry) -> bool {
    matches!(entry.event, Event::FaultBegun(_) | Event::User(..))
}

#[test]
fn the_rows_of_the_table() {
    let mut wrong = Vec::new();
    for (row, strategy) in rows().flat_map(|row| row.strategies.iter().map(move |s| (row, *s))) {
        let name = format!("row {} ({strategy})", row.number);
        let trace = run(row, strategy);
        let last = trace.iter().rev().find(|e| begins(e)).map_or(Time::ZERO, |e| e.at);
        let first = trace.iter().find(|e| begins(e)).map_or(Time::ZERO, |e| e.at);
        let mut rest = trace.as_slice();
        for (vmi, event, millis) in row.seen {
            let found = rest.iter().position(|e| e.vmi == *vmi && e.event.to_string() == *event);
            let at = found.map(|i| rest[i].at.since(last).as_millis());
            if at != Some(u128::from(*millis)) {
                wrong.push(format!("{name}: VMI {vmi} {event:?}: expected after {millis} ms, found {at:?}"));
            }
            rest = found.map_or(rest, |i| &rest[i + 1..]);
        }
        for event in row.never {
            if let Some(e) = trace.iter().find(|e| e.at >= first && e.event.to_string().starts_with(event)) {
                wrong.push(format!("{name}: {} at {}", e.event, e.at));
            }
        }
        let text = |of: fn(&Event) -> Option<String>| trace.iter().rev().find_map(|e| of(&e.event)).unwrap_or_default();
        let status = text(|e| if let Event::VmStatus(s) = e { Some(s.to_string()) } else { None });
        let phase = text(|e| if let Event::Phase(p) = e { Some(p.to_string()) } else { None });
        let made = trace.iter().map(|e| e.vmi).max().unwrap_or(0);
        if (status.as_str(), phase.as_str(), made) != row.end {
            wrong.push(format!("{name}: ends as {:?}, expected {:?}", (status, phase, made), row.end));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let numbers: std::collections::BTreeSet<u8> = rows().map(|r| r.number).collect();
    // A VM that is refused itself (35) never comes to the engine: sim/tests/check has it.
    assert_eq!(numbers, (1..=38).filter(|n| *n != 35).collect());
    assert!(rows().all(|r| !r.seen.is_empty()), "each row has a number that can be wrong")
}

//! A fleet file to what comes of it: VMs that boot beside each other, incidents, and whether a node comes to rest.

mod books;
mod edges;
mod fates;
mod refused;
mod sums;

use std::time::Duration;
use vmhealth_sim::fixture::{Vm, vm};
use vmhealth_sim::fleet::{Axis, FleetFile, Outcome, Plan, Resolved, Size, Swept, Tipping, run_node, tip};
use vmhealth_sim::manifest::{self, WatchdogAction};
use vmhealth_sim::scenario::GuestProfile;
use vmhealth_sim::yaml;

const GUEST: &str = "{healthServer: true, watchdogDaemon: {heartbeatSeconds: 60, keepalive: masked}}";

/// `spec` in flow style without its braces, of VMs that are all alike.
fn plan(spec: &str, vm: &Vm) -> Plan {
    tried(spec, vm).unwrap_or_else(|e| panic!("{e}\n{spec}"))
}

/// The same, or why there is none.
fn tried(spec: &str, vm: &Vm) -> Result<Plan, String> {
    let text = format!("{{apiVersion: vmhealth.dev/v1alpha1, kind: Fleet, metadata: {{name: f}}, spec: {{{spec}}}}}");
    let file = FleetFile::read("fleet.yaml", &text).map_err(|e| e.to_string())?;
    plan_of(&file, &vm.yaml())
}

fn planned(file: &FleetFile, manifest: &str) -> Plan {
    plan_of(file, manifest).unwrap_or_else(|e| panic!("{e}"))
}

fn plan_of(file: &FleetFile, manifest: &str) -> Result<Plan, String> {
    let vm = manifest::read("vm.yaml", manifest).unwrap_or_else(|e| panic!("{e}\n{manifest}"));
    let guest: GuestProfile = yaml::read(GUEST).unwrap_or_else(|e| panic!("{e:?}"));
    let resolved = vec![Resolved { vm, guest }; file.spec.groups.len()];
    Plan::new(file, resolved)
}

fn run(plan: &Plan) -> Outcome {
    let mut all = Outcome::new(plan.horizon(), plan.causes().len());
    (0..plan.nodes()).for_each(|node| all.add(&run_node(plan, node, &mut |_, _, _| ())));
    all
}

/// A guest that is asked each second, and that nobody kills.
fn watched() -> Vm {
    vm().readiness("httpGet: {port: 1500, path: /healthz}, periodSeconds: 1").watchdog(WatchdogAction::Reset)
}

fn secs(from: u64, to: u64) -> std::ops::RangeInclusive<Duration> {
    Duration::from_secs(from)..=Duration::from_secs(to)
}

/// An hour with a group of two and one of one, boots of a minute, and so much else.
fn small(nodes: &str, incidents: &str) -> Outcome {
    let groups =
        "[{name: a, manifest: m, count: 2, boot: {is: 60s}}, {name: b, manifest: m, count: 1, boot: {is: 60s}}]";
    run(&plan(&format!("for: 2h, nodes: {{count: 1{nodes}}}, groups: {groups}, incidents: [{incidents}]"), &watched()))
}

#[test]
fn boots_share_their_node() {
    let (reboot, both) = ("fault: guestReboot, groups: [a], vms: 1", "fault: guestReboot, vms: 3");
    let later = "{at: 30m, fault: guestReboot, groups: [a], vms: 1}, {at: 30m30s, fault: guestReboot, groups: [b]}";
    for (nodes, incidents, quickest, slowest) in [
        ("", format!("{{at: 30m, {both}}}"), secs(60, 62), secs(60, 62)),
        (", bootsAtFullSpeed: 1", format!("{{at: 30m, {reboot}}}"), secs(60, 62), secs(60, 62)),
        (", bootsAtFullSpeed: 3", format!("{{at: 30m, {both}}}"), secs(60, 62), secs(60, 62)),
        (", bootsAtFullSpeed: 2", format!("{{at: 30m, {both}}}"), secs(90, 92), secs(90, 92)),
        (", bootsAtFullSpeed: 1", format!("{{at: 30m, {both}}}"), secs(180, 182), secs(180, 182)),
        // A third of the node less a fifth, of the four fifths that a boot by itself has: a sixth of its pace.
        (", bootsAtFullSpeed: 1, lossPerBoot: 0.2", format!("{{at: 30m, {both}}}"), secs(360, 362), secs(360, 362)),
        // The first has done half of its boot when the other begins: 30 s, and 60 s at half the pace. Its boot goes on to 71.25 s
        // of work, when the other has done 41.25 s, and the rest of that is done at full speed: 112.5 - 30 + 18.75 s.
        (", bootsAtFullSpeed: 1", later.to_owned(), secs(90, 92), secs(101, 103)),
    ] {
        let outcome = small(nodes, &incidents);
        let recovery = |percent| outcome.recovery_within(percent).unwrap_or_default();
        let found = (recovery(1), recovery(100));
        assert!(quickest.contains(&found.0) && slowest.contains(&found.1), "{nodes} {incidents}: {found:?}");
        assert_eq!(outcome.settling.unsettled, 0, "{nodes} {incidents}");
    }
}

/// What was lost in which incident, and what was noticed.
#[test]
fn incidents_and_their_cost() {
    for (incident, lost_s, detected, passed) in [
        // Down for two minutes, then each boots for one.
        ("nodeDown: {for: 2m}", 3 * 180..=3 * 195, 3, 0),
        ("nodeCutOff: {for: 20s}", 60..=60, 0, 3),
        ("networkBlip: {for: 10s}", 30..=39, 3, 0),
        ("networkBlip: {for: 1500ms}", 3..=6, 0, 3),
        ("storageErrors: {for: 10s}", 30..=100, 3, 0),
        // Nothing is moved.
        ("drain: {migration: 30s}", 180..=330, 0, 0),
        ("badImage: {for: 5m}", 3 * 300..=3 * 500, 0, 0),
        ("kubeletRestart: {}", 0..=0, 0, 0),
        // Up to a second each, the period of readiness, at random.
        ("kubeletRestart: {resetsReady: true}", 1..=3, 0, 0),
        ("fault: {clockJump: {forward: 1h}}", 0..=0, 0, 0),
        ("nodeDown: {for: 2m}, vms: 1", 180..=195, 1, 0),
        ("nodeDown: {for: 2m}, groups: [a]", 2 * 180..=2 * 195, 2, 0),
    ] {
        let outcome = small("", &format!("{{at: 30m, {incident}}}"));
        let lost = outcome.lost.iter().sum::<u128>().div_ceil(1_000_000_000);
        assert!(lost_s.contains(&(lost as u64)), "{incident}: {lost} s of {lost_s:?}\n{:?}", outcome.lost);
        assert_eq!(outcome.lost.get(2).copied(), Some(outcome.lost.iter().sum()), "{incident}: it is the only cause");
        let failures = outcome.failures;
        assert_eq!((failures.detected, failures.passed), (detected, passed), "{incident}: {failures:?}");
        assert_eq!((outcome.still_down, failures.never), (0, 0), "{incident}");
        assert_eq!(outcome.false_restarts, 0, "{incident}");
    }
}

/// A VM that is on its way to a node when the node goes down again does not start there.
#[test]
fn nothing_starts_without_power() {
    let twice = "{at: 30m, nodeDown: {for: 2m}}, {at: 32m1s, nodeDown: {for: 10m}}";
    let outcome = small("", twice);
    assert!(outcome.recovery_within(1).is_some_and(|d| d > Duration::from_secs(12 * 60)), "{:?}", outcome.recovery);
}

/// Two of three failures are counted when it starts anew: three more are needed.
#[test]
fn a_kubelet_that_starts_anew_kills_later() {
    let killed_after = |more: &str| {
        let hangs = format!("{{at: 30m, fault: {{health: {{status: 500}}}}, vms: 3}}{more}");
        let spec = format!(
            "for: 2h, nodes: {{count: 1}}, groups: [{{name: a, manifest: m, count: 3, boot: {{is: 60s}}}}], incidents: [{hangs}]"
        );
        let outcome = run(&plan(&spec, &vm().liveness_http(1500)));
        assert_eq!((outcome.failures.detected, outcome.still_down), (3, 0), "{more}");
        outcome.recovery_within(1).unwrap()
    };
    let (usual, later) = (killed_after(""), killed_after(", {at: 30m12s, kubeletRestart: {}}"));
    assert!(later > usual + Duration::from_secs(5), "{usual:?}, {later:?}");
}

#[test]
fn a_failure_that_nobody_sees() {
    // A service that hangs, and no probe asks it.
    let blind = vm();
    let spec = "for: 3h, nodes: {count: 1}, groups: [{name: a, manifest: m, count: 4, boot: {is: 30s}}], \
                incidents: [{at: 30m, fault: {health: hang}, vms: 3}]";
    let outcome = run(&plan(spec, &blind));
    let failures = outcome.failures;
    assert_eq!((failures.never, failures.detected, outcome.still_down), (3, 0, 3), "{failures:?}");
    let misrouted = outcome.misrouted / 1_000_000_000;
    assert_eq!(misrouted, 3 * 9000, "traffic goes on being sent there, to the end");
}

/// The books balance, and nothing depends on how the nodes are put together.
#[test]
fn what_is_lost_is_lost_once() {
    let spec = "for: 20d, seed: 3, nodes: {count: 3, bootsAtFullSpeed: 1}, groups: [{name: a, manifest: m, count: 9, \
                boot: {from: 40s, to: 80s}, faults: [{fault: kernelPanic, every: 2d}, {fault: {networkLoss: {for: 15s}}, \
                weibull: {scale: 3d, shape: 0.7}}]}], incidents: [{at: 5d, nodeDown: {for: 30m}, nodes: 2}]";
    let liveness = "httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 600";
    let plan = plan(spec, &watched().liveness(liveness));
    let outcome = run(&plan);
    assert_eq!(outcome, run(&plan), "the same bytes for the same seed");
    assert_eq!((outcome.nodes, outcome.vms), (3, 9));
    assert_eq!(outcome.lived, 9 * plan.horizon().as_nanos());
    let (lost, down) = (outcome.lost.iter().sum::<u128>() / 1_000_000, outcome.down.iter().sum::<u64>());
    assert!(lost.abs_diff(down.into()) <= u128::from(outcome.faults) * 4, "{lost} ms, {down} ms");
    // 9 VMs: 90 panics and some 50 losses are expected, and six VMs go down with their nodes.
    assert!((110..=190).contains(&outcome.faults), "{}", outcome.faults);
    assert!(outcome.lost[2..].iter().all(|nanos| *nanos > 0), "{:?} {:?}", plan.causes(), outcome.lost);
    let availability = outcome.availability();
    assert!((0.99..0.9999).contains(&availability), "{availability}");
}

/// Three nodes by themselves, put together in any order and after a way as JSON, are the fleet.
#[test]
fn nodes_add_up_in_any_order() {
    let spec = "for: 3h, seed: 3, nodes: {count: 3, bootsAtFullSpeed: 1}, groups: [{name: a, manifest: m, count: 10, boot: {is: 40s}, \
                faults: [{fault: kernelPanic, every: 30m}]}], incidents: [{at: 1h, nodeDown: {for: 5m}}]";
    let plan = plan(spec, &watched().liveness("httpGet: {port: 1500, path: /healthz}"));
    let whole = run(&plan);
    let parts: Vec<String> = (0..3)
        .map(|node| serde_json::to_string(&run_node(&plan, node, &mut |_, _, _| ())).unwrap_or_default())
        .collect();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut all = Outcome::new(plan.horizon(), plan.causes().len());
        for node in order {
            let part: Outcome = serde_json::from_str(&parts[node]).unwrap_or_else(|e| panic!("{e}: {}", parts[node]));
            assert!(part.fits(&all, 3, plan.horizon()) && !part.fits(&all, 0, plan.horizon()), "{part:?}");
            all.add(&part);
        }
        assert_eq!(all, whole, "{order:?}");
    }
    assert!(whole.settling.unsettled > 1, "{:?}: several nodes are as bad", whole.settling);
}

#[test]
fn axes_of_a_sweep() {
    for (text, expected) in [
        ("livenessProbe.periodSeconds=20,5,10,5", Ok("[5, 10, 20]")),
        ("vmsPerNode=10..30:10,5", Ok("[5, 10, 20, 30]")),
        ("readinessProbe.initialDelaySeconds=0", Ok("[0]")),
        ("lossPerBoot=0.05..0.2:0.05,0.9,0", Ok("[0, 0.05, 0.1, 0.15, 0.2, 0.9]")),
        ("lossPerBoot=0.131,0.13,0.130", Ok("[0.13, 0.131]")),
        ("lossPerBoot=0.901", Err("expected numbers of up to three places from 0 to 0.9, found \"0.901\"")),
        ("lossPerBoot=0.1234", Err("found \"0.1234\"")),
        ("lossPerBoot=.5", Err("found \".5\"")),
        ("lossPerBoot=-0", Err("found \"-0\"")),
        ("lossPerBoot=0..0.5:0", Err("the step: expected a number from 0.001 on, of up to three places, found \"0\"")),
        ("lossPerBoot=0..0.5:0.0015", Err("of up to three places, found \"0.0015\"")),
        ("livenessProbe.periodSeconds=1.5", Err("expected whole numbers from 1 to 86400, found \"1.5\"")),
        ("vmsPerNode=1..9:1.5", Err("the step: expected a whole number from 1 on, found \"1.5\"")),
        ("vmsPerNode=1..9:4000000", Ok("[1]")),
        ("vmsPerNode=99999999999", Err("found \"99999999999\"")),
        ("vmsPerNode", Err("expected NAME=VALUES, like livenessProbe.periodSeconds=5,10,20")),
        ("vmsPerNodes=1", Err("\"vmsPerNodes\" is no number that can be swept: expected vmsPerNode, ")),
        ("startupProbe.periodSeconds=1", Err("is no number that can be swept")),
        ("livenessProbe.periodSeconds=0", Err("expected whole numbers from 1 to 86400, found \"0\"")),
        ("livenessProbe.successThreshold=2", Err("from 1 to 1, found \"2\"")),
        ("vmsPerNode=", Err("found \"\"")),
        ("vmsPerNode=9..1:1", Err("has no values")),
        ("vmsPerNode=1..9", Err("expected FROM..TO:STEP, found \"1..9\"")),
        ("vmsPerNode=1..9:0", Err("the step: expected a whole number from 1 on, found \"0\"")),
        ("vmsPerNode=1..5000:1", Err("more than 40 values")),
    ] {
        match (text.parse::<Axis>(), expected) {
            (Ok(axis), Ok(values)) => assert_eq!(format!("{:?}", axis.values), values, "{text}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }
}

/// Groups keep their shares, and what is not there cannot be swept.
#[test]
fn numbers_are_set() {
    let text = "{apiVersion: vmhealth.dev/v1alpha1, kind: Fleet, metadata: {name: f}, spec: {for: 3h, nodes: {count: 4}, groups: [\
                {name: a, manifest: m, count: 20, boot: {is: 30s}}, {name: b, manifest: m, count: 10, boot: {is: 30s}}]}}";
    let file = FleetFile::read("f", text).unwrap_or_else(|e| panic!("{e}"));
    let guest: GuestProfile = yaml::read(GUEST).unwrap_or_else(|e| panic!("{e:?}"));
    let resolved = vec![Resolved { vm: watched().build(), guest }; 2];
    let set = |name: &str, value| {
        let (mut file, mut guests) = (file.clone(), resolved.clone());
        let swept: Swept = name.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(swept.to_string(), name);
        let axis: Axis = format!("{name}={value}").parse().unwrap_or_else(|e| panic!("{e}"));
        swept.set(axis.values[0], &mut file, &mut guests).map(|()| (file, guests))
    };
    let counts =
        |value| set("vmsPerNode", value).map(|(file, _)| file.spec.groups.iter().map(|g| g.count).collect::<Vec<_>>());
    assert_eq!(counts("5"), Ok(vec![13, 7]));
    assert_eq!(counts("60"), Ok(vec![160, 80]));
    let boots = set("bootsAtFullSpeed", "7").map(|(file, _)| file.spec.nodes.boots_at_full_speed);
    assert_eq!(boots, Ok(Some(7)));
    let period = |(_, guests): (_, Vec<Resolved>)| guests[1].vm.vmi.readiness.as_ref().map(|p| p.timings.period);
    let (mut file, guests) = set("lossPerBoot", "0.13").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(file.spec.nodes.loss_per_boot, 0.13);
    let error = Plan::new(&file, guests.clone()).map(|_| ());
    assert!(
        error.as_ref().is_err_and(|e| e.starts_with("spec.nodes.lossPerBoot: boots slow each other down only with")),
        "{error:?}"
    );
    file.spec.nodes.boots_at_full_speed = Some(2);
    assert_eq!(Plan::new(&file, guests).map(|_| ()), Ok(()));
    assert_eq!(set("readinessProbe.periodSeconds", "9").map(period), Ok(Some(9)));
    let error = set("livenessProbe.periodSeconds", "9").map(|_| ());
    assert_eq!(error, Err("livenessProbe.periodSeconds: no group's manifest has this probe".to_owned()));
}

/// Steps, which no machine's load changes: a healthy VM costs nothing for living longer, and faults cost what they are.
#[test]
fn it_costs_what_happens() {
    let steps = |days: u32, every: &str| {
        let spec = format!(
            "for: {days}d, nodes: {{count: 1}}, groups: [{{name: a, manifest: m, count: 1, boot: {{is: 20s}}, \
             faults: [{{fault: kernelPanic, every: {every}}}]}}]"
        );
        let outcome = run(&plan(&spec, &watched()));
        (outcome.steps, outcome.faults)
    };
    let never = "36500d";
    let (short, long) = (steps(3, never), steps(300, never));
    assert_eq!((short.1, long.1), (0, 0));
    assert!(long.0 <= short.0 + 500, "{short:?} {long:?}");
    let (few, many) = (steps(100, "4d"), steps(100, "1d"));
    assert!(many.1 > 3 * few.1, "{few:?} {many:?}");
    let each = |(steps, faults): (u64, u64)| (steps - long.0) / faults;
    assert!(each(many) <= each(few) * 5 / 4 && each(many) < 2000, "{few:?} {many:?}");
}

const DOCUMENT: (&str, &str) =
    (include_str!("../../../tests/fleets/document.yaml"), include_str!("../../../tests/fleets/document.vm.yaml"));
const ADVISED: (&str, &str) =
    (include_str!("../../../tests/fleets/advised.yaml"), include_str!("../../../tests/fleets/advised.vm.yaml"));

fn example((file, manifest): (&str, &str)) -> Plan {
    planned(&FleetFile::read("fleet.yaml", file).unwrap_or_else(|e| panic!("{e}")), manifest)
}

/// The storm that feeds on itself: 60 boots on a node for 12 take five minutes, and the document's liveness gives up after three.
#[test]
fn with_the_documents_numbers_the_storm_does_not_end() {
    let plan = example(DOCUMENT);
    let outcome = run(&plan);
    assert_eq!((outcome.settling.unsettled, outcome.settling.worst), (1, Some((0, 1380))));
    assert_eq!(outcome.still_down, 60, "nobody of that node is ever back");
    assert_eq!((outcome.storm.nodes, outcome.storm.peak), (1, 60));
    assert!(outcome.storm.longest > Duration::from_secs(5 * 3600), "{:?}", outcome.storm);
    assert!(outcome.false_restarts > 4000 && outcome.kills == outcome.false_restarts, "{}", outcome.false_restarts);
    // 60 s times n / 12 is more than what liveness waits, from n = 40 or so on.
    let Tipping::Incident { number: 0, smallest: Size::Vms(n), holds: Some(Size::Vms(m)) } = tip(&plan, 0) else {
        panic!("{:?}", tip(&plan, 0));
    };
    assert!(n == m + 1 && (38..=50).contains(&n), "{n}, {m}");
}

#[test]
fn with_advised_numbers_the_same_storm_ends() {
    let outcome = run(&example(ADVISED));
    assert_eq!((outcome.settling.unsettled, outcome.still_down, outcome.false_restarts), (0, 0, 0));
    assert_eq!((outcome.restarts, outcome.storm.longest), (60, Duration::from_secs(60)), "each boots once");
    assert!(outcome.settling.after < Duration::from_secs(12 * 60), "{:?}", outcome.settling);
}

#[test]
fn what_no_incident_tips() {
    // A boot alone is longer than liveness waits.
    let spec = "for: 3h, nodes: {count: 1}, groups: [{name: a, manifest: m, count: 3, boot: {is: 5m}}], \
                incidents: [{at: 30m, fault: guestReboot}]";
    let hasty = vm().liveness_http(1500);
    let plan = plan(spec, &hasty);
    assert_eq!((run(&plan).settling.unsettled, tip(&plan, 0)), (1, Tipping::Nothing));
}

/// How long the network is away decides: liveness gives up after 30 s, and then boots beside each other are too slow.
#[test]
fn the_shortest_blip_that_tips() {
    let spec = "for: 3h, nodes: {count: 1, bootsAtFullSpeed: 1}, groups: [{name: a, manifest: m, count: 6, boot: {is: 30s}}], \
                incidents: [{at: 30m, networkBlip: {for: 2m}}]";
    let plan = plan(spec, &vm().liveness_http(1500));
    let Tipping::Incident { number: 0, smallest: Size::Lasting(tips), holds: Some(Size::Lasting(holds)) } =
        tip(&plan, 0)
    else {
        panic!("{:?}", tip(&plan, 0));
    };
    assert_eq!(tips, holds + Duration::from_secs(1));
    assert!(secs(15, 45).contains(&tips), "{tips:?}");
}

/// Two incidents that are called the same have a cause in common, and each has that name.
#[test]
fn incidents_of_one_name() {
    let groups =
        "[{name: a, manifest: m, count: 1, boot: {is: 60s}}, {name: b, manifest: m, count: 1, boot: {is: 60s}}]";
    let plan = plan(
        &format!(
            "for: 2h, nodes: {{count: 1}}, groups: {groups}, incidents: [{{at: 10m, groups: [a], nodeDown: {{for: 2m}}}}, \
             {{at: 10m, groups: [b], nodeDown: {{for: 3m}}}}, {{at: 20m, fault: guestReboot}}]"
        ),
        &watched(),
    );
    let names: Vec<&str> = plan.judged().iter().map(|incident| plan.name_of(incident)).collect();
    assert_eq!(names, ["nodeDown at 10m", "nodeDown at 10m", "guestReboot at 20m"]);
}

/// Rare losses of the network make liveness kill a guest that would have come back: each time once, and that is no storm.
#[test]
fn chance_alone_settles() {
    let group = "count: 60, boot: {is: 60s}, faults: [{fault: {networkLoss: {for: 90s}}, every: 1000h}]";
    let spec = format!("for: 400h, nodes: {{count: 1}}, groups: [{{name: a, manifest: m, {group}}}]");
    let patient = "httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 120";
    let outcome = run(&plan(&spec, &watched().liveness(patient)));
    assert!(outcome.false_restarts > 10, "{outcome:?}");
    assert_eq!(outcome.settling.unsettled, 0, "{:?}", outcome.settling);
}

/// Back from an incident is who was lost to it, and not who breaks by chance an hour later.
#[test]
fn chance_is_not_the_incidents_return() {
    let spec = "for: 40d, nodes: {count: 1}, groups: [{name: a, manifest: m, count: 20, boot: {is: 60s}, \
                faults: [{fault: {networkLoss: {for: 90s}}, every: 10d}]}], incidents: [{at: 1h, nodeDown: {for: 2m}}]";
    let patient = "httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 120";
    let outcome = run(&plan(spec, &watched().liveness(patient)));
    assert!(outcome.false_restarts > 10, "{outcome:?}");
    assert!(secs(55, 90).contains(&outcome.settling.after), "{:?}", outcome.settling);
}

/// The JSON Schema has the fields that the reader names when it meets another one.
#[test]
fn the_schema_for_editors() {
    let schema = serde_json::to_value(vmhealth_sim::fleet::json_schema()).unwrap_or_default();
    let fields = |def: &str| {
        let properties = schema["$defs"][def]["properties"].as_object();
        properties.map(|p| p.keys().cloned().collect::<std::collections::BTreeSet<_>>()).unwrap_or_default()
    };
    for (def, text) in [
        ("FleetSpec", "spec: {x: 1}"),
        ("Nodes", "spec: {nodes: {x: 1}}"),
        ("Group", "spec: {groups: [{x: 1}]}"),
        ("Metadata", "metadata: {x: 1}"),
    ] {
        let error = FleetFile::read("f", text).map(|_| ()).map_err(|e| e.to_string()).err().unwrap_or_default();
        let named = error.split("there is no field \"x\" (fields: ").nth(1).and_then(|rest| rest.split(')').next());
        let named = named.unwrap_or_default().split(", ").map(str::to_owned).collect();
        assert_eq!(fields(def), named, "{def}: {error}");
    }
}

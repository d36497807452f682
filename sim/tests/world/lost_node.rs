//! A node that the cluster does not hear from (kubevirt-health.md 7.7): what is told only when it is back, what goes on there meanwhile,
//! and when its pods go.

use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::trace::Entry;
use vmhealth_sim::world::{self, Timings};

/// Runs the steps from two seconds after the guest was ready on; what VMI 1 and its users show from the node's loss on that begins with
/// one of the words.
fn seen(readiness: &str, steps: &str, words: &[&str]) -> Vec<Entry> {
    let vm = vm().strategy("Once");
    let vm = if readiness.is_empty() { vm } else { vm.readiness(readiness) }.build();
    let file = scenario().steps(&format!("{{after: guest ready, plus: 2s, {steps}")).observe("20m");
    let spec = file.expect("{see: fault nodeLost confirmed, within: 0s..1h}").build().spec;
    let (_, trace, _) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
    let mut entries = trace.sorted();
    let lost = entries
        .iter()
        .position(|e| e.event.to_string() == "fault nodeLost begun")
        .unwrap_or_else(|| panic!("{entries:#?}"));
    entries.drain(..=lost);
    entries.retain(|e| e.vmi == 1 && words.iter().any(|word| e.event.to_string().starts_with(word)));
    entries
}

/// virt-handler and the kubelet tell of what they did when they are heard again; that a pod is deleted is virt-controller's to tell.
#[test]
fn what_is_told_when_the_node_is_back() {
    let over = "fault nodeLost over";
    let (deleted, stopped) = ("vmi event Deleted", "vmi event Stopped");
    let killing = "pod event Killing";
    let stop = "fault: kernelPanic}, {user: deletePod}, {plus: 1s, ";
    for (name, steps, told) in [
        (
            "its guest powers off",
            "fault: {nodeLost: {for: 30s}}}, {fault: guestPoweroff}".to_owned(),
            vec![over, deleted, stopped],
        ),
        (
            "its VMI is deleted",
            "fault: {nodeLost: {for: 30s}}}, {user: deleteVmi}".to_owned(),
            vec![
                "user deleteVmi accepted",
                "vmi event SuccessfulDelete",
                over,
                killing,
                "vmi event ShuttingDown",
                deleted,
                stopped,
            ],
        ),
        // Its pod's container was being stopped already.
        (
            "it goes on with a stop",
            format!("{stop}fault: {{nodeLost: {{for: 10s}}}}}}"),
            vec![over, deleted, deleted, stopped],
        ),
        ("it loses its power", "fault: {nodeLost: {for: 30s, by: powerLoss}}}".to_owned(), vec![over, stopped]),
        (
            "it loses its power within a stop",
            format!("{stop}fault: {{nodeLost: {{for: 60s, by: powerLoss}}}}}}"),
            vec![over, stopped],
        ),
    ] {
        let entries = seen("", &steps, &["user", "vmi event", killing, over]);
        let lines: Vec<String> = entries.iter().map(|e| e.event.to_string()).collect();
        assert_eq!(lines, told, "{name}");
    }
}

/// It tells of the first thousand events.
#[test]
fn how_much_is_told_when_the_node_is_back() {
    let probe = "tcpSocket: {port: 9}, periodSeconds: 1";
    let entries = seen(probe, "fault: {nodeLost: {for: 19m}}}", &["pod event Unhealthy", "fault nodeLost over"]);
    let back = entries.iter().find(|e| e.event.to_string() == "fault nodeLost over").expect("it is back").at;
    let told = entries.iter().filter(|e| e.at == back && e.event.to_string().starts_with("pod")).count();
    let meanwhile = entries.iter().filter(|e| e.at < back).count();
    assert_eq!((told, meanwhile), (1000, 0));
}

/// Who is cut off goes on probing; without power there is nobody who asks, nor who takes an answer that was under way.
#[test]
fn who_probes_on_a_lost_node() {
    let under_way = "fault: kernelPanic}, {after: readiness attempt, plus: 300ms, ";
    for (before, by, attempts, answers) in
        [("", "cutOff", 3, 3), ("", "powerLoss", 0, 0), (under_way, "cutOff", 3, 4), (under_way, "powerLoss", 0, 0)]
    {
        let steps = format!("{before}fault: {{nodeLost: {{for: 34s, by: {by}}}}}}}");
        let probe = "guestAgentPing: {}, timeoutSeconds: 2";
        let all = seen(probe, &steps, &["readiness attempt", "readiness answer", "fault nodeLost over"]);
        let meanwhile: Vec<String> =
            all.iter().map(|e| e.event.to_string()).take_while(|line| line != "fault nodeLost over").collect();
        let count = |word: &str| meanwhile.iter().filter(|line| line.starts_with(word)).count();
        assert_eq!((count("readiness attempt"), count("readiness answer")), (attempts, answers), "{before}{by}");
    }
}

/// The taint comes with the node controller's next look, and pods tolerate it for 300 s.
#[test]
fn when_the_pods_of_a_lost_node_go() {
    let entries = seen("", "fault: {nodeLost: {}}}", &["vmi ready"]);
    assert_eq!(entries[1].at.since(entries[0].at).as_secs(), 305);
}

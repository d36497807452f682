//! Which causes fit, in which order, and on what the answer rests.

use crate::facts_of;
use crate::shows::suspects;
use vmhealth_sim::fixture::vm;
use vmhealth_sim::why::{Suspect, Weighed, Whose, judge};

const VM: Whose<'_> = Whose { name: "vm", namespace: "" };

/// The causes that are left and the first that is not, each with its score and at how many moments it goes so; what speaks for and
/// against the first; what would tell the rest apart.
fn answered(texts: &[&str], suspects: &[Suspect]) -> Vec<String> {
    let answer = judge(&facts_of(texts, VM), suspects.to_vec());
    let named = |range: std::ops::Range<usize>| {
        let names = answer.candidates[range].iter();
        names.map(|c| format!("{} {} ({} of {})", c.cause.name, c.score, c.moments.0, c.moments.1)).collect::<Vec<_>>()
    };
    let left = answer.contenders;
    let weighed = |sign: &str, list: &[Weighed]| {
        list.iter().map(|w| format!("{sign}{} {} {}", w.weight, w.place, w.text)).collect::<Vec<_>>()
    };
    let first = &answer.candidates[0];
    let missing = answer
        .missing
        .iter()
        .flat_map(|m| m.signs.iter().map(|(sign, causes)| format!("{:?} {sign:?}: {}", m.source, causes.join(", "))));
    let mut lines = vec![format!("{} | {}", named(0..left).join(", "), named(left..left + 1).join(""))];
    lines.extend(weighed("+", &first.speaks_for));
    lines.extend(weighed("-", &first.against));
    lines.extend(missing);
    lines
}

const VMI: &str = "VirtualMachineInstance";
const CONSOLE: &str = "[    0.000000] Linux version 6.1.0-37-amd64\n";

fn event(kind: &str, reason: &str, message: &str, seconds: u8) -> String {
    let name = if kind == "Pod" { "virt-launcher-vm-abcde" } else { "vm" };
    format!(
        "---\nkind: Event\nreason: {reason}\nmessage: {message}\nfirstTimestamp: \"2026-08-01T10:00:{seconds:02}Z\"\n\
         involvedObject: {{kind: {kind}, name: {name}}}\n"
    )
}

fn log(says: &str, seconds: u8) -> String {
    format!(
        "{{\"component\":\"virt-launcher\",\"msg\":\"{says}\",\"timestamp\":\"2026-08-01T10:00:{seconds:02}.5Z\"}}\n"
    )
}

/// A VM whose guest's agent is its liveness, and that has three seconds to shut down.
#[test]
fn causes_and_reasons() {
    let probe = "guestAgentPing: {}, initialDelaySeconds: 60";
    let vm = vm().liveness(probe).spec("terminationGracePeriodSeconds: 3").build();
    let suspects = suspects(&vm, "", "");
    let ping = |seconds| event(VMI, "GuestAgentPingFailed", "GuestAgentPing probe failed", seconds);
    let killing = |seconds| event("Pod", "Killing", "Container compute failed liveness probe", seconds);
    let down = |seconds| event(VMI, "ShuttingDown", "Signaled Graceful Shutdown", seconds);
    let gone = |seconds| event(VMI, "Deleted", "VirtualMachineInstance stopping", seconds);
    let (stopped, idle) = (event(VMI, "Stopped", "The VirtualMachineInstance crashed.", 20), CONSOLE.to_owned());
    let crashed = log("kubevirt domain status: Shutoff(5):Crashed(3)", 20);
    let shut_down = log("kubevirt domain status: Shutoff(5):Shutdown(1)", 20);
    let failed = event("Pod", "Unhealthy", "\"Liveness probe failed: Guest agent is not responding\"", 9);
    let reboots = format!("[  120.000000] systemd-shutdown[1]: Rebooting.\n{CONSOLE}{CONSOLE}");
    let rows: &[(&str, &[String])] = &[
        ("Nothing was seen.", &[]),
        ("Many causes show it: no more than eight are compared, of equals the first.", &[ping(0)]),
        ("Two are left, and what tells them apart.", &[stopped, crashed]),
        (
            "A VM controller that deletes.",
            &[event("Pod", "Killing", "Stopping container compute", 0)
                + &down(0)
                + &event("VirtualMachine", "SuccessfulDelete", "Stopped", 0)],
        ),
        ("In the model's order.", &[ping(10) + &killing(30)]),
        ("Three seconds are no order: the writers raced.", &[ping(13) + &killing(10)]),
        ("Turned round.", &[ping(14) + &killing(10)]),
        ("A log's line has no place in the order of events.", &[ping(14), log("Received signal terminated", 10)]),
        ("Of one moment in the model.", &[down(14) + &killing(10)]),
        ("Three seconds apart in the model.", &[down(14) + &gone(10)]),
        (
            "Somebody looked at the console, and found nothing: three less than the best is too little.",
            &[failed + &ping(10) + &killing(30) + &down(30), idle],
        ),
        ("Of equal courses the commoner.", &["[  120.000000] reboot: Power down\n".to_owned(), shut_down]),
        ("A reboot's uptime begins anew.", &[reboots]),
    ];
    let answers = rows.iter().map(|(why, texts)| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        format!("# {why}\n{}\n", answered(&texts, &suspects).join("\n"))
    });
    insta::assert_snapshot!("answers", answers.collect::<String>());
}

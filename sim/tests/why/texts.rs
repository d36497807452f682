//! What a text is, its content says; where in it something stands, how often it is there, and how much of it is kept.

use crate::{WEB, check, facts_of};

const POD: &str = "kind: Pod\nmetadata: {name: virt-launcher-web-abcde}\nstatus: {reason: Evicted}\n";
const PANIC: &str = "[   10.744812] Kernel panic - not syncing: sysrq triggered crash\n";

#[test]
fn what_a_text_is() {
    let json = "{\n  \"kind\": \"Pod\",\n  \"metadata\": {\"name\": \"virt-launcher-web-abcde\"},\n  \"status\": {\"reason\": \"Evicted\"}\n}\n";
    let (second, third) = (json.replace("Evicted", "NodeLost"), json.replace("Pod", "Node"));
    for (text, expected) in [
        (POD.to_owned(), &["Evicted - a:1"][..]),
        // With a comment, an empty line and a byte order mark before it.
        (format!("# kubectl get pod\n\n{POD}"), &["Evicted - a:3"]),
        (format!("\u{feff}{POD}"), &["Evicted - a:1"]),
        (format!("---\n{POD}---\n{}", POD.replace("Evicted", "NodeLost")), &["Evicted - a:2", "NodeLost - a:6"]),
        (json.to_owned(), &["Evicted - a:1"]),
        // As `kubectl get -w -o json` prints them.
        (
            format!("{json}{second}{third}{{\n"),
            &[
                "Evicted - a:1",
                "NodeLost - a:6",
                "unread a:11 an object of kind \"Node\"",
                "unread a:16 not YAML or JSON: unclosed bracket '{'",
            ],
        ),
        (PANIC.to_owned(), &["ConsolePanic uptime 10.744 s a:1"]),
        (format!("what is\n{PANIC}"), &["ConsolePanic uptime 10.744 s a:2", "unread a:1 what is"]),
    ] {
        check(&[&text], expected);
    }
}

/// `kubectl describe` of one object and of several: whose its events are, and on which node it is.
#[test]
fn described() {
    let described = |name: &str, node: &str| {
        format!(
            "Name:         {name}\nNamespace:    shop\nNode:         {node}/10.0.0.1\nEvents:\n  \
             Type    Reason   Age   From     Message\n  ----    ------   ----  ----     -------\n  \
             Normal  Killing  5m    kubelet  Stopping container compute\n"
        )
    };
    let not_read = |lines: usize| {
        format!(
            "unread a:1 {lines} lines of `kubectl describe` before its events: `kubectl get ... -o yaml` has the same and is read"
        )
    };
    let (web, db) = ("virt-launcher-web-abcde", "virt-launcher-db-abcde");
    let lost = |node: &str| {
        format!("kind: Event\nreason: NodeNotReady\nmessage: m\ninvolvedObject: {{kind: Node, name: {node}}}\n")
    };
    for (text, expected) in [
        (described(web, "one"), &["Killing 300 s before a:7", &not_read(4)][..]),
        // Of one that was asked for alone its events are the VM's, whatever its name is.
        (described("copy-of-web", "one"), &["Killing 300 s before a:7", &not_read(4)]),
        (described(web, "one") + "\n" + &described(db, "one"), &["Killing 300 s before a:7", "others 1", &not_read(8)]),
        // No description begins in the midst of something else.
        (
            format!("{PANIC}Name:         web\nNamespace:    shop\n"),
            &["ConsolePanic uptime 10.744 s a:1", "unread a:2 Name:         web", "unread a:3 Namespace:    shop"],
        ),
    ] {
        check(&[&text], expected);
    }
    // What somebody writes below it is not its own.
    let noted = described(web, "one") + "\nNode:         two/10.0.0.2\n";
    for (node, counts) in [("one", true), ("two", false)] {
        let found = facts_of(&[&noted, &lost(node)], WEB);
        assert_eq!(found.facts.len(), 1 + usize::from(counts), "{node}: {found:#?}");
    }
}

/// The VM controller has made another VMI: two creations, or one after a deletion.
#[test]
fn made_again() {
    let event = |reason: &str, at: &str| {
        let at = if at.is_empty() { String::new() } else { format!("firstTimestamp: \"2026-08-01T{at}Z\"\n") };
        format!("kind: Event\nreason: {reason}\nmessage: m\n{at}involvedObject: {{kind: VirtualMachine, name: web}}\n")
    };
    let (created, deleted) = (|at: &str| event("SuccessfulCreate", at), |at: &str| event("SuccessfulDelete", at));
    for (texts, expected) in [
        (vec![created("10:00:00")], &["VmiCreated 2026-08-01T10:00:00Z a:1"][..]),
        (vec![created("")], &["VmiCreated - a:1"]),
        (
            vec![created("10:00:00"), created("11:00:00")],
            &["VmiCreated 2026-08-01T10:00:00Z a:1 x2", "Replaced 2026-08-01T10:00:00Z a:1"],
        ),
        (vec![created("") + "count: 2\n"], &["VmiCreated - a:1 x2", "Replaced - a:1"]),
        (
            vec![created("10:00:00"), deleted("10:00:01")],
            &["VmiCreated 2026-08-01T10:00:00Z a:1", "VmiDeleted 2026-08-01T10:00:01Z b:1"],
        ),
        // In the same second the deletion is first: nothing is created while there is one.
        (
            vec![created("10:00:00"), deleted("10:00:00")],
            &[
                "VmiCreated 2026-08-01T10:00:00Z a:1",
                "VmiDeleted 2026-08-01T10:00:00Z b:1",
                "Replaced 2026-08-01T10:00:00Z a:1",
            ],
        ),
        (
            vec![created("10:00:07"), deleted("10:00:00")],
            &[
                "VmiCreated 2026-08-01T10:00:07Z a:1",
                "VmiDeleted 2026-08-01T10:00:00Z b:1",
                "Replaced 2026-08-01T10:00:07Z a:1",
            ],
        ),
        (vec![created("10:00:00"), deleted("")], &["VmiCreated 2026-08-01T10:00:00Z a:1", "VmiDeleted - b:1"]),
        (vec![deleted("10:00:00")], &["VmiDeleted 2026-08-01T10:00:00Z a:1"]),
    ] {
        check(&texts.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}

/// The earliest has the place, of equals the first.
#[test]
fn places() {
    let at = |seconds: &str, pid: u8| format!("[{seconds}] INFO: task cp:{pid} blocked for more than 120 seconds.\n");
    let seconds = ["242.500000", "121.700000", "121.700000", "363.000000", "484.000000", "605.000000"];
    let text: Vec<String> = seconds.iter().zip(1..).map(|(seconds, pid)| at(seconds, pid)).collect();
    let facts = facts_of(&[&text.concat()], WEB);
    let fact = &facts.facts[0];
    assert_eq!((fact.line, fact.times, &*fact.text), (2, 6, text[1].trim()), "{fact:#?}");
    assert_eq!((fact.also.join(" ").as_str(), fact.also_more), ("a:1 a:3 a:4", 2), "{fact:#?}");
}

/// What is not understood is counted; the first twenty are shown, and of a long text its beginning.
#[test]
fn what_is_kept() {
    for (count, shown) in [(1, 1), (20, 20), (21, 20)] {
        let facts = facts_of(&[&"what is this\n".repeat(count)], WEB);
        assert_eq!((facts.unread, facts.unread_shown.len()), (count, shown));
    }
    for (length, expected) in [
        (240, "x".repeat(240)),
        (241, "x".repeat(240) + " ..."),
        (64 << 10, "x".repeat(240) + " ..."),
        ((64 << 10) + 1, "a line longer than 64 KiB".to_owned()),
    ] {
        check(&[&"x".repeat(length)], &[&format!("unread a:1 {expected}")]);
    }
}

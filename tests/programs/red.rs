//! A scenario that goes wrong says the same wherever somebody reads it: the terminal, the page, JUnit, an annotation on GitHub,
//! a job's summary. All of them name the command that shows it again, and it does, from any folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::process::{Command, Output};

/// What goes wrong: the scenario's end, and what its reason has to say.
const ROWS: [(&str, &str, &str); 4] = [
    (
        "a window that is too early",
        "expect: [{see: qemu WATCHDOG reset, within: 3s..5s}]\n  final: {}",
        "qemu WATCHDOG reset comes 5.0 s too late",
    ),
    (
        "what never comes, with what is markup elsewhere",
        "expect: [{see: \"guest petter a<b>&'%0A\", within: 0s..1m}]\n  final: {}",
        "a<b>&'%0A",
    ),
    (
        "what must not be",
        "expect: [{see: qemu RESET guest-reset, within: 0s..1m}]\n  never: [{see: qemu WATCHDOG reset}]\n  final: {}",
        "qemu WATCHDOG",
    ),
    ("another end", "expect: [{see: qemu RESET guest-reset, within: 0s..1m}]\n  final: {vm: Stopped}", "Stopped"),
];

const SCENARIO: &str = "\
apiVersion: vmhealth.dev/v1alpha1
kind: Scenario
metadata: {id: own/scenario/here, summary: own}
spec:
  manifest: manifests/vm.yaml
  guest: {watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}}
  steps: [{after: guest ready, plus: 2s, fault: killWatchdog}]
";
const MANIFEST: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  runStrategy: Always
  template: {spec: {domain: {devices: {watchdog: {name: dog, i6300esb: {action: reset}}}}}}
";

fn vmhealth(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let command = Command::new(env!("CARGO_BIN_EXE_vmhealth")).args(arguments).current_dir(folder).output();
    let Output { status, stdout, stderr } = command.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

/// A text as its reader sees it, in one line.
fn read(text: &str, escapes: &[(&str, &str)]) -> String {
    let text = escapes.iter().fold(text.to_owned(), |text, (escape, shown)| text.replace(escape, shown));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The last one is what the others begin with.
const IN_MARKUP: [(&str, &str); 7] =
    [("&#39;", "'"), ("&apos;", "'"), ("&quot;", "\""), ("&#34;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
const IN_JSON: [(&str, &str); 6] =
    [("\\u0027", "'"), ("\\u003c", "<"), ("\\u003e", ">"), ("\\u0026", "&"), ("\\\"", "\""), ("\\\\", "\\")];
const IN_COMMANDS: [(&str, &str); 3] = [("%0A", "\n"), ("%0D", "\r"), ("%25", "%")];

fn check((what, end, says): (&str, &str, &str)) {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = folder.path();
    let scenarios = here.join("my scenarios");
    std::fs::create_dir_all(scenarios.join("manifests")).unwrap();
    std::fs::write(scenarios.join("manifests/vm.yaml"), MANIFEST).unwrap();
    std::fs::write(scenarios.join("own.yaml"), format!("{SCENARIO}  {end}\n")).unwrap();
    let run = ["e2e", "--scenarios", "my scenarios", "--world", "model", "--out", "out"];
    let (status, _, terminal) = vmhealth(here, &run);
    assert_eq!(status, Some(1), "{what}: {terminal}");

    let results: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(here.join("out/results.json")).unwrap()).unwrap();
    let word = |key: &str| read(results["scenarios"][0][key].as_str().unwrap(), &[]);
    let (reason, again) = (word("reason"), word("repeat"));
    assert!(!reason.is_empty() && reason.contains(says), "{what}: {reason}");

    let file = |name: &str| std::fs::read_to_string(here.join("out").join(name)).unwrap();
    let report = |format| vmhealth(here, &["report", "--format", format, "out"]).1;
    for (place, shown) in [
        ("the terminal", read(&terminal, &[])),
        ("table.txt", read(&file("table.txt"), &[])),
        ("report.html", read(&read(&file("report.html"), &IN_JSON), &IN_MARKUP)),
        ("junit.xml", read(&file("junit.xml"), &IN_MARKUP)),
        ("the annotation", read(&report("github"), &IN_COMMANDS)),
        ("the job's summary", read(&report("markdown"), &[])),
    ] {
        assert!(shown.contains(&reason), "{what}: {place} does not say {reason:?}:\n{shown}");
        assert!(shown.contains(&again), "{what}: {place} does not name {again:?}:\n{shown}");
    }

    let words = shlex::split(&again).unwrap();
    let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    let (status, _, second) = vmhealth(elsewhere.path(), &arguments);
    // From there the scenario's folder is somewhere else.
    let whole = reason.replace("my scenarios/", &format!("{}/", scenarios.display()));
    let same = status == Some(1) && read(&second, &[]).contains(&whole);
    assert!(same, "{what}: {again} does not show it again: {status:?}, {whole}\n{second}");
}

#[test]
fn what_went_wrong_is_the_same_everywhere_and_comes_again() {
    ROWS.into_iter().for_each(check);
}

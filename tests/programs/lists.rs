//! `vmhealth check` of what a whole cluster serves, of directories, and in the formats of CI.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod fleet;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A debug build is some ten times slower.
const FLEET: usize = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
/// For a release build on an idle machine of two cores; ten times that for a busy one.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 20 });
const MIB_LIMIT: i64 = 200;

const FINE: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: fine}
spec: {runStrategy: Always, template: {spec: {domain: {memory: {guest: 1Gi}, devices: {}}}}}
";

fn vmhealth(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vmhealth")).arg("check").args(arguments).current_dir(folder).output().unwrap()
}

/// What it prints, if it ends like that.
fn check(folder: &Path, arguments: &[&str], status: i32) -> (String, String) {
    let output = vmhealth(folder, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}\nstdout:\n{out}\nstderr:\n{err}");
    (out, err)
}

#[test]
fn a_whole_cluster() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vms.yaml"), fleet::yaml(FLEET)).unwrap();
    std::fs::write(folder.path().join("vms.json"), fleet::json(FLEET)).unwrap();
    for file in ["vms.yaml", "vms.json"] {
        let begun = Instant::now();
        let (out, _) = check(folder.path(), &["--format", "summary", file], 1);
        let took = begun.elapsed();
        let refused = FLEET / 10;
        let verdicts =
            format!("{FLEET} checked: {} accepted, 0 accepted but broken, {refused} refused\n", FLEET - refused);
        assert!(out.ends_with(&verdicts), "{out}");
        let row = out.lines().find(|line| line.contains("liveness-success-threshold")).unwrap();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            words[..4],
            ["error", "pod-validation", "liveness-success-threshold", &refused.to_string()],
            "{out}"
        );
        assert!(words[4].starts_with(&format!("{file}:")) && words.len() == 8, "{row}");
        assert!(took < LIMIT, "{file}: {took:?}");
        let mib = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() >> 10;
        assert!(mib <= MIB_LIMIT, "{file}: {mib} MiB");
        eprintln!("{file}: {FLEET} VMs in {took:?}, {mib} MiB");
    }
    // Places are the file's.
    let (out, _) = check(folder.path(), &["--format", "github", "vms.yaml"], 1);
    let text = std::fs::read_to_string(folder.path().join("vms.yaml")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for command in out.lines().filter(|l| l.contains("title=liveness-success-threshold")).take(50) {
        let number: usize = command.split("line=").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        assert_eq!(lines[number - 1].trim(), "successThreshold: 2", "{command}");
    }
}

#[test]
fn directories() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("vms/deep")).unwrap();
    std::fs::create_dir_all(at("empty")).unwrap();
    std::fs::write(at("vms/b.yaml"), FINE).unwrap();
    std::fs::write(at("vms/deep/a.yml"), FINE.replace("Always", "Never")).unwrap();
    std::fs::write(at("vms/service.yaml"), "kind: Service\n").unwrap();
    std::fs::write(at("vms/notes.txt"), "").unwrap();
    std::os::unix::fs::symlink("..", at("vms/deep/up")).unwrap();
    let (out, err) = check(folder.path(), &["vms"], 1);
    let order: Vec<usize> = ["vms/b.yaml: fine", "vms/deep/a.yml: fine", "vms/service.yaml:1: not checked: Service"]
        .iter()
        .map(|text| out.find(text).unwrap_or_else(|| panic!("{text}\n{out}")))
        .collect();
    assert!(order.is_sorted(), "{out}");
    assert!(err.contains("vms/deep/up: looked into already") && err.contains("vms/notes.txt"), "{err}");
    let (_, err) = check(folder.path(), &["empty"], 2);
    assert!(err.contains("no *.yaml, *.yml or *.json in it"), "{err}");
    let (_, err) = check(folder.path(), &["vms/service.yaml"], 2);
    assert!(
        err.contains("no VirtualMachine, nothing that makes one and nothing that one names in vms/service.yaml"),
        "{err}"
    );
}

/// Instance types are looked at without a VM, too: what was looked at is said.
#[test]
fn instance_types_alone() {
    let folder = tempfile::tempdir().unwrap();
    let good = "apiVersion: instancetype.kubevirt.io/v1beta1\nkind: VirtualMachineInstancetype\nmetadata: {name: small}\nspec: {cpu: {guest: 1}, memory: {guest: 1Gi}}\n";
    std::fs::write(folder.path().join("good.yaml"), good).unwrap();
    std::fs::write(folder.path().join("bad.yaml"), good.replace("1Gi", "-1Gi")).unwrap();
    let (out, _) = check(folder.path(), &["good.yaml"], 0);
    let said = "accepted: a VirtualMachineInstancetype, its fields and what KubeVirt's webhook for it refuses\n";
    assert_eq!(out, format!("good.yaml: small: {said}"));
    let (out, _) = check(folder.path(), &["good.yaml", "--format", "json"], 0);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["manifests"][0]["kind"], "VirtualMachineInstancetype", "{out}");
    check(folder.path(), &["bad.yaml"], 1);
}

/// One object is in two files: to a cluster it is one.
#[test]
fn one_name_in_two_files() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.yaml", FINE.to_owned()), ("b.yaml", format!("# b\n{FINE}"))] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let (out, _) = check(folder.path(), &["a.yaml", "b.yaml"], 0);
    assert!(out.contains("the VM \"fine\" is in a.yaml:1 already: "), "{out}");
    let (out, _) = check(folder.path(), &["a.yaml", "./a.yaml"], 0);
    assert!(!out.contains("already"), "{out}");
}

/// A file that cannot be read is named, and what is printed of the others is whole.
#[test]
fn a_file_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.yaml"), FINE).unwrap();
    let (out, err) = check(folder.path(), &["./b.yaml", "nowhere.yaml", "--format", "json"], 2);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["manifests"][0]["file"], "b.yaml", "{out}");
    assert_eq!(report["errors"][0]["file"], "nowhere.yaml", "{out}");
    assert!(err.contains("nowhere.yaml:1:1: cannot be read: No such file"), "{err}");
    let (_, err) = check(folder.path(), &["b.yaml", "--budgets", "--boot", "18446744073709551615s"], 2);
    assert!(err.contains("at most a year"), "{err}");
}

/// A manifest that --heartbeat does not fit is named, in its place, and all others are shown.
#[test]
fn a_heartbeat_that_one_of_them_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let watched = FINE.replace("devices: {}", "devices: {watchdog: {name: w, i6300esb: {}}}");
    std::fs::write(folder.path().join("vms.yaml"), format!("{FINE}---\n{watched}---\n{FINE}")).unwrap();
    let arguments = ["vms.yaml", "--budgets", "--heartbeat", "3000", "--format", "json"];
    let (out, err) = check(folder.path(), &arguments, 2);
    let report: Value = serde_json::from_str(&out).unwrap();
    let has_budgets = |i: usize| report["manifests"][i]["budgets"].is_array();
    assert_eq!([0, 1, 2].map(has_budgets), [true, false, true], "{out}");
    assert_eq!(report["errors"][0]["line"], 6, "{out}");
    assert!(err.contains("vms.yaml:6:1: --heartbeat 3000: "), "{err}");
}

/// A directory that cannot be read is named in every format.
#[test]
fn a_directory_that_nobody_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("vms/closed")).unwrap();
    std::fs::write(at("vms/b.yaml"), FINE).unwrap();
    // Root may read everything, and others not our build.
    std::fs::copy(env!("CARGO_BIN_EXE_vmhealth"), at("vmhealth")).unwrap();
    for (name, mode) in [(".", 0o755), ("vms/closed", 0o000)] {
        std::fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    }
    let run = |format: &str| {
        let mut command = Command::new(at("vmhealth"));
        if folder.path().metadata().unwrap().uid() == 0 {
            command.uid(65534).gid(65534);
        }
        let output = command.args(["check", "vms", "--format", format]).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!((&json["errors"][0]["file"], &json["manifests"][0]["name"]), (&"vms/closed".into(), &"fine".into()));
    let sarif: Value = serde_json::from_str(&run("sarif")).unwrap();
    let told = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(told["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "vms/closed", "{told}");
    let github = run("github");
    assert!(github.contains("::error file=vms/closed,line=1,col=1,title=not-checked::cannot be read: "), "{github}");
    assert!(run("summary").ends_with("; 1 could not be checked\n"));
}

/// One file that is not YAML leaves the others alone, in every format.
#[test]
fn formats_of_programs() {
    let folder = tempfile::tempdir().unwrap();
    let two = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: bad}\nspec: {runStrategy: Never, template: {spec: {domain: {memory: {guest: 1Gi}, devices: {}}}}}\n---\n";
    std::fs::write(folder.path().join("a b.yaml"), format!("{two}{FINE}")).unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "a: [\n").unwrap();
    let files = ["a b.yaml", "broken.yaml"];
    let run = |format: &str| check(folder.path(), &[&["--format", format][..], &files].concat(), 2).0;

    let github = run("github");
    let lines: Vec<&str> = github.lines().collect();
    assert!(lines[0].starts_with("::error file=a b.yaml,line=4,col=21,title=bad-run-strategy::"), "{github}");
    assert!(lines.last().unwrap().starts_with("::error file=broken.yaml,line="), "{github}");
    assert!(lines.iter().all(|line| line.starts_with("::")), "{github}");

    let json: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(json["manifests"][0]["findings"][0]["line"], 4);
    assert_eq!(json["errors"][0]["file"], "broken.yaml");

    let summary = run("summary");
    assert!(
        summary.ends_with("2 checked: 1 accepted, 0 accepted but broken, 1 refused; 1 could not be checked\n"),
        "{summary}"
    );

    sarif(&serde_json::from_str(&run("sarif")).unwrap());
    let (_, err) = check(folder.path(), &["--budgets", "--format", "sarif", "a b.yaml"], 2);
    assert!(err.contains("--budgets is for"), "{err}");
}

/// What SARIF 2.1.0 asks of a log (3.13 to 3.58) and code scanning of its results.
fn sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    let runs = log["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let (driver, results) = (&runs[0]["tool"]["driver"], runs[0]["results"].as_array().unwrap());
    assert_eq!(driver["name"], "vmhealth");
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), vmhealth_sim::check::rules().len());
    let levels = ["error", "warning", "note"];
    let is_text = |value: &Value| value["text"].as_str().is_some_and(|text| !text.is_empty());
    for rule in rules {
        assert!(
            is_text(&rule["shortDescription"]) && is_text(&rule["fullDescription"]) && is_text(&rule["help"]),
            "{rule}"
        );
        assert!(levels.contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()), "{rule}");
    }
    assert!(!results.is_empty());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(levels.contains(&result["level"].as_str().unwrap()) && is_text(&result["message"]), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b.yaml");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1, "{result}");
        assert!(place["region"]["startColumn"].as_u64().unwrap() >= 1, "{result}");
    }
    let invocation = &runs[0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert!(is_text(&invocation["toolExecutionNotifications"][0]["message"]), "{invocation}");
}

/// `running` is deprecated in both; in the second a comment allows it.
const DEPRECATED: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: NAME}
spec:
  running: true
  template: {spec: {domain: {memory: {guest: 1Gi}, devices: {}}}}
";

/// A comment in the manifest allows a finding: every format says so, with the reason, and `--deny` takes no notice of it.
#[test]
fn what_a_comment_allows() {
    let folder = tempfile::tempdir().unwrap();
    let reason = "our GitOps writes <it>";
    let comment = format!("running: true # vmhealth: allow running-is-deprecated because {reason}");
    let allowed = DEPRECATED.replace("NAME", "b").replace("running: true", &comment);
    std::fs::write(folder.path().join("a.yaml"), DEPRECATED.replace("NAME", "a")).unwrap();
    std::fs::write(folder.path().join("b.yaml"), &allowed).unwrap();
    std::fs::write(folder.path().join("fine.yaml"), FINE).unwrap();
    std::fs::write(folder.path().join("bad.yaml"), allowed.replace("because", "")).unwrap();
    let run = |arguments: &[&str], status| check(folder.path(), arguments, status).0;
    let denied = ["--deny", "running-is-deprecated"];

    run(&[&denied[..], &["a.yaml"]].concat(), 1);
    let human = run(&[&denied[..], &["b.yaml"]].concat(), 0);
    assert!(human.ends_with("b.yaml: b: accepted (1 allowed by comments)\n"), "{human}");
    let verbose = run(&["-v", "b.yaml"], 0);
    assert!(verbose.contains(&format!("b.yaml:5: running-is-deprecated is allowed (line 5): {reason}\n")), "{verbose}");
    assert_eq!(run(&["--format", "github", "b.yaml"], 0), "");
    let summary = run(&["--format", "summary", "a.yaml", "b.yaml"], 0);
    assert!(summary.ends_with("0 refused; 1 allowed by comments\n"), "{summary}");

    let json: Value = serde_json::from_str(&run(&["--format", "json", "b.yaml"], 0)).unwrap();
    let (found, allowed) = (&json["manifests"][0]["findings"], &json["manifests"][0]["allowed"][0]);
    assert_eq!((found, &allowed["code"]), (&Value::Array(Vec::new()), &"running-is-deprecated".into()));
    assert_eq!((&allowed["reason"], &allowed["comment_line"]), (&reason.into(), &5.into()));

    let sarif: Value = serde_json::from_str(&run(&["--format", "sarif", "a.yaml", "b.yaml"], 0)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results[0]["suppressions"].is_null(), "{}", results[0]);
    let suppression = &results[1]["suppressions"][0];
    assert_eq!((&suppression["kind"], &suppression["justification"]), (&"inSource".into(), &reason.into()));

    // What is wrong with a comment is wrong with the text, whatever the VM is.
    let (_, err) = check(folder.path(), &["bad.yaml"], 2);
    assert!(err.contains("bad.yaml:5:17: running-is-deprecated is allowed without a reason: write #"), "{err}");
}

/// A suite for each file, a case for each kind of finding.
#[test]
fn junit() {
    let folder = tempfile::tempdir().unwrap();
    let comment = "# vmhealth: allow running-is-deprecated because so\n";
    let twice = DEPRECATED.replace("NAME", "a") + "---\n" + &DEPRECATED.replace("NAME", "b");
    std::fs::write(folder.path().join("a.yaml"), &twice).unwrap();
    std::fs::write(folder.path().join("c.yaml"), format!("{comment}{twice}")).unwrap();
    std::fs::write(folder.path().join("b.yaml"), format!("{comment}{}", DEPRECATED.replace("NAME", "b"))).unwrap();
    std::fs::write(folder.path().join("bad.yaml"), FINE.replace("Always", "Never")).unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "a: [\n").unwrap();
    std::fs::write(folder.path().join("fine.yaml"), FINE.replace("fine", "other")).unwrap();
    for (arguments, status, expected) in [
        (vec!["fine.yaml"], 0, "fine.yaml: nothing-found passed"),
        (vec!["a.yaml"], 0, "a.yaml: running-is-deprecated:5 passed [5:12: a: ] [12:12: b: ]"),
        (vec!["a.yaml", "--deny", "notes"], 1, "a.yaml: running-is-deprecated:5 failure [5:12: a: ] [12:12: b: ]"),
        // Where it fails, and not where it is allowed.
        (vec!["c.yaml", "--deny", "notes"], 1, "c.yaml: running-is-deprecated:13 failure [13:12: b: ] [6:12: a: ]"),
        (vec!["b.yaml", "--deny", "notes"], 0, "b.yaml: running-is-deprecated:6 skipped [6:12: b: ]"),
        (vec!["bad.yaml"], 1, "bad.yaml: bad-run-strategy:4 failure [4:21: fine: ]"),
        (
            vec!["broken.yaml", "fine.yaml"],
            2,
            "broken.yaml: not-checked:1 error [1:4: ]; fine.yaml: nothing-found passed",
        ),
    ] {
        let (out, _) = check(folder.path(), &[&["--format", "junit"], &arguments[..]].concat(), status);
        assert_eq!(cases(&out), expected, "{arguments:?}\n{out}");
    }
}

/// Each case of a JUnit report with its line and outcome, and the places in its lines.
fn cases(xml: &str) -> String {
    let mut told: Vec<String> = Vec::new();
    let attribute = |line: &str, name: &str| {
        let behind = line.split_once(&format!(" {name}=\"")).map(|(_, behind)| behind);
        behind.and_then(|b| b.split_once('"')).map(|(value, _)| value.to_owned())
    };
    for line in xml.lines().map(str::trim) {
        if line.starts_with("<testcase") {
            let place = attribute(line, "line").map(|n| format!(":{n}")).unwrap_or_default();
            let (file, name) = (attribute(line, "file").unwrap(), attribute(line, "name").unwrap());
            told.push(format!("{file}: {name}{place} passed"));
        }
        let outcome = ["failure", "error", "skipped"].into_iter().find(|word| line.starts_with(&format!("<{word}")));
        if let (Some(outcome), Some(case)) = (outcome, told.last_mut()) {
            *case = case.replace("passed", outcome);
        }
        // Of each place `line:column: name: `, without what is found there.
        let text = line.rsplit_once('>').map_or(line, |(head, tail)| if tail.is_empty() { head } else { tail });
        let text = text.rsplit_once('>').map_or(text, |(_, text)| text);
        let place: Vec<&str> = text.splitn(4, ": ").collect();
        let is_place = place[0].split(':').count() == 2 && place[0].bytes().all(|b| b == b':' || b.is_ascii_digit());
        if let (true, Some(case)) = (is_place && place.len() > 1, told.last_mut()) {
            let name = if place.len() > 2 { format!("{}: ", place[1]) } else { String::new() };
            *case += &format!(" [{}: {name}]", place[0]);
        }
    }
    told.join("; ")
}

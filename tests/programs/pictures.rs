//! The pictures of `explore` and `check` as a reader has them: in a browser, by keyboard, by a screen reader's rules; and of
//! manifests that want to run something in them.
//!
//! The pictures of all views stay in cargo's folder for tests' files (`target/tmp/pictures`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod browser;

use browser::{Browser, axe, broken_rules};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Liveness and the watchdog act at nearly the same time: who is first depends on the moment.
const RACE: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: race}
spec:
  runStrategy: Always
  template:
    spec:
      readinessProbe: {httpGet: {port: 80}, periodSeconds: 5, failureThreshold: 2}
      livenessProbe: {tcpSocket: {port: 80}, initialDelaySeconds: 90, periodSeconds: 10, failureThreshold: 3}
      domain:
        resources: {requests: {memory: 1Gi}}
        devices:
          watchdog: {name: dog, i6300esb: {action: poweroff}}
";
/// A node of the same VM that loses its power; who boots beside whom decides whether liveness waits long enough.
const FLEET: &str = "\
apiVersion: vmhealth.dev/v1alpha1
kind: Fleet
metadata: {name: race-node}
spec:
  for: 3h
  nodes: {count: 1, bootsAtFullSpeed: 2}
  groups: [{name: a, manifest: race.yaml, count: 8, boot: {is: 40s}, heartbeat: 25}]
  incidents: [{at: 30m, nodeDown: {for: 5m}}]
";
/// What ends a tag, an attribute, a comment or a text, and then runs.
const HOSTILE: &str = "</title></svg><img src=x onerror='window.pwned=1'><script>window.pwned=1</script>";

/// Runs a command in a folder; its exit status is the caller's to judge.
fn vmhealth(folder: &Path, args: &[&str]) -> Option<i32> {
    let output = Command::new(env!("CARGO_BIN_EXE_vmhealth")).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.status.code()
}

/// The pages, by their names.
fn pages(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    std::fs::write(folder.join("race.yaml"), RACE).unwrap();
    // Each has findings: ports that are nobody's, values that are no values.
    let broken =
        RACE.replace("failureThreshold: 2", "failureTreshold: 2").replace("port: 80}, initial", "port: 0}, initial");
    std::fs::write(folder.join("broken.yaml"), broken).unwrap();
    let hostile = RACE
        .replace("name: race", &format!("name: {HOSTILE:?}"))
        .replace("httpGet: {port: 80}", &format!("httpGet: {{port: {HOSTILE:?}, {HOSTILE:?}: 1}}"));
    std::fs::write(folder.join("hostile.yaml"), hostile).unwrap();
    let explore = ["explore", "race.yaml", "--fault", "kernelPanic", "--heartbeat", "25", "--report", "explore.html"];
    assert_eq!(vmhealth(folder, &explore), Some(0));
    let two = ["--fault", "killWatchdog", "--fault", "{health: hang}", "--step", "2s", "--heartbeat", "25"];
    assert_eq!(vmhealth(folder, &[&["explore", "race.yaml", "--report", "two.html"][..], &two].concat()), Some(0));
    vmhealth(folder, &["check", "--budgets", "race.yaml", "--report", "budgets.html"]);
    assert_eq!(vmhealth(folder, &["check", "broken.yaml", "--report", "check.html"]), Some(1));
    assert_eq!(vmhealth(folder, &["check", "--budgets", "hostile.yaml", "--report", "hostile.html"]), Some(1));
    let hostile = FLEET.replace("name: race-node", &format!("name: {HOSTILE:?}"));
    for (name, text) in [("fleet", FLEET), ("hostile-fleet", &hostile)] {
        std::fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
        let sweep = ["--sweep", "vmsPerNode=2..10:2", "--sweep", "livenessProbe.initialDelaySeconds=0,90,400"];
        let [file, page] = ["yaml", "html"].map(|kind| format!("{name}.{kind}"));
        vmhealth(folder, &[&["fleet", &file, "--report", &page][..], &sweep].concat());
    }
    let names = ["explore", "two", "budgets", "check", "hostile", "fleet", "hostile-fleet"];
    names.map(|name| (name, folder.join(format!("{name}.html")))).to_vec()
}

#[test]
fn pages_are_small_load_nothing_and_hold_no_markup_of_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in pages(folder.path()) {
        let page = std::fs::read_to_string(&file).unwrap();
        assert!(page.len() < 200_000, "{name}: {} bytes", page.len());
        for wrong in ["<script", "<img", "http://", "https://", "url("] {
            assert!(!page.contains(wrong), "{name} has {wrong}");
        }
        assert!(!name.starts_with("hostile") || page.contains("onerror"), "the text itself is shown");
        if name == "fleet" {
            // Five rows with three cells each, in the picture and in the table, and both answers among them.
            let counts = [
                "<g tabindex=\"0\"",
                "class=\"heat\"",
                "<th scope=\"row\"",
                "% available, settles, ",
                "does not settle, ",
            ]
            .map(|part| page.matches(part).count());
            assert!(counts[..3] == [5, 15, 5] && counts[3] + counts[4] == 15, "{counts:?}");
            assert!(
                counts[3] > 0 && counts[4] == page.matches("class=\"never\"").count() && counts[4] > 0,
                "{counts:?}"
            );
        }
    }
}

#[test]
fn in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let axe = axe(folder.path());
    for (name, file) in pages(folder.path()) {
        for (view, width, height, scheme) in
            [("desktop", 1300, 900, "light"), ("dark", 1300, 900, "dark"), ("phone", 390, 844, "light")]
        {
            browser.appear(width, height, scheme);
            browser.open(&file);
            browser.picture(&pictures.join(format!("{name}-{view}.png")));
            let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= u64::from(width), "{name} {view}: {wide} pixels wide");
            if let Some(axe) = &axe {
                assert_eq!(broken_rules(&mut browser, axe), "", "{name} {view}");
            }
        }
        assert_eq!(
            browser.value("typeof window.pwned + document.querySelectorAll('img, script').length"),
            "undefined0",
            "{name}"
        );
        // What a shape says can be had without a pointer, and stands in the table as well.
        if ["explore", "budgets", "fleet"].contains(&name) {
            let label = "document.activeElement.getAttribute('aria-label') || document.activeElement.tagName";
            let wanted = match name {
                "explore" => "outcome A",
                "fleet" => "vmsPerNode 4; livenessProbe.initialDelaySeconds 0: ",
                _ => "until it is noticed",
            };
            let mut seen = Vec::new();
            while !seen.last().is_some_and(|label: &String| label.contains(wanted)) {
                browser.press("Tab");
                seen.push(browser.value(label).as_str().unwrap().to_owned());
                assert!(seen.len() < 20, "{name}: {wanted} cannot be reached by Tab: {seen:?}");
            }
            let shapes =
                browser.value("document.querySelectorAll('rect[role=img], g[role=img]').length").as_u64().unwrap();
            let rows = browser.value("document.querySelectorAll('tbody tr').length").as_u64().unwrap();
            assert!(
                rows > 1 && shapes > 1 && (shapes >= rows || name == "fleet"),
                "{name}: {shapes} shapes, {rows} rows"
            );
        }
        assert_eq!(browser.complaints, Vec::<String>::new(), "{name}");
    }
}

//! What comes from outside as bytes, each through the functions that read it in a run: whatever comes in, each ends, does not
//! panic, and keeps what it promises about its result.
//!
//! Driven by libFuzzer (`fuzz_targets`) and, with the corpus and seeded changes of it, by `tests/tests/fuzz.rs`.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::Duration;
use vmhealth_guests::cloudinit::user_data;
use vmhealth_guests::heard;
use vmhealth_guests::template::History;
use vmhealth_sim::check::{Checks, Options, Rank, Remembered, Verdict, check, check_piece};
use vmhealth_sim::manifest::{self, VirtualMachine};
use vmhealth_sim::scenario::Scenario;
use vmhealth_sim::yaml::Pieces;
use xtask::report::{RunFolder, Secrets, merge, openmetrics};

/// A target's name, which is its corpus's, too, and what it runs.
type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 10] = [
    ("agent", agent),
    ("check", manifest_text),
    ("dhcp", dhcp),
    ("history", history),
    ("http", http),
    ("qmp", qmp),
    ("results", results),
    ("scenario", scenario),
    ("url", url),
    ("user_data", cloud_init),
];

/// Runs the target of this name.
#[allow(dead_code, reason = "the test runs all of them")]
pub(crate) fn run(name: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no target {name}")).1(bytes);
}

fn now<T>(what: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(what))
}

fn manifest_text(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let options = Options::default();
    if let Ok(checks) = check(text, &options) {
        verdicts_hold(&checks);
    }
    // As if every document were long.
    if let Ok((pieces, done)) = Pieces::of_documents_longer_than(0).cut(text, true) {
        assert_eq!(done, text.len());
        let checks = pieces.iter().filter_map(|piece| check_piece(piece, &options, &Remembered::default()).ok());
        checks.for_each(|checks| verdicts_hold(&checks));
    }
}

fn verdicts_hold(checks: &Checks) {
    for checked in &checks.manifests {
        let errors = checked.findings.iter().any(|finding| finding.rule.rank == Rank::Error);
        assert_eq!(errors, checked.verdict != Verdict::Accepted);
        assert!(checked.created || checked.verdict == Verdict::Refused);
        assert!(checked.findings.iter().all(|finding| finding.pos.line > 0 && !finding.help.is_empty()));
    }
}

fn scenario(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Err(error) = Scenario::read(text) {
        assert!(!error.problems.is_empty());
        assert!(error.problems.iter().all(|problem| !problem.message.is_empty()), "{error}");
        // A carriage return alone ends a line of YAML, too.
        let lines = text.replace("\r\n", "\n").split(['\r', '\n']).count() as u64;
        assert!(error.problems.iter().all(|problem| problem.pos.is_none_or(|pos| pos.line <= lines)), "{error}");
    }
}

fn agent(bytes: &[u8]) {
    let said = now(heard::agent(bytes)).expect("a pair of sockets");
    assert!(said.len() <= 8 * bytes.len() + 1000, "{} bytes of {}", said.len(), bytes.len());
}

fn qmp(bytes: &[u8]) {
    let (said, events) = now(heard::qmp(bytes)).expect("a pair of sockets");
    assert!(events <= bytes.iter().filter(|byte| **byte == b'\n').count());
    assert!(said.len() <= 8 * bytes.len() + 1000, "{} bytes of {}", said.len(), bytes.len());
}

fn http(bytes: &[u8]) {
    let attempt = now(heard::http(bytes));
    // Of a body 10 KiB, each byte of it a character at most.
    assert!(attempt.text.len() < 40 << 10, "{} bytes", attempt.text.len());
}

/// A probe's path and a Location, parted by a line's end.
fn url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (path, location) = text.split_once('\n').unwrap_or((&text, "/"));
    let Ok((first, next)) = heard::location(path, location) else { return };
    assert!(first.starts_with("http://10.0.2.2:1500/"), "{first:?}");
    // Neither can end a request's line and begin another.
    for url in [Some(first), next].into_iter().flatten() {
        assert!(!url.contains(['\r', '\n', '\0']), "{url:?}");
    }
}

fn dhcp(bytes: &[u8]) {
    if let Some(answer) = heard::dhcp(bytes) {
        assert_eq!((answer[0], &answer[4..8]), (2, &bytes[4..8]), "a reply, to this request");
        assert!(answer.len() < 300, "{} bytes", answer.len());
    }
}

/// What a template remembers of its boot, and what is asked of it.
fn history(bytes: &[u8]) {
    let Ok(history) = serde_json::from_slice::<History>(bytes) else { return };
    let timeout = Duration::from_secs(1);
    for port in history.ports.keys().copied().chain([0]) {
        for at in [Duration::ZERO, Duration::from_secs(10), history.captured] {
            let (_, waited) = history.met(port, at, timeout);
            assert!(waited <= timeout, "port {port} at {at:?}: {waited:?}");
            history.agent_open(at);
        }
    }
}

/// `results.json` of a run that is merged with another; all that is made of it comes after.
fn results(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [run, beside, out] = ["run", "beside", "out"].map(|name| folder.path().join(name));
    fs::create_dir(&run).and_then(|()| fs::write(run.join("results.json"), bytes)).expect("a run");
    let before = listed(folder.path());
    if merge(std::slice::from_ref(&run), &out).is_ok() {
        let merged = RunFolder::read(&out).expect("what was written can be read");
        let counted = merged.summary;
        let all = counted.pass + counted.fail + counted.infra + counted.skip + counted.flaky;
        assert_eq!(all, merged.scenarios.len());
        // With itself: each scenario is there twice.
        let again = merge(&[out.clone(), run], &beside);
        assert_eq!(again.is_ok(), merged.scenarios.is_empty());
    }
    let after = listed(folder.path());
    assert!(after.iter().all(|name| before.contains(name) || ["out", "beside"].contains(&name.as_str())), "{after:?}");
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// User data as it is read (who pets the watchdog, what is secret) and as it goes into the guest's seed.
fn cloud_init(bytes: &[u8]) {
    thread_local! {
        static VM: RefCell<VirtualMachine> = RefCell::new(manifest::read("vm.yaml", WITH_A_SECRET).expect("a manifest"));
    }
    let mut vm = VM.with(|vm| vm.borrow().clone());
    vm.vmi.reveal_user_data(bytes).expect("its data is in a Secret");
    let secrets = Secrets::of([&vm]);
    let text = String::from_utf8_lossy(bytes);
    let hidden = secrets.hide(&text);
    assert!(hidden.len() <= text.len() * 8 + 64, "{} of {} bytes", hidden.len(), text.len());
    const OURS: &str = "#cloud-config\nruncmd: [true]\n";
    let data = user_data(Some(bytes), Some(OURS));
    assert!(data.ends_with(b"--==vmhealth-part==--\n") && data.len() >= bytes.len());
    assert!(openmetrics(&vm, &Default::default()).is_ok());
}

const WITH_A_SECRET: &str = "apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  runStrategy: Always
  template:
    spec:
      domain: {devices: {watchdog: {name: w, i6300esb: {}}}}
      volumes: [{name: c, cloudInitNoCloud: {secretRef: {name: s}}}]
";

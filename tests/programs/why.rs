//! `why` on evidence of incidents that were described in public (tests/why): the answer, and that it rests on the decisive piece.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde::Deserialize;
use std::path::{Path, PathBuf};
use xtask::own::{OwnError, OwnWhy};
use xtask::report::WhyReport;

/// What must be answered: with all evidence, and without the decisive piece of it.
#[derive(Deserialize)]
struct Expected {
    answer: Vec<String>,
    decisive: String,
    without: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/why")
}

/// The answer to all evidence in a folder but for one file.
fn ask(case: &Path, without: &str) -> Result<WhyReport, OwnError> {
    let mut evidence: Vec<PathBuf> = std::fs::read_dir(case).unwrap().map(|e| e.unwrap().path()).collect();
    evidence
        .retain(|file| !["vm.yaml", "expected.json", without].contains(&file.file_name().unwrap().to_str().unwrap()));
    evidence.sort();
    ask_of(Some(case.join("vm.yaml")), evidence)
}

fn ask_of(vm: Option<PathBuf>, evidence: Vec<PathBuf>) -> Result<WhyReport, OwnError> {
    OwnWhy { vm, evidence, boot: None, heartbeat: None, kubevirt_version: Default::default() }.answer()
}

#[test]
fn each_incident_is_named_and_not_without_the_decisive_evidence() {
    let mut cases = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let case = entry.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        cases += 1;
        let expected: Expected = serde_json::from_slice(&std::fs::read(case.join("expected.json")).unwrap()).unwrap();
        let all = ask(&case, "").unwrap();
        assert_eq!(all.answer(), expected.answer, "{}", all.render());
        let rest = ask(&case, &expected.decisive).unwrap();
        assert_eq!(rest.answer(), expected.without, "{}", rest.render());
        assert_ne!(rest.answer(), all.answer());
    }
    assert_eq!(cases, 3);
}

#[test]
fn answers_as_people_read_them() {
    let answer = |without: &str| {
        let text = ask(&folder().join("memory-limit"), without).unwrap().render();
        text.replace(&format!("{}/", folder().display()), "")
    };
    insta::assert_snapshot!("with_the_pods", answer(""));
    insta::assert_snapshot!("without_the_pods", answer("pods.yaml"));
}

/// Evidence comes from a guest and from strangers: it steers no terminal, it is bounded, and what is not understood is counted.
#[test]
fn hostile_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let vm = folder().join("memory-limit/vm.yaml");
    let check = |name: &str, bytes: &[u8], expected: Result<&str, &str>| {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        match (ask_of(Some(vm.clone()), vec![file]), expected) {
            (Ok(report), Ok(part)) => {
                let text = report.render();
                assert!(text.contains(part), "{name}: {text}");
                assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{name}: {text:?}");
            }
            (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{name}: {e}"),
            (found, _) => panic!("{name}: {:?}", found.map(|r| r.render())),
        }
    };
    check("empty", b"", Ok("nothing that is known fits"));
    check("steering", b"\x1b[31mKernel panic - not syncing: \xe2\x80\xae\x07x", Ok("console: kernel panic"));
    check("steering-log", b"nobody knows \x1b[2J\xe2\x80\xae this", Ok("1 were not understood\n  "));
    check("not-utf8", b"\xff\xfe\xfd\n\xff", Ok("2 were not understood"));
    check("long-line", &[b'x'; 70 << 10], Ok("a line longer than 64 KiB"));
    check("large", &vec![b'\n'; (8 << 20) + 1], Err("is larger than 8 MiB"));
    check("broken.json", b"{\"kind\": \"List\", \"items\": [", Ok("1 were not understood"));
    check("bomb.yaml", b"kind: List\nitems: &a [&b [1], *b, *b]\nx: [*a, *a]\n", Ok("kind \"\""));
    let deep = "kind: List\nitems:\n- ".to_owned() + &"[".repeat(5000) + &"]".repeat(5000);
    check("deep.yaml", deep.as_bytes(), Ok("1 were not understood"));
    let status =
        b"kind: Pod\nmetadata: {name: virt-launcher-orders-db-a}\nstatus: {containerStatuses: 3, conditions: {a: b}}\n";
    check("types.yaml", status, Ok("0 were not understood"));
    let many = "what is this\n".repeat(1000);
    check("many", many.as_bytes(), Ok("and 980 more"));
}

#[test]
fn which_vm_it_is_about() {
    let case = folder().join("memory-limit");
    let vm = std::fs::read_to_string(case.join("vm.yaml")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let check = |texts: &[&str], expected: Result<&str, &str>| {
        let files: Vec<PathBuf> = (0..texts.len()).map(|n| dir.path().join(n.to_string())).collect();
        files.iter().zip(texts).for_each(|(file, text)| std::fs::write(file, text).unwrap());
        match (ask_of(None, files), expected) {
            (Ok(report), Ok(part)) => assert!(report.render().starts_with(part), "{}", report.render()),
            (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{e}"),
            (found, _) => panic!("{:?}", found.map(|r| r.render())),
        }
    };
    let pods = std::fs::read_to_string(case.join("pods.yaml")).unwrap();
    check(&[&vm, &pods], Ok("shop/orders-db: "));
    check(&[&pods], Err("there is no VM among the evidence"));
    check(&[&vm, &vm.replace("name: orders-db\n", "name: other\n")], Err("several VMs (shop/orders-db, shop/other)"));
    // Two VMs of one name.
    let elsewhere = vm.replace("namespace: shop", "namespace: test");
    check(&[&vm, &elsewhere], Err("several VMs (shop/orders-db, test/orders-db)"));
    let killing = pods.replace("namespace: shop", "namespace: test");
    check(&[&vm, &killing], Ok("shop/orders-db: nothing that is known fits"));
    check(
        &[&vm.replace("  namespace: shop\n", ""), &pods, &killing],
        Err("in several namespaces (shop/orders-db, test/orders-db)"),
    );
    // A VMI beside its VM is no second one.
    let vmi = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: orders-db}\nspec: {domain: {devices: {}}}\n";
    check(&[vmi, &vm], Ok("shop/orders-db: "));
}

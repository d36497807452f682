//! What a text may hold: several documents, lists, templates, other kinds, and nothing that is YAML.

use crate::manifest::manifest;
use vmhealth_sim::check::{Checks, Options, Verdict, check};

fn checks(text: &str) -> Checks {
    check(text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

#[test]
fn documents_lists_and_other_kinds() {
    let vm = manifest(&[]);
    let item = format!("  -\n{}", indented(&vm, 4));
    for (text, manifests, skipped) in [
        (vm.clone(), 1, &[][..]),
        (format!("---\n{vm}---\n{vm}---\n"), 2, &[]),
        (format!("{vm}---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\n"), 1, &["Service"]),
        (format!("apiVersion: v1\nkind: List\nitems:\n{item}{item}"), 2, &[]),
        (format!("apiVersion: kubevirt.io/v1\nkind: VirtualMachineList\nitems:\n{item}"), 1, &[]),
        ("just text\n".into(), 0, &["a text"]),
        (String::new(), 0, &[]),
    ] {
        let found = checks(&text);
        assert_eq!(found.manifests.len(), manifests, "{text}");
        let kinds: Vec<&str> = found.skipped.iter().map(|s| s.kind.as_str()).collect();
        assert_eq!(kinds, skipped, "{text}");
        assert!(found.manifests.iter().all(|m| m.verdict == Verdict::Accepted), "{text}");
    }
}

#[test]
fn lines_and_columns_are_the_files() {
    let vm = manifest(&[(crate::manifest::In::Vmi, "livenessProbe: {periodSeconds: 5}")]);
    let text = format!("kind: Service\n---\n{vm}");
    let found = checks(&text);
    let finding = &found.manifests[0].findings[0];
    let line = text.lines().nth(usize::try_from(finding.pos.line).unwrap() - 1).unwrap();
    assert_eq!(line.find("livenessProbe"), Some(usize::try_from(finding.pos.column).unwrap() - 1), "{finding:?}");
}

#[test]
fn templates_are_processed_with_their_own_values() {
    let template = |value: &str| {
        let vm = manifest(&[(crate::manifest::In::Vmi, "readinessProbe: {httpGet: {port: \"${{PORT}}\"}}")]);
        let vm = vm.replace("name: vm", "name: \"${NAME}\"");
        format!(
            "apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {{name: t}}\nobjects:\n  -\n{}parameters:\n- name: PORT\n  value: \"{value}\"\n- name: NAME\n",
            indented(&vm, 4)
        )
    };
    for (value, verdict) in [("8080", Verdict::Accepted), ("80800", Verdict::Refused), ("no port", Verdict::Refused)] {
        let found = checks(&template(value));
        assert_eq!(found.manifests[0].verdict, verdict, "{value}: {:?}", found.manifests[0].findings);
        assert_eq!(found.manifests[0].name, "name");
        let notes: Vec<&str> = found.manifests[0].findings.iter().map(|f| f.code.word).collect();
        assert!(notes.contains(&"template-parameter-without-value"), "{notes:?}");
    }
}

#[test]
fn what_is_not_yaml_says_where() {
    for (text, line) in [("a: 1\na: 2\n", 2), ("a: [1\n", 2), ("kind: VirtualMachine\n\tspec: {}\n", 2)] {
        let error = check(text, &Options::default()).expect_err(text);
        assert!((1..=line + 1).contains(&error.pos.line), "{text:?}: {error:?}");
    }
}

#[test]
fn versions_that_no_server_serves() {
    for (version, fine) in
        [("kubevirt.io/v1", true), ("kubevirt.io/v1alpha3", true), ("kubevirt.io/v1beta1", false), ("v1", false)]
    {
        let text = manifest(&[]).replace("kubevirt.io/v1", version);
        assert_eq!(checks(&text).manifests[0].verdict == Verdict::Accepted, fine, "{version}");
    }
}

#[test]
fn an_excerpt_says_what_it_leaves_out() {
    let excerpt = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\n# ...\nspec:\n  template:\n    spec:\n      readinessProbe: {httpGet: {port: 80}}\n";
    let words = |text: &str| checks(text).manifests[0].findings.iter().map(|f| f.code.word).collect::<Vec<_>>();
    assert_eq!(words(excerpt), ["left-out", "left-out", "left-out"]);
    assert_eq!(checks(excerpt).manifests[0].verdict, Verdict::Accepted);
    assert_eq!(words(&excerpt.replace("# ...", "# and so on")), ["missing-field"]);
    // A probe without a handler is wrong in an excerpt, too.
    assert_eq!(checks(&excerpt.replace("httpGet: {port: 80}", "")).manifests[0].verdict, Verdict::Refused);
}

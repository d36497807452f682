//! What a text may hold: several documents, lists, templates, other kinds, and nothing that is YAML.

use crate::manifest::{errors, manifest, one};
use vmhealth_sim::check::{Checks, Names, Options, Verdict, check};

fn checks(text: &str) -> Checks {
    check(text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// An object in so many lists, one in the other.
fn in_lists(object: &str, lists: usize) -> String {
    (0..lists).fold(object.to_owned(), |inner, _| format!("kind: List\nitems:\n  -\n{}", indented(&inner, 4)))
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
        // What only looks like a list or a template.
        (format!("kind: ConfigMap\nitems:\n{item}"), 0, &["ConfigMap"]),
        ("kind: List\n".into(), 0, &["List"]),
        ("kind: Template\n".into(), 0, &["Template"]),
        ("kind: VirtualMachineTemplate\n".into(), 0, &["VirtualMachineTemplate"]),
        // So deep and no deeper.
        (in_lists(&vm, 7), 1, &[]),
        (in_lists(&vm, 8), 0, &["VirtualMachine in too many lists"]),
        (in_lists(&format!("kind: Template\nobjects:\n{item}"), 6), 1, &[]),
        (in_lists(&format!("kind: Template\nobjects:\n{item}"), 7), 0, &["VirtualMachine in too many lists"]),
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
        let notes: Vec<&str> = found.manifests[0].findings.iter().map(|f| f.rule.code).collect();
        assert!(notes.contains(&"template-parameter-without-value"), "{notes:?}");
    }
}

/// Also in the items of a list.
#[test]
fn values_of_a_template_in_lists() {
    let vm = manifest(&[(crate::manifest::In::Vmi, "tolerations: [{key: a, operator: \"${IS}\"}]")]);
    for (value, verdict) in [("Exists", Verdict::Accepted), ("Is", Verdict::Refused)] {
        let text =
            format!("kind: Template\nobjects:\n  -\n{}parameters: [{{name: IS, value: {value}}}]\n", indented(&vm, 4));
        assert_eq!(checks(&text).manifests[0].verdict, verdict, "{text}");
    }
}

#[test]
fn names_that_the_api_server_refuses() {
    for (metadata, fine) in [
        ("{name: vm}", true),
        ("{name: Vm}", false),
        ("{name: vm, labels: {a: b}}", true),
        ("{name: vm, labels: {a b: b}}", false),
        ("{name: vm, labels: {a: -b}}", false),
        ("{name: vm, annotations: {a: -b}}", true),
        ("{name: vm, annotations: {-a: b}}", false),
        ("{name: vm, annotations: {Example.com/a: b}}", true),
        ("{name: vm, labels: {Example.com/a: b}}", false),
        ("{generateName: vm-}", true),
        ("{generateName: Vm-}", false),
    ] {
        let text = manifest(&[]).replace("{name: vm}", metadata);
        let checked = &checks(&text).manifests[0];
        let words: Vec<&str> = checked.findings.iter().map(|f| f.rule.code).collect();
        assert_eq!(words.contains(&"bad-name"), !fine, "{metadata}: {words:?}");
        assert_eq!(checked.created, fine, "{metadata}");
    }
}

/// Of a cluster whose gates are off.
#[test]
fn feature_gates() {
    use crate::manifest::In::{Domain, Vm};
    let terminate = manifest(&[(Domain, "rebootPolicy: Terminate")]);
    let receiver = manifest(&[(Vm, "runStrategy: WaitAsReceiver")]);
    for (gate, text, word) in [
        ("RebootPolicy", &terminate, "reboot-policy-without-its-gate"),
        ("DecentralizedLiveMigration", &receiver, "bad-run-strategy"),
    ] {
        let without = Options { without_gates: vec![gate.to_owned()], ..Options::default() };
        for (options, refused) in [(&without, true), (&Options::default(), false)] {
            let checks = check(text, options).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let errors: Vec<&str> = checks.manifests[0]
                .findings
                .iter()
                .filter(|f| f.rule.rank == vmhealth_sim::check::Rank::Error)
                .map(|f| f.rule.code)
                .collect();
            assert_eq!(errors, if refused { vec![word] } else { vec![] }, "{gate}");
        }
    }
}

/// A parameter that its user gives may be anything; one that is not declared stays as it is written; a value is put in once.
#[test]
fn parameters_without_a_value_and_without_a_declaration() {
    let template = |probe: &str, parameters: &str| {
        let vm = manifest(&[(crate::manifest::In::Vmi, "readinessProbe: {httpGet: {port: 80}, PROBE}")]);
        let vm = vm.replace("PROBE", probe);
        let objects = indented(&vm, 4);
        checks(&format!(
            "apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {{name: t}}\nobjects:\n  -\n{objects}parameters: [{parameters}]\n"
        ))
    };
    for (probe, parameters, verdict, note) in [
        ("periodSeconds: \"${{P}}\"", "{name: P}", Verdict::Accepted, "depends on a parameter without a value"),
        ("periodSeconds: \"${{P}}\"", "{name: P, value: x}", Verdict::Refused, "expected a whole number"),
        ("periodSeconds: \"${{P}}\"", "", Verdict::Refused, "no parameter is called P"),
        (
            "periodSeconds: \"${{P}}\"",
            "{name: P, value: \"${Q}\"}, {name: Q, value: \"5\"}",
            Verdict::Refused,
            "a text",
        ),
        ("periodSeconds: \"${{P}}\"", "{name: P, value: 5.5}", Verdict::Refused, "32 bits, found a number"),
        ("tcpSocket: \"${{P}}\"", "{name: P, value: '{\"port\": 80}'}", Verdict::Refused, "exactly one handler"),
        ("timeout: \"${P} s\"", "{name: P, value: \"${Q}\"}, {name: Q}", Verdict::Refused, "unknown field"),
    ] {
        let found = template(probe, parameters);
        let messages: Vec<&str> = found.manifests[0].findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(found.manifests[0].verdict, verdict, "{probe} {parameters}: {messages:?}");
        assert!(messages.iter().any(|m| m.contains(note)), "{probe} {parameters}: {messages:?}");
        // A parameter that only another one's value names is not asked for.
        assert!(!messages.iter().any(|m| m.contains("parameter Q")), "{probe} {parameters}: {messages:?}");
    }
}

/// Every manifest that the user's document prints, as YAML; the last one with its placeholders.
#[test]
fn the_manifests_of_the_document() {
    const HEAD: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  annotations:\n  name: fedora-vm\n  namespace: example-namespace\n# ...\nspec:\n  template:\n    spec:\n";
    const NUMBERS: &str = "initialDelaySeconds: 120, periodSeconds: 20, timeoutSeconds: 10";
    const GET: &str = "httpGet: {port: 1500, path: /healthz, httpHeaders: [{name: Custom-Header, value: Awesome}]}";
    let probe = |name: &str, fields: &str| format!("{HEAD}      {name}: {{{fields}}}\n# ...\n");
    let watchdog = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  labels:\n    kubevirt.io/vm: <vm-label>\n  name: <vm-name>\nspec:\n  runStrategy: Halted\n  template:\n    metadata:\n      labels:\n        kubevirt.io/vm: <vm-label>\n    spec:\n      domain:\n        devices:\n          watchdog:\n            name: <watchdog>\n            <watchdog-device-model>:\n              action: \"poweroff\"\n# ...\n";
    for (text, hazards) in [
        (probe("readinessProbe", &format!("{GET}, {NUMBERS}, failureThreshold: 3, successThreshold: 3")), &[][..]),
        (probe("readinessProbe", &format!("tcpSocket: {{port: 1500}}, {NUMBERS}")), &["tcp-probe-outlives-a-hang"]),
        (
            probe("livenessProbe", &format!("{GET}, {NUMBERS}")),
            &["liveness-without-readiness", "reboot-outlasts-liveness"],
        ),
        (
            probe(
                "readinessProbe",
                &format!("guestAgentPing: {{}}, {NUMBERS}, failureThreshold: 3, successThreshold: 3"),
            ),
            &["image-must-bring-the-agent"],
        ),
        (watchdog.to_owned(), &["q35-second-watchdog", "image-must-arm-the-watchdog"]),
    ] {
        let checked = &checks(&text).manifests[0];
        assert_eq!(checked.verdict, Verdict::Accepted, "{text}{:?}", checked.findings);
        let found = checked.findings.iter().map(|f| f.rule.code).filter(|w| *w != "left-out").collect::<Vec<_>>();
        assert_eq!(found, hazards, "{text}");
    }
    // What is no excerpt has no placeholders.
    assert_eq!(checks(&watchdog.replace("# ...", "")).manifests[0].verdict, Verdict::Refused);
}

/// What a document that is no YAML, or a placeholder that nobody has rendered, keeps from a verdict; the others have theirs.
#[test]
fn what_cannot_be_judged_hides_nothing_else() {
    let good = manifest(&[]).replace("{name: vm}", "{name: good}");
    let refused = manifest(&[]).replace("{name: vm}", "{name: refused}").replace("rng: {}", "rgn: {}");
    let broken = "kind: VirtualMachine\nmetadata: {name: broken\n";
    let lines = |text: &str| text.lines().count() as u64;
    for text in [
        format!("{good}---\n{broken}---\n{refused}"),
        format!("{broken}---\n{good}---\n{refused}"),
        format!("{good}---\n{refused}---\n{broken}"),
    ] {
        let checks = checks(&text);
        let names: Vec<(&str, Verdict)> = checks.manifests.iter().map(|m| (m.name.as_str(), m.verdict)).collect();
        assert_eq!(names, [("good", Verdict::Accepted), ("refused", Verdict::Refused)], "{text}");
        let begins = lines(&text[..text.find(broken).unwrap_or_default()]);
        let [error] = checks.unjudged.as_slice() else { panic!("{:?}", checks.unjudged) };
        assert!((begins + 1..=begins + 4).contains(&error.pos.line), "{begins}: {error}");
        let finding = &checks.manifests[1].findings[0];
        assert!(
            text.lines().nth(finding.pos.line as usize - 1).is_some_and(|line| line.contains("rgn")),
            "{finding:?}"
        );
    }
    for (from, to, said) in [
        (
            "1Gi",
            "\"${MEMORY}\"",
            "spec.template.spec.domain.memory.guest is \"${MEMORY}\", and this is a template for envsubst",
        ),
        ("1Gi", "\"{{ .Values.memory }}\"", "and this is a Helm template: render it first"),
        ("Always", "$STRATEGY", "spec.runStrategy is \"$STRATEGY\", and this is a template for envsubst"),
        ("kind: VirtualMachine\n", "kind: \"${KIND}\"\n", "not judged: kind is"),
        ("      domain:", "      tolerations: [{key: \"${KEY}\"}]\n      domain:", "tolerations[0].key is"),
        // Of several the first one is told.
        ("{name: good}", "{name: good, namespace: \"${SPACE}\", labels: {a: \"${A}\"}}", "metadata.namespace is"),
        (
            "{name: good}",
            "{name: good, labels: {a: \"${A}\", b: \"${B}\"}, namespace: \"${C}\"}",
            "metadata.labels.a is",
        ),
        ("{name: good}", "{name: \"${NAME}-vm\"}", "${NAME}-vm: not judged: metadata.name is"),
        ("{name: good}", "{name: \"vm-$NAME\"}", "vm-$NAME: not judged: metadata.name is"),
        ("spec:\n  run", "status: {created: \"${Y}\"}\nspec:\n  run", "status.created depends on a placeholder"),
        (
            "      domain:",
            "      readinessProbe: {exec: {command: \"{{ .Values.cmd }}\"}}\n      domain:",
            "readinessProbe.exec.command depends on a placeholder",
        ),
        (
            "      domain:",
            "      readinessProbe: {exec: {command: [\"{{ .Values.cmd }}\"]}}\n      domain:",
            "readinessProbe.exec.command[0] depends on a placeholder",
        ),
    ] {
        let text = format!("{}---\n{refused}", good.replace(from, to));
        let checks = checks(&text);
        assert_eq!(checks.manifests.len(), 1, "{to}: what is judged has its verdict");
        let line =
            text.lines().position(|line| line.contains(to.lines().next().unwrap_or_default())).map(|n| n as u64 + 1);
        let [error] = checks.unjudged.as_slice() else { panic!("{to}: {:?}", checks.unjudged) };
        assert!(error.message.contains(said) && Some(error.pos.line) == line, "{to}: {error}");
    }
    // What a guest runs or reads, and what an annotation holds, is its own.
    for (from, to) in [
        ("packages: [qemu-guest-agent]", "export A=${A} B=$B {{ v1.x }}"),
        ("{name: good}", "{name: good, annotations: {a: \"${A}\"}}"),
        ("      domain:", "      readinessProbe: {exec: {command: [sh, -c, 'test $A = ${B}']}}\n      domain:"),
        ("      domain:", "      readinessProbe: {httpGet: {port: 80, path: /$metadata}}\n      domain:"),
        ("      domain:", "      readinessProbe: {httpGet: {port: 80, path: /odata/$COUNT}}\n      domain:"),
        ("      domain:", "      readinessProbe: {httpGet: {port: 80, path: \"/q?f={{x}}\"}}\n      domain:"),
        (
            "      domain:",
            "      readinessProbe: {httpGet: {port: 80, httpHeaders: [{name: A, value: pa$SWORD}]}}\n      domain:",
        ),
        ("        devices:", "        firmware: {serial: \"AB$CD\"}\n        devices:"),
    ] {
        let text = good.replace(from, to);
        assert!(text != good && checks(&text).unjudged.is_empty(), "{text}");
    }
    // Refused is refused, whatever the placeholder stands for.
    let both = refused.replace("Always", "${STRATEGY}");
    assert_eq!(checks(&both).manifests[0].verdict, Verdict::Refused);
}

#[test]
fn what_is_not_yaml_says_where() {
    for (text, line) in [("a: [1\n", 2), ("kind: VirtualMachine\n\tspec: {}\n", 2)] {
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
    let words = |text: &str| checks(text).manifests[0].findings.iter().map(|f| f.rule.code).collect::<Vec<_>>();
    assert_eq!(words(excerpt), ["left-out", "left-out", "left-out"]);
    assert_eq!(checks(excerpt).manifests[0].verdict, Verdict::Accepted);
    assert_eq!(words(&excerpt.replace("# ...", "# and so on")), ["missing-field", "looks-like-a-patch"]);
    // What stands in a mapping may be left out of it; a field that is unknown is unknown without a value, too.
    let metadata = excerpt.replace("    spec:", "    metadata:\n      labels:\n    spec:");
    assert_eq!(words(&metadata), ["left-out"; 4]);
    assert_eq!(checks(&metadata.replace("labels", "label")).manifests[0].verdict, Verdict::Refused);
    // A script's comment is none of the manifest's.
    for sign in ["|", ">-", "| # a script"] {
        let script = format!("    spec:\n      hostname: {sign}\n        # ...\n");
        let script = excerpt.replace("# ...", "#").replace("    spec:", &script);
        assert!(!words(&script).contains(&"left-out"), "{script}");
    }
    let comment = excerpt.replace("# ...", "# one of a |\n  # ...");
    assert!(words(&comment).contains(&"left-out"), "{comment}");
    // A comment in line with the key of a scalar is none of its lines, nor is one below a short value.
    let behind = excerpt
        .replace("# ...", "#")
        .replace("    spec:", "    metadata:\n      annotations:\n        a: |\n          b\n        # ...\n    spec:");
    assert!(words(&behind).contains(&"left-out"), "{behind}");
    let item = excerpt
        .replace("# ...", "#")
        .replace("    spec:", "    metadata:\n      finalizers:\n      - a/b\n        # ...\n    spec:");
    assert!(words(&item).contains(&"left-out"), "{item}");
    // What is written is wrong or a placeholder.
    for (probe, verdict) in [
        ("tcpSocket: {}", Verdict::Refused),
        ("httpGet: {port: 80}, periodSeconds: x", Verdict::Refused),
        ("httpGet: {port: 80}, periodSeconds: <seconds>", Verdict::Accepted),
        ("httpGet: {port: 80}, periodSeconds: <>", Verdict::Refused),
        ("httpGet: {port: 80}, periodSeconds: seconds>", Verdict::Refused),
        ("httpGet: {port: 80}, periodSeconds: <seconds", Verdict::Refused),
    ] {
        let text = excerpt.replace("httpGet: {port: 80}", probe);
        assert_eq!(checks(&text).manifests[0].verdict, verdict, "{text}");
    }
    // A probe without a handler is wrong in an excerpt, too.
    assert_eq!(checks(&excerpt.replace("httpGet: {port: 80}", "")).manifests[0].verdict, Verdict::Refused);
}

/// KubeVirt's other kinds are passed over; what is none of its kinds is refused, whatever a placeholder in it stands for.
#[test]
fn kinds_that_there_are_not() {
    for (kind, found) in [
        (
            "Virtualmachine",
            Some("no matches for kind \"Virtualmachine\" in version \"kubevirt.io/v1\" write kind: VirtualMachine"),
        ),
        ("VM", Some("no matches for kind \"VM\" in version \"kubevirt.io/v1\" write kind: VirtualMachine")),
        ("", Some("Object 'Kind' is missing write kind: VirtualMachine")),
        ("VirtualMachineInstanceMigration", None),
        ("KubeVirt", None),
    ] {
        let text = format!(
            "apiVersion: kubevirt.io/v1\nkind: {kind}\nmetadata: {{name: vm, namespace: \"${{A}}\"}}\nspec: {{}}\n"
        );
        let checks = checks(&text);
        let findings = checks.manifests.iter().flat_map(|m| &m.findings);
        let words: Vec<String> = findings.map(|f| format!("{} {}", f.message, f.help)).collect();
        assert_eq!(words, found.into_iter().collect::<Vec<_>>(), "{kind}");
        assert_eq!(checks.skipped.len(), usize::from(found.is_none()), "{kind}");
    }
}

/// The pod's name is the VM's with something around it.
#[test]
fn a_name_may_be_too_long_for_its_pod() {
    for (length, found) in
        [(239, None), (240, Some("name-too-long-for-the-pod")), (253, Some("name-too-long-for-the-pod"))]
    {
        let text = manifest(&[]).replace("{name: vm}", &format!("{{name: {}}}", "a".repeat(length)));
        let errors = errors(&one(&text));
        assert_eq!(errors.first().and_then(|e| e.split(' ').next()), found, "{length}: {errors:?}");
    }
}

/// To a cluster they are one; another kind, another namespace or a name that is still to come is another object.
#[test]
fn two_of_one_name() {
    let vm = |kind: &str, metadata: &str| {
        format!("apiVersion: kubevirt.io/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{}}\n")
    };
    let (one, vmi) = (vm("VirtualMachine", "name: a"), vm("VirtualMachineInstance", "name: a"));
    for (second, expected) in [
        (one.clone(), Some("the VM \"a\" is in line 1 already")),
        (vmi, None),
        (vm("VirtualMachine", "name: b"), None),
        (vm("VirtualMachine", "name: a, namespace: b"), None),
        (vm("VirtualMachine", "generateName: a"), None),
    ] {
        let checks = check(&format!("{one}---\n{second}"), &Options::default()).unwrap();
        let told = |i: usize| checks.manifests[i].findings.iter().find(|f| f.rule.code == "same-name-twice");
        assert!(told(0).is_none(), "{second}");
        let found = told(1).map(|f| (f.pos.line, f.message.as_str()));
        assert_eq!(found.is_some(), expected.is_some(), "{second}{found:?}");
        assert!(expected.zip(found).is_none_or(|(e, (line, m))| line == 8 && m.starts_with(e)), "{found:?}");
    }
    // In another file the place has its name; a file that is given twice is one.
    for (second, text, expected) in [
        ("b.yaml", one.clone(), "the VM \"a\" is in a.yaml:1 already: "),
        ("a.yaml", one.clone(), ""),
        ("a.yaml", format!("---\n{one}"), "the VM \"a\" is in line 1 already: "),
        ("b.yaml", vm("VirtualMachineInstance", "name: a"), ""),
        ("b.yaml", vm("VirtualMachine", "name: a, namespace: b"), ""),
    ] {
        let mut names = Names::default();
        let found = [("a.yaml", &one), (second, &text)].map(|(file, text)| {
            let mut checks = checks(text);
            checks.manifests.iter_mut().for_each(|checked| checked.findings.clear());
            names.compare(file, &mut checks);
            checks.manifests.remove(0).findings.pop().map(|finding| finding.message).unwrap_or_default()
        });
        assert!(found[0].is_empty() && found[1].starts_with(expected), "{second} {text}{found:?}");
        assert_eq!(found[1].is_empty(), expected.is_empty(), "{second} {text}{found:?}");
    }
    // A name that no object can have is none.
    for (length, expected) in [(252, true), (253, true), (254, false)] {
        let long = vm("VirtualMachine", &format!("name: {}", "a".repeat(length)));
        let checks = check(&format!("{long}---\n{long}"), &Options::default()).unwrap();
        let found = checks.manifests[1].findings.iter().any(|f| f.rule.code == "same-name-twice");
        assert_eq!(found, expected, "{length}");
    }
    let open = vm("VirtualMachine", "name: \"${NAME}\"");
    let checks = check(&format!("{open}---\n{open}"), &Options::default()).unwrap();
    assert!(checks.manifests[1].findings.iter().all(|f| f.rule.code != "same-name-twice"));
}

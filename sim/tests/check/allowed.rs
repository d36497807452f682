//! Comments that allow a finding, with a reason.

use vmhealth_sim::check::{Checked, Checks, Names, Options, Verdict, check};

/// Its liveness probe is of a kind that a hang outlives, in line 8, and its `running` is deprecated, in line 5.
const VM: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  running: true
  template:
    spec:
      livenessProbe: {tcpSocket: {port: 80}}
      domain:
        memory: {guest: 1Gi}
        devices: {}
      terminationGracePeriodSeconds: 0
";
const BOTH: &[&str] = &["5 running-is-deprecated", "8 tcp-probe-outlives-a-hang"];
const RUNNING: &str = "5 running-is-deprecated";
const HANG: &str = "# vmhealth: allow tcp-probe-outlives-a-hang because somebody else asks";

/// Of the rows' findings: those that the text has without any comment and no row is about.
fn shown(checks: &Checks) -> (Vec<String>, Vec<String>, Vec<String>) {
    let about =
        ["running-is-deprecated", "tcp-probe-outlives-a-hang", "duplicate-key", "same-name-twice", "allows-nothing"];
    let manifests = || checks.manifests.iter();
    let found = manifests().flat_map(|m| &m.findings).filter(|f| about.contains(&f.rule.code));
    let mut found: Vec<_> = found.map(|f| (f.pos.line, f.rule.code)).collect();
    found.sort_unstable();
    let found = found.into_iter().map(|(line, code)| format!("{line} {code}")).collect();
    let mut allowed: Vec<_> = manifests().flat_map(|m| &m.allowed).collect();
    allowed.sort_by_key(|a| a.finding.pos.line);
    let allowed = allowed
        .into_iter()
        .map(|a| format!("{} {} ({}): {}", a.finding.pos.line, a.finding.rule.code, a.comment.line, a.reason));
    (found, allowed.collect(), checks.unjudged.iter().map(ToString::to_string).collect())
}

/// What is changed in the text, what is found then, what is allowed, and what is wrong with a comment.
type Row = (
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    (&[], BOTH, &[], &[]),
    // At the end of the line.
    (
        &[("80}}", "80}} # vmhealth: allow tcp-probe-outlives-a-hang because x y")],
        &[RUNNING],
        &["8 tcp-probe-outlives-a-hang (8): x y"],
        &[],
    ),
    // On the line before, with others and blank lines between.
    (
        &[(
            "      livenessProbe",
            "      # vmhealth: allow tcp-probe-outlives-a-hang because x\n\n      # why\n      livenessProbe",
        )],
        &[RUNNING],
        &["11 tcp-probe-outlives-a-hang (8): x"],
        &[],
    ),
    // At the top: the whole document.
    (
        &[(
            "apiVersion",
            "# vmhealth: allow tcp-probe-outlives-a-hang because x\n#vmhealth: allow running-is-deprecated because  y \napiVersion",
        )],
        &[],
        &["7 running-is-deprecated (2): y", "10 tcp-probe-outlives-a-hang (1): x"],
        &[],
    ),
    (
        &[("apiVersion", "--- # vmhealth: allow running-is-deprecated because y\napiVersion")],
        &["9 tcp-probe-outlives-a-hang"],
        &["6 running-is-deprecated (1): y"],
        &[],
    ),
    // In another line it is not the finding's, and says so.
    (
        &[("kind:", "# vmhealth: allow running-is-deprecated because y\nkind:")],
        &["2 allows-nothing", "6 running-is-deprecated", "9 tcp-probe-outlives-a-hang"],
        &[],
        &[],
    ),
    // Two that allow it are both used, and the one in the line has the reason.
    (
        &[
            ("apiVersion", "# vmhealth: allow running-is-deprecated because all\napiVersion"),
            ("running: true", "running: true # vmhealth: allow running-is-deprecated because line"),
        ],
        &["9 tcp-probe-outlives-a-hang"],
        &["6 running-is-deprecated (6): line"],
        &[],
    ),
    // What is refused was not looked at for everything.
    (&[("1Gi}", "1Gx} # vmhealth: allow tcp-probe-outlives-a-hang because x")], &[], &[], &[]),
    (
        &[("apiVersion", "\u{feff}# vmhealth: allow running-is-deprecated because y\napiVersion")],
        &["9 tcp-probe-outlives-a-hang"],
        &["6 running-is-deprecated (1): y"],
        &[],
    ),
    // Almost.
    (
        &[("running: true", "running: true # VMHealth: allow running-is-deprecated because x")],
        BOTH,
        &[],
        &["5:17: not understood: write # vmhealth: allow CODE because REASON"],
    ),
    (
        &[("running: true", "running: true # vmhealth allow running-is-deprecated because x")],
        BOTH,
        &[],
        &["5:17: not understood: write # vmhealth: allow CODE because REASON"],
    ),
    (&[("running: true", "running: true # vmhealth pins this")], BOTH, &[], &[]),
    (
        &[("running: true", "running: true # vmhealth: allow running-is-deprecated, duplicate-key because x")],
        BOTH,
        &[],
        &["5:17: \"running-is-deprecated,\": a comment is for one code; write one for each"],
    ),
    (
        &[("running: true", "running: true # vmhealth: allow allows-nothing because x")],
        BOTH,
        &[],
        &["5:17: allows-nothing is about a comment: remove that one, and this"],
    ),
    // Without a reason, or not understood.
    (
        &[("running: true", "running: true # vmhealth: allow running-is-deprecated")],
        BOTH,
        &[],
        &[
            "5:17: running-is-deprecated is allowed without a reason: write # vmhealth: allow running-is-deprecated because REASON",
        ],
    ),
    (
        &[("running: true", "running: true # vmhealth: allow running-is-deprecated because ")],
        BOTH,
        &[],
        &[
            "5:17: running-is-deprecated is allowed without a reason: write # vmhealth: allow running-is-deprecated because REASON",
        ],
    ),
    (
        &[("running: true", "running: true # vmhealth: alow running-is-deprecated because x")],
        BOTH,
        &[],
        &["5:17: not understood: write # vmhealth: allow CODE because REASON"],
    ),
    (
        &[("running: true", "running: true # vmhealth: allow running-is-depricated because x")],
        BOTH,
        &[],
        &["5:17: no finding has the code \"running-is-depricated\": did you mean running-is-deprecated?"],
    ),
    // What is refused stays refused.
    (
        &[("running: true", "running: true # vmhealth: allow bad-run-strategy because x")],
        BOTH,
        &[],
        &[
            "5:17: bad-run-strategy cannot be allowed: the cluster refuses it (vm-webhook), whatever a comment says; mend the manifest and remove the comment",
        ],
    ),
    (
        &[("running: true", "running: true # vmhealth: allow unknown-field because x")],
        BOTH,
        &[],
        &[
            "5:17: unknown-field cannot be allowed: kubectl refuses it (client-decode), whatever a comment says; mend the manifest and remove the comment",
        ],
    ),
    // A text is no comment: in quotes, and in a block, whose sign may have a comment behind it.
    (&[("{name: vm}", "{name: vm, annotations: {a: 'b # vmhealth: allow x'}}")], BOTH, &[], &[]),
    (
        &[(
            "metadata: {name: vm}",
            "metadata:\n  name: vm\n  annotations:\n    a: |\n      # vmhealth: allow x\n      b\n    # vmhealth: bad",
        )],
        &["11 running-is-deprecated", "14 tcp-probe-outlives-a-hang"],
        &[],
        &["9:5: not understood: write # vmhealth: allow CODE because REASON"],
    ),
    (
        &[(
            "metadata: {name: vm}",
            "metadata:\n  name: vm\n  annotations:\n    a: > # vmhealth: bad\n      # vmhealth: allow x\n      b",
        )],
        &["10 running-is-deprecated", "13 tcp-probe-outlives-a-hang"],
        &[],
        &["6:10: not understood: write # vmhealth: allow CODE because REASON"],
    ),
    (
        &[(
            "      domain:",
            "      readinessProbe: {exec: {command: [sh, -c, 'a # vmhealth: allow x']}}\n      domain:",
        )],
        BOTH,
        &[],
        &[],
    ),
    (
        &[(
            "metadata: {name: vm}",
            "metadata:\n  name: vm\n  annotations:\n    a: | # vmhealth: bad\n      # vmhealth: allow x\n      b",
        )],
        &["10 running-is-deprecated", "13 tcp-probe-outlives-a-hang"],
        &[],
        &["6:10: not understood: write # vmhealth: allow CODE because REASON"],
    ),
    (
        &[("metadata: {name: vm}", "metadata:\n  name: vm\n  annotations:\n    a: |\n      | # vmhealth: allow x")],
        &["9 running-is-deprecated", "12 tcp-probe-outlives-a-hang"],
        &[],
        &[],
    ),
    // At the end of the first line it is for that line.
    (
        &[("kubevirt.io/v1", "kubevirt.io/v1 # vmhealth: allow running-is-deprecated because x")],
        &["1 allows-nothing", "5 running-is-deprecated", "8 tcp-probe-outlives-a-hang"],
        &[],
        &[],
    ),
    // Another comment that speaks of it is none.
    (&[("running: true", "running: true # say # vmhealth: allow x")], BOTH, &[], &[]),
];

#[test]
fn where_a_comment_stands_and_what_it_says() {
    for (changes, found, allowed, wrong) in ROWS {
        let text = changes.iter().fold(VM.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let expected = [found, allowed, wrong].map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
        let (found, allowed, wrong) = shown(&checks);
        assert_eq!([found, allowed, wrong], expected, "{text}");
    }
}

/// What nobody refuses and cannot work is a verdict's matter: allowed, it is accepted.
#[test]
fn a_verdict_without_what_is_allowed() {
    let twice = VM.replace("  running: true\n", "  running: true\n  running: true\n");
    let comment = "# vmhealth: allow duplicate-key because a generator writes it\n";
    for (text, verdict) in [
        (twice.clone(), Verdict::AcceptedButBroken),
        (format!("{comment}{twice}"), Verdict::Accepted),
        (
            format!("{comment}{}", twice.replace("running: true\n  template", "running: true\n  templat")),
            Verdict::Refused,
        ),
    ] {
        let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(checks.manifests[0].verdict, verdict, "{text}");
    }
}

/// A comment is for its document only, whatever is beside it.
#[test]
fn several_documents_and_files() {
    let two = |first: &str, second: &str| format!("{first}{VM}---\n{second}{}", VM.replace("name: vm", "name: other"));
    for (text, found, allowed) in [
        (
            two(HANG, "").replacen("apiV", "\napiV", 1),
            vec!["6 running-is-deprecated", "19 running-is-deprecated", "22 tcp-probe-outlives-a-hang"],
            1,
        ),
        (
            two("", &format!("{HANG}\n")),
            vec!["5 running-is-deprecated", "8 tcp-probe-outlives-a-hang", "19 running-is-deprecated"],
            1,
        ),
        // Behind the last line of a document it is that one's, and there is nothing to allow.
        (
            two("", "").replace("---", &format!("{HANG}\n---")),
            vec![
                "5 running-is-deprecated",
                "8 tcp-probe-outlives-a-hang",
                "13 allows-nothing",
                "19 running-is-deprecated",
                "22 tcp-probe-outlives-a-hang",
            ],
            0,
        ),
        // A broken document hides no other.
        (format!("a: [\n---\n{HANG}\n{VM}"), vec!["8 running-is-deprecated"], 1),
        (format!("kind: ConfigMap\n---\n{HANG}\n---\n"), vec![], 0),
        (
            format!(
                "{HANG}\nkind: List\nitems:\n- {}- {}",
                VM.replace('\n', "\n  ").trim_end_matches(' '),
                VM.replace('\n', "\n  ").trim_end_matches(' ').replace("name: vm", "name: other")
            ),
            vec!["8 running-is-deprecated", "20 running-is-deprecated"],
            2,
        ),
    ] {
        let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let (shown, allowed_here, _) = shown(&checks);
        assert_eq!((shown, allowed_here.len()), (found.into_iter().map(str::to_owned).collect(), allowed), "{text}");
    }
}

/// The reason is the line's, in whatever document: not that of the comment for all of it.
#[test]
fn the_reason_of_the_line_in_a_later_document() {
    let own = VM.replace("80}}", "80}} # vmhealth: allow tcp-probe-outlives-a-hang because of the line");
    let text = format!("{VM}---\n{VM}---\n{HANG}\n{}", own.replace("name: vm", "name: other"));
    let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let line = text.lines().position(|line| line.contains("of the line")).map(|n| n as u64 + 1);
    let allowed = &checks.manifests[2].allowed;
    let found: Vec<_> =
        allowed.iter().map(|a| (Some(a.finding.pos.line), a.reason.as_str(), Some(a.comment.line))).collect();
    assert_eq!(found, [(line, "of the line", line)], "{text}");
}

/// A list: a VM, what is between, a ConfigMap whose data is given, another VM.
fn list(first: &str, between: &str, data: &str, second: &str) -> String {
    let item = |text: &str| format!("- {}\n", text.trim_end().replace('\n', "\n  "));
    let config = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: b {data}");
    let all = [item(first), format!("{between}\n"), item(&config), item(second)].concat();
    format!("apiVersion: v1\nkind: List\nitems:\n{all}")
}

/// A comment that allows nothing is said of the object in whose lines it stands, or of none.
#[test]
fn whose_comment_it_is() {
    let idle = "# vmhealth: allow same-name-twice because x";
    let vm = |name: &str, comment: &str, memory: &str| {
        let text = VM.replace("name: vm", &format!("name: {name}")).replace("1Gi}", &format!("{memory}}}"));
        text.replace("devices: {}", &format!("devices: {{}} {comment}"))
    };
    for (text, expected) in [
        (list(&vm("a", idle, "1Gi"), "", "", &vm("b", "", "1Gi")), vec![("a", 14)]),
        (list(&vm("a", "", "1Gi"), "", "", &vm("b", idle, "1Gi")), vec![("b", 31)]),
        // On the line before an item it is that one's.
        (
            list(&vm("a", "", "1Gi"), "", "", &vm("b", "", "1Gi"))
                .replace("- apiVersion: kubevirt", &format!("{idle}\n- apiVersion: kubevirt")),
            vec![("a", 4), ("b", 22)],
        ),
        // Of one that is refused nobody knows, and the neighbour has nothing to do with it; nor has that of another kind's object.
        (list(&vm("a", "", "1Gi"), "", "", &vm("b", idle, "1Gx")), vec![]),
        (list(&vm("a", idle, "1Gx"), "", "", &vm("b", "", "1Gi")), vec![]),
        (list(&vm("a", "", "1Gi"), "", idle, &vm("b", "", "1Gi")), vec![]),
        (list(&vm("a", "", "1Gi"), idle, "", &vm("b", "", "1Gi")), vec![]),
        // Before the first item, and of a whole document: the first one says it, if all have been looked at.
        (
            list(&vm("a", "", "1Gi"), "", "", &vm("b", "", "1Gi")).replace("kind: List", &format!("kind: List {idle}")),
            vec![("a", 2)],
        ),
        (format!("{idle}\n{}", list(&vm("a", "", "1Gi"), "", "", &vm("b", "", "1Gi"))), vec![("a", 1)]),
        (format!("{idle}\n{}", list(&vm("a", "", "1Gi"), "", "", &vm("b", "", "1Gx"))), vec![]),
    ] {
        let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let of = |m: &Checked| -> Vec<(String, u64)> {
            let found = m.findings.iter().filter(|f| f.rule.code == "allows-nothing");
            // The place is the comment's.
            found
                .inspect(|f| assert_eq!(&text[f.span.range()], idle, "{text}"))
                .map(|f| (m.name.clone(), f.pos.line))
                .collect()
        };
        let found: Vec<_> = checks.manifests.iter().flat_map(of).collect();
        let expected: Vec<_> = expected.into_iter().map(|(name, line)| (name.to_owned(), line)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

/// What is found beside other files, too.
#[test]
fn the_same_name_in_several_files() {
    let mut names = Names::default();
    let allowed = VM.replace("metadata", "# vmhealth: allow same-name-twice because one of them is applied\nmetadata");
    for (file, text, found) in [("a", VM, 0), ("b", VM, 1), ("c", allowed.as_str(), 0)] {
        let mut checks = vmhealth_sim::check::check_piece(
            &vmhealth_sim::yaml::Pieces::default().cut(text, true).unwrap().0[0],
            &Options::default(),
            &vmhealth_sim::check::Remembered::default(),
        )
        .unwrap();
        names.compare(file, &mut checks);
        let twice = checks.manifests[0].findings.iter().filter(|f| f.rule.code == "same-name-twice").count();
        assert_eq!((twice, checks.manifests[0].allowed.len()), (found, usize::from(file == "c")), "{file}");
    }
}

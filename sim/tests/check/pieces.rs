//! Pieces of a long text: comments, instance types of other pieces, and what nobody reads.

use crate::beside::{beside_a_vm, is_seen};
use crate::manifest::manifest;
use vmhealth_sim::check::{Checks, Names, Options, Remembered, check, check_piece};
use vmhealth_sim::yaml::{Piece, Pieces};

/// Whatever is a list is cut.
fn cut(text: &str) -> Vec<Piece<'_>> {
    let (pieces, taken) = Pieces::of_documents_longer_than(0).cut(text, true).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(taken, text.len());
    pieces
}

fn checked(piece: &Piece<'_>, remembered: &Remembered) -> Checks {
    let mut checks = check_piece(piece, &Options::default(), remembered).unwrap_or_else(|e| panic!("{e}"));
    Names::default().compare("", &mut checks);
    checks
}

/// A list whose dashes stand so far to the right.
fn list(indent: usize, items: &[&str]) -> String {
    let item = |text: &&str| {
        let lines: String = text.lines().map(|line| format!("{:indent$}  {line}\n", "")).collect();
        format!("{:indent$}-{}", "", &lines[indent + 1..])
    };
    format!("apiVersion: v1\nitems:\n{}kind: List\n", items.iter().map(item).collect::<String>())
}

/// What comments allow, with the comment's line, and what is found: line and code.
fn told(checks: &[Checks]) -> Vec<(u64, &str, u64)> {
    let manifests = || checks.iter().flat_map(|checks| &checks.manifests);
    let allowed =
        manifests().flat_map(|m| &m.allowed).map(|a| (a.finding.pos.line, a.finding.rule.code, a.comment.line));
    let found = manifests().flat_map(|m| &m.findings).map(|f| (f.pos.line, f.rule.code, 0));
    let mut all: Vec<_> = allowed.chain(found).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_comment_is_for_the_same_lines_in_a_piece() {
    const CODE: &str = "probe-number-below-one";
    let vm = |name: &str, comment: &str| {
        manifest(&[(
            crate::manifest::In::Vmi,
            &format!("readinessProbe:\n  httpGet: {{port: 80}}\n  periodSeconds: 0{comment}\n  timeoutSeconds: -3\n  initialDelaySeconds: -1"),
        )])
        .replace("{name: vm}", &format!("{{name: {name}}}"))
    };
    let allow = format!(" # vmhealth: allow {CODE} because x");
    let idle = " # vmhealth: allow duplicate-key because x";
    let text = list(0, &[&vm("a", ""), &vm("b", &allow), &vm("c", idle)]);
    let pieces: Vec<Checks> = cut(&text).iter().map(|piece| checked(piece, &Remembered::default())).collect();
    let whole = [check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"))];
    assert_eq!(told(&pieces), told(&whole), "{text}");
    let line = text.lines().position(|line| line.contains(&allow)).unwrap_or_default() as u64 + 1;
    assert!(
        told(&whole).contains(&(line, CODE, line)) && told(&whole).contains(&(line + 1, CODE, 0)),
        "{:?}",
        told(&whole)
    );
    assert!(told(&whole).iter().any(|(_, code, _)| *code == "allows-nothing"), "{:?}", told(&whole));
}

/// Nobody knows of which item it would be.
#[test]
fn a_comment_in_front_of_a_long_list() {
    let text = format!("# vmhealth: allow duplicate-key because x\n{}", list(0, &[&manifest(&[])]));
    let pieces: Vec<Checks> = cut(&text).iter().map(|piece| checked(piece, &Remembered::default())).collect();
    let unjudged: Vec<_> = pieces.iter().flat_map(|checks| &checks.unjudged).map(ToString::to_string).collect();
    let [error] = unjudged.as_slice() else { panic!("{unjudged:?}") };
    assert!(error.starts_with("1:1: this list is too long for one comment to allow duplicate-key"), "{error}");
}

/// What a cluster adds to an object's metadata, and only that, is not read of a piece.
#[test]
fn managed_fields_of_a_piece_are_not_read() {
    const BOOKS: &str = "  managedFields:\n  - manager: kubectl\n    operation: Update\n    fieldsV1:\n      f:metadata: {}\n# a remark\n\n    fieldsType: FieldsV1\n";
    let own =
        manifest(&[]).replace("metadata: {name: vm}\n", &format!("metadata:\n{BOOKS}  generation: 2\n  name: vm\n"));
    // Somewhere else they are a field like any other.
    let elsewhere = manifest(&[]).replace("spec:\n  run", "spec:\n  managedFields:\n    a: b\n  run").replace(
        "  template:\n",
        "  template:\n    metadata:\n      annotations:\n        managedFields:\n          a\n",
    );
    for indent in [0, 2] {
        for (object, ignored, errors) in
            [(&own, &["metadata.generation"][..], &[][..]), (&elsewhere, &[], &["unknown-field spec.managedFields"])]
        {
            let text = list(indent, &[object]);
            let pieces = cut(&text);
            let manifests = checked(&pieces[0], &Remembered::default()).manifests;
            let found: Vec<&str> = manifests[0].ignored.iter().map(|(path, _)| path.as_str()).collect();
            let known = |path: &&str| path.starts_with("metadata");
            assert_eq!(found.into_iter().filter(known).collect::<Vec<_>>(), ignored, "{}", pieces[0].text);
            assert_eq!(crate::manifest::errors(&manifests[0]), errors, "{}", pieces[0].text);
        }
    }
}

/// An instance type and a preference of other pieces are there for a VM, in whatever piece, list or order.
#[test]
fn what_is_brought_in_other_pieces() {
    let [vm, instancetype, preference] = beside_a_vm();
    let in_list = format!("kind: List\nitems:\n- {}", instancetype.trim_end().replace('\n', "\n  "));
    for (others, seen) in [
        (vec![], [false, false]),
        (vec![instancetype.clone()], [true, false]),
        (vec![preference.clone()], [false, true]),
        (vec![preference, instancetype], [true, true]),
        (vec![in_list], [true, false]),
    ] {
        let mut remembered = Remembered::default();
        others.iter().flat_map(|other| cut_whole(other)).for_each(|piece| remembered.take(&piece));
        for piece in cut_whole(&vm) {
            assert_eq!(is_seen(&checked(&piece, &remembered).manifests[0]), seen, "{others:?}");
        }
    }
}

fn cut_whole(text: &str) -> Vec<Piece<'_>> {
    Pieces::of_documents_longer_than(usize::MAX).cut(text, true).unwrap_or_else(|e| panic!("{e}")).0
}

/// Of other pieces 4 MiB are kept; those that bring nothing do not count.
#[test]
fn so_much_of_other_pieces_is_kept() {
    const MOST: usize = 4 << 20;
    let [vm, instancetype, preference] = beside_a_vm();
    let padded = |text: &str, length: usize| format!("# {}\n{text}", "x".repeat(length - text.len() - 3));
    let nothing = "# VirtualMachineInstancetype\nkind: ConfigMap\n";
    for (others, seen) in [
        ([padded(&instancetype, MOST), preference.clone()], [true, false]),
        ([padded(&instancetype, MOST + 1), preference.clone()], [false, true]),
        ([padded(&instancetype, MOST / 2), padded(&preference, MOST / 2)], [true, true]),
        ([padded(&instancetype, MOST / 2), padded(&preference, MOST / 2 + 1)], [true, false]),
        ([padded(nothing, MOST), preference], [false, true]),
    ] {
        let mut remembered = Remembered::default();
        others.iter().flat_map(|other| cut_whole(other)).for_each(|piece| remembered.take(&piece));
        let piece = &cut_whole(&vm)[0];
        let lengths: Vec<usize> = others.iter().map(String::len).collect();
        assert_eq!(is_seen(&checked(piece, &remembered).manifests[0]), seen, "{lengths:?}");
    }
}

/// The same text's lists are looked into, but not for ever.
#[test]
fn what_is_brought_in_lists() {
    let [vm, instancetype, _] = beside_a_vm();
    let in_list = |inner: String| format!("kind: List\nitems:\n- {}\n", inner.trim_end().replace('\n', "\n  "));
    for (lists, seen) in [(0, true), (1, true), (8, true), (9, false)] {
        let text = format!("{vm}---\n{}", (0..lists).fold(instancetype.clone(), |inner, _| in_list(inner)));
        let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(is_seen(&checks.manifests[0]), [seen, false], "{lists}");
    }
}

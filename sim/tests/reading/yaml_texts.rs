//! Long texts cut into pieces as they come, and values at the edges of YAML and JSON.

use vmhealth_sim::yaml::{Cursor, Document, PIECE_LIMIT, Pieces, Value, documents};

/// The longest document that stays whole, a text, whether it is the last of it, and the pieces that it begins with.
const ROWS: &[(usize, &str, bool, &[&str])] = &[
    // A document is over with its marker, whose line is its own.
    (100, "a: b\n...\n", false, &["a: b\n...\n"]),
    (100, "a: b\n", false, &[]),
    (100, "a: b\n", true, &["a: b\n"]),
    (5, "a: b\n---\nc: d\n", true, &["a: b\n", "---\nc: d\n"]),
    // What is over is given out before a long one has come; what may still be together with others waits for them.
    (13, "a: b\n---\nc: d\n", false, &["a: b\n"]),
    (14, "a: b\n---\nc: d\n", false, &[]),
    (15, "a: b\n---\nc: d\n", false, &[]),
    // A list stays whole up to that length.
    (16, "items:\n- a\n- b\n\n", true, &["items:\n- a\n- b\n\n"]),
    (15, "items:\n- a\n- b\n\n", true, &["  a\n", "  b\n\n", "items:\n"]),
];

#[test]
fn what_is_cut() {
    for (whole, text, last, expected) in ROWS {
        let (pieces, taken) =
            Pieces::of_documents_longer_than(*whole).cut(text, *last).unwrap_or_else(|e| panic!("{e}"));
        let found: Vec<&str> = pieces.iter().map(|piece| piece.text.as_ref()).collect();
        assert_eq!(found, *expected, "{whole} {last}: {text:?}");
        assert!(!last || taken == text.len(), "{whole}: {text:?}");
    }
}

/// Of what has come and is no whole piece yet, so much is waited for.
#[test]
fn an_object_has_an_end() {
    let open = |before: &str, length: usize| format!("{before}a: {}", "x".repeat(length - 3));
    for (text, is_fine) in [
        (open("", PIECE_LIMIT), true),
        (open("", PIECE_LIMIT + 1), false),
        (open("b: c\n...\n", PIECE_LIMIT), true),
        (open("b: c\n...\n", PIECE_LIMIT + 1), false),
    ] {
        let cut = Pieces::default().cut(&text, false).map(|(pieces, _)| pieces.len());
        assert_eq!(cut.is_ok(), is_fine, "{} {cut:?}", text.len());
    }
}

/// A text of very many documents is no file of manifests.
#[test]
fn documents_have_an_end() {
    let error = documents(&"---\na: b\n".repeat(2_000)).expect_err("it is very much");
    assert!(error.message.contains("too many documents for one file: split it"), "{error}");
}

/// kubectl makes JSON of it, in which 10.0 is 10; beyond what a float tells apart it stays one.
#[test]
fn floats_that_are_whole_numbers() {
    for (text, is_int) in [("10.0", true), ("9e14", true), ("1e15", false), ("-1e15", false), ("0.5", false)] {
        let read = documents(&format!("a: {text}\n")).unwrap_or_else(|e| panic!("{e}"));
        let value = read[0].get("a").map(|node| node.value.clone());
        assert_eq!(matches!(value, Some(Value::Int(_))), is_int, "{text}: {value:?}");
    }
}

/// Of a key that comes twice the last one counts, in a small mapping as in a large one.
#[test]
fn keys_that_come_again() {
    for others in [0, 14, 15, 16, 40] {
        let more: String = (0..others).map(|i| format!("k{i}: {i}\n")).collect();
        let read = documents(&format!("a: 1\n{more}a: 2\nb: 3\n")).unwrap_or_else(|e| panic!("{e}"));
        let document = Document::new(&read[0]);
        let root = Cursor::new(&document);
        let value = |key| root.get(key).map(|at| at.value().clone());
        assert_eq!([value("a"), value("b")], [Some(Value::Int(2)), Some(Value::Int(3))], "{others}");
        assert_eq!(root.members().count(), others + 2, "{others}");
    }
}

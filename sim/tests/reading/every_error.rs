//! Everything that is wrong with a file of our own, by a small file of many shapes.

use serde::Deserialize;
use vmhealth_sim::yaml::{Pos, YamlError, every_error};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    first: Option<Pair>,
    #[serde(default)]
    second: Option<Pair>,
    #[serde(default)]
    items: Vec<Pair>,
    #[serde(default)]
    word: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    left: u8,
    #[serde(default)]
    right: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Alone,
    WithNumber(u8),
}

fn read(text: &str) -> (Vec<String>, Option<File>, Vec<String>) {
    let first = YamlError { pos: Pos { line: 1, column: 1 }, message: "the crate's own".into() };
    let all = every_error::<File>(text, first);
    (all.errors.iter().map(ToString::to_string).collect(), all.mended, all.without)
}

/// A text, the beginnings of what is said of it, and what was taken out of it for the rest to be read.
const ROWS: &[(&str, &[&str], &[&str])] = &[
    // What is lacked because it was taken out is not said; what another one lacks is.
    ("first: {left: x}\n", &["1:15: "], &["first.left", "first"]),
    (
        "first: {left: x}\nsecond: {right: 1}\n",
        &["1:15: ", "2:9: missing field `left`"],
        &["first.left", "first", "second"],
    ),
    // A key that comes again, also in an item.
    ("first: {left: 1, left: 2}\n", &["1:18: \"left\" comes again in the same mapping"], &[]),
    ("items:\n- {left: 1, left: 2}\n", &["2:13: \"left\" comes again in the same mapping"], &[]),
    ("items:\n- {left: 1}\n- {left: 1, right: x}\n", &["3:20: "], &["items[1].right"]),
    // A word that is misspelt, alone or as the key of what belongs to it; and one that is none.
    ("word: alon\n", &["1:7: unknown variant `alon`: did you mean `alone`?"], &[]),
    ("word: {withNumbr: 5}\n", &["1:8: unknown variant `withNumbr`: did you mean `withNumber`?"], &[]),
    ("word: {zzz: 5}\n", &["1:8: unknown variant `zzz`"], &["word"]),
    ("word: {}\n", &["1:7: expected one word"], &["word"]),
    ("word: {alone: 5}\n", &["1:15: the word stands alone: nothing belongs to it"], &["word"]),
    ("word: {alone: }\n", &["1:1: the crate's own"], &[]),
];

#[test]
fn what_is_said_and_what_is_taken_out() {
    let mut wrong = Vec::new();
    for (text, expected, out) in ROWS {
        let (errors, mended, without) = read(text);
        let fits = errors.iter().zip(*expected).all(|(error, expected)| error.starts_with(expected));
        if !fits || errors.len() != expected.len() || without != *out || mended.is_none() {
            wrong.push(format!("{text}{errors:#?} {without:?} {}", mended.is_some()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was meant is read.
#[test]
fn what_was_meant_is_read() {
    let of = |text: &str| read(text).1;
    assert!(matches!(of("word: {withNumbr: 5}\n").and_then(|file| file.word), Some(Word::WithNumber(5))));
    assert!(matches!(of("word: alon\n").and_then(|file| file.word), Some(Word::Alone)));
    let file = of("first: {lefft: 1}\nsecond: {left: 2, right: 3}\nitems: [{left: 4}]\n").expect("it can be mended");
    let left = |pair: Option<Pair>| pair.map(|pair| (pair.left, pair.right));
    assert_eq!((left(file.first), left(file.second), file.items.len()), (Some((1, 0)), Some((2, 3)), 1));
}

#[test]
fn so_many_keys_that_come_again_are_said() {
    for (again, said) in [(99, 99), (100, 100), (101, 100)] {
        let (errors, ..) = read(&format!("first: {{left: 1{}}}\n", ", left: 1".repeat(again)));
        let found = errors.iter().filter(|error| error.contains("comes again")).count();
        assert_eq!(found, said, "{again}");
    }
}

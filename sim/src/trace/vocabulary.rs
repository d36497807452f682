//! Which words can follow which: the tree of all events' texts, against which a scenario's words are checked.

use super::{Event, Word};
use crate::meant::meant;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::Discriminant;
use std::sync::LazyLock;

/// A word and those that can follow it.
#[derive(Debug)]
struct Node {
    word: NodeWord,
    next: Vec<Node>,
}

#[derive(Debug, PartialEq)]
enum NodeWord {
    Known(&'static str),
    Number,
    Open,
}

impl NodeWord {
    fn of(word: Word<'_>) -> NodeWord {
        match word {
            Word::Known(word) => NodeWord::Known(word),
            Word::Number(_) => NodeWord::Number,
            Word::Open(_) => NodeWord::Open,
        }
    }

    fn takes(&self, text: &str) -> bool {
        match self {
            NodeWord::Known(word) => *word == text,
            NodeWord::Number => text.parse::<i32>().is_ok(),
            NodeWord::Open => true,
        }
    }

    /// For a list of what was expected.
    fn expected(&self) -> &'static str {
        match self {
            NodeWord::Known(word) => word,
            NodeWord::Number => "a number",
            NodeWord::Open => "any word",
        }
    }

    /// As a part of a regular expression.
    fn regex(&self) -> &'static str {
        match self {
            NodeWord::Known(word) => word,
            NodeWord::Number => "-?[0-9]+",
            NodeWord::Open => "[^ ]+",
        }
    }
}

/// The lanes, and below each what can follow.
static LANES: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let mut lanes = Vec::new();
    for event in Event::every() {
        let mut level: &mut Vec<Node> = &mut lanes;
        let mut words = Vec::new();
        event.words(&mut |word| words.push(NodeWord::of(word)));
        for word in words {
            let found = level.iter().position(|node| node.word == word);
            let index = found.unwrap_or(level.len());
            if found.is_none() {
                level.push(Node { word, next: Vec::new() });
            }
            level = &mut level[index].next;
        }
    }
    lanes
});

/// The kinds of events of each lane.
static KINDS: LazyLock<BTreeMap<&'static str, Vec<Discriminant<Event>>>> = LazyLock::new(|| {
    let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in Event::every() {
        let of_lane = kinds.entry(event.lane()).or_default();
        let kind = std::mem::discriminant(&event);
        if !of_lane.contains(&kind) {
            of_lane.push(kind);
        }
    }
    kinds
});

/// The kinds of events that this lane has: whoever looks for one need not spell the others.
pub fn kinds(lane: &str) -> &'static [Discriminant<Event>] {
    KINDS.get(lane).map_or(&[], Vec::as_slice)
}

/// Refuses words that no event's text begins with; says which word is wrong, what is expected there, and what was meant.
pub fn check(words: &[&str]) -> Result<(), String> {
    let mut level: &[Node] = &LANES;
    for (i, word) in words.iter().enumerate() {
        match level.iter().find(|node| node.word.takes(word)) {
            Some(node) => level = &node.next,
            None => return Err(refusal(&words[..i], word, level)),
        }
    }
    if words.is_empty() { Err(refusal(&[], "", &LANES)) } else { Ok(()) }
}

fn refusal(before: &[&str], word: &str, level: &[Node]) -> String {
    let mut text = match before {
        [] => format!("no event begins with {word:?}"),
        before => format!("{:?} is never followed by {word:?}", before.join(" ")),
    };
    if level.is_empty() {
        text.push_str(": it ends there");
        return text;
    }
    let known = level.iter().filter_map(|node| match node.word {
        NodeWord::Known(known) => Some(known),
        NodeWord::Number | NodeWord::Open => None,
    });
    let meant = meant(word, known);
    if let Some(meant) = meant {
        let _ = write!(text, ": did you mean {meant:?}?");
    }
    let expected: Vec<&str> = level.iter().map(|node| node.word.expected()).collect();
    let colon = if meant.is_some() { "" } else { ":" };
    let one_of = if expected.len() > 1 { "one of " } else { "" };
    let _ = write!(text, "{colon} expected {one_of}{}", expected.join(", "));
    text
}

/// One way in which a scenario may name events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Exactly these words.
    Words(String),
    /// What this regular expression describes, from the text's beginning to its end.
    Regex(String),
}

/// Every way in which a scenario may name events, shorter ones before those that they begin.
pub fn texts() -> Vec<Text> {
    let mut all = Vec::new();
    collect(&LANES, "", false, &mut all);
    all
}

fn collect(level: &[Node], before: &str, open: bool, all: &mut Vec<Text>) {
    for node in level {
        let open = open || !matches!(node.word, NodeWord::Known(_));
        // Nothing follows an open word, and no known word means anything in a regular expression.
        let text = format!("{before}{}", node.word.regex());
        all.push(if open { Text::Regex(text.clone()) } else { Text::Words(text.clone()) });
        collect(&node.next, &format!("{text} "), open, all);
    }
}

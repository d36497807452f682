//! A long text in pieces, each of which is read by itself: its documents, and of a long list its items.
//!
//! What is cut is YAML in block style, as kubectl prints it, and JSON; anything else stays in one piece. A document that is not
//! long stays whole, whatever it is. Anchors do not reach from one piece into another.

use super::node::{Pos, YamlError};
use std::borrow::Cow;
use std::ops::Range;

/// A document of more bytes is cut, if it is a list.
const WHOLE: usize = 256 << 10;
/// So many documents in a piece.
const TOGETHER: usize = 500;
/// Of a piece, in bytes: more than etcd stores of any object, several times over.
pub const PIECE_LIMIT: usize = 8 << 20;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'t> {
    /// What it is of the text.
    pub kind: PieceKind,
    /// As it stands in the text; the dash before an item is a space.
    pub text: Cow<'t, str>,
    /// Where in the text it begins.
    pub first: Pos,
}

/// What a piece is of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// A document, or a few small ones.
    Document,
    /// An item of a list.
    Item,
    /// A list, without its items.
    List,
}

/// Cuts a text that comes bit by bit.
#[derive(Debug)]
pub struct Pieces {
    open: Open,
    /// Where the text that comes begins.
    at: Pos,
    /// Of a list that is being cut: what is around its items, and where it begins.
    frame: (String, Pos),
    whole: usize,
}

/// Within what the text goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// A document begins.
    Document,
    /// An item of a list begins, or what is behind the last one. The dashes are in this column.
    Items(usize),
    /// The same in JSON.
    JsonItems,
    /// What is behind the last item.
    Tail,
}

impl Default for Pieces {
    fn default() -> Self {
        Pieces::of_documents_longer_than(WHOLE)
    }
}

impl Pieces {
    /// With a limit of one's own for documents that stay whole.
    pub fn of_documents_longer_than(whole: usize) -> Pieces {
        let at = Pos { line: 1, column: 1 };
        Pieces { open: Open::Document, at, frame: (String::new(), at), whole }
    }

    /// The pieces that `text` begins with, and how many of its bytes they are; the rest is to come again, with more behind it
    /// unless this is the `last` of the text.
    pub fn cut<'t>(&mut self, text: &'t str, last: bool) -> Result<(Vec<Piece<'t>>, usize), YamlError> {
        let (mut pieces, mut done) = (Vec::new(), 0);
        while done < text.len() {
            let rest = &text[done..];
            // What a line is, its end tells.
            let lines = if last { rest } else { &rest[..rest.rfind('\n').map_or(0, |newline| newline + 1)] };
            let Some(length) = self.step(rest, lines, last, &mut pieces) else { break };
            done += length;
            self.at = behind(self.at, &rest[..length]);
        }
        if last && self.open != Open::Document {
            self.close(&mut pieces);
        }
        if text.len() - done > PIECE_LIMIT {
            let message = format!("too much for one object: more than {} MiB", PIECE_LIMIT >> 20);
            return Err(YamlError { pos: self.at, message });
        }
        Ok((pieces, done))
    }

    /// Takes one piece, or steps into a list; the bytes taken, `None`: more must come first. `lines`: the whole lines of the rest.
    fn step<'t>(&mut self, rest: &'t str, lines: &'t str, last: bool, pieces: &mut Vec<Piece<'t>>) -> Option<usize> {
        let all = |end: Option<usize>| end.or(last.then_some(rest.len()));
        let piece = |kind, text, first| Piece { kind, text, first };
        match self.open {
            Open::Document => {
                let first = document_end(lines, false).unwrap_or(rest.len());
                if first > self.whole
                    && let Some((start, open)) = items_begin(&rest[..first], lines.get(..first).unwrap_or(lines))
                {
                    self.frame = (rest[..start].to_owned(), self.at);
                    self.open = open;
                    return Some(start);
                }
                let end = documents_end(lines, rest.len(), self.whole, last)?;
                pieces.push(piece(PieceKind::Document, rest[..end].into(), self.at));
                Some(end)
            }
            Open::Items(column) => {
                if !is_item(lines.split('\n').next().filter(|_| !lines.is_empty())?, column) {
                    self.open = Open::Tail;
                    return Some(0);
                }
                let end = all(item_end(lines, column))?;
                let mut text = rest[..end].to_owned();
                text.replace_range(column..=column, " ");
                pieces.push(piece(PieceKind::Item, text.into(), self.at));
                Some(end)
            }
            Open::JsonItems => {
                let start = rest.find(|c: char| !c.is_ascii_whitespace() && c != ',')?;
                if start > 0 {
                    return Some(start);
                }
                if !rest.starts_with('{') {
                    self.open = Open::Tail;
                    return Some(0);
                }
                let end = all(json_end(rest))?;
                pieces.push(piece(PieceKind::Item, rest[..end].into(), self.at));
                Some(end)
            }
            Open::Tail => {
                let end = all(document_end(lines, true))?;
                self.frame.0.push_str(&rest[..end]);
                self.close(pieces);
                Some(end)
            }
        }
    }

    fn close(&mut self, pieces: &mut Vec<Piece<'_>>) {
        let (text, first) = std::mem::replace(&mut self.frame, (String::new(), self.at));
        pieces.push(Piece { kind: PieceKind::List, text: text.into(), first });
        self.open = Open::Document;
    }
}

/// The lines of a text with their ends, and where each begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        at += line.len();
        (at - line.len(), line)
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Nothing, or a comment.
fn is_blank(line: &str) -> bool {
    matches!(line.trim_start().as_bytes().first(), None | Some(b'#'))
}

/// A list's item whose dash is in this column.
fn is_item(line: &str, column: usize) -> bool {
    let behind = line.get(column..).and_then(|l| l.strip_prefix('-'));
    indent(line) == column && behind.is_some_and(|b| b.trim_end().is_empty() || b.starts_with(' '))
}

/// `---` or `...`, which stand for themselves wherever they are.
fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|behind| behind.is_empty() || behind.starts_with([' ', '\t', '\r', '\n']))
}

/// Where the documents end that a text of so many bytes begins with: one, or as many as are together not longer than `whole`.
fn documents_end(text: &str, length: usize, whole: usize, last: bool) -> Option<usize> {
    let mut end = 0;
    for _ in 0..TOGETHER {
        let next = match document_end(&text[end..], false) {
            Some(next) => end + next,
            None if last || (length > whole && end > 0) => length,
            None => return None,
        };
        if end > 0 && next > whole {
            break;
        }
        end = next;
        if end == length {
            break;
        }
    }
    Some(end)
}

/// Where the document ends that a text begins with: behind `...`, or before the `---` of the next. `has_content`: some of it is
/// before the text.
pub(super) fn document_end(text: &str, mut has_content: bool) -> Option<usize> {
    for (at, line) in lines(text) {
        if is_marker(line, "...") {
            return Some(at + line.len());
        }
        if has_content && is_marker(line, "---") {
            return Some(at);
        }
        has_content |= !is_blank(line) && !line.starts_with('%') && line.trim_end() != "---";
    }
    None
}

/// Where the first item of a list at the top of a document begins; `lines`: the whole lines of it.
fn items_begin(document: &str, lines_of_it: &str) -> Option<(usize, Open)> {
    let (start, first) = lines(document).find(|(_, line)| !is_blank(line) && !is_marker(line, "---"))?;
    if first.trim_start().starts_with('{') {
        return Some((start + json_list(&document[start..], &["items"])?, Open::JsonItems));
    }
    let mut below = lines(lines_of_it).skip_while(|(_, line)| line.strip_prefix("items:").is_none_or(|l| !is_blank(l)));
    below.next();
    let (at, line) = below.find(|(_, line)| !is_blank(line))?;
    let column = indent(line);
    is_item(line, column).then_some((at, Open::Items(column)))
}

/// Where the item ends that a text begins with: at the next line that is not below its dash.
fn item_end(text: &str, column: usize) -> Option<usize> {
    let mut below = lines(text);
    below.next();
    below.find(|(_, line)| indent(line) <= column && !is_blank(line)).map(|(at, _)| at)
}

/// The end of the JSON object or list that a text begins with.
fn json_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    json_tokens(text).find_map(|(at, token)| {
        match token {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at + 1)
    })
}

/// Where the list at a path of keys, in the JSON object that a text begins with, has its items: what is behind its bracket.
fn json_list(text: &str, path: &[&str]) -> Option<usize> {
    let (mut keys, mut word) = (Vec::new(), 0);
    for (at, token) in json_tokens(text) {
        let key = match token {
            b'[' if keys == path => return Some(at + 1),
            b':' => text[word..at].trim_end().trim_matches('"'),
            _ => "",
        };
        match token {
            b'{' | b'[' => keys.push(""),
            b'}' | b']' => drop(keys.pop()),
            b'"' => word = at,
            _ => keys.last_mut().into_iter().for_each(|last| *last = key),
        }
    }
    None
}

/// The items of the list at a path of keys in a JSON object, as bytes of its text.
pub(crate) fn json_list_at(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let start = json_list(text, path)?;
    let end = start - 1 + json_end(&text[start - 1..])?;
    Some(start..end - 1)
}

/// The bytes of JSON that mean something, outside of texts; of a text the first one.
fn json_tokens(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    std::iter::from_fn(move || {
        let start =
            at + bytes.get(at..)?.iter().position(|b| matches!(b, b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"'))?;
        at = start + 1;
        let mut inside = bytes[start] == b'"';
        while inside {
            let end = at + text.get(at..)?.find(['"', '\\'])?;
            inside = bytes[end] != b'"';
            at = if inside { end + 2 } else { end + 1 };
        }
        Some((start, bytes[start]))
    })
}

/// The place behind a text that begins at a place.
pub(super) fn behind(first: Pos, text: &str) -> Pos {
    let columns = |text: &str| text.chars().count() as u64;
    match text.rsplit_once('\n') {
        Some((before, last)) => {
            let lines = before.bytes().filter(|b| *b == b'\n').count() as u64 + 1;
            Pos { line: first.line + lines, column: 1 + columns(last) }
        }
        None => Pos { line: first.line, column: first.column + columns(text) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a text that comes `step` bytes at a time.
    fn pieces(text: &str, whole: usize, step: usize) -> Vec<(PieceKind, String, (u64, u64))> {
        let (mut cutter, mut found, mut done, mut come) = (Pieces::of_documents_longer_than(whole), Vec::new(), 0, 0);
        while come < text.len() {
            come = text.ceil_char_boundary(come + step);
            let (pieces, taken) = cutter.cut(&text[done..come], come == text.len()).unwrap();
            found.extend(pieces.into_iter().map(|p| (p.kind, p.text.into_owned(), (p.first.line, p.first.column))));
            done += taken;
        }
        assert_eq!(done, text.len());
        found
    }

    #[test]
    fn documents_items_and_what_is_around_them() {
        use PieceKind::{Document, Item, List};
        let yaml = "kind: A\nitems:\n# one\n- a: |\n    - x\n  b: 1\n\n-\n  a: ü\nkind: AList\n";
        let deep = "items:\n  - a\n  - b: [1,\n      2]\nkind: L\n";
        let json = "{\"items\": [{\"a\": \"}\\\"]\"}, {\"items\": [{}]}\n], \"kind\": \"L\"}\n";
        let decoy = "{\"a\": [{}], \"b\": \"items\", \"c\": [{}]}";
        for (text, whole, expected) in [
            ("a: 1\n---\nb: 2\n", 0, vec![(Document, "a: 1\n", (1, 1)), (Document, "---\nb: 2\n", (2, 1))]),
            (
                "# c\n---\na: 1\n...\n%YAML 1.2\n---\nb: |\n ---\n",
                0,
                vec![(Document, "# c\n---\na: 1\n...\n", (1, 1)), (Document, "%YAML 1.2\n---\nb: |\n ---\n", (5, 1))],
            ),
            (yaml, 1000, vec![(Document, yaml, (1, 1))]),
            (
                yaml,
                0,
                vec![
                    (Item, "  a: |\n    - x\n  b: 1\n\n", (4, 1)),
                    (Item, " \n  a: ü\n", (8, 1)),
                    (List, "kind: A\nitems:\n# one\nkind: AList\n", (1, 1)),
                ],
            ),
            (
                deep,
                0,
                vec![
                    (Item, "    a\n", (2, 1)),
                    (Item, "    b: [1,\n      2]\n", (3, 1)),
                    (List, "items:\nkind: L\n", (1, 1)),
                ],
            ),
            (
                json,
                0,
                vec![
                    (Item, "{\"a\": \"}\\\"]\"}", (1, 12)),
                    (Item, "{\"items\": [{}]}", (1, 27)),
                    (List, "{\"items\": [], \"kind\": \"L\"}\n", (1, 1)),
                ],
            ),
            (decoy, 0, vec![(Document, decoy, (1, 1))]),
            ("items: [a]\n", 0, vec![(Document, "items: [a]\n", (1, 1))]),
            ("items:\n  a: 1\n", 0, vec![(Document, "items:\n  a: 1\n", (1, 1))]),
            (
                "a: 1\n---\nb: 2\n---\nc: 3\n",
                14,
                vec![(Document, "a: 1\n---\nb: 2\n", (1, 1)), (Document, "---\nc: 3\n", (4, 1))],
            ),
            (
                "kind: L\nitems:\n- a\n---\nb: 1\n",
                15,
                vec![(Item, "  a\n", (3, 1)), (List, "kind: L\nitems:\n", (1, 1)), (Document, "---\nb: 1\n", (4, 1))],
            ),
            ("items:\n- a: 1", 0, vec![(Item, "  a: 1", (2, 1)), (List, "items:\n", (1, 1))]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(kind, text, at)| (kind, text.to_owned(), at)).collect();
            assert_eq!(pieces(text, whole, text.len()), expected, "{text}");
        }
        // However it comes: a piece is handed out when its end is seen.
        let long = format!("{yaml}---\n{yaml}---\n{json}");
        for step in [1, 2, 7, 50] {
            assert_eq!(pieces(&long, 0, step).len(), 3 + 3 + 3, "{step}: {:?}", pieces(&long, 0, step));
        }
    }

    #[test]
    fn lists_in_json() {
        let text = "{\"a\": [{\"b\": [1]}], \"b\": {\"b\": \"[\", \"c\": {\"b\": [2]}}, \"c\": {\"b\" : [3, [4]]}}";
        for (path, items) in [
            (&["a"][..], Some("{\"b\": [1]}")),
            (&["b", "b"], None),
            (&["b", "c", "b"], Some("2")),
            (&["c", "b"], Some("3, [4]")),
            (&["d"], None),
        ] {
            assert_eq!(json_list_at(text, path).map(|range| &text[range]), items, "{path:?}");
        }
    }

    #[test]
    fn what_is_too_long() {
        let text = format!("a: {}", "x".repeat(PIECE_LIMIT));
        let error = Pieces::default().cut(&text, false).unwrap_err();
        assert!(error.message.contains("more than 8 MiB"), "{error}");
    }
}

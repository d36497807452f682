//! User data taken apart into what a guest would read: the files that it writes, and the commands that it runs.
//!
//! Only cloud-config has parts (cloud-init's write_files, runcmd, bootcmd, packages, power_state). A script, a MIME message, or a text
//! that is no YAML stays one part, and whoever reads it looks at its lines.

use super::base64::go_base64;
use super::calls::may_not_run;
use crate::yaml::{self, Cursor, Document, Value};

/// One file, all commands, or a whole text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    /// Of a file that is written; empty for the rest.
    pub(super) path: String,
    /// Its text without the lines that are comments.
    pub(super) lines: Vec<Line>,
}

/// A line of a part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    pub(super) text: String,
    /// A condition, a loop or a function of a script is around it.
    pub(super) may_not_run: bool,
}

impl Part {
    fn of(path: &str, text: &str) -> Part {
        Part { path: path.to_owned(), lines: lines(text) }
    }
}

fn lines(text: &str) -> Vec<Line> {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with(['#', ';'])).collect();
    let line = |(text, may_not_run): (&&str, bool)| Line { text: (*text).to_owned(), may_not_run };
    lines.iter().zip(may_not_run(&lines)).map(line).collect()
}

/// What is taken apart; a mapping without any of it is a text as any other.
const KEYS: [&str; 4] = ["write_files", "bootcmd", "runcmd", "packages"];

/// What a text of user data consists of; files in their order.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let is_script = text.trim_start().starts_with("#!");
    let nodes = if is_script { Vec::new() } else { yaml::documents(text).unwrap_or_default() };
    let Some(node) = nodes.first().filter(|node| matches!(node.value, Value::Map(_))) else {
        return vec![Part::of("", text)];
    };
    let document = Document::new(node);
    let root = Cursor::new(&document);
    if KEYS.iter().all(|key| root.get(key).is_none()) {
        return vec![Part::of("", text)];
    }
    let mut parts: Vec<Part> = root.items_at("write_files").map(file).collect();
    let mut commands: Vec<String> =
        ["bootcmd", "runcmd"].iter().flat_map(|list| root.items_at(list)).map(words).collect();
    commands.extend(root.items_at("packages").map(|package| format!("install {}", words(package))));
    if root.text_at("power_state.mode") == Some("reboot") {
        commands.push("reboot".to_owned());
    }
    // Each has a shell of its own, or its lines to itself.
    parts.push(Part { path: String::new(), lines: commands.iter().flat_map(|command| lines(command)).collect() });
    parts
}

fn file(entry: Cursor<'_>) -> Part {
    let content = entry.text_at("content").unwrap_or_default();
    let is_encoded = matches!(entry.text_at("encoding"), Some("b64" | "base64"));
    let decoded = go_base64(content).filter(|_| is_encoded).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Part::of(entry.text_at("path").unwrap_or_default(), decoded.as_deref().unwrap_or(content))
}

/// A command as a text or as a list of its words.
fn words(command: Cursor<'_>) -> String {
    let scalar = |at: Cursor<'_>| match at.value() {
        Value::Str(text) => text.clone(),
        Value::Int(n) => n.to_string(),
        _ => String::new(),
    };
    match command.value() {
        Value::Seq(_) => command.items().map(scalar).collect::<Vec<_>>().join(" "),
        _ => scalar(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_has_parts() {
        let part = |path: &str, lines: &[&str]| Part {
            path: path.to_owned(),
            lines: lines.iter().map(|l| Line { text: (*l).to_owned(), may_not_run: l.contains("maybe") }).collect(),
        };
        let config = "#cloud-config\nwrite_files:\n- {path: /a, content: \"x\\n# y\\nz\\n\"}\n- {path: /b, encoding: b64, content: aGkK}\n\
                      runcmd: [[watchdog, -t, 1], \"echo a\"]\nbootcmd: [b]\npackages: [c]\npower_state: {mode: reboot}\n";
        for (text, expected) in [
            (
                config,
                vec![
                    part("/a", &["x", "z"]),
                    part("/b", &["hi"]),
                    part("", &["b", "watchdog -t 1", "echo a", "install c", "reboot"]),
                ],
            ),
            ("#!/bin/sh\na: b\n", vec![part("", &["a: b"])]),
            // What does not end in one command ends with it.
            (
                "runcmd: [\"if maybe\\nthen maybe\\nfi # maybe\\na\", \"if a\", \"fi\"]\n",
                vec![part("", &["if maybe", "then maybe", "fi # maybe", "a", "if a", "fi"])],
            ),
            ("no: [yaml\n# x\n", vec![part("", &["no: [yaml"])]),
            ("a: b\n", vec![part("", &["a: b"])]),
            ("", vec![part("", &[])]),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }
}

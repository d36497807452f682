//! `check --format sarif`: SARIF 2.1.0, which code scanning reads (docs.oasis-open.org/sarif/sarif/v2.1.0).
//!
//! Written result by result: nothing of a manifest is kept.

use serde_json::{Value, json};
use vmhealth_sim::check::{Allowed, Checked, Rank, rules};
use vmhealth_sim::yaml::{Pos, YamlError};

/// A log that is being written.
#[derive(Debug, Default)]
pub struct Sarif {
    results: usize,
    /// What could not be read.
    unreadable: Vec<Value>,
}

impl Sarif {
    /// What comes before all results.
    pub fn begin(&self) -> String {
        let tool = json!({"driver": {
            "name": "vmhealth",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules().iter().map(|rule| json!({
                "id": rule.code,
                "shortDescription": {"text": rule.code.replace('-', " ")},
                "fullDescription": {"text": rule.story},
                "help": {"text": format!("{}\n\nSource: {}", rule.story, rule.source)},
                "defaultConfiguration": {"level": level(rule.rank)},
                "properties": {"layer": rule.layer.as_str()}
            })).collect::<Vec<_>>()
        }});
        format!(
            "{{\n\"$schema\": \"https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json\",\n\
             \"version\": \"2.1.0\",\n\"runs\": [{{\n\"tool\": {tool},\n\"columnKind\": \"unicodeCodePoints\",\n\"results\": ["
        )
    }

    /// A manifest's findings.
    pub fn add(&mut self, file: &str, checked: &Checked) -> String {
        let mut out = String::new();
        let found = checked.findings.iter().map(|finding| (finding, None));
        let allowed = checked.allowed.iter().map(|allowed| (&allowed.finding, Some(allowed)));
        for (finding, allowed) in found.chain(allowed) {
            let index = rules().iter().position(|rule| rule.code == finding.rule.code);
            let mut location = place(file, finding.pos);
            let logical = json!([{"fullyQualifiedName": format!("{}: {}", checked.name, finding.vm_field)}]);
            location["logicalLocations"] = logical;
            let mut result = json!({
                "ruleId": finding.rule.code,
                "ruleIndex": index,
                "level": level(finding.rule.rank),
                "message": {"text": format!("{} ({}). {}", finding.message, finding.layer, finding.help)},
                "locations": [location]
            });
            if let Some(Allowed { reason, comment, .. }) = allowed {
                result["suppressions"] = json!([{
                    "kind": "inSource", "status": "accepted", "justification": reason, "location": place(file, *comment)
                }]);
            }
            out += if self.results == 0 { "\n" } else { ",\n" };
            out += &result.to_string();
            self.results += 1;
        }
        out
    }

    /// What could not be read.
    pub fn add_unreadable(&mut self, file: &str, error: &YamlError) {
        let (text, locations) = (&error.message, [place(file, error.pos)]);
        self.unreadable.push(json!({"level": "error", "message": {"text": text}, "locations": locations}));
    }

    /// What comes behind all results.
    pub fn end(&self) -> String {
        let fine = self.unreadable.is_empty();
        let invocation = json!({"executionSuccessful": fine, "toolExecutionNotifications": self.unreadable});
        format!("\n],\n\"invocations\": [{invocation}]\n}}]\n}}\n")
    }
}

fn level(rank: Rank) -> &'static str {
    rank.as_str()
}

fn place(file: &str, pos: Pos) -> Value {
    // Of an empty text there is no place.
    let (line, column) = (pos.line.max(1), pos.column.max(1));
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(file)},
        "region": {"startLine": line, "startColumn": column}
    }})
}

/// A path as a relative or absolute URI (RFC 3986).
fn uri(file: &str) -> String {
    let file = if file == "-" { "stdin" } else { file };
    let escaped = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    let path: String = file.bytes().map(escaped).collect();
    if path.starts_with('/') { format!("file://{path}") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        for (file, expected) in
            [("a b/ü.yaml", "a%20b/%C3%BC.yaml"), ("/x:y.yaml", "file:///x%3Ay.yaml"), ("-", "stdin")]
        {
            assert_eq!(uri(file), expected);
        }
    }
}

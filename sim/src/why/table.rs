//! Events as kubectl prints them for people: `kubectl get events`, and the last part of `kubectl describe`.

use super::clock::{When, age};
use super::event::{self, Event};
use super::fact::{Facts, Place, Whose};

/// Where each column begins, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    columns: Vec<(&'static str, usize)>,
}

/// The columns that matter, as `get events` and `describe` name them.
const COLUMNS: &[&str] = &[
    "NAMESPACE",
    "LAST SEEN",
    "TYPE",
    "REASON",
    "OBJECT",
    "SUBOBJECT",
    "SOURCE",
    "MESSAGE",
    "FIRST SEEN",
    "COUNT",
    "NAME",
    "AGE",
    "FROM",
];

impl Table {
    /// The table that this line is the head of.
    pub(super) fn head(line: &str) -> Option<Table> {
        let upper = line.to_ascii_uppercase();
        let mut columns: Vec<(&'static str, usize)> = Vec::new();
        for name in COLUMNS {
            // As a whole word: NAME is in NAMESPACE, OBJECT in SUBOBJECT.
            let mut from = 0;
            while let Some(at) = upper.get(from..).and_then(|rest| rest.find(name)).map(|at| at + from) {
                from = at + name.len();
                let alone = |c: Option<char>| c.is_none_or(char::is_whitespace);
                let before = upper.get(..at).and_then(|b| b.chars().next_back());
                if alone(before) && alone(upper.get(from..).and_then(|b| b.chars().next())) {
                    columns.push((name, line.get(..at)?.chars().count()));
                    break;
                }
            }
        }
        columns.sort_by_key(|(_, at)| *at);
        let has = |name: &str| columns.iter().any(|(n, _)| *n == name);
        let is_events = has("TYPE") && has("REASON") && has("MESSAGE") && (has("AGE") || has("LAST SEEN"));
        is_events.then_some(Table { columns })
    }

    fn cell(&self, line: &[char], name: &str) -> String {
        let Some(i) = self.columns.iter().position(|(n, _)| *n == name) else { return String::new() };
        let (_, from) = self.columns[i];
        let to = self.columns.get(i + 1).map_or(line.len(), |(_, at)| *at).min(line.len());
        line.get(from..to).map(|c| c.iter().collect::<String>().trim().to_owned()).unwrap_or_default()
    }

    /// Takes a line of it; `of`: kind, namespace and name of what `describe` describes, the name empty where it does not matter.
    /// `false`: the table is over.
    pub(super) fn take(
        &self,
        facts: &mut Facts,
        line: &str,
        of: (&str, &str, &str),
        vm: Whose<'_>,
        place: Place<'_>,
    ) -> bool {
        let (kind, described, named) = of;
        if line.trim().is_empty() {
            return false;
        }
        // The dashes below describe's head.
        if line.trim_start().starts_with("----") {
            return true;
        }
        let chars: Vec<char> = line.chars().collect();
        let (kind_of, object) = (self.cell(&chars, "TYPE"), self.cell(&chars, "OBJECT"));
        let (reason, message) = (self.cell(&chars, "REASON"), self.cell(&chars, "MESSAGE"));
        if !matches!(kind_of.as_str(), "Normal" | "Warning") {
            return false;
        }
        let (kind, name) = match object.split_once('/') {
            Some((kind, name)) => (kind_name(kind), name),
            None => (kind, named),
        };
        let last_seen = self.cell(&chars, "LAST SEEN");
        let seen = if last_seen.is_empty() { self.cell(&chars, "AGE") } else { last_seen };
        let (when, times) = seen_at(&seen);
        let (reason, message) = (reason.as_str(), message.as_str());
        let (warning, only) = (kind_of == "Warning", object.is_empty());
        let column = self.cell(&chars, "NAMESPACE");
        let namespace = if column.is_empty() { described } else { &column };
        let event = Event { uid: "", kind, name, namespace, reason, message, warning, when, times, only };
        event::take(facts, event, vm, place);
        true
    }
}

/// `pod` to `Pod`, as events name what they are about.
fn kind_name(word: &str) -> &'static str {
    match word {
        "pod" => "Pod",
        "virtualmachineinstance" => "VirtualMachineInstance",
        "virtualmachine" => "VirtualMachine",
        "node" => "Node",
        _ => "other",
    }
}

/// `3m`, `2m18s (x20 over 7m46s)`: when it was first seen, and how often.
fn seen_at(text: &str) -> (Option<When>, u64) {
    let (last, rest) = text.split_once(' ').unwrap_or((text, ""));
    let again = rest.trim_matches(['(', ')', ' ']);
    let (times, over) = again.strip_prefix('x').and_then(|r| r.split_once(" over ")).unwrap_or(("1", ""));
    (age(over).or_else(|| age(last)).map(When::Ago), times.parse().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::Sign;

    #[test]
    fn tables_of_both_kinds() {
        let check = |text: &str, expected: &[(Sign, Option<When>, u64)]| {
            let mut lines = text.lines();
            let table = Table::head(lines.next().unwrap_or_default()).expect(text);
            let mut facts = Facts::default();
            for (line, n) in lines.zip(2..) {
                let web = Whose { name: "web", namespace: "shop" };
                table.take(&mut facts, line, ("VirtualMachineInstance", "shop", ""), web, Place { file: "e", line: n });
            }
            let found: Vec<_> = facts.facts.iter().map(|f| (f.sign, f.when, f.times)).collect();
            assert_eq!(found, expected, "{text}\n{facts:?}");
        };
        check(
            "LAST SEEN   TYPE      REASON    OBJECT                        MESSAGE\n\
             5m          Normal    Killing   pod/virt-launcher-web-abcde   Stopping container compute\n\
             5m          Normal    Killing   pod/virt-launcher-webb-abcde  Stopping container compute\n",
            &[(Sign::Killing, Some(When::Ago(300)), 1)],
        );
        check(
            "NAMESPACE   LAST SEEN   TYPE      REASON    OBJECT                        MESSAGE\n\
             shop        5m          Normal    Killing   pod/virt-launcher-web-abcde   Stopping container compute\n\
             test        5m          Normal    Killing   pod/virt-launcher-web-fghij   Stopping container compute\n",
            &[(Sign::Killing, Some(When::Ago(300)), 1)],
        );
        check(
            "  Type     Reason        Age                   From          Message\n  \
               ----     ------        ----                  ----          -------\n  \
               Warning  IOerror       18s (x20 over 7m46s)  virt-handler  VM Paused due to IO error\n  \
               Normal   ShuttingDown  9s                    virt-handler  Signaled Graceful Shutdown\n",
            &[(Sign::IoError, Some(When::Ago(466)), 20), (Sign::ShuttingDown, Some(When::Ago(9)), 1)],
        );
        assert_eq!(Table::head("NAME   READY   STATUS   AGE"), None);
    }
}

//! Texts of evidence to facts; what a text is, its content says.

use super::console::Console;
use super::fact::{Facts, Place, Whose};
use super::objects::{self, Manifest};
use super::sign::Sign;
use super::{log, table::Table};
use crate::yaml;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;

/// No line is longer in a log that a person looks at.
const LONGEST_LINE: usize = 64 << 10;

/// Reads every text, `(file, text)`. `vm`: where its name is not known, everything is about one VM. The manifests are those
/// of VMs and VMIs among the objects.
pub fn read(texts: &[(String, String)], vm: Whose<'_>) -> (Facts, Vec<Manifest>) {
    let (mut facts, mut manifests) = (Facts::default(), Vec::new());
    // Events of a node stand before or after what says whose it is.
    for (_, text) in texts.iter().filter(|(_, text)| text.contains("nodeName") || text.contains("Node:")) {
        nodes(&mut facts.nodes, text.trim_start_matches('\u{feff}'), vm);
    }
    for (file, text) in texts {
        let text = text.trim_start_matches('\u{feff}');
        if is_objects(text) {
            read_objects(&mut facts, &mut manifests, file, text, vm);
        } else {
            read_lines(&mut facts, file, text, vm);
        }
    }
    replaced(&mut facts);
    (facts, manifests)
}

/// JSON or YAML of the API, and not JSON lines of a log.
fn is_objects(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#')).unwrap_or_default();
    if first.starts_with('{') {
        return log::parse(first).is_none();
    }
    let tops = ["apiVersion:", "kind:", "items:", "---", "- apiVersion:"];
    tops.iter().any(|top| first.starts_with(top))
}

/// Adds the nodes of the VM that objects, or what `kubectl describe pod` prints, name.
fn nodes(found: &mut BTreeSet<String>, text: &str, vm: Whose<'_>) {
    if !is_objects(text) {
        let mut object = Described::default();
        for line in text.lines() {
            object.take(line);
            if let Some(node) = object.node_of(line).filter(|_| vm.is_in(object.namespace)) {
                found.insert(node.to_owned());
            }
        }
        return;
    }
    for document in parts(text).into_iter().filter_map(|(_, part)| yaml::documents(part).ok()).flatten() {
        objects::each(&document, 0, &mut |object| {
            let node = objects::node_of(object, vm);
            if !node.is_empty() {
                found.insert(node.to_owned());
            }
        });
    }
}

fn read_objects(facts: &mut Facts, manifests: &mut Vec<Manifest>, file: &str, text: &str, vm: Whose<'_>) {
    for (first_line, part) in parts(text) {
        let at = |line: u64| Place { file, line: line.saturating_add(first_line) };
        let documents = match yaml::documents(part) {
            Ok(documents) => documents,
            Err(e) => {
                facts.not_read(at(e.pos.line), &format!("not YAML or JSON: {}", e.message));
                continue;
            }
        };
        for document in &documents {
            objects::each(document, 0, &mut |object| {
                let place = at(object.pos.line);
                manifests.extend(objects::manifest(object, place));
                objects::take(facts, object, vm, place);
            });
        }
    }
}

/// JSON objects that follow one another, as `kubectl get -w -o json` prints them, one by one with the lines before each; YAML whole.
fn parts(text: &str) -> Vec<(u64, &str)> {
    if !text.trim_start().starts_with('{') {
        return vec![(0, text)];
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut parts, mut begin, mut line) = (Vec::new(), 0, 0_u64);
    loop {
        let next = stream.next();
        let end = stream.byte_offset();
        match next {
            Some(Ok(_)) => {
                let part = text.get(begin..end).unwrap_or_default();
                parts.push((line, part));
                line += u64::try_from(part.matches('\n').count()).unwrap_or(0);
                begin = end;
            }
            // The rest is read as YAML, which says what is wrong with it.
            Some(Err(_)) => {
                parts.push((line, text.get(begin..).unwrap_or_default()));
                return parts;
            }
            None => return parts,
        }
    }
}

fn read_lines(facts: &mut Facts, file: &str, text: &str, vm: Whose<'_>) {
    let (mut object, mut described, mut last_described) = (Described::default(), 0, 0);
    // Of one that was asked for alone its events are the VM's, whatever its name is.
    let names_count = text.lines().filter(|line| is_described(line)).count() > 1;
    let (mut table, mut console) = (None::<Table>, Console::default());
    for (line, number) in text.lines().zip(1..) {
        let place = Place { file, line: number };
        if line.len() > LONGEST_LINE {
            facts.not_read(place, "a line longer than 64 KiB");
            continue;
        }
        if let Some(head) = Table::head(line) {
            table = Some(head);
            continue;
        }
        if let Some(open) = &table {
            let name = if names_count { object.name } else { "" };
            if open.take(facts, line, (object.kind, object.namespace, name), vm, place) {
                continue;
            }
            table = None;
        }
        // What `kubectl describe` prints before its events.
        let begins = is_described(line) && (described > 0 || number == 1);
        if begins || (described > 0 && last_described + 1 == number) {
            object.take(line);
            (described, last_described) = (described + 1, number);
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        match log::parse(line) {
            Some(logged) => log::take(facts, &logged, vm, place),
            None if console.take(facts, line, place) => {}
            None => facts.not_read(place, line),
        }
    }
    if described > 0 {
        let what = format!(
            "{described} lines of `kubectl describe` before its events: `kubectl get ... -o yaml` has the same and is read"
        );
        facts.not_read(Place { file, line: 1 }, &what);
    }
}

/// An object that `kubectl describe` prints, of several the one that its lines are about so far.
#[derive(Debug, Default)]
struct Described<'a> {
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    /// Its events have begun.
    is_over: bool,
}

impl<'a> Described<'a> {
    fn take(&mut self, line: &'a str) {
        if is_described(line) {
            // A pod's says no kind.
            *self = Described { kind: "Pod", ..Described::default() };
        }
        self.is_over |= line.starts_with("Events:");
        let fields = [("Name:", &mut self.name), ("Namespace:", &mut self.namespace), ("Kind:", &mut self.kind)];
        for (key, field) in fields {
            if let Some(value) = line.strip_prefix(key) {
                *field = value.trim();
            }
        }
    }

    /// The node that this line of it names.
    fn node_of(&self, line: &'a str) -> Option<&'a str> {
        let named = line.strip_prefix("Node:").filter(|_| !self.is_over)?;
        named.trim().split('/').next()
    }
}

/// The first line of an object of `kubectl describe`.
fn is_described(line: &str) -> bool {
    line.strip_prefix("Name:").is_some_and(|rest| rest.starts_with(' '))
}

/// A VMI was made again: the VM's event came more than once, or after a deletion.
fn replaced(facts: &mut Facts) {
    let Some(created) = facts.find(Sign::VmiCreated).cloned() else { return };
    let after_deletion = facts.find(Sign::VmiDeleted).is_some_and(|deleted| {
        let (Some(created), Some(deleted)) = (created.when, deleted.when) else { return false };
        created.since(deleted).is_some_and(|s| s >= 0)
    });
    if created.times > 1 || after_deletion {
        let place = Place { file: &created.file, line: created.line };
        facts.add(Sign::Replaced, created.when, place, &created.text, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "kind: Event\nmetadata: {uid: UID}\ntype: Normal\nreason: REASON\nmessage: Stopping container compute\n\
                         firstTimestamp: \"2026-08-01T10:00:00Z\"\ninvolvedObject: {kind: KIND, name: NAME}\n";

    fn event(uid: &str, kind: &str, name: &str, reason: &str) -> String {
        EVENT.replace("UID", uid).replace("REASON", reason).replace("KIND", kind).replace("NAME", name)
    }

    fn found(texts: &[String]) -> Facts {
        let texts: Vec<_> = texts.iter().zip(1..).map(|(text, n)| (n.to_string(), text.clone())).collect();
        read(&texts, Whose { name: "web", namespace: "shop" }).0
    }

    /// A VM of the same name in another namespace is another VM; what says no namespace is taken.
    #[test]
    fn two_namespaces() {
        let killing = |namespace: &str| {
            let named = format!("{{kind: KIND, namespace: {namespace}, name: NAME}}");
            let text = EVENT.replace("{kind: KIND, name: NAME}", &named);
            let of = [("UID", namespace), ("REASON", "Killing"), ("KIND", "Pod"), ("NAME", "virt-launcher-web-abcde")];
            of.iter().fold(text, |text, (from, to)| text.replace(from, to))
        };
        let pod = |namespace: &str| {
            let label = "labels: {vm.kubevirt.io/name: web}";
            format!(
                "kind: Pod\nmetadata: {{name: virt-launcher-web-abcde, namespace: {namespace}, {label}}}\nstatus: {{reason: Evicted}}\n"
            )
        };
        let log = |namespace: &str| {
            format!(
                "{{\"component\":\"virt-launcher\",\"msg\":\"Signaled graceful shutdown\",\"name\":\"web\",\"namespace\":\"{namespace}\"}}\n"
            )
        };
        let described = |namespace: &str| {
            format!(
                "Name:         virt-launcher-web-abcde\nNamespace:    {namespace}\nNode:         one/10.0.0.1\nEvents:\n\
                 Type     Reason   Age   From     Message\nNormal   Killing  5m    kubelet  Stopping container compute\n"
            )
        };
        let lost = "kind: Event\nreason: NodeNotReady\nmessage: m\ninvolvedObject: {kind: Node, name: one}\n";
        for (text, sign) in [
            (&killing as &dyn Fn(&str) -> String, Sign::Killing),
            (&pod, Sign::Evicted),
            (&log, Sign::Terminated),
            (&described, Sign::Killing),
            (&described, Sign::NodeLost),
        ] {
            for (namespace, counts) in [("shop", true), ("test", false), ("\"\"", true)] {
                let facts = found(&[text(if namespace == "\"\"" { "" } else { namespace }), lost.to_owned()]);
                assert_eq!(facts.find(sign).is_some(), counts, "{sign:?} {namespace}: {facts:#?}");
            }
        }
        let texts = [("a".to_owned(), killing("shop")), ("b".to_owned(), killing("test"))];
        let facts = read(&texts, Whose { name: "web", namespace: "" }).0;
        assert_eq!(facts.namespaces.iter().map(String::as_str).collect::<Vec<_>>(), ["shop", "test"]);
    }

    /// `kubectl describe pods`: one object after another, each with its own namespace, kind and node.
    #[test]
    fn several_objects_are_described() {
        let pod = |name: &str, namespace: &str, node: &str, reason: &str, message: &str| {
            format!(
                "Name:         {name}\nNamespace:    {namespace}\nNode:         {node}/10.0.0.1\nEvents:\n  \
                 Type     Reason   Age   From     Message\n  ----     ------   ----  ----     -------\n  \
                 Normal   {reason}  5m    kubelet  {message}\n"
            )
        };
        let quiet = "Name:         idle\nNamespace:    test\nNode:         two/10.0.0.2\nEvents:       <none>\n";
        let vmi = "Name:         web\nNamespace:    shop\nKind:         VirtualMachineInstance\nEvents:\n  \
                   Type     Reason         Age   From          Message\n  Warning  GuestPanicked  5m    virt-handler  m\n";
        let killing = |name, namespace| pod(name, namespace, "one", "Killing", "Stopping container compute");
        let ours = || killing("virt-launcher-web-abcde", "shop");
        for (objects, signs) in [
            (vec![killing("virt-launcher-web-abcde", "test"), ours()], vec![Sign::Killing]),
            (vec![ours(), killing("virt-launcher-web-abcde", "test")], vec![Sign::Killing]),
            (vec![killing("virt-launcher-web-abcde", "test"), killing("virt-launcher-web-fghij", "test")], vec![]),
            (vec![killing("other", "shop"), killing("virt-launcher-other-abcde", "shop")], vec![]),
            (vec![quiet.to_owned(), ours()], vec![Sign::Killing]),
            (vec![ours(), quiet.to_owned(), vmi.to_owned()], vec![Sign::Killing, Sign::GuestPanicked]),
        ] {
            let facts = found(&[objects.join("\n\n")]);
            let seen: Vec<(Sign, u64)> = facts.facts.iter().map(|f| (f.sign, f.times)).collect();
            assert_eq!(seen, signs.iter().map(|s| (*s, 1)).collect::<Vec<_>>(), "{objects:#?}\n{facts:#?}");
            let shops = objects.iter().any(|text| text.contains("10.0.0.1") && text.contains("shop"));
            let nodes: Vec<&str> = facts.nodes.iter().map(String::as_str).collect();
            assert_eq!(nodes, if shops { vec!["one"] } else { vec![] }, "{objects:#?}");
        }
    }

    #[test]
    fn an_event_counts_once() {
        let killing = |uid: &str| event(uid, "Pod", "virt-launcher-web-abcde", "Killing");
        let later = |uid: &str| killing(uid).replace("10:00:00", "10:00:01");
        let described = "Type     Reason   Age   From     Message\n----     ------   ----  ----     -------\n\
                         Normal   Killing  5m    kubelet  Stopping container compute\n";
        let table = || "Name:         virt-launcher-web-abcde\nEvents:\n".to_owned() + described;
        for (texts, expected) in [
            (vec![killing("a"), killing("a")], 1),
            (vec![killing("a"), later("b")], 2),
            (vec![killing("a"), killing("\"\"")], 1),
            (vec![killing("a"), table()], 1),
            (vec![table(), killing("a")], 1),
            (vec![table(), killing("a") + "---\n" + &later("b")], 2),
            (vec![killing("a"), killing("a") + "count: 3\n"], 3),
        ] {
            let facts = found(&texts);
            assert_eq!(facts.find(Sign::Killing).map(|f| f.times), Some(expected), "{texts:#?}\n{facts:#?}");
        }
    }

    #[test]
    fn events_of_nodes() {
        let pod = "kind: Pod\nmetadata: {name: virt-launcher-web-abcde}\nspec: {nodeName: one}\n".to_owned();
        let node = |name: &str, reason: &str| event("n", "Node", name, reason);
        for (texts, lost) in [
            (vec![node("one", "NodeNotReady"), pod.clone()], true),
            (vec![node("two", "NodeNotReady"), pod.clone()], false),
            (vec![node("one", "NodeNotReady")], false),
            (vec![node("one", "OOMKilling"), pod], false),
        ] {
            let facts = found(&texts);
            assert_eq!(facts.find(Sign::NodeLost).is_some(), lost, "{texts:#?}");
            assert_eq!(facts.find(Sign::OomKilled), None, "{texts:#?}");
        }
    }

    #[test]
    fn a_label_says_more_than_a_name() {
        let pod = |label: &str| {
            format!(
                "kind: Pod\nmetadata: {{name: virt-launcher-web-abcde, labels: {{vm.kubevirt.io/name: {label}}}}}\nstatus: {{reason: Evicted}}\n"
            )
        };
        for (label, expected) in [("web", true), ("other", false)] {
            assert_eq!(found(&[pod(label)]).find(Sign::Evicted).is_some(), expected, "{label}");
        }
    }
}

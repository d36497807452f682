//! The one VM of a file: people keep theirs beside a Service and a Secret, or get it from the cluster as a list of one.
//!
//! What `check` takes, `run`, `explore`, `pin`, `advise` and `compare` take as well, as long as it has one VM.

use super::error::OwnError;
use crate::check::{ReadError, check_input};
use vmhealth_sim::check::Options;
use vmhealth_sim::yaml::Pos;

/// More names are only counted.
const NAMED: usize = 10;

/// The text of the one VM in a text of several documents or of a list, in its lines and columns.
pub(super) fn one_vm(file: &str, text: String) -> Result<String, OwnError> {
    let mut found = Vec::new();
    for (line, document) in documents(&text) {
        // What cannot be read is told by who reads the manifest.
        let _ = check_input::<ReadError>(file, document.as_bytes(), &Options::default(), |_, checks| {
            for manifest in checks.map(|checks| checks.manifests).unwrap_or_default() {
                found.push((manifest.name, "\n".repeat(line) + &object(&document, manifest.pos)));
            }
            Ok(())
        });
    }
    match found.len() {
        0 => Ok(text),
        1 => Ok(found.remove(0).1),
        several => {
            let names: Vec<&str> = found.iter().take(NAMED).map(|(name, _)| name.as_str()).collect();
            let more = if several > NAMED { ", ..." } else { "" };
            Err(OwnError::Invalid(format!(
                "{file} has {several} VMs: {}{more}; expected one: put it in a file of its own",
                names.join(", ")
            )))
        }
    }
}

/// The object that begins there: the document, or an item of a list in block style, which ends where a line is less indented.
fn object(document: &str, at: Pos) -> String {
    let indent = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    let first = usize::try_from(at.line).unwrap_or(1).saturating_sub(1);
    if indent == 0 {
        return document.to_owned();
    }
    let mut lines = document.lines().skip(first);
    let begin: String = lines.next().unwrap_or_default().chars().skip(indent).collect();
    let inside = |line: &&str| line.trim().is_empty() || line.len() - line.trim_start_matches(' ').len() >= indent;
    let rest: String = lines.take_while(inside).map(|line| format!("{line}\n")).collect();
    format!("{}{}{begin}\n{rest}", "\n".repeat(first), " ".repeat(indent))
}

/// The documents, each with the number of lines before it. A line of three dashes is never within one.
fn documents(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(0, String::new())];
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            documents.push((number, String::new()));
        }
        if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::manifest;

    const VM: &str = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: NAME}\nspec:\n  runStrategy: Always\n  \
                      template: {spec: {domain: {devices: {}}, readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 7}}}\n";
    const OTHER: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";

    fn vm(name: &str) -> String {
        VM.replace("NAME", name)
    }

    #[test]
    fn one_is_found_where_it_stands_and_several_are_named() {
        let check = |text: &str, expected: Result<(&str, u64), &str>| {
            let found = one_vm("f.yaml", text.to_owned()).map_err(|e| e.to_string()).and_then(|one| {
                let vm = manifest::read("f.yaml", &one).map_err(|e| e.to_string())?;
                let place = vm.places.find("readinessProbe").unwrap_or_default();
                let line = place.split(':').nth(1).and_then(|line| line.parse::<u64>().ok());
                Ok((vm.name, line.unwrap_or_default()))
            });
            match expected {
                Ok((name, line)) => assert_eq!(found, Ok((name.to_owned(), line)), "{text}"),
                Err(part) => assert!(found.as_ref().is_err_and(|e| e.contains(part)), "{part}: {found:?}"),
            }
        };
        check(&vm("a"), Ok(("a", 6)));
        check(&format!("# mine\n---\n{}", vm("a")), Ok(("a", 8)));
        check(&format!("{OTHER}---\n{}---\n{OTHER}", vm("a")), Ok(("a", 10)));
        let item =
            |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>().replacen("  a", "- a", 1);
        let list = format!("apiVersion: v1\nkind: List\nitems:\n{}{}", item(OTHER), item(&vm("a")));
        check(&list, Ok(("a", 12)));
        check(&format!("{}---\n{}", vm("a"), vm("b")), Err("f.yaml has 2 VMs: a, b; expected one"));
        check(&format!("{OTHER}---\n{OTHER}"), Err("expected one document"));
    }
}

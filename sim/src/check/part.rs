//! A whole text, and a piece of a long one, checked by itself: what `check` says of it, with its places in the whole text.

use super::allow::{self, Allowance};
use super::beside::Remembered;
use super::document::{Checks, check_beside};
use super::options::Options;
use super::same_name::Names;
use crate::yaml::{self, Piece, PieceKind, Pos, YamlError, json_list_at};
use std::borrow::Cow;

/// Checks every object in `text` that is a VM, makes VMs or is named by them. An error is a text that is not YAML.
pub fn check(text: &str, options: &Options) -> Result<Checks, YamlError> {
    let mut checks = check_beside(text, options, &Remembered::default(), false)?;
    Names::default().compare("", &mut checks);
    Ok(checks)
}

/// Checks a piece of a text with the instance types and preferences of its other pieces. Places are the text's, but bytes are the piece's.
pub fn check_piece(piece: &Piece<'_>, options: &Options, remembered: &Remembered) -> Result<Checks, YamlError> {
    let moved = |error: YamlError| YamlError { pos: error.pos.after(piece.first), ..error };
    match piece.kind {
        PieceKind::Document => check_beside(&piece.text, options, remembered, false),
        PieceKind::Item => check_beside(&without_managed_fields(&piece.text), options, remembered, true),
        PieceKind::List => of_a_list(&piece.text),
    }
    .map(|checks| in_the_text(checks, piece.first))
    .map_err(moved)
}

/// Only of a list do the items count.
fn of_a_list(text: &str) -> Result<Checks, YamlError> {
    let documents = yaml::documents(text)?;
    let kind = documents.iter().map(|node| node.text_at("kind")).find(|kind| !kind.is_empty());
    if kind.is_some_and(|kind| kind.ends_with("List")) {
        let (allowances, mut unjudged) = allow::read(text, &documents, false);
        unjudged.extend(allowances.into_iter().map(Allowance::of_a_long_list));
        return Ok(Checks { unjudged, ..Checks::default() });
    }
    let message = "its items were checked, but it is no list: write kind: List";
    Err(YamlError { pos: Pos { line: 1, column: 1 }, message: message.into() })
}

/// Half of what a cluster serves: whoever creates the object again sends it in vain, and nobody reads it. Its bytes become spaces, so
/// that places stay. In YAML of flow style it stays.
fn without_managed_fields(text: &str) -> Cow<'_, str> {
    if text.starts_with('{') {
        let Some(items) = json_list_at(text, &["metadata", "managedFields"]) else { return text.into() };
        return [&text[..items.start], &blank(&text[items.clone()]), &text[items.end..]].concat().into();
    }
    const KEY: &str = "managedFields:";
    if !text.contains(KEY) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let (mut object, mut in_metadata, mut inside) = (None, false, None);
    for line in text.split_inclusive('\n') {
        let (column, word) = (line.len() - line.trim_start_matches(' ').len(), line.trim());
        let is_blank = word.is_empty() || word.starts_with('#');
        let object = *object.get_or_insert(column);
        // A list's dashes may stand below its key.
        let ends = |key: usize| column < key || (column == key && !word.starts_with("- "));
        if !is_blank {
            inside = inside.filter(|key| !ends(*key));
            in_metadata = if column == object { word == "metadata:" } else { in_metadata };
            if in_metadata && word == KEY && column == object + 2 {
                inside = Some(column);
            }
        }
        match inside {
            Some(_) => out.push_str(&blank(line)),
            None => out.push_str(line),
        }
    }
    out.into()
}

/// The same bytes without a meaning.
fn blank(text: &str) -> String {
    text.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect()
}

fn in_the_text(mut checks: Checks, first: Pos) -> Checks {
    for checked in &mut checks.manifests {
        checked.pos = checked.pos.after(first);
        checked.name_at.0 = checked.name_at.0.after(first);
        checked.findings.iter_mut().for_each(|finding| finding.pos = finding.pos.after(first));
        checked.ignored.iter_mut().for_each(|(_, pos)| *pos = pos.after(first));
        if let Some(vm) = &mut checked.vm {
            vm.ignored.iter_mut().for_each(|(_, pos)| *pos = pos.after(first));
            vm.warnings.iter_mut().for_each(|problem| problem.pos = problem.pos.after(first));
        }
    }
    checks.unjudged.iter_mut().for_each(|error| error.pos = error.pos.after(first));
    checks.allowances = checks.allowances.into_iter().map(|allowance| allowance.after(first)).collect();
    checks.begins.iter_mut().for_each(|pos| *pos = pos.after(first));
    checks.skipped.iter_mut().for_each(|skipped| skipped.pos = skipped.pos.after(first));
    checks
}

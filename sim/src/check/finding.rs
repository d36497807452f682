//! What was found in a manifest, and how a rule reports it.

use super::context::CheckContext;
use super::rule::Rule;
use crate::yaml::{ByteSpan, Place, Pos};

/// One thing found in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub rule: &'static Rule,
    /// The field as the refusing layer reports it; empty where it reports none.
    pub field: String,
    /// The field in the manifest.
    pub vm_field: String,
    /// Where in the file.
    pub pos: Pos,
    /// Its bytes in the file.
    pub span: ByteSpan,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// What was found in one manifest so far.
pub(super) struct Findings<'c, 'a> {
    pub(super) context: &'c CheckContext<'a>,
    pub(super) list: Vec<Finding>,
}

impl<'c, 'a> Findings<'c, 'a> {
    pub(super) fn new(context: &'c CheckContext<'a>) -> Findings<'c, 'a> {
        Findings { context, list: Vec::new() }
    }

    /// The report that a rule writes to.
    pub(super) fn of(&mut self, rule: &'static Rule) -> Report<'_, 'a> {
        Report { rule, context: self.context, list: &mut self.list }
    }
}

/// Where one rule writes down what it finds.
pub(super) struct Report<'r, 'a> {
    rule: &'static Rule,
    context: &'r CheckContext<'a>,
    list: &'r mut Vec<Finding>,
}

impl Report<'_, '_> {
    /// Adds a finding whose layer reports the field as it stands in the manifest.
    pub(super) fn add<'p>(&mut self, place: impl Into<Place<'p>>, message: impl Into<String>, help: impl Into<String>) {
        let place = place.into();
        self.push(place.path(), &place, message.into(), help.into());
    }

    /// Adds a finding whose layer reports the field by another name.
    pub(super) fn add_as<'p>(
        &mut self,
        field: impl Into<String>,
        place: impl Into<Place<'p>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(field.into(), &place.into(), message.into(), help.into());
    }

    fn push(&mut self, field: String, place: &Place<'_>, message: String, help: String) {
        let vm_field = place.path();
        let (rule, message) = self.context.text.excuse(self.rule, place, &vm_field, message);
        self.list.push(Finding { rule, field, vm_field, pos: place.pos(), span: place.span(), message, help });
    }
}

//! Files of another kind than a manifest: unrendered templates, patches, copies of a document. `excuse` reports them.

use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};

pub(super) static RULES: &[&Rule] = &[&UNRENDERED, &CALLOUT, &PATCH];

pub(in crate::check) static UNRENDERED: Rule = Rule {
    code: "unrendered-template",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "The text has placeholders of Helm, Jinja or envsubst, which stand for values that only rendering brings. \
        It is no manifest yet: what depends on a placeholder cannot be judged. If nothing else is wrong, there is no verdict, and \
        `check` ends with status 2.",
    source: "Helm, Jinja and gettext's envsubst",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(in crate::check) static CALLOUT: Rule = Rule {
    code: "callout-of-a-document",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "Documents mark lines with `<1>`, `<2>` and explain them below. Copied with the line, the mark becomes a part \
        of the value.",
    source: "AsciiDoc callouts, as in OpenShift's documentation",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(in crate::check) static PATCH: Rule = Rule {
    code: "looks-like-a-patch",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "It says neither when the VM runs nor what its machine is: a patch for kubectl or kustomize looks like this. \
        It is judged here as the whole object.",
    source: "Kubernetes documentation, strategic merge patches",
    shown_by: &[],
    check: Check::OnTheWay,
};

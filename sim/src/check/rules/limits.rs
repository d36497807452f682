//! What `check` itself cannot say: what vmhealth does not simulate, and what a text leaves open.

use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};

pub(super) static RULES: &[&Rule] = &[&NOT_SIMULATED, &LEFT_OUT, &TEMPLATE_PARAMETER];

pub(in crate::check) static NOT_SIMULATED: Rule = Rule {
    code: "not-simulated",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "vmhealth cannot simulate this, so it did not look for hazards or for ports that nothing declares.",
    source: "vmhealth",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(in crate::check) static LEFT_OUT: Rule = Rule {
    code: "left-out",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "A line `# ...` marks an excerpt, as documentation prints them: what is absent is taken to be there in \
        the whole manifest. Without that line it would be an error.",
    source: "OpenShift documentation, Virtual machine health checks",
    shown_by: &[],
    check: Check::OnTheWay,
};

pub(in crate::check) static TEMPLATE_PARAMETER: Rule = Rule {
    code: "template-parameter-without-value",
    layer: Layer::Hazard,
    rank: Rank::Note,
    story: "An OpenShift Template is checked with its parameters' own values. This one has none; give it one with \
        `oc process -p`.",
    source: "OpenShift templates",
    shown_by: &[],
    check: Check::OnTheWay,
};

//! What `check` itself cannot say: what vmhealth does not simulate, and what a text leaves open.

use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};

pub(super) static RULES: &[&Rule] = &[&NOT_SIMULATED, &LEFT_OUT, &TEMPLATE_PARAMETER, &ALLOWS_NOTHING];

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

pub(in crate::check) static ALLOWS_NOTHING: Rule = Rule {
    code: "allows-nothing",
    layer: Layer::Hazard,
    rank: Rank::Warning,
    story: "A comment `# vmhealth: allow CODE because REASON` allows a finding in its own line, in the next line if it stands alone, \
        and in the whole document if nothing but comments comes before it there (of a later document: behind its `---`). This one allows nothing: what \
        it was written for is mended, or in another line.",
    source: "vmhealth",
    shown_by: &[],
    check: Check::OnTheWay,
};

//! A row of the rules' tables: a manifest that a rule takes and one that it does not.

use crate::manifest::{Parts, errors, manifest};
use vmhealth_sim::check::{Checked, Options, Verdict, check};

pub(crate) struct Row {
    good: Parts,
    bad: Parts,
    finds: &'static [&'static str],
    created: bool,
    /// Gates that are off by default and on here.
    with_gates: &'static [&'static str],
}

pub(crate) const fn row(good: Parts, bad: Parts, finds: &'static [&'static str]) -> Row {
    Row { good, bad, finds, created: false, with_gates: &[] }
}

/// A rule of a layer that the VM object passes.
pub(crate) const fn later(good: Parts, bad: Parts, finds: &'static [&'static str]) -> Row {
    Row { created: true, ..row(good, bad, finds) }
}

impl Row {
    pub(crate) const fn with(self, with_gates: &'static [&'static str]) -> Row {
        Row { with_gates, ..self }
    }

    fn check(&self, text: &str) -> Checked {
        let with_gates = self.with_gates.iter().map(ToString::to_string).collect();
        let options = Options { with_gates, ..Options::default() };
        let mut checks = check(text, &options).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(checks.manifests.len(), 1, "{text}");
        checks.manifests.remove(0)
    }
}

/// Each good manifest is accepted, each bad one is refused with what the row finds, field paths included.
pub(crate) fn hold(rows: &[Row]) {
    let mut wrong = Vec::new();
    for row in rows {
        let (good, bad) = (manifest(row.good), manifest(row.bad));
        let (fine, refused) = (row.check(&good), row.check(&bad));
        if !errors(&fine).is_empty() || fine.verdict != Verdict::Accepted {
            wrong.push(format!("{good}is refused: {:?}", errors(&fine)));
        }
        if errors(&refused) != row.finds || refused.created != row.created || refused.verdict == Verdict::Accepted {
            let found = errors(&refused);
            wrong.push(format!("{bad}finds {found:#?}, not {:#?}; created: {}", row.finds, refused.created));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes that rows find.
pub(crate) fn codes(rows: &[Row]) -> impl Iterator<Item = &'static str> {
    rows.iter().flat_map(|r| r.finds).filter_map(|f| f.split(' ').next())
}

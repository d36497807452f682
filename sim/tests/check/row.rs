//! A row of a table: a rule with a manifest that it takes and one that it does not.

use crate::manifest::{Parts, errors, manifest, with};
use vmhealth_sim::check::{Checked, Options, Verdict};

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
    /// In a cluster where these gates are on.
    pub(crate) const fn on(self, with_gates: &'static [&'static str]) -> Row {
        Row { with_gates, ..self }
    }

    fn check(&self, text: &str) -> Checked {
        let with_gates = self.with_gates.iter().map(ToString::to_string).collect();
        with(text, &Options { with_gates, ..Options::default() })
    }
}

/// Each row's good manifest is accepted; its bad one is not, for exactly its reasons.
pub(crate) fn hold(rows: &[Row]) {
    for row in rows {
        let good = manifest(row.good);
        assert_eq!(errors(&row.check(&good)), Vec::<String>::new(), "{good}");
        assert_eq!(row.check(&good).verdict, Verdict::Accepted, "{good}");
        let bad = manifest(row.bad);
        let checked = row.check(&bad);
        assert_eq!(errors(&checked), row.finds, "{bad}");
        assert_eq!(checked.created, row.created, "{bad}");
        assert_ne!(checked.verdict, Verdict::Accepted, "{bad}");
    }
}

/// The codes that the rows find.
pub(crate) fn found(rows: &'static [Row]) -> impl Iterator<Item = &'static str> {
    rows.iter().flat_map(|r| r.finds).filter_map(|f| f.split(' ').next())
}

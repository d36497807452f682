//! A row of a table: a rule with a manifest that it takes and one that it does not.

use crate::manifest::{Parts, errors, manifest, one};
use vmhealth_sim::check::Verdict;

pub(crate) struct Row {
    good: Parts,
    bad: Parts,
    finds: &'static [&'static str],
    created: bool,
}

pub(crate) const fn row(good: Parts, bad: Parts, finds: &'static [&'static str]) -> Row {
    Row { good, bad, finds, created: false }
}

/// A rule of a layer that the VM object passes.
pub(crate) const fn later(good: Parts, bad: Parts, finds: &'static [&'static str]) -> Row {
    Row { good, bad, finds, created: true }
}

/// Each row's good manifest is accepted; its bad one is not, for exactly its reasons.
pub(crate) fn hold(rows: &[Row]) {
    for row in rows {
        let good = manifest(row.good);
        assert_eq!(errors(&one(&good)), Vec::<String>::new(), "{good}");
        assert_eq!(one(&good).verdict, Verdict::Accepted, "{good}");
        let bad = manifest(row.bad);
        let checked = one(&bad);
        assert_eq!(errors(&checked), row.finds, "{bad}");
        assert_eq!(checked.created, row.created, "{bad}");
        assert_ne!(checked.verdict, Verdict::Accepted, "{bad}");
    }
}

/// The codes that the rows find.
pub(crate) fn found(rows: &'static [Row]) -> impl Iterator<Item = &'static str> {
    rows.iter().flat_map(|r| r.finds).filter_map(|f| f.split(' ').next())
}

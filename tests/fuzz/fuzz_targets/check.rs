//! From YAML to a verdict: whatever comes in, `check` ends, contradicts itself nowhere, and cuts a long text without losing any.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vmhealth_sim::check::{Checks, Options, Rank, Remembered, Verdict, check, check_piece};
use vmhealth_sim::yaml::Pieces;

fuzz_target!(|text: &str| {
    let options = Options::default();
    if let Ok(checks) = check(text, &options) {
        holds(&checks);
    }
    // As if every document were long.
    if let Ok((pieces, done)) = Pieces::of_documents_longer_than(0).cut(text, true) {
        assert_eq!(done, text.len());
        pieces.iter().filter_map(|piece| check_piece(piece, &options, &Remembered::default()).ok()).for_each(|checks| holds(&checks));
    }
});

fn holds(checks: &Checks) {
    for checked in &checks.manifests {
        let errors = checked.findings.iter().any(|finding| finding.rule.rank == Rank::Error);
        assert_eq!(errors, checked.verdict != Verdict::Accepted);
        assert!(checked.created || checked.verdict == Verdict::Refused);
        assert!(checked.findings.iter().all(|finding| finding.pos.line > 0 && !finding.help.is_empty()));
    }
}

//! `check` against tables: rules, hazards, documents, and whatever may come.

mod documents;
mod garbage;
mod hazards;
mod lists;
mod manifest;
mod messages;
mod rules;

/// What the tables' manifests cannot say, and the test that finds it.
const ELSEWHERE: [(&str, &str); 6] = [
    ("unknown-api-version", "documents::versions_that_no_server_serves"),
    ("bad-name", "documents::names_that_the_api_server_refuses"),
    ("reboot-policy-without-its-gate", "documents::feature_gates"),
    ("template-parameter-without-value", "documents::templates_are_processed_with_their_own_values"),
    ("left-out", "documents::an_excerpt_says_what_it_leaves_out"),
    ("agent-probes-paused", "hazards::a_paused_probe_cannot_fail"),
];

#[test]
fn every_rule_has_a_row() {
    for rule in vmhealth_sim::check::rules() {
        let row = rules::codes().chain(hazards::codes()).any(|code| code == rule.code);
        let elsewhere = ELSEWHERE.iter().any(|(code, _)| *code == rule.code);
        assert!(row != elsewhere, "{}: a row {row}, elsewhere {elsewhere}", rule.code);
    }
}

//! `check` against tables: rules, hazards, documents, and whatever may come.

mod documents;
mod garbage;
mod hazards;
mod makers;
mod manifest;
mod messages;
mod networks;
mod placement;
mod row;
mod rules;
mod schema;

/// What the tables' manifests cannot say, and the test that finds it.
const ELSEWHERE: [(&str, &str); 7] = [
    ("unknown-api-version", "documents::versions_that_no_server_serves"),
    ("bad-name", "documents::names_that_the_api_server_refuses"),
    ("reboot-policy-without-its-gate", "documents::feature_gates"),
    ("template-parameter-without-value", "documents::templates_are_processed_with_their_own_values"),
    ("left-out", "documents::an_excerpt_says_what_it_leaves_out"),
    ("binding-plugin-not-seen", "networks::a_binding_plugin_is_not_seen"),
    ("agent-probes-paused", "hazards::a_paused_probe_cannot_fail"),
];

#[test]
fn every_rule_has_a_row() {
    for rule in vmhealth_sim::check::rules() {
        let mut codes = [
            rules::codes().collect::<Vec<_>>(),
            schema::codes().collect(),
            networks::codes().collect(),
            placement::codes().collect(),
            makers::codes().collect(),
            hazards::codes().collect(),
        ]
        .into_iter()
        .flatten();
        let row = codes.any(|code| code == rule.code);
        let elsewhere = ELSEWHERE.iter().any(|(code, _)| *code == rule.code);
        assert!(row != elsewhere, "{}: a row {row}, elsewhere {elsewhere}", rule.code);
    }
}

//! `check` against tables: rules, hazards, documents, and whatever may come.

mod allowed;
mod beside;
mod brought;
mod commands;
mod cpu_memory;
mod disks;
mod documents;
mod firmware;
mod garbage;
mod gates;
mod guests;
mod hazards;
mod layers;
mod limits;
mod lists;
mod makers;
mod manifest;
mod messages;
mod metadata;
mod networks;
mod other_devices;
mod people;
mod pets;
mod pieces;
mod placeholders;
mod placement;
mod pod_resources;
mod row;
mod rules;
mod schema;
mod slips;
mod volumes;

/// What the tables' manifests cannot say, and the test that finds it.
const ELSEWHERE: [(&str, &str); 25] = [
    ("field-of-a-newer-release", "people::others::releases_differ"),
    ("gate-is-off-in-this-release", "people::others::releases_differ"),
    ("line-end-breaks-exec", "people::others::releases_differ"),
    ("looks-like-a-patch", "people::others::other_kinds_of_files"),
    ("data-volume-of-another-namespace", "volumes::a_data_volume_of_another_namespace"),
    ("unknown-api-version", "documents::versions_that_no_server_serves"),
    ("name-too-long-for-the-pod", "documents::a_name_may_be_too_long_for_its_pod"),
    ("unknown-kind", "documents::kinds_that_there_are_not"),
    ("bad-instancetype", "brought::instance_types"),
    ("instancetype-brings-nothing", "brought::instance_types"),
    ("bad-preference", "brought::preferences"),
    ("bad-name", "documents::names_that_the_api_server_refuses"),
    ("reboot-policy-without-its-gate", "documents::feature_gates"),
    ("template-parameter-without-value", "documents::templates_are_processed_with_their_own_values"),
    ("allows-nothing", "allowed::where_a_comment_stands_and_what_it_says"),
    ("same-name-twice", "documents::two_of_one_name"),
    ("left-out", "documents::an_excerpt_says_what_it_leaves_out"),
    ("binding-plugin-not-seen", "networks::a_binding_plugin_is_not_seen"),
    ("image-must-arm-the-watchdog", "people::others::user_data_or_the_image"),
    ("image-must-bring-the-agent", "people::others::user_data_or_the_image"),
    ("bad-metadata", "metadata::owners_finalizers_and_versions"),
    ("bad-metadata-of-the-vmi", "metadata::of_the_vmi"),
    ("bad-seccomp-annotation", "metadata::of_the_vmi"),
    ("field-without-effect", "metadata::what_has_no_effect"),
    ("agent-probes-paused", "hazards::a_paused_probe_cannot_fail"),
];

#[test]
fn every_rule_has_a_row() {
    let tables = [
        cpu_memory::ROWS,
        disks::ROWS,
        firmware::ROWS,
        gates::ROWS,
        other_devices::ROWS,
        networks::ROWS,
        placement::ROWS,
        pod_resources::ROWS,
        rules::ROWS,
        volumes::ROWS,
    ];
    for rule in vmhealth_sim::check::rules() {
        let others = schema::codes()
            .chain(makers::codes())
            .chain(beside::codes())
            .chain(hazards::codes())
            .chain(people::codes())
            .chain(slips::codes());
        let row = tables.into_iter().flat_map(row::found).chain(others).any(|code| code == rule.code);
        let elsewhere = ELSEWHERE.iter().any(|(code, _)| *code == rule.code);
        assert!(row != elsewhere, "{}: a row {row}, elsewhere {elsewhere}", rule.code);
    }
}

//! `sim` stays pure: what its dependency tree may not hold, by `cargo metadata`. Clippy's disallowed types do the rest.

#![expect(clippy::disallowed_types, reason = "this test asks cargo about sim; it is not sim")]

use std::collections::BTreeSet;
use std::process::Command;

/// Crates that bring a clock, an executor, a process or a socket.
const FORBIDDEN: &[&str] =
    &["tokio", "nix", "mio", "socket2", "rustix", "libc", "hyper", "chrono", "jiff", "time", "async-std", "smol"];

/// The normal dependencies of a package of ours, transitively, by name.
fn dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|l| l.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn sim_has_no_clock_no_executor_no_process() {
    let found = dependencies("vmhealth-sim");
    assert!(found.contains("serde"), "the list is real: {found:?}");
    let bad: Vec<_> = FORBIDDEN.iter().filter(|f| found.contains(**f)).collect();
    assert!(bad.is_empty(), "vmhealth-sim depends on {bad:?}");
}

#[test]
fn the_check_can_fail() {
    let found = dependencies("vmhealth-guests");
    assert!(FORBIDDEN.iter().any(|f| found.contains(*f)), "guests is known to depend on tokio: {found:?}");
}

//! The commands and the tests share one build of each library: cargo builds a library once for each set of features, and the
//! tests' own libraries turn on more of them. The mend is a line in `xtask/Cargo.toml` or in the workspace's table.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::process::Command;

/// `NAME VERSION FEATURES` of all that is built, without our own packages.
fn built(what: &[&str]) -> BTreeSet<String> {
    let shown = ["--prefix", "none", "--no-dedupe", "--format", "{p} {f}", "--offline", "--locked"];
    let tree = Command::new(env!("CARGO")).arg("tree").args(what).args(shown).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).unwrap();
    lines.lines().filter(|line| !line.is_empty() && !line.contains(" (/")).map(str::to_owned).collect()
}

#[test]
fn the_commands_have_every_feature_that_the_tests_turn_on() {
    // A library that a macro uses as well is built for both, each with features of its own.
    for macros in ["", ",no-proc-macro"] {
        let commands = built(&["--package", "xtask", "--edges", &format!("normal,build{macros}")]);
        let all = built(&["--workspace", "--edges", &format!("normal,build,dev{macros}")]);
        let twice: Vec<&String> = commands.difference(&all).collect();
        assert!(
            commands.len() > 100 && twice.is_empty(),
            "built once more for the tests, with more features: {twice:#?}"
        );
    }
}

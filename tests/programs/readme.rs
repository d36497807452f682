//! README's tour of five minutes, typed as it stands there: what it says is printed is printed.
//!
//! `run` needs a real guest and is left out; what is pinned runs in the model.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// The fenced blocks of a part of the README: (language, text).
fn blocks(part: &str) -> Vec<(&str, &str)> {
    let fenced = part.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).collect()
}

/// Types the commands of a block into a shell; both streams.
fn typed(folder: &Path, commands: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_vmhealth")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let commands = commands.replace("--scenarios pinned", "--scenarios pinned --world model");
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &format!("exec 2>&1\n{commands}")]).current_dir(folder).env("PATH", path).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn the_tour_is_true() {
    let tour = README.split("\n## ").find(|part| part.starts_with("Your own VM, in five minutes")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut printed, mut compared, mut left_out) = (String::new(), 0, Vec::new());
    for (language, text) in blocks(tour) {
        match language {
            "sh" if text.contains("vmhealth run") => left_out.push(text),
            "sh" => printed = typed(folder.path(), text),
            _ if left_out.len() == 1 && text.starts_with("kernelPanic at") => {}
            _ => {
                compared += 1;
                assert!(printed.contains(text), "README has:\n{text}\nprinted was:\n{printed}");
            }
        }
    }
    assert_eq!((compared, left_out.len()), (3, 1));
    // The last block pins a worse manifest.
    let quoted = README.split('"').find(|text| text.starts_with("kernel-panic: recovers")).unwrap();
    assert!(printed.contains(quoted), "README has:\n{quoted}\nprinted was:\n{printed}");
    assert!(printed.contains(" pass, 0 fail, 0 infra"), "{printed}");
}

//! cargo-mutants over `sim`: every operator, branch and return value changed, one at a time.
//!
//! `.cargo/mutants.toml` says what is left out and why. Its own exit status is not looked at beyond whether it could work: which
//! survivors are right is for the baseline to say.

use super::baseline::{Name, Survey, count};
use super::copy::SourcesCopy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The command that installs what this needs; the version is the one whose names are in the baseline.
pub const INSTALL: &str = "cargo install cargo-mutants --locked --version 27.1.0";
/// All worked; some survived; some hung.
const WORKED: [i32; 3] = [0, 2, 3];

/// One line of the list.
#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    file: String,
}

#[derive(Debug, Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: Summary,
}

#[derive(Debug, Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Tried),
}

#[derive(Debug, Deserialize)]
struct Tried {
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Summary {
    Success,
    CaughtMutant,
    MissedMutant,
    Timeout,
    Unviable,
    Failure,
}

/// Whether cargo-mutants is there.
pub fn installed() -> bool {
    let version = cargo().args(["mutants", "--version"]).stdin(Stdio::null()).output();
    version.is_ok_and(|v| v.status.success())
}

/// The mutants that there are, with line and column.
pub fn list(root: &Path) -> Result<Vec<String>, String> {
    Ok(all(root)?.into_iter().map(|listed| listed.name).collect())
}

/// Tries the mutants whose names or files hold one of the filters, or the given part of them, such as `1/8`. `place` is for what
/// cargo-mutants writes.
pub fn survey(copy: &SourcesCopy, place: &Path, filters: &[String], shard: Option<&str>) -> Result<Survey, String> {
    let listed = all(copy.sources())?;
    fs::create_dir_all(place).map_err(|e| format!("{}: {e}", place.display()))?;
    let mut command = cargo();
    // A copy of its own would have another path and be built as a whole each time.
    command.args(["mutants", "--in-place", "--output"]).arg(place);
    if !filters.is_empty() {
        let wanted = |l: &&Listed| filters.iter().any(|f| l.name.contains(f.as_str()));
        let files: BTreeSet<&str> = listed.iter().filter(wanted).map(|l| l.file.as_str()).collect();
        command.args(files.iter().flat_map(|file| ["--file", file]));
        command.args(filters.iter().flat_map(|filter| ["--re".to_owned(), escaped(filter)]));
    }
    command.args(shard.iter().flat_map(|shard| ["--shard", shard]));
    command.env("CARGO_TARGET_DIR", copy.target());
    // Nobody debugs it, and it is linked a thousand times.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    // The first failure is enough.
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    let status =
        command.current_dir(copy.sources()).stdin(Stdio::null()).status().map_err(|e| format!("cargo mutants: {e}"))?;
    if !status.code().is_some_and(|code| WORKED.contains(&code)) {
        return Err(format!("cargo mutants could not work: {status}"));
    }
    let file = place.join("mutants.out/outcomes.json");
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    read(&listed.into_iter().map(|l| l.name).collect::<Vec<_>>(), &text)
}

/// What the file of outcomes says.
fn read(all: &[String], outcomes: &str) -> Result<Survey, String> {
    let name =
        |full: &str| Name::of(full).ok_or(format!("cargo mutants names a mutant {full:?}: no file, line and column"));
    let (mut tried, mut survived) = (Vec::new(), Vec::new());
    for Outcome { scenario, summary } in decoded::<Outcomes>(outcomes)?.outcomes {
        let Scenario::Mutant(mutant) = scenario else { continue };
        match summary {
            Summary::MissedMutant => survived.push(name(&mutant.name)?),
            // It does not compile: no fault.
            Summary::CaughtMutant | Summary::Timeout | Summary::Unviable => {}
            Summary::Success | Summary::Failure => {
                return Err(format!("{}: cargo mutants could not try it", mutant.name));
            }
        }
        tried.push(name(&mutant.name)?);
    }
    let all = all.iter().map(|full| name(full)).collect::<Result<Vec<_>, _>>()?;
    Ok(Survey { all: count(all), tried: count(tried), survived: count(survived) })
}

fn all(root: &Path) -> Result<Vec<Listed>, String> {
    let output = cargo().args(["mutants", "--list", "--json"]).current_dir(root).output();
    let output = output.map_err(|e| format!("cargo mutants: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo mutants --list: {}", String::from_utf8_lossy(&output.stderr)));
    }
    decoded(&String::from_utf8_lossy(&output.stdout))
}

fn decoded<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json)
        .map_err(|e| format!("what cargo mutants writes cannot be read, is it another version? {e}"))
}

/// Not the cargo of the toolchain that runs us: its own one finds the program beside it.
fn cargo() -> Command {
    Command::new("cargo")
}

/// For a regular expression that matches the text itself.
fn escaped(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$#&-~".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read() {
        let mutant = |line: u32, summary: &str| {
            let name = format!("sim/src/time.rs:{line}:5: replace + with - in add");
            serde_json::json!({"scenario": {"Mutant": {"name": name, "genre": "BinaryOperator"}}, "summary": summary})
        };
        let baseline = serde_json::json!({"scenario": "Baseline", "summary": "Success", "phase_results": []});
        let summaries = ["CaughtMutant", "MissedMutant", "Timeout", "Unviable"];
        let lines = summaries.iter().zip(1..).map(|(summary, line)| mutant(line, summary));
        let outcomes: Vec<_> = [baseline].into_iter().chain(lines).collect();
        let text = serde_json::json!({"outcomes": outcomes, "cargo_mutants_version": "27.1.0"}).to_string();
        let names: Vec<String> = (1..=6).map(|l| format!("sim/src/time.rs:{l}:5: replace + with - in add")).collect();
        let survey = read(&names, &text).unwrap();
        let counts = [survey.all, survey.tried, survey.survived].map(|c| c.into_values().collect::<Vec<_>>());
        assert_eq!(counts, [vec![6], vec![4], vec![1]]);
        let failed = serde_json::json!({"outcomes": [mutant(1, "Failure")]}).to_string();
        assert!(read(&names, &failed).unwrap_err().contains("could not try it"));
        assert!(read(&names, "{}").unwrap_err().contains("another version"));
    }

    #[test]
    fn a_filter_is_no_expression() {
        for (text, expected) in [("kubelet/", "kubelet/"), ("a.b(c)", r"a\.b\(c\)"), ("<= with >", "<= with >")] {
            assert_eq!(escaped(text), expected);
        }
    }
}

//! `check --format junit`: a suite for each file, and in it a test case for each kind of finding.
//!
//! What a cluster refuses or what `--deny` names is a failure, what a comment allows is skipped with its reason, and what could not be
//! checked is an error. Counts stand in front of the cases, so all is kept until the end: of each case so many places.

use super::denied::Denied;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use vmhealth_sim::check::{Checked, Finding, Rank};
use vmhealth_sim::yaml::{Pos, YamlError};

/// Places that are shown of each kind of finding in a file.
const PLACES: usize = 50;
/// The case of a file in which nothing is found.
const NOTHING: &str = "nothing-found";
/// The case of what could not be checked.
const NOT_CHECKED: &str = "not-checked";

/// What was found so far.
#[derive(Debug)]
pub struct Junit {
    denied: Vec<Denied>,
    /// In the order in which they came, which is that of the command line.
    files: Vec<(String, BTreeMap<&'static str, Case>)>,
}

/// A kind of finding in a file.
#[derive(Debug)]
struct Case {
    first: Pos,
    fails: bool,
    found: usize,
    allowed: usize,
    /// A line each.
    lines: BTreeMap<What, Vec<String>>,
}

/// What comes of a finding, in the order in which a reader wants to see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Fails,
    Passes,
    IsAllowed,
}

impl Junit {
    /// Nothing yet.
    pub fn new(denied: Vec<Denied>) -> Junit {
        Junit { denied, files: Vec::new() }
    }

    /// A manifest's findings.
    pub fn add(&mut self, file: &str, checked: &Checked) {
        self.file(file);
        for finding in &checked.findings {
            let fails = finding.rule.rank == Rank::Error || self.denied.iter().any(|denied| denied.is(finding));
            let line = line(checked, finding);
            let case = self.case(file, finding.rule.code, finding.pos);
            // What a reader goes to is what failed.
            if fails && !case.fails {
                (case.fails, case.first) = (true, finding.pos);
            }
            case.found += 1;
            case.tell(if fails { What::Fails } else { What::Passes }, line);
        }
        for allowed in &checked.allowed {
            let line = format!("{}; allowed: {}", line(checked, &allowed.finding), allowed.reason);
            let case = self.case(file, allowed.finding.rule.code, allowed.finding.pos);
            case.allowed += 1;
            case.tell(What::IsAllowed, line);
        }
    }

    /// What could not be checked.
    pub fn add_unreadable(&mut self, file: &str, error: &YamlError) {
        let case = self.case(file, NOT_CHECKED, error.pos);
        case.found += 1;
        case.fails = true;
        case.tell(What::Fails, error.to_string());
    }

    /// All of it, as a text.
    pub fn end(&self) -> Result<String, quick_junit::SerializeError> {
        let mut report = Report::new("vmhealth check");
        for (file, cases) in &self.files {
            let mut suite = TestSuite::new(file.as_str());
            if cases.is_empty() {
                let mut case = TestCase::new(NOTHING, TestCaseStatus::success());
                case.set_classname(file.as_str()).extra.insert("file".into(), file.as_str().into());
                suite.add_test_case(case);
            }
            suite.add_test_cases(cases.iter().map(|(code, case)| case.written(file, code)));
            report.add_test_suite(suite);
        }
        report.to_string()
    }

    /// Pieces of a file come one behind the other.
    fn file(&mut self, file: &str) -> &mut BTreeMap<&'static str, Case> {
        if self.files.last().is_none_or(|(last, _)| last != file) {
            self.files.push((file.to_owned(), BTreeMap::new()));
        }
        let last = self.files.len() - 1;
        &mut self.files[last].1
    }

    fn case(&mut self, file: &str, code: &'static str, first: Pos) -> &mut Case {
        let none = Case { first, fails: false, found: 0, allowed: 0, lines: BTreeMap::new() };
        self.file(file).entry(code).or_insert(none)
    }
}

impl Case {
    fn tell(&mut self, what: What, line: String) {
        let lines = self.lines.entry(what).or_default();
        if lines.len() < PLACES {
            lines.push(line);
        }
    }

    fn written(&self, file: &str, code: &str) -> TestCase {
        let lines: Vec<&str> = self.lines.values().flatten().take(PLACES).map(String::as_str).collect();
        let first = lines.first().copied().unwrap_or_default();
        let more = self.found + self.allowed - lines.len();
        let more = if more > 0 { format!("\n... and {more} more") } else { String::new() };
        let all = lines.join("\n") + &more;
        let mut status = match (self.fails, self.found) {
            (true, _) if code == NOT_CHECKED => TestCaseStatus::non_success(NonSuccessKind::Error),
            (true, _) => TestCaseStatus::non_success(NonSuccessKind::Failure),
            (false, 0) => TestCaseStatus::skipped(),
            (false, _) => TestCaseStatus::success(),
        };
        let tells = !matches!(status, TestCaseStatus::Success { .. });
        if tells {
            status.set_message(first).set_description(all.as_str());
        }
        let mut case = TestCase::new(code, status);
        case.set_classname(file);
        // Where annotations point to, as pytest writes them.
        case.extra.insert("file".into(), file.into());
        case.extra.insert("line".into(), self.first.line.to_string().into());
        if !tells {
            case.set_system_out(all);
        }
        case
    }
}

/// `line:column: name: what is wrong (who says so). How to mend it`.
fn line(checked: &Checked, finding: &Finding) -> String {
    let Pos { line, column } = finding.pos;
    let name = if checked.name.is_empty() { "(without a name)" } else { checked.name.as_str() };
    format!("{line}:{column}: {name}: {} ({}). {}", finding.message, finding.layer, finding.help)
}

//! `check`: each manifest with its verdict, its findings in their lines, and its budgets if they are asked for.
//!
//! A page is at most so large: of many manifests those with findings are shown, and what is left out is counted.

use super::budgets;
use super::page::{ExcerptLine, Part, Shown, page};
use vmhealth_sim::budget::{Basis, Given, rows};
use vmhealth_sim::check::{Allowed, Checked, Finding, Verdict};

/// Findings on a page: some 2 MB.
const MOST: usize = 1000;
/// Manifests on a page.
const MOST_MANIFESTS: usize = 300;
/// Lines before and behind the one that is meant.
const AROUND: u64 = 2;
/// Characters of a line.
const LONGEST_LINE: usize = 200;

/// The parts of a page, as files are read.
#[derive(Debug, Default)]
pub struct Parts {
    parts: Vec<Part>,
    manifests: usize,
    accepted: usize,
    findings: usize,
    /// Findings on the page.
    shown: usize,
}

impl Parts {
    /// Adds a manifest of a piece of a file with this text, which begins in line `first`; its budgets if that is asked for.
    pub fn add(&mut self, file: &str, (first, text): (u64, &str), checked: &Checked, given: Option<&Given>) {
        self.manifests += 1;
        self.accepted += usize::from(checked.verdict == Verdict::Accepted);
        self.findings += checked.findings.len();
        let table = given.zip(checked.vm.as_ref()).map(|(given, vm)| (vm, Basis::of(vm, given)));
        if self.parts.len() >= MOST_MANIFESTS || checked.findings.is_empty() && table.is_none() {
            return;
        }
        let room = MOST.saturating_sub(self.shown);
        let lines: Vec<&str> = text.lines().collect();
        let findings: Vec<Shown> =
            checked.findings.iter().take(room).map(|finding| shown(file, (first, &lines), checked, finding)).collect();
        self.shown += findings.len();
        let mut part = Part {
            heading: if checked.name.is_empty() { "(without a name)".to_owned() } else { checked.name.clone() },
            tone: if checked.verdict == Verdict::Accepted { "pass" } else { "fail" },
            lines: vec![format!("{file}:{}: {}", checked.pos.line, checked.verdict.as_str())],
            findings,
            ..Part::default()
        };
        let allowed =
            |a: &Allowed| format!("{} in line {} is allowed: {}", a.finding.rule.code, a.finding.pos.line, a.reason);
        part.lines.extend(checked.allowed.iter().take(room).map(allowed));
        if let Some((vm, basis)) = table {
            let list =
                |what: &str, words: &[String]| (!words.is_empty()).then(|| format!("{what}: {}", words.join("; ")));
            part.lines.extend(list("read in user data and kernelArgs", &basis.read));
            part.lines.extend(list("assumed, since nothing says otherwise", &basis.assumed));
            match rows(vm, &basis.assumptions).as_slice() {
                [] => part.lines.push(
                    "nothing in this VM detects a fault: it has no probe, no watchdog and no panic device".into(),
                ),
                rows => part.charts.push(budgets::chart(rows)),
            }
        }
        self.parts.push(part);
    }

    /// The page.
    pub fn page(mut self) -> askama::Result<String> {
        let title = format!("{} of {} manifests accepted, {} findings", self.accepted, self.manifests, self.findings);
        let left = (self.findings - self.shown, self.manifests.saturating_sub(self.parts.len()));
        if left != (0, 0) {
            let line = format!("Not on this page: {} findings, {} manifests; --format json has all.", left.0, left.1);
            self.parts.push(Part { heading: "The rest".to_owned(), lines: vec![line], ..Part::default() });
        }
        page(&title, self.parts)
    }
}

fn shown(file: &str, (first, lines): (u64, &[&str]), checked: &Checked, finding: &Finding) -> Shown {
    let strategy = checked.vm.as_ref().map(|vm| vm.run_strategy);
    let meant = finding.pos.line;
    let column = usize::try_from(finding.pos.column).unwrap_or(usize::MAX).max(1) - 1;
    let line = |number: u64| {
        let index = number.checked_sub(first).and_then(|n| usize::try_from(n).ok())?;
        let text: String = lines.get(index)?.chars().take(LONGEST_LINE).collect();
        let start = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
        // A word, as far as YAML has them.
        let end = text[start..].find([':', ',', '}', ']', '#']).map_or(text.len(), |at| start + at);
        Some(match number == meant {
            true => ExcerptLine {
                number,
                before: text[..start].to_owned(),
                marked: text[start..end].to_owned(),
                after: text[end..].to_owned(),
            },
            false => ExcerptLine { number, before: text, marked: String::new(), after: String::new() },
        })
    };
    Shown {
        severity: finding.rule.rank.as_str(),
        code: finding.rule.code,
        place: format!("{file}:{meant}:{}", finding.pos.column),
        message: finding.message.clone(),
        outcome: finding.outcome(checked.kind, strategy).to_owned(),
        help: finding.help.clone(),
        excerpt: (meant.saturating_sub(AROUND)..=meant.saturating_add(AROUND)).filter_map(line).collect(),
    }
}

//! `check --format summary`: of many manifests, a line for each kind of finding and one for what becomes of them.

use std::collections::BTreeMap;
use vmhealth_sim::check::{Checked, Rule, Verdict};

/// Places that are shown of each kind of finding.
const PLACES: usize = 3;

/// What was found so far.
#[derive(Debug, Default)]
pub struct Summary {
    found: BTreeMap<&'static str, Found>,
    /// Accepted, accepted but broken, refused.
    verdicts: [usize; 3],
    allowed: usize,
    skipped: usize,
    unreadable: usize,
}

#[derive(Debug)]
struct Found {
    rule: &'static Rule,
    manifests: usize,
    places: Vec<String>,
}

impl Summary {
    /// Counts a manifest of a file.
    pub fn add(&mut self, file: &str, checked: &Checked) {
        self.verdicts[match checked.verdict {
            Verdict::Accepted => 0,
            Verdict::AcceptedButBroken => 1,
            Verdict::Refused => 2,
        }] += 1;
        self.allowed += checked.allowed.len();
        let mut counted: Vec<&str> = Vec::new();
        for finding in &checked.findings {
            let (rule, places) = (finding.rule, Vec::new());
            let found = self.found.entry(rule.code).or_insert(Found { rule, manifests: 0, places });
            if !counted.contains(&rule.code) {
                counted.push(rule.code);
                found.manifests += 1;
                if found.places.len() < PLACES {
                    found.places.push(format!("{file}:{}", finding.pos.line));
                }
            }
        }
    }

    /// Counts an object of another kind.
    pub fn add_skipped(&mut self) {
        self.skipped += 1;
    }

    /// Counts what could not be read.
    pub fn add_unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// The worst first, of those what most have.
    pub fn render(&self) -> String {
        let mut all: Vec<&Found> = self.found.values().collect();
        all.sort_by_key(|f| (f.rule.rank, std::cmp::Reverse(f.manifests), f.rule.layer, f.rule.code));
        let head = ["RANK", "LAYER", "CODE", "VMS", "FIRST PLACES"].map(str::to_owned);
        let row = |f: &&Found| {
            let more = if f.manifests > f.places.len() { ", ..." } else { "" };
            let places = f.places.join(", ").escape_debug().to_string() + more;
            [f.rule.rank.as_str().into(), f.rule.layer.to_string(), f.rule.code.into(), f.manifests.to_string(), places]
        };
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(all.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
        let widths = [0, 1, 2, 3].map(width);
        let line = |[rank, layer, code, count, places]: &[String; 5]| {
            let [a, b, c, d] = widths;
            format!("{rank:a$}  {layer:b$}  {code:c$}  {count:>d$}  {places}\n")
        };
        let table: String =
            if all.is_empty() { String::new() } else { rows.iter().map(line).collect::<String>() + "\n" };
        let [accepted, broken, refused] = self.verdicts;
        let others = [
            (self.allowed, "allowed by comments"),
            (self.skipped, "other objects not checked"),
            (self.unreadable, "could not be checked"),
        ];
        let others: String =
            others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("; {count} {what}")).collect();
        let all = accepted + broken + refused;
        format!("{table}{all} checked: {accepted} accepted, {broken} accepted but broken, {refused} refused{others}\n")
    }
}

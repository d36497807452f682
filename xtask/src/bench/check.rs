//! `bench check`: a great many manifests through `check`, valid ones, mutated ones and garbage.

use super::stats::peak_mib;
use fastrand::Rng;
use serde::Serialize;
use std::fmt;
use std::time::{Duration, Instant};
use vmhealth_sim::budget::{Assumptions, rows};
use vmhealth_sim::check::{Options, Verdict, check};

/// Words that replace a value.
const WORDS: [&str; 12] =
    ["", "~", "-1", "0", "2147483648", "99999999999999999999", "true", "{}", "[]", "\"x\"", "&a", "*a"];
/// The longest random text, characters.
const GARBAGE: usize = 300;
/// The characters of random texts.
const LETTERS: &[u8] = b"abc:- \n[]{}&*#|>'\"%@!?,\t0~\xc3";

/// The results of `bench check`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckBench {
    /// How many texts were checked.
    pub texts: usize,
    /// VirtualMachines that no layer refuses and that can work.
    pub accepted: usize,
    /// VirtualMachines that no layer refuses and that cannot work.
    pub broken: usize,
    /// VirtualMachines that some layer refuses.
    pub refused: usize,
    /// Texts that are not YAML.
    pub not_yaml: usize,
    /// Mean time of `check` and, for a VM that can run, of its budgets; microseconds.
    pub mean_us: f64,
    /// The longest such time, microseconds.
    pub worst_us: f64,
    /// The process's largest resident set before and after, MiB: it must not grow with the number.
    pub peak_mib: (u64, u64),
}

/// Checks `count` texts made from `manifests`; the same seed makes the same texts.
pub fn check_many(manifests: &[String], count: usize, seed: u64) -> CheckBench {
    let mut random = Rng::with_seed(seed);
    let (options, assumptions) = (Options::default(), Assumptions::default());
    // Every manifest once before memory is measured: what is measured is whether it grows with the number.
    manifests.iter().for_each(|text| drop(check(text, &options)));
    let mut found = CheckBench {
        texts: count,
        accepted: 0,
        broken: 0,
        refused: 0,
        not_yaml: 0,
        mean_us: 0.0,
        worst_us: 0.0,
        peak_mib: (peak_mib(), 0),
    };
    let (mut all, mut worst) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..count {
        let text = text(manifests, &mut random);
        let begun = Instant::now();
        match check(&text, &options) {
            Ok(checks) => {
                for checked in &checks.manifests {
                    *match checked.verdict {
                        Verdict::Accepted => &mut found.accepted,
                        Verdict::AcceptedButBroken => &mut found.broken,
                        Verdict::Refused => &mut found.refused,
                    } += 1;
                    checked.vm.iter().for_each(|vm| drop(rows(vm, &assumptions)));
                }
            }
            Err(_) => found.not_yaml += 1,
        }
        let took = begun.elapsed();
        all += took;
        worst = worst.max(took);
    }
    found.mean_us = all.as_secs_f64() * 1e6 / count.max(1) as f64;
    found.worst_us = worst.as_secs_f64() * 1e6;
    found.peak_mib.1 = peak_mib();
    found
}

/// One in ten as it is, one in ten garbage, the others mutated.
fn text(manifests: &[String], random: &mut Rng) -> String {
    let whole = random.choice(manifests).cloned().unwrap_or_default();
    match random.u8(0..10) {
        0 => whole,
        1 => {
            let length = random.usize(0..GARBAGE);
            let bytes: Vec<u8> = (0..length).filter_map(|_| random.choice(LETTERS).copied()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => mutated(&whole, random),
    }
}

fn mutated(whole: &str, random: &mut Rng) -> String {
    let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    for _ in 0..random.usize(1..4) {
        if lines.is_empty() {
            break;
        }
        let (from, to) = (random.usize(..lines.len()), random.usize(..lines.len()));
        // Mostly a value: a line in the wrong place is seldom YAML any more.
        match random.u8(0..12) {
            0 => drop(lines.remove(from)),
            1 => lines.swap(from, to),
            2 => lines.insert(to, lines[from].clone()),
            _ => {
                let word = random.choice(WORDS).unwrap_or_default();
                let key = lines[from].split(": ").next().unwrap_or_default();
                lines[from] = format!("{key}: {word}");
            }
        }
    }
    lines.join("\n")
}

impl fmt::Display for CheckBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CheckBench { texts, accepted, broken, refused, not_yaml, mean_us, worst_us, peak_mib } = self;
        writeln!(f, "{texts} texts: {accepted} accepted, {broken} broken, {refused} refused, {not_yaml} not YAML")?;
        writeln!(f, "  mean  {mean_us:8.1} us\n  worst {worst_us:8.1} us")?;
        writeln!(f, "  largest resident set {} MiB before, {} MiB after", peak_mib.0, peak_mib.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sorts_of_texts_come_up() {
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec:\n  runStrategy: Always\n  template:\n    spec:\n      domain:\n        memory: {guest: 1Gi}\n        devices: {}\n";
        let found = check_many(&[vm.to_owned()], 2000, 1);
        let made = found.accepted + found.broken + found.refused + found.not_yaml;
        assert!(found.accepted > 100 && found.refused > 100 && found.not_yaml > 50, "{found:?}");
        assert!(made <= 2000 && found.mean_us > 0.0 && found.worst_us >= found.mean_us, "{found:?}");
        assert_eq!(check_many(&[vm.to_owned()], 2000, 1).refused, found.refused, "one seed makes one sequence");
    }
}

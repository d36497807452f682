//! What the oracle said of a manifest beside what `check` says.

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use vmhealth_sim::check::{Finding, Options, Rank, check};

/// The oracle's line of a manifest.
pub(crate) struct Said {
    pub(crate) file: String,
    verdict: String,
    layer: String,
    errors: Vec<String>,
}

impl Said {
    pub(crate) fn read(line: &str) -> Result<Said, serde_json::Error> {
        let line: Json = serde_json::from_str(line)?;
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let errors =
            line["errors"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
        let errors = if line["unknown"].is_string() { vec![text("unknown")] } else { errors };
        Ok(Said { file: text("file"), verdict: text("verdict"), layer: text("layer"), errors })
    }
}

/// How often they agreed, and where they did not.
#[derive(Default)]
pub(crate) struct Compared {
    verdicts: (usize, usize),
    layers: (usize, usize),
    /// Why a manifest was not compared, and how often.
    left: BTreeMap<String, usize>,
    /// By kind of disagreement: theirs, ours, and the manifests.
    kinds: BTreeMap<(String, String), Vec<String>>,
}

impl Compared {
    pub(crate) fn add(&mut self, said: &Said, text: &str) {
        if said.verdict == "unknown" {
            let why = said.errors.join(" ");
            *self
                .left
                .entry(format!("only a cluster knows: {}", why.chars().take(60).collect::<String>()))
                .or_default() += 1;
            return;
        }
        let Some((layer, ours)) = ours(text) else {
            *self
                .left
                .entry("not a manifest to vmhealth: no kind, no version, or of another API group".to_owned())
                .or_default() += 1;
            return;
        };
        let (is_verdict, is_layer) = (layer.is_empty() == (said.verdict == "accepted"), layer == said.layer);
        self.verdicts.0 += usize::from(is_verdict);
        self.verdicts.1 += 1;
        self.layers.0 += usize::from(is_layer);
        self.layers.1 += 1;
        if !is_layer {
            let first = said.errors.first().map_or("", String::as_str);
            let theirs = format!("{} {}", or(&said.layer, "accepted"), general(first));
            self.kinds
                .entry((theirs, format!("{} {ours}", or(layer, "accepted"))))
                .or_default()
                .push(format!("{}: {first}", said.file));
        }
    }

    /// Each kind of disagreement with its manifests, the most frequent first.
    pub(crate) fn listed(&self) -> String {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(_, files)| std::cmp::Reverse(files.len()));
        let mut text = String::new();
        for ((theirs, ours), files) in kinds {
            let _ = writeln!(text, "{} x\n  theirs: {theirs}\n  ours:   {ours}", files.len());
            for file in files.iter().take(5) {
                let _ = writeln!(text, "    {file}");
            }
        }
        text
    }
}

fn or<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

/// A message without what is of one manifest only: numbers and quoted texts.
fn general(message: &str) -> String {
    let mut quoted = false;
    let kept = message.chars().filter(|c| {
        quoted ^= *c == '"';
        !quoted && !c.is_ascii_digit()
    });
    kept.take(110).collect()
}

/// The first layer that refuses, empty if none does, and the codes of its findings; `None`: `check` sees no manifest there.
fn ours(text: &str) -> Option<(&'static str, String)> {
    let checks = match check(text, &Options::default()) {
        Ok(checks) => checks,
        Err(e) => return Some(("client-decode", e.message)),
    };
    let checked = checks.manifests.first()?;
    let refusing = || checked.findings.iter().filter(|f| f.rule.rank == Rank::Error && f.layer.refuses());
    let Some(layer) = refusing().map(|f| f.layer).min() else { return Some(("", String::new())) };
    let code = |f: &Finding| format!("{} {}", f.rule.code, general(&f.message));
    let codes: Vec<String> = refusing().filter(|f| f.layer == layer).map(code).take(2).collect();
    Some((layer.as_str(), codes.join(", ")))
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |(same, all): (usize, usize)| 100.0 * same as f64 / all.max(1) as f64;
        writeln!(f, "compared {}", self.verdicts.1)?;
        writeln!(f, "  verdict     {:6.2} %  ({} differ)", share(self.verdicts), self.verdicts.1 - self.verdicts.0)?;
        writeln!(f, "  first layer {:6.2} %  ({} differ)", share(self.layers), self.layers.1 - self.layers.0)?;
        self.left.iter().try_for_each(|(why, count)| writeln!(f, "  left out {count}: {why}"))
    }
}

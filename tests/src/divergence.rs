//! Where the model and reality tell different stories.

use crate::normal::Normal;
use std::fmt::Write as _;

/// The difference of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Which VMI.
    pub vmi: u32,
    /// Which lane.
    pub lane: &'static str,
    /// What the model says.
    pub model: Vec<String>,
    /// What QEMU did.
    pub qemu: Vec<String>,
}

/// Every lane in which the two differ.
pub fn compare(model: &Normal, qemu: &Normal) -> Vec<Divergence> {
    let mut lanes: Vec<&(u32, &'static str)> = model.0.keys().chain(qemu.0.keys()).collect();
    lanes.sort();
    lanes.dedup();
    let history = |normal: &Normal, lane| normal.0.get(lane).cloned().unwrap_or_default();
    lanes
        .into_iter()
        .map(|lane| Divergence { vmi: lane.0, lane: lane.1, model: history(model, lane), qemu: history(qemu, lane) })
        .filter(|d| d.model != d.qemu)
        .collect()
}

impl std::fmt::Display for Divergence {
    /// Side by side, the first difference marked.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.model.iter().map(|l| l.chars().count()).max().unwrap_or(0).max("model".len());
        let mut text = format!("VMI {}, {}:\n    {:width$} | qemu\n", self.vmi, self.lane, "model");
        let line = |side: &[String], i: usize| side.get(i).cloned().unwrap_or_default();
        let mut differs = false;
        for i in 0..self.model.len().max(self.qemu.len()) {
            let (model, qemu) = (line(&self.model, i), line(&self.qemu, i));
            let mark = if !differs && model != qemu { "-->" } else { "   " };
            differs |= model != qemu;
            writeln!(text, "{mark} {model:width$} | {qemu}")?;
        }
        f.write_str(text.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_side_by_side() {
        let normal = |lines: &[&str]| {
            Normal([((1, "qemu"), lines.iter().map(|l| (*l).to_owned()).collect())].into_iter().collect())
        };
        let model = normal(&["qemu STARTED", "qemu WATCHDOG reset", "qemu RESET guest-reset"]);
        assert_eq!(compare(&model, &model), vec![]);
        let found = compare(&model, &normal(&["qemu STARTED", "qemu SHUTDOWN guest-shutdown"]));
        insta::assert_snapshot!(found[0], @r"
        VMI 1, qemu:
            model                  | qemu
            qemu STARTED           | qemu STARTED
        --> qemu WATCHDOG reset    | qemu SHUTDOWN guest-shutdown
            qemu RESET guest-reset |
        ");
    }
}

//! `check --deny`: what fails although no layer of a cluster refuses it.

use std::str::FromStr;
use vmhealth_sim::check::{Finding, Rank, explain};

/// What fails a run although no layer refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Findings of this rank or worse.
    Rank(Rank),
    /// Findings of this code.
    Code(&'static str),
}

impl Denied {
    /// Whether it is about this finding.
    pub fn is(self, finding: &Finding) -> bool {
        match self {
            Denied::Rank(rank) => finding.rule.rank <= rank,
            Denied::Code(code) => finding.rule.code == code,
        }
    }
}

impl FromStr for Denied {
    type Err = String;
    fn from_str(word: &str) -> Result<Denied, String> {
        match word {
            "warnings" => Ok(Denied::Rank(Rank::Warning)),
            "notes" => Ok(Denied::Rank(Rank::Note)),
            code => explain(code)
                .map(|rule| Denied::Code(rule.code))
                .ok_or_else(|| "neither warnings, notes, nor a code; --explain lists the codes".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::check::Options;

    #[test]
    fn what_can_be_denied() {
        let denial = str::parse::<Denied>;
        assert_eq!(denial("warnings"), Ok(Denied::Rank(Rank::Warning)));
        assert_eq!(denial("notes"), Ok(Denied::Rank(Rank::Note)));
        assert_eq!(denial("undeclared-port"), Ok(Denied::Code("undeclared-port")));
        assert!(denial("warning").is_err());
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {running: true, template: {spec: {domain: {memory: {guest: 1Gi}, devices: {}}}}}\n";
        let checks = vmhealth_sim::check::check(vm, &Options::default()).unwrap();
        let finding = checks.manifests[0].findings.iter().find(|f| f.rule.code == "running-is-deprecated").unwrap();
        for (word, is_denied) in [("notes", true), ("running-is-deprecated", true), ("undeclared-port", false)] {
            assert_eq!(denial(word).unwrap().is(finding), is_denied, "{word}");
        }
    }
}

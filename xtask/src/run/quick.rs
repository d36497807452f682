//! `e2e --quick`: a first look that touches every kind of fault.

use super::catalogue::Case;
use super::forecast::{Start, forecast};
use std::collections::{BTreeMap, BTreeSet};
use vmhealth_sim::fault::FaultKind;
use vmhealth_sim::manifest::Architecture;

/// Of a scenario without any fault.
const NO_FAULT: &str = "none";

/// What a scenario breaks.
fn kinds(case: &Case) -> BTreeSet<String> {
    let faults = case.scenario.spec.steps.iter().filter_map(|step| Some(step.fault.as_ref()?.kind()));
    let kinds: BTreeSet<String> = faults.map(|kind: FaultKind| kind.to_string()).collect();
    if kinds.is_empty() { [NO_FAULT.to_owned()].into() } else { kinds }
}

/// Of the cases with guests of amd64, for each kind of fault the one that boots a guest anew the least often and is then over
/// the soonest, as the model foresees it; one that has several kinds stands for all of them. The order stays.
pub fn quick(cases: Vec<Case>) -> Vec<Case> {
    let mut cheapest: BTreeMap<String, (usize, std::time::Duration, usize)> = BTreeMap::new();
    for (index, case) in cases.iter().enumerate().filter(|(_, case)| case.architecture() == Architecture::Amd64) {
        let forecast = forecast(case, Start::Fork, true);
        let cost = (forecast.boots.len(), forecast.length, index);
        for kind in kinds(case) {
            let so_far = cheapest.entry(kind).or_insert(cost);
            *so_far = cost.min(*so_far);
        }
    }
    let chosen: BTreeSet<usize> = cheapest.into_values().map(|(_, _, index)| index).collect();
    cases.into_iter().enumerate().filter(|(index, _)| chosen.contains(index)).map(|(_, case)| case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::catalogue::{read, select};

    #[test]
    fn every_kind_of_fault_is_touched_by_what_is_cheap() {
        let all = select(read(None).unwrap(), &[]).unwrap();
        let of_all = |cases: &[Case]| -> BTreeSet<String> { cases.iter().flat_map(kinds).collect() };
        let amd64: Vec<Case> = all.iter().filter(|c| c.architecture() == Architecture::Amd64).cloned().collect();
        let chosen = quick(all);
        assert_eq!(of_all(&chosen), of_all(&amd64));
        assert!(chosen.len() <= of_all(&amd64).len(), "{}", chosen.len());
        let boots = |case: &&Case| forecast(case, Start::Fork, true).boots.len();
        let cost: usize = chosen.iter().map(|c| boots(&c)).sum();
        let usual: usize = amd64.iter().map(|c| boots(&c)).sum();
        assert!(
            cost * amd64.len() < usual * chosen.len(),
            "{cost} boots of {}, {usual} of {}",
            chosen.len(),
            amd64.len()
        );
    }
}

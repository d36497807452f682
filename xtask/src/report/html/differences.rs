//! Which events of a run on QEMU the model has not, and the other way round.

use crate::compare::align::align;
use std::collections::BTreeMap;
use vmhealth_guests::reality::Line;

/// The places of the events that only one of two runs has, for each. How often a probe was tried is no difference.
pub(super) fn differences(left: &[Line], right: &[Line]) -> [Vec<usize>; 2] {
    let histories = [left, right].map(histories);
    let mut found = [Vec::new(), Vec::new()];
    let lanes: Vec<_> = histories.iter().flat_map(BTreeMap::keys).collect();
    for (index, lane) in lanes.iter().enumerate() {
        if lanes[..index].contains(lane) {
            continue;
        }
        let [left, right] = [0, 1].map(|side: usize| histories[side].get(*lane).map_or(&[][..], Vec::as_slice));
        let texts = |history: &[(usize, String)]| history.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
        for row in align(&texts(left), &texts(right)).iter().filter(|row| !row.same) {
            found[0].extend(row.left.and_then(|i| left.get(i)).map(|(event, _)| *event));
            found[1].extend(row.right.and_then(|i| right.get(i)).map(|(event, _)| *event));
        }
    }
    found.iter_mut().for_each(|events| events.sort_unstable());
    found
}

/// By VMI and lane: each event with its place; one that repeats the one before is left out.
fn histories(lines: &[Line]) -> BTreeMap<(u32, &str), Vec<(usize, String)>> {
    let mut histories: BTreeMap<(u32, &str), Vec<(usize, String)>> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        let mut words = line.event.split(' ');
        let (lane, what) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if matches!(what, "attempt" | "answer" | "forked" | "cold" | "AGENT") {
            continue;
        }
        let history = histories.entry((line.vmi, lane)).or_default();
        if history.last().is_none_or(|(_, text)| *text != line.event) {
            history.push((index, line.event.clone()));
        }
    }
    histories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_has() {
        let run = |events: &[&str]| {
            let line = |event: &&str| Line {
                detail: String::new(),
                event: (*event).to_owned(),
                replayed: false,
                t: 0.0,
                vmi: 1,
            };
            events.iter().map(line).collect::<Vec<_>>()
        };
        let model = run(&["qemu STARTED", "vmi phase Running", "qemu WATCHDOG reset", "qemu RESET guest-reset"]);
        let rows: &[(&[&str], &[usize], &[usize])] = &[
            (&["qemu STARTED", "vmi phase Running", "qemu WATCHDOG reset", "qemu RESET guest-reset"], &[], &[]),
            // Another order between lanes is none inside one.
            (&["vmi phase Running", "qemu STARTED", "qemu WATCHDOG reset", "qemu RESET guest-reset"], &[], &[]),
            (&["qemu STARTED", "vmi phase Running", "qemu RESET guest-reset"], &[2], &[]),
            (&["qemu STARTED", "vmi phase Running", "qemu EXIT status 0"], &[2, 3], &[2]),
            (&["qemu STARTED", "readiness attempt 1", "vmi phase Failed"], &[1, 2, 3], &[2]),
        ];
        for (events, left, right) in rows {
            assert_eq!(differences(&model, &run(events)), [left.to_vec(), right.to_vec()], "{events:?}");
        }
    }
}

//! What of a manifest does not count here, in a line: guests have a disk, a network and a node of ours.

use vmhealth_sim::manifest::VirtualMachine;

/// Where most fields stand; a reader knows them without it.
const PREFIXES: [&str; 5] = ["spec.template.spec.", "spec.template.", "spec.", "domain.", "devices."];

/// The fields that are replaced or not needed, by their names; `None`: there are none.
pub(super) fn replaced(vm: &VirtualMachine) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for (path, _) in &vm.ignored {
        let mut rest = path.as_str();
        for prefix in PREFIXES {
            rest = rest.strip_prefix(prefix).unwrap_or(rest);
        }
        let name = rest.split(['.', '[']).next().unwrap_or(rest);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| format!("replaced by vmhealth's own, or not needed here: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::fixture::vm;
    use vmhealth_sim::manifest::WatchdogAction;

    #[test]
    fn names_come_once() {
        let check = |vm: VirtualMachine, expected: Option<&str>| {
            assert_eq!(replaced(&vm).as_deref(), expected, "{:?}", vm.ignored);
        };
        check(vm().watchdog(WatchdogAction::Reset).build(), None);
        let disks = vm()
            .watchdog(WatchdogAction::Reset)
            .device("disks: [{name: a, disk: {bus: virtio}}, {name: b, disk: {bus: sata}}]");
        let vm = disks.spec("networks: [{name: default, pod: {}}]").build();
        check(vm, Some("replaced by vmhealth's own, or not needed here: networks, disks"));
    }
}

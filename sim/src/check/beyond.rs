//! What no layer of admission looks at and what cannot work all the same (kubevirt-health.md 2.5 to 2.7, 3.2, 3.3).

use super::admission::PROBES;
use super::code::*;
use super::finding::Exam;
use super::tree::{get, items, text};
use crate::manifest::{Destination, Port, Probe, RunStrategy, VirtualMachine, WatchdogAction, as_received};

/// libvirt's turn: it gets the action as it was written.
pub(super) fn examine_domain(exam: &mut Exam<'_>) {
    for device in ["i6300esb", "diag288"] {
        let path = exam.path(&format!("domain.devices.watchdog.{device}.action"));
        // KubeVirt replaces an empty one by reset.
        let Some(action) = exam.tree.text(&path).filter(|a| !a.is_empty()) else { continue };
        if WatchdogAction::of(action).is_none() && !WatchdogAction::NOT_SIMULATED.contains(&action) {
            exam.add(
                &WATCHDOG_ACTION,
                &path,
                format!("libvirt knows no action {action:?}"),
                "write poweroff, reset or shutdown, in lower case",
            );
        }
    }
}

/// What only shows when it runs.
pub(super) fn examine_runtime(exam: &mut Exam<'_>, vm: &VirtualMachine) {
    let vmi = &vm.vmi;
    for (name, probe) in PROBES.into_iter().zip([&vmi.readiness, &vmi.liveness]) {
        if let Some(probe) = probe {
            ports(exam, name, probe, vm);
            arguments(exam, name, vm);
        }
    }
}

/// Of a probe that errors (or fails) every time, in a guest that is well and shuts down cleanly (kubevirt-health.md 6).
fn consequence(name: &str, errors: bool, strategy: RunStrategy) -> &'static str {
    match (name, errors, strategy) {
        ("readinessProbe", ..) => "the VM is never Ready",
        (_, true, _) => "liveness never fails, whatever happens",
        (_, false, RunStrategy::Always | RunStrategy::Halted) => "the VM is stopped again and again, without backoff",
        (_, false, _) => "the VM is stopped and stays so",
    }
}

fn ports(exam: &mut Exam<'_>, name: &str, probe: &Probe, vm: &VirtualMachine) {
    let (vmi, strategy) = (&vm.vmi, vm.run_strategy);
    let path = exam.path(&format!("{name}.{}.port", probe.handler.name()));
    match (vmi.destination(&probe.handler), probe.handler.port()) {
        (Some(Err(_)), Some(port @ Port::Name(_))) => {
            let message = format!("no interface declares a port named {port}: {}", consequence(name, true, strategy));
            let help = format!("add {{name: {port}, port: NUMBER}} to the interface's ports, or write the number");
            exam.add(&UNDECLARED_PORT, &path, message, help);
        }
        (Some(Ok(Destination::NotForwarded { port })), _) => {
            let message = format!("the interface's ports do not name {port}: {}", consequence(name, false, strategy));
            exam.add(&NOT_FORWARDED, &path, message, format!("add {{port: {port}}} to the interface's ports"));
        }
        _ => {}
    }
}

fn arguments(exam: &mut Exam<'_>, name: &str, vm: &VirtualMachine) {
    let path = exam.path(&format!("{name}.exec.command"));
    let Some(probe) = exam.tree.at(&exam.path(name)) else { return };
    let command = get(probe, "exec").and_then(|e| get(e, "command")).map_or(&[][..], items);
    let command: Vec<String> = command.iter().filter_map(text).map(str::to_owned).collect();
    for (i, (argument, received)) in command.iter().zip(as_received(&command)).enumerate() {
        let path = format!("{path}[{i}]");
        match received.as_deref() {
            Some([received]) if received == argument => {}
            Some(received) => {
                let received = received.iter().map(|r| format!("{r:?}")).collect::<Vec<_>>().join(" and ");
                let message = format!("the guest receives {received} for {argument:?}: arguments are not escaped");
                exam.add(&ARGUMENT_CHANGED, &path, message, "put it into a script in the guest and call that");
            }
            None => {
                let fails = consequence(name, false, vm.run_strategy);
                let message = format!("{argument:?} breaks the JSON that virt-launcher sends: {fails}");
                exam.add(&UNESCAPED, &path, message, "put it into a script in the guest and call that");
            }
        }
    }
}

//! Commands that a probe runs in the guest, and the ports that it asks: what no layer looks at (kubevirt-health.md 2.7, 3.2, 3.3).

use super::exec_slips::{base_name, is_of_windows, other_way};
use crate::check::context::RunningProbe;
use crate::check::guest_os::windows;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::{Destination, Handler, Port, RunStrategy, as_received};
use crate::yaml::{Cursor, Place};

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "undeclared-port",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "A named port is looked up among the compute container's ports, which come from interfaces[].ports. A \
            name that is not there is an error to the kubelet, not a failure, and errors are thrown away: a liveness \
            probe then never fails, a readiness probe never succeeds.",
        source: "sim/docs/kubevirt-health.md 2.7; 11.2 row 16",
        shown_by: &["none/readiness-http/undeclared-port", "service-stopped/liveness-http/undeclared-port"],
        check: Check::RunningProbe(|running, report| {
            let handler = &running.probe.handler;
            if let (Some(Err(_)), Some(port @ Port::Name(_))) = (running.vm.vmi.destination(handler), handler.port()) {
                let message = format!("no interface declares a port named {port}: {}", consequence(running, true));
                let help = format!("add {{name: {port}, port: NUMBER}} to the interface's ports, or write the number");
                report.add(port_field(running), message, help);
            }
        }),
    },
    &Rule {
        code: "port-not-forwarded",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "With masquerade, interfaces[].ports is an allow list: what it does not name is not forwarded to the \
            guest, and a probe of it is refused for ever. Readiness never comes; liveness stops the guest as soon as \
            its delay is over.",
        source: "sim/docs/kubevirt-health.md 3.2",
        shown_by: &["none/readiness-tcp/port-not-forwarded"],
        check: Check::RunningProbe(|running, report| {
            if let Some(Ok(Destination::NotForwarded { port })) = running.vm.vmi.destination(&running.probe.handler) {
                let message = format!("the interface's ports do not name {port}: {}", consequence(running, false));
                report.add(port_field(running), message, format!("add {{port: {port}}} to the interface's ports"));
            }
        }),
    },
    &Rule {
        code: "unescaped-exec-argument",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "virt-launcher builds the agent's JSON by joining texts without escaping them. A quote, or a \
            backslash that begins no escape of JSON's, breaks it: every attempt fails.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            for (at, argument, received) in arguments(running) {
                if received.is_none() {
                    let fails = consequence(running, false);
                    let message = format!("{argument:?} breaks the JSON that virt-launcher sends: {fails}");
                    report.add(at, message, other_way(argument));
                }
            }
        }),
    },
    &Rule {
        code: "exec-argument-changed",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "virt-launcher puts a command's arguments into JSON without escaping them. What looks like an escape \
            in JSON is taken for one: the guest receives another text.",
        source: "KubeVirt agent/exec.go",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            for (at, argument, received) in arguments(running) {
                let Some(received) = received.filter(|r| *r != [argument]) else { continue };
                let received = received.iter().map(|r| format!("{r:?}")).collect::<Vec<_>>().join(" and ");
                let message = format!("the guest receives {received} for {argument:?}: arguments are not escaped");
                report.add(at, message, other_way(argument));
            }
        }),
    },
    &Rule {
        code: "timed-out-commands-pile-up",
        layer: Layer::Hazard,
        rank: Rank::Note,
        story: "A command that outlasts timeoutSeconds counts as failed and goes on running in the guest; the next \
            period starts another one.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &["none/readiness-exec/timeout"],
        check: Check::Running(|context, vm, report| {
            for running in context.running_probes(vm) {
                let Handler::Exec { command } = &running.probe.handler else { continue };
                let on_windows = windows(context).is_some() || command.iter().any(|word| is_of_windows(word));
                // Windows' own `timeout` waits, and starts nothing.
                if command.first().is_some_and(|program| base_name(program) == "timeout") && !on_windows {
                    continue;
                }
                let timings = running.probe.timings;
                let message = format!(
                    "a command that takes longer than {} s goes on running in the guest, and the next one starts {} s later",
                    timings.timeout, timings.period
                );
                let help = match on_windows {
                    true => {
                        "give what may hang a limit of its own: in PowerShell `Start-Job`, then `Wait-Job -Timeout 1`"
                    }
                    false => "give the command a limit of its own, like `timeout 1 ...`",
                };
                report.add(running.handler(), message, help);
            }
        }),
    },
];

/// Of a probe that errors (or fails) every time, in a guest that is well and shuts down cleanly (kubevirt-health.md 6).
fn consequence(running: &RunningProbe<'_, '_>, errors: bool) -> &'static str {
    match (running.field.name, errors, running.vm.run_strategy) {
        ("readinessProbe", ..) => "the VM is never Ready",
        (_, true, _) => "liveness never fails, whatever happens",
        (_, false, RunStrategy::Always | RunStrategy::Halted) => "the VM is stopped again and again, without backoff",
        (_, false, _) => "the VM is stopped and stays so",
    }
}
fn port_field<'a>(running: &RunningProbe<'_, 'a>) -> Place<'a> {
    running.field.cursor.place(&format!("{}.port", running.probe.handler.name()))
}

/// Each argument of the command, and what of it the guest receives; `None`: nothing, the JSON is broken.
fn arguments<'a>(running: &RunningProbe<'_, 'a>) -> Vec<(Cursor<'a>, &'a str, Option<Vec<String>>)> {
    let written: Vec<(Cursor<'a>, &str)> =
        running.field.cursor.items_at("exec.command").filter_map(|at| Some((at, at.text()?))).collect();
    let command: Vec<String> = written.iter().map(|(_, text)| (*text).to_owned()).collect();
    written.into_iter().zip(as_received(&command)).map(|((at, text), received)| (at, text, received)).collect()
}

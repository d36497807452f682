//! What works and surprises: the knowledge that no admission webhook has.

use super::admission::{PROBES, names};
use super::code::*;
use super::finding::Exam;
use super::tree::{get, items, text};
use super::userdata::{Mentions, Petter};
use crate::budget::{Answer, Span, before_boot, detection, notices_silence};
use crate::manifest::{
    Architecture, Handler, PodProbe, Probe, RebootPolicy, RunStrategy, VirtualMachine, VmiSpec, Watchdog,
    WatchdogAction,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// Of the watchdog daemon where nothing is configured (watchdog.conf: `watchdog-timeout = 60`).
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(60);

/// Looks at a manifest that can run. `boot`: how long its guest needs to answer.
pub(super) fn examine(exam: &mut Exam<'_>, vm: &VirtualMachine, boot: Duration) {
    let vmi = &vm.vmi;
    for (name, probe) in PROBES.into_iter().zip([&vmi.readiness, &vmi.liveness]) {
        if let Some(probe) = probe {
            numbers(exam, name, probe);
            handler(exam, name, probe, vmi);
            if vmi.agent_probes_paused && probe.handler == Handler::GuestAgentPing {
                let path = exam.path(&format!("{name}.guestAgentPing"));
                let message =
                    format!("the annotation kubevirt.io/pause-guest-agent-probes keeps {name} from ever failing");
                exam.add(&PINGS_PAUSED, &path, message, "remove the annotation when the maintenance is over");
            }
        }
    }
    if let Some(liveness) = &vmi.liveness {
        examine_liveness(exam, vm, liveness, boot);
    }
    if let Some(watchdog) = &vmi.watchdog {
        examine_watchdog(exam, vm, watchdog, boot);
    }
    if vmi.grace.is_zero() {
        let path = exam.path("terminationGracePeriodSeconds");
        exam.add(
            &GRACE_ZERO,
            &path,
            "a grace period of 0 destroys the guest at once, and a guest that had hung counts as Succeeded",
            "give it the time that its shutdown needs, like 30",
        );
    }
    if vmi.reboot_policy == RebootPolicy::Terminate && vm.run_strategy == RunStrategy::RerunOnFailure {
        let path = exam.path("domain.rebootPolicy");
        exam.add(
            &RERUN_WITH_TERMINATE,
            &path,
            "a reboot, also the watchdog's reset, ends the VMI Succeeded, and RerunOnFailure does not start it again",
            "use runStrategy: Always",
        );
    }
    volumes_without_disks(exam);
    if exam.tree.at("spec.running").is_some() && exam.is_vm {
        let help = format!("write runStrategy: {}", vm.run_strategy);
        exam.add(&RUNNING_DEPRECATED, "spec.running", "running is deprecated", help);
    }
    let acts = vmi.liveness.is_some() || vmi.watchdog.as_ref().is_some_and(|w| w.action == WatchdogAction::Poweroff);
    if exam.is_vm && acts && matches!(vm.run_strategy, RunStrategy::Manual | RunStrategy::Once) {
        let message = format!("under {} a VMI that liveness or the watchdog ended is not replaced", vm.run_strategy);
        exam.add(&KEPT_AFTER_FAILURE, "spec.runStrategy", message, "use Always, if it should come back by itself");
    }
}

fn numbers(exam: &mut Exam<'_>, name: &str, probe: &Probe) {
    let timings = probe.timings;
    if timings.period <= timings.timeout {
        let worst = detection(&PodProbe::from(probe), Answer::Silence).worst.as_secs();
        let path = exam.path(&format!("{name}.timeoutSeconds"));
        let at = if exam.tree.at(&path).is_some() { path } else { exam.path(&format!("{name}.periodSeconds")) };
        let message = format!(
            "periodSeconds {} is not greater than timeoutSeconds {}: a guest that hangs is detected after up to {worst} s",
            timings.period, timings.timeout
        );
        exam.add(&PERIOD_NOT_ABOVE_TIMEOUT, &at, message, "make periodSeconds greater than timeoutSeconds");
    }
}

fn handler(exam: &mut Exam<'_>, name: &str, probe: &Probe, vmi: &VmiSpec) {
    let path = exam.path(&format!("{name}.{}", probe.handler.name()));
    let host = match &probe.handler {
        Handler::HttpGet(get) => get.host.as_ref(),
        Handler::TcpSocket { host, .. } => host.as_ref(),
        Handler::Exec { .. } | Handler::GuestAgentPing => {
            if !(vmi.agent_probes_paused && probe.handler == Handler::GuestAgentPing) {
                agent(exam, name, &path);
            }
            None
        }
    };
    if let Some(host) = host {
        let message = format!("{name} asks {host}, not this VM");
        exam.add(&OTHER_HOST, &format!("{path}.host"), message, "remove host");
    }
    match &probe.handler {
        Handler::TcpSocket { .. } => exam.add(
            &TCP_OUTLIVES_HANG,
            &path,
            "a service that hangs keeps accepting connections: this probe does not notice",
            "use httpGet, or exec with a command that waits for an answer",
        ),
        Handler::Exec { .. } => {
            let message = format!(
                "a command that takes longer than {} s goes on running in the guest, and the next one starts {} s later",
                probe.timings.timeout, probe.timings.period
            );
            exam.add(&EXEC_PILES_UP, &path, message, "give the command a limit of its own, like `timeout 1 ...`");
        }
        _ => {}
    }
}

fn agent(exam: &mut Exam<'_>, name: &str, path: &str) {
    if Mentions::of(exam).is_some_and(|m| !m.agent) {
        let message = format!("{name} needs the guest agent, and no user data mentions qemu-guest-agent");
        exam.add(
            &NO_AGENT,
            path,
            message,
            "install and start qemu-guest-agent in the user data, unless the image does",
        );
    }
}

fn examine_liveness(exam: &mut Exam<'_>, vm: &VirtualMachine, liveness: &Probe, boot: Duration) {
    let path = exam.path("livenessProbe");
    let can_fail = notices_silence(&vm.vmi, liveness);
    let (pod, boot_s) = (PodProbe::from(liveness), boot.as_secs());
    let earliest = before_boot(&pod);
    if can_fail && earliest < boot {
        let short = (boot - earliest).as_secs();
        exam.add(
            &KILL_LOOP,
            &path,
            format!(
                "liveness can stop the guest {} s after its container's start, {short} s before a boot of {boot_s} s is over",
                earliest.as_secs()
            ),
            format!("raise initialDelaySeconds by {short} or more; --boot says how long this guest really needs"),
        );
    }
    if can_fail && vm.run_strategy == RunStrategy::RerunOnFailure {
        let message = match vm.vmi.grace.is_zero() || !vm.vmi.architecture.has_acpi() {
            true => "whatever liveness stops ends Succeeded here, and RerunOnFailure never starts it again",
            false => "a guest that still shuts down cleanly ends Succeeded, and RerunOnFailure does not start it again",
        };
        exam.add(&RERUN_WITH_LIVENESS, &path, message, "use runStrategy: Always");
    }
    match &vm.vmi.readiness {
        None => exam.add(
            &LIVENESS_ALONE,
            &path,
            "without a readiness probe a Service sends traffic to the guest while it boots",
            "add a readinessProbe",
        ),
        Some(readiness) if same_question(readiness, liveness) => exam.add(
            &SAME_QUESTION,
            &path,
            "readiness and liveness ask the same with the same numbers: the guest is stopped in the moment it goes out of service",
            "give liveness a higher failureThreshold, or another question",
        ),
        Some(_) => {}
    }
}

fn same_question(a: &Probe, b: &Probe) -> bool {
    let pace = |p: &Probe| (p.timings.period, p.timings.timeout, p.timings.failure_threshold);
    a.handler == b.handler && pace(a) == pace(b)
}

fn examine_watchdog(exam: &mut Exam<'_>, vm: &VirtualMachine, watchdog: &Watchdog, boot: Duration) {
    let path = exam.path("domain.devices.watchdog");
    if watchdog.action == WatchdogAction::Shutdown {
        exam.add(
            &SHUTDOWN_ACTION,
            &path,
            "action shutdown does nothing to a guest that hangs, which is when the watchdog fires",
            "use action: reset or poweroff",
        );
    }
    let idle = match watchdog.action {
        WatchdogAction::None => Some("action none mends nothing: QEMU reports it, and nobody in a cluster listens"),
        WatchdogAction::Pause => Some("action pause mends nothing: virt-handler resumes a guest that no user paused"),
        _ => None,
    };
    if let Some(message) = idle {
        exam.add(&ACTION_MENDS_NOTHING, &path, message, "use action: reset or poweroff");
    }
    if let Some(sign) = windows(exam) {
        let message = format!("this is a Windows guest ({sign}): watchdog is not available there");
        exam.add(&WINDOWS_WATCHDOG, &path, message, "remove the watchdog; use guestAgentPing as a liveness probe");
    }
    if vm.vmi.architecture == Architecture::Amd64
        && windows(exam).is_none()
        && exam.tree.text(&exam.path("domain.machine.type")).is_none_or(|t| t.is_empty() || t.contains("q35"))
        && Mentions::of(exam).is_some_and(|m| !m.identity)
    {
        exam.add(
            &SECOND_WATCHDOG,
            &path,
            "q35 has a watchdog of its own, and either may become /dev/watchdog; the other one takes about twice the heartbeat",
            "let the daemon open the one whose /sys/class/watchdog/*/identity is \"i6300ESB timer\": a udev rule can name it",
        );
    }
    let mentions = Mentions::of(exam);
    let missing = match mentions.map(|m| m.watchdog) {
        Some(Petter::Absent) => Some((
            "no user data sets anything up that opens /dev/watchdog: the device is never armed",
            "install the watchdog daemon, or set RuntimeWatchdogSec in systemd's system.conf, unless the image does",
        )),
        Some(Petter::Installed) => Some((
            "the user data installs the watchdog daemon and sets no watchdog-device: it runs and never opens the device",
            "put `watchdog-device = /dev/watchdog` into /etc/watchdog.conf",
        )),
        Some(Petter::Configured) | None => None,
    };
    if let Some((message, help)) = missing {
        exam.add(&NO_DAEMON, &path, message, help);
    }
    let Some(liveness) = vm.vmi.liveness.as_ref().filter(|l| notices_silence(&vm.vmi, l)) else { return };
    let pod = PodProbe::from(liveness);
    let Span { best, worst } = detection(&pod, Answer::Silence);
    let reboots = watchdog.action == WatchdogAction::Reset && vm.vmi.reboot_policy == RebootPolicy::Reboot;
    let refused = detection(&pod, Answer::Refusal).best;
    if reboots && refused < boot {
        let message = format!(
            "after a reset the guest is away for about {} s, and liveness stops it after {} to {} s",
            boot.as_secs(),
            refused.as_secs(),
            worst.as_secs()
        );
        exam.add(
            &RESET_OUTLASTS_LIVENESS,
            &path,
            message,
            "raise the livenessProbe's failureThreshold or periodSeconds",
        );
    }
    if !matches!(watchdog.action, WatchdogAction::Reset | WatchdogAction::Poweroff) {
        return;
    }
    let (heartbeat, whence) = match mentions.and_then(|m| m.heartbeat) {
        Some(heartbeat) => (heartbeat, "in the user data"),
        None => (DEFAULT_HEARTBEAT, "the daemon's default"),
    };
    if best < heartbeat {
        let message = format!(
            "when the guest hangs, liveness acts after {} to {} s, the watchdog after {} s ({whence})",
            best.as_secs(),
            worst.as_secs(),
            heartbeat.as_secs()
        );
        exam.add(&SLOW_HEARTBEAT, &path, message, "give the daemon a shorter timeout, or liveness a longer budget");
    }
}

fn volumes_without_disks(exam: &mut Exam<'_>) {
    let lists = ["disks", "filesystems"].map(|list| exam.tree.items(&exam.path(&format!("domain.devices.{list}"))));
    let used: BTreeSet<&str> = lists.into_iter().flat_map(names).collect();
    let path = exam.path("volumes");
    for (i, name) in names(exam.tree.items(&path)).into_iter().enumerate().filter(|(_, n)| !used.contains(n)) {
        let message = format!("no disk names {name:?}; KubeVirt adds one");
        exam.add(
            &DEFAULT_DISK,
            &format!("{path}[{i}].name"),
            message,
            "add a disk, if it should be another than the default one",
        );
    }
}

/// What tells that the guest is Windows.
fn windows(exam: &Exam<'_>) -> Option<String> {
    let tree = &exam.tree;
    let is_windows = |word: &str| word.to_lowercase().starts_with("win");
    if let Some(name) = tree.text("spec.preference.name").filter(|n| n.split('.').any(is_windows)) {
        return Some(format!("preference {name}"));
    }
    let above = exam.vmi.strip_suffix(".spec").unwrap_or_default();
    let places = ["metadata".to_owned(), format!("{above}.metadata")];
    for (place, kind) in places.iter().flat_map(|p| ["annotations", "labels"].map(|k| (p, k))) {
        let Some(map) = tree.at(&format!("{place}.{kind}")) else { continue };
        for key in ["vm.kubevirt.io/os", "kubevirt.io/os"] {
            if let Some(os) = get(map, key).and_then(text).filter(|os| is_windows(os)) {
                return Some(format!("{key}: {os}"));
            }
        }
    }
    let hyperv = tree.at(&exam.path("domain.features.hyperv")).is_some();
    let sysprep = tree.items(&exam.path("volumes")).iter().any(|v| get(v, "sysprep").is_some());
    let panics = tree.at(&exam.path("domain.devices.panicDevices")).map_or(&[][..], items);
    let panic = panics.iter().any(|d| get(d, "model").and_then(text) == Some("hyperv"));
    (hyperv || panic).then(|| "hyperv features".to_owned()).or_else(|| sysprep.then(|| "a sysprep volume".to_owned()))
}

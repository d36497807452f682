//! The page `WHO-SEES-IT.md`: which detector sees which fault and when, each cell with the scenario that proves it.
//!
//! It is made of the catalogue's traces in virtual time, which `xtask e2e` compares with real QEMU's. Written anew by
//! `WHO_SEES_IT=write cargo test -p vmhealth-tests --test who_sees_it`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use vmhealth_sim::budget::{Answer, detection};
use vmhealth_sim::cluster::{DomainEvent, KubevirtVersion};
use vmhealth_sim::engine::Config;
use vmhealth_sim::kubelet::{ProbeKind, ProbeResult};
use vmhealth_sim::manifest::{Handler, Petter, PodProbe, Probe};
use vmhealth_sim::scenario::{Fault, FaultKind, Health, Keepalive, OomVictim, PidsLimit};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Event, Phase, Trace};
use vmhealth_sim::world::{self, Timings};
use xtask::run::catalogue::{self, Case};

const PAGE: &str = "../.github/WHO-SEES-IT.md";

const HEAD: &str = "# Who sees it?

Rows: what breaks (`--fault`). Columns: who may notice. A cell says how long it took from the fault in the scenario that it leads to, with
that scenario's probe or heartbeat, or that the detector never noticed although it was watched for longer than it needs. `?`: no scenario says.
`-`: it looks at nothing but panics. The same scenarios run on real QEMU, and model and QEMU are compared.

Not here: `killQemu`, `killLauncher`, `guestPoweroff` and `powerButton`, whose end KubeVirt sees by itself (`sim/docs/kubevirt-health.md` 7.4), and
`nodeLost`, which Kubernetes sees (7.7). Nor `unit`, `dropPort` and `command`: who sees those depends on what your own service is; of a probed service, what
`unit: stop` does is seen as `health: stop`, and `unit: freeze` as `health: hang`. Nor `slowBoot`, `bootLoop` and `longReboot`: they break no guest that runs, and whoever
looks at the next boot sees it as long as it takes (the scenarios `slow-boot`, `boot-loop` and `long-reboot` say what comes of that).

A soft lockup lasts as long as it is told to, and is seen by its panic only with `kernel.softlockup_panic`; a hung task without `kernel.hung_task_panic` is seen by
nobody but whoever reads the console.

The watchdog is one of 10 s that Debian's daemon pets each second. One that systemd pets fires half of its time to all of it after the fault, and there is no daemon to
be killed (the scenarios `watchdog-by-systemd`).

";

/// The end of these is an event of QEMU's, of virt-launcher's or of the node controller's, and no detector's business.
const ENDS: [FaultKind; 5] = [
    FaultKind::KillQemu,
    FaultKind::KillLauncher,
    FaultKind::GuestPoweroff,
    FaultKind::PowerButton,
    FaultKind::NodeLost,
];

/// What these do is the user's own service's business.
const OWN: [FaultKind; 6] = [
    FaultKind::Unit,
    FaultKind::DropPort,
    FaultKind::Command,
    // These are the next boot's.
    FaultKind::SlowBoot,
    FaultKind::BootLoop,
    FaultKind::LongReboot,
];

/// A row of its own: the same interrupt is logged by one kernel and is a panic of another.
const NMI_PANICS: &str = "nmi: unknownNmiPanic";
/// Likewise.
const TASK_PANICS: &str = "hungTask: hungTaskPanic";
/// Likewise: at its own limit, or at everybody's.
const SLICE_FULL: &str = "forkBomb: slice";

const COLUMNS: [&str; 11] = [
    "readiness http",
    "readiness tcp",
    "readiness exec",
    "readiness ping",
    "liveness http",
    "liveness tcp",
    "liveness exec",
    "liveness ping",
    "watchdog",
    "panic timer",
    "panic device",
];

/// What breaks, as a row is called.
fn row(fault: &Fault) -> String {
    match fault {
        Fault::Health(Health::Status(_)) => "health: status".into(),
        Fault::Health(Health::Redirect(_)) => "health: redirect".into(),
        Fault::Health(Health::Slow(_)) => "health: slow".into(),
        Fault::Health(Health::Hang) => "health: hang".into(),
        Fault::Health(Health::Stop | Health::Start) => "health: stop".into(),
        Fault::OomKill { of: OomVictim::Watchdog } => "oomKill: watchdog".into(),
        Fault::OomKill { of: OomVictim::Agent } => "oomKill: agent".into(),
        Fault::OomKill { of: OomVictim::Service } => "oomKill: service".into(),
        Fault::Nmi { panics: false } => "nmi".into(),
        Fault::Nmi { panics: true } => NMI_PANICS.into(),
        Fault::HungTask { panics: true, .. } => TASK_PANICS.into(),
        Fault::ForkBomb { limit: PidsLimit::Slice, .. } => SLICE_FULL.into(),
        // Its end is no detector's business.
        Fault::OomKill { of: OomVictim::Container } => "oomKill: container".into(),
        other => other.kind().to_string(),
    }
}

/// The rows, in the order of the kinds.
fn rows() -> Vec<String> {
    let kinds = FaultKind::ALL.iter().filter(|kind| !ENDS.contains(kind) && !OWN.contains(kind));
    let each = |kind: &FaultKind| match kind {
        FaultKind::Health => ["stop", "hang", "slow", "status", "redirect"].map(|w| format!("health: {w}")).to_vec(),
        FaultKind::OomKill => ["watchdog", "agent", "service"].map(|victim| format!("oomKill: {victim}")).to_vec(),
        FaultKind::Nmi => vec!["nmi".into(), NMI_PANICS.into()],
        FaultKind::ForkBomb => vec!["forkBomb".into(), SLICE_FULL.into()],
        FaultKind::HungTask => vec!["hungTask".into(), TASK_PANICS.into()],
        other => vec![other.to_string()],
    };
    kinds.flat_map(each).collect()
}

/// What a scenario is about: its first fault, but for one that only waits, the service being told to do what it does anyway.
fn first_fault(case: &Case) -> Option<&Fault> {
    let breaks = |fault: &&Fault| !matches!(fault, Fault::Health(Health::Status(200) | Health::Start));
    case.scenario.spec.steps.iter().filter_map(|step| step.fault.as_ref()).find(breaks)
}

fn probe_column(kind: ProbeKind, probe: &Probe) -> String {
    let kind = if kind == ProbeKind::Readiness { "readiness" } else { "liveness" };
    let handler = match probe.handler {
        Handler::HttpGet(_) => "http",
        Handler::TcpSocket { .. } => "tcp",
        Handler::Exec { .. } => "exec",
        Handler::GuestAgentPing => "ping",
    };
    format!("{kind} {handler}")
}

/// What a detector of a scenario did: when it saw the fault, or that it did not although it had the time.
type Seen = Option<Duration>;

/// The detectors of a scenario, and what came of its fault.
fn cells(case: &Case, fault: &Fault, trace: &Trace, end: Time) -> Vec<(String, Seen)> {
    let (vmi, profile) = (&case.manifest.vmi, &case.scenario.spec.guest);
    let entries = trace.sorted();
    let Some(begun) = entries.iter().position(|e| e.event == Event::FaultBegun(fault.kind())) else {
        return Vec::new();
    };
    let (at, number) = (entries[begun].at, entries[begun].vmi);
    let ends = |e: &Entry| match e.event {
        Event::FaultBegun(_) | Event::FaultOver(_) => true,
        Event::Phase(phase) => phase == Phase::Succeeded || phase == Phase::Failed,
        _ => e.vmi != number,
    };
    let watched: Vec<&Entry> = entries[begun + 1..].iter().take_while(|e| !ends(e)).collect();
    let until = entries[begun + 1..].iter().find(|e| ends(e)).map_or(end, |e| e.at);
    let seen = |is: &dyn Fn(&Event) -> bool| -> Seen { Some(watched.iter().find(|e| is(&e.event))?.at.since(at)) };
    let mut cells = Vec::new();
    let mut cell = |column: String, seen: Seen, needs: Duration| {
        if seen.is_some() || until.since(at) >= needs {
            cells.push((column, seen));
        }
    };
    for (kind, probe) in [(ProbeKind::Readiness, &vmi.readiness), (ProbeKind::Liveness, &vmi.liveness)] {
        let Some(probe) = probe else { continue };
        let published = entries[..begun].iter().any(|e| e.event == Event::Attempt(kind, 1));
        let needs = detection(&PodProbe::from(probe), Answer::Silence).worst;
        if published {
            let failed = Event::Published(kind, ProbeResult::Failure);
            cell(probe_column(kind, probe), seen(&|event| *event == failed), needs);
        }
    }
    let petting = profile.petting().filter(|petting| vmi.watchdog_in_guest(petting.device).is_some());
    if let Some(petting) = petting {
        let fired = seen(&|event| matches!(event, Event::Qemu(DomainEvent::Watchdog(_))));
        cell("watchdog".into(), fired, Duration::from_secs(2 * u64::from(petting.heartbeat_seconds)));
    }
    if profile.kernel_panic_seconds > 0 {
        let reset = seen(&|event| matches!(event, Event::Qemu(DomainEvent::Reset { .. })));
        cell("panic timer".into(), reset, Duration::MAX);
    }
    if vmi.panic_device {
        let told = seen(&|event| matches!(event, Event::Qemu(DomainEvent::Panicked { .. })));
        cell("panic device".into(), told, Duration::MAX);
    }
    cells
}

/// Nothing but its fault decides what comes of it: no user, no older release, nobody who takes over or pets in the daemon's place, and
/// an agent.
fn is_plain(case: &Case) -> bool {
    let (spec, vmi) = (&case.scenario.spec, &case.manifest.vmi);
    let takes_over = spec.guest.watchdog_daemon.as_ref().is_some_and(|d| d.keepalive == Keepalive::Takeover);
    let by_user = spec.steps.iter().any(|step| step.user.is_some());
    let usual = spec.guest.petting().is_none_or(|petting| petting.by == Petter::Daemon) && !spec.guest.no_agent;
    usual && !takes_over && !by_user && !vmi.agent_probes_paused && spec.kubevirt_version == KubevirtVersion::default()
}

/// A cell's best proof: one that the detector sees it, before one that it never does.
fn page() -> String {
    let mut proofs: BTreeMap<(String, String), (bool, String, Seen)> = BTreeMap::new();
    for case in catalogue::read(None).unwrap_or_else(|e| panic!("{e}")).iter().filter(|case| is_plain(case)) {
        let Some(fault) = first_fault(case) else { continue };
        let (_, trace, end) = world::run(&case.manifest, &case.scenario.spec, Config::default(), Timings::default());
        for (column, seen) in cells(case, fault, &trace, end) {
            let proof = (seen.is_none(), case.id().to_owned(), seen);
            let best = proofs.entry((row(fault), column)).or_insert_with(|| proof.clone());
            if proof < *best {
                *best = proof;
            }
        }
    }
    let mut text = HEAD.to_owned();
    let _ = writeln!(text, "| fault | {} |", COLUMNS.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(COLUMNS.len()));
    let mut open = 0;
    for row in rows() {
        let panics = [FaultKind::KernelPanic.name(), FaultKind::SoftLockup.name(), NMI_PANICS, TASK_PANICS]
            .contains(&row.as_str());
        let _ = write!(text, "| {row} |");
        for column in COLUMNS {
            let cell = match proofs.get(&(row.clone(), column.to_owned())) {
                Some((_, id, seen)) => {
                    let said = seen.map_or("never".into(), |after| format!("{:.1} s", after.as_secs_f64()));
                    format!("[{said}](../tests/scenarios/{}.yaml)", id.replace('/', "."))
                }
                None if column.starts_with("panic") && !panics => "-".into(),
                None => {
                    open += 1;
                    "?".into()
                }
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    let _ = write!(text, "\n{} cells are proven, {open} are not.\n", proofs.len());
    text
}

#[test]
fn the_page_is_what_the_scenarios_say() {
    let (file, page) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), page());
    if std::env::var_os("WHO_SEES_IT").is_some_and(|value| value == "write") {
        std::fs::write(&file, &page).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    let hint =
        "it is out of date: WHO_SEES_IT=write cargo test -p vmhealth-tests --test who_sees_it, and read the difference";
    assert!(there == page, "{}: {hint}", file.display());
}

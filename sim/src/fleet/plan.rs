//! A fleet file with its manifests: who runs where, and what befalls whom when. A node's VMs are made when it is run, so a fleet is
//! never in memory as a whole.

use super::chance::mixed;
use super::file::{BootSpec, FleetFile, Happens, Incident, Rate};
use crate::cluster::KubevirtVersion;
use crate::engine::Config;
use crate::fault::{Direction, Fault, NodeLoss};
use crate::manifest::{RunStrategy, VirtualMachine};
use crate::scenario::{Final, GuestProfile, Spec, Step, UserRequest};
use crate::time::{Span, Time};
use crate::world::{BootTimes, Timings};
use fastrand::Rng;
use std::time::Duration;

/// Causes that no file names.
pub(super) const FALSE_RESTARTS: usize = 0;
pub(super) const OTHER: usize = 1;
/// Migrations from one node at a time (KubeVirt's `parallelOutboundMigrationsPerNode`).
const MIGRATIONS: u32 = 2;
/// VMs are not made at one moment: their probes' grids are apart by up to so much, in milliseconds.
const APART: u64 = 60_000;
/// What a VM has, beside its boots and its probes' delays, to be up at the fleet's beginning.
const TO_BE_UP: Duration = Duration::from_secs(300);

/// What stands behind a group's manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The manifest.
    pub vm: VirtualMachine,
    /// What its guests are set up with.
    pub guest: GuestProfile,
}

/// A fleet that can be run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) groups: Vec<GroupPlan>,
    pub(super) incidents: Vec<Incident>,
    pub(super) horizon: Duration,
    pub(super) capacity: Option<u32>,
    nodes: u32,
    seed: u64,
    causes: Vec<String>,
    first_incident: usize,
}

#[derive(Debug, Clone)]
pub(super) struct GroupPlan {
    pub(super) name: String,
    pub(super) vm: VirtualMachine,
    pub(super) boots: BootTimes,
    spec: Spec,
    count: u32,
    /// With the number of its cause.
    rates: Vec<(Fault, Rate, usize)>,
    /// From a VM's creation to the fleet's beginning, at least.
    warm: Duration,
}

/// What comes to a VM from outside.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outside {
    /// It breaks.
    Breaks(Fault),
    /// A user asks for something.
    Asks(UserRequest),
    /// From its next boot on its image is good or not.
    Image(bool),
}

/// When something comes, for which cause.
pub(super) type Coming = (Duration, Outside, usize);

impl Plan {
    /// One [`Resolved`] for each group of the file, in its order. The error names the field that does not fit its manifest.
    pub fn new(file: &FleetFile, resolved: Vec<Resolved>) -> Result<Plan, String> {
        let spec = &file.spec;
        let mut causes = vec!["false restarts".to_owned(), "other causes".to_owned()];
        let mut groups = Vec::new();
        for (i, (group, Resolved { vm, guest })) in spec.groups.iter().zip(resolved).enumerate() {
            let mut rates = Vec::new();
            for (k, fault) in group.faults.iter().enumerate() {
                fits(&fault.fault, &guest).map_err(|e| format!("spec.groups[{i}].faults[{k}]: {e}"))?;
                rates.push((fault.fault.clone(), fault.rate, cause(&mut causes, fault.fault.kind().to_string())));
            }
            let boots = boot_times(group.boot);
            let warm = warm(&vm, boots);
            let spec = scenario(&vm, guest, spec.kubevirt_version, warm + spec.lasting.0);
            groups.push(GroupPlan { name: group.name.clone(), vm, boots, spec, count: group.count, rates, warm });
        }
        let first_incident = causes.len();
        for (i, incident) in spec.incidents.iter().enumerate() {
            cause(&mut causes, label(incident));
            if let Happens::Fault(fault) = &incident.what {
                for group in groups.iter().filter(|g| incident.concerns(&g.name)) {
                    fits(fault, &group.spec.guest)
                        .map_err(|e| format!("spec.incidents[{i}]: {e} (group {})", group.name))?;
                }
            }
        }
        Ok(Plan {
            groups,
            incidents: spec.incidents.clone(),
            horizon: spec.lasting.0,
            capacity: spec.nodes.boots_at_full_speed,
            nodes: spec.nodes.count,
            seed: spec.seed,
            causes,
            first_incident,
        })
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// How long the fleet is watched.
    pub fn horizon(&self) -> Duration {
        self.horizon
    }

    /// What availability can be lost to; [`super::Outcome::lost`] is in this order.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// The number of VMs of a node.
    pub fn vms_on(&self, node: u32) -> u32 {
        self.groups.iter().map(|g| self.share(g, node)).sum()
    }

    /// Causes from this one on are incidents.
    pub(super) fn first_incident(&self) -> usize {
        self.first_incident
    }

    /// The same fleet with other incidents.
    pub(super) fn with_incidents(&self, incidents: Vec<Incident>) -> Plan {
        Plan { incidents, ..self.clone() }
    }

    pub(super) fn share(&self, group: &GroupPlan, node: u32) -> u32 {
        let nodes = self.nodes.max(1);
        group.count / nodes + u32::from(node < group.count % nodes)
    }

    /// Of one VM alone: nothing else decides what becomes of it.
    pub(super) fn random(&self, node: u32, group: usize, number: u32) -> Rng {
        let group = u64::try_from(group).unwrap_or(u64::MAX);
        Rng::with_seed(mixed(mixed(mixed(self.seed ^ mixed(node.into())) ^ mixed(group)) ^ u64::from(number)))
    }

    pub(super) fn label(&self, incident: &Incident) -> usize {
        let label = label(incident);
        self.causes.iter().position(|cause| *cause == label).unwrap_or(OTHER)
    }
}

impl GroupPlan {
    /// From its creation to the fleet's beginning.
    pub(super) fn offset(&self, random: &mut Rng) -> Duration {
        self.warm + Duration::from_millis(random.u64(0..APART))
    }

    pub(super) fn scenario(&self, random: &mut Rng) -> (Spec, Config) {
        let spec = Spec { seed: random.u64(..), ..self.spec.clone() };
        let longest = spec.observe.0;
        let config =
            Config { longest, boot_deadline: longest, breaks_any_guest: true, ..Config::of(&spec, 1.0, false) };
        (spec, config)
    }

    pub(super) fn timings() -> Timings {
        Timings::default()
    }

    /// What breaks by chance until the end.
    pub(super) fn by_chance(&self, horizon: Duration, random: &mut Rng) -> Vec<Coming> {
        let mut coming = Vec::new();
        for (fault, rate, cause) in &self.rates {
            let mut at = Duration::ZERO;
            while let Some(next) = rate.draw(random).and_then(|after| at.checked_add(after)).filter(|t| *t < horizon) {
                // A VM that breaks more often than each second is never whole.
                at = next.max(at + Duration::from_secs(1));
                coming.push((at, Outside::Breaks(fault.clone()), *cause));
            }
        }
        coming
    }
}

impl Incident {
    pub(super) fn concerns(&self, group: &str) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.iter().any(|name| name == group))
    }

    /// What it is to the VM that is its `number`th on a node, and when.
    pub(super) fn comes(&self, number: u32, vm: &VirtualMachine) -> Vec<(Duration, Outside)> {
        let at = self.at.0;
        let breaks = |fault| vec![(at, Outside::Breaks(fault))];
        let lost = |lasting: Span, by| breaks(Fault::NodeLost { lasting: Some(lasting), by });
        match &self.what {
            Happens::NodeDown { lasting } => lost(*lasting, NodeLoss::PowerLoss),
            Happens::NodeCutOff { lasting } => lost(*lasting, NodeLoss::CutOff),
            Happens::NetworkBlip { lasting } => {
                breaks(Fault::NetworkLoss { lasting: *lasting, direction: Direction::Both })
            }
            Happens::StorageErrors { lasting } => breaks(Fault::IoError { lasting: *lasting }),
            Happens::Fault(fault) => breaks(fault.clone()),
            Happens::Drain { migration } => {
                let turn = if vm.vmi.migrates_on_drain { number / MIGRATIONS } else { 0 };
                let request = UserRequest::Drain { lasting: *migration };
                vec![(at + migration.0 * turn, Outside::Asks(request))]
            }
            Happens::BadImage { lasting, apart } => {
                let begins = at + apart.0 * number;
                let restart = || Outside::Asks(UserRequest::Restart);
                vec![
                    (begins, Outside::Image(false)),
                    (begins, restart()),
                    (begins + lasting.0, Outside::Image(true)),
                    (begins + lasting.0, restart()),
                ]
            }
        }
    }

    /// What it takes from the nodes while it lasts: what starts there meanwhile is lost as well.
    pub(super) fn without_power(&self) -> Option<(Duration, Duration)> {
        match self.what {
            Happens::NodeDown { lasting } => Some((self.at.0, self.at.0 + lasting.0)),
            _ => None,
        }
    }
}

/// `nodeDown at 1h`
fn label(incident: &Incident) -> String {
    let what = match &incident.what {
        Happens::NodeDown { .. } => "nodeDown",
        Happens::NodeCutOff { .. } => "nodeCutOff",
        Happens::NetworkBlip { .. } => "networkBlip",
        Happens::StorageErrors { .. } => "storageErrors",
        Happens::Drain { .. } => "drain",
        Happens::BadImage { .. } => "badImage",
        Happens::Fault(fault) => fault.kind().name(),
    };
    format!("{what} at {}", humantime::format_duration(incident.at.0))
}

fn cause(causes: &mut Vec<String>, name: String) -> usize {
    causes.iter().position(|cause| *cause == name).unwrap_or_else(|| {
        causes.push(name);
        causes.len() - 1
    })
}

fn fits(fault: &Fault, guest: &GuestProfile) -> Result<(), String> {
    match guest.lacks(fault) {
        Some(lacks) => Err(format!("{} needs a guest with a {lacks}, and this one has none", fault.kind())),
        None => Ok(()),
    }
}

fn boot_times(boot: BootSpec) -> BootTimes {
    match boot {
        BootSpec::Is { is } => BootTimes::Exactly(is.0),
        BootSpec::Between { from, to } => BootTimes::Between(from.0, to.0),
        BootSpec::Median { median, sigma } => BootTimes::LogNormal { median: median.0, sigma },
    }
}

/// Until a VM is surely up, unless it never is.
fn warm(vm: &VirtualMachine, boots: BootTimes) -> Duration {
    let probe = |p: &crate::manifest::Probe| {
        let t = &p.timings;
        u64::try_from(t.initial_delay).unwrap_or(0) + u64::from(t.period) * (u64::from(t.success_threshold) + 1)
    };
    let probes = [&vm.vmi.readiness, &vm.vmi.liveness].into_iter().flatten().map(probe).max().unwrap_or_default();
    boots.longest() + Duration::from_secs(probes) + TO_BE_UP
}

/// A VM that is only watched, for so long and some more.
fn scenario(vm: &VirtualMachine, guest: GuestProfile, version: KubevirtVersion, lasting: Duration) -> Spec {
    let starts = matches!(vm.run_strategy, RunStrategy::Halted | RunStrategy::Manual);
    let start =
        Step { after: None, guarded_within: None, plus: Span::default(), fault: None, user: Some(UserRequest::Start) };
    Spec {
        manifest: String::new(),
        kubevirt_version: version,
        seed: 0,
        guest,
        boot_deadline: None,
        traffic: None,
        steps: if starts { vec![start] } else { Vec::new() },
        expect: Vec::new(),
        never: Vec::new(),
        observe: Span(lasting + Duration::from_secs(86_400)),
        final_state: Final::default(),
        known_differences: Vec::new(),
        until: None,
    }
}

/// A time of the fleet on the clock of a VM that was created so long before it.
pub(super) fn on_its_clock(at: Duration, offset: Duration) -> Time {
    Time::ZERO + offset + at
}

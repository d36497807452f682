//! A fleet file with its manifests: who runs where, and what befalls whom when. A node's VMs are made when it is run, so a fleet is
//! never in memory as a whole.

use super::capacity::{Capacity, NOTHING_TO_LOSE};
use super::chance::mixed;
use super::file::{BootSpec, FleetFile, Happens, Incident, Rate};
use crate::cluster::KubevirtVersion;
use crate::engine::Config;
use crate::fault::Fault;
use crate::manifest::{Probe, RunStrategy, VirtualMachine};
use crate::scenario::{Final, GuestProfile, Spec, Step, UserRequest};
use crate::time::{Span, Time};
use crate::world::BootTimes;
use fastrand::Rng;
use std::time::Duration;

/// Causes that no file names.
pub(super) const FALSE_RESTARTS: usize = 0;
pub(super) const OTHER: usize = 1;
/// VMs are not made at one moment: their probes' grids are apart by up to so much, in milliseconds.
const APART: u64 = 60_000;
/// What a VM has, beside its boots and its probes' delays, to be up at the fleet's beginning.
const TO_BE_UP: Duration = Duration::from_secs(300);
/// A probe that needs longer for its first result makes each VM's time before the fleet's beginning as long.
const LONGEST_WARM: u64 = 7 * 86_400;
/// From the end of the last incident to the end, so that it can be seen whether the fleet settles.
pub(super) const WATCHED_AFTER: Duration = Duration::from_secs(3600);
/// Faults by chance that one node can have: all of them are in memory at once.
const MOST_BY_CHANCE: usize = 1_000_000;

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
    /// The file's, which say what is late.
    judged: Vec<Incident>,
    pub(super) horizon: Duration,
    pub(super) capacity: Option<Capacity>,
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
        // A sweep can give the one without the other.
        if spec.nodes.boots_at_full_speed.is_none() && spec.nodes.loss_per_boot > 0.0 {
            return Err(format!("spec.nodes.lossPerBoot: {NOTHING_TO_LOSE}"));
        }
        let mut causes = vec!["false restarts".to_owned(), "other causes".to_owned()];
        let mut groups = Vec::new();
        for (i, (group, Resolved { vm, guest })) in spec.groups.iter().zip(resolved).enumerate() {
            let mut rates = Vec::new();
            for (k, fault) in group.faults.iter().enumerate() {
                fits(&fault.fault, &guest).map_err(|e| format!("spec.groups[{i}].faults[{k}]: {e}"))?;
                rates.push((fault.fault.clone(), fault.rate, cause(&mut causes, fault.fault.kind().to_string())));
            }
            let boots = boot_times(group.boot);
            let warm = warm(&vm, boots).map_err(|e| format!("spec.groups[{i}].manifest: {e}"))?;
            let spec = scenario(&vm, guest, spec.kubevirt_version, warm + spec.lasting.0);
            groups.push(GroupPlan { name: group.name.clone(), vm, boots, spec, count: group.count, rates, warm });
        }
        let first_incident = causes.len();
        for (i, incident) in spec.incidents.iter().enumerate() {
            cause(&mut causes, incident.label());
            if let Happens::Fault(fault) = &incident.what {
                for group in groups.iter().filter(|g| incident.concerns(&g.name)) {
                    fits(fault, &group.spec.guest)
                        .map_err(|e| format!("spec.incidents[{i}]: {e} (group {})", group.name))?;
                }
            }
        }
        let capacity = Capacity::of(&spec.nodes);
        let plan = Plan {
            groups,
            incidents: spec.incidents.clone(),
            judged: spec.incidents.clone(),
            horizon: spec.lasting.0,
            capacity,
            nodes: spec.nodes.count,
            seed: spec.seed,
            causes,
            first_incident,
        };
        plan.all_can_boot_at_once()?;
        plan.is_watched_long_enough()?;
        plan.breaks_few_enough()?;
        Ok(plan)
    }

    /// On the first node, which has the most VMs.
    fn all_can_boot_at_once(&self) -> Result<(), String> {
        let vms = self.vms_on(0);
        match self.capacity {
            Some(capacity) if capacity.pace(vms as usize) <= 0.0 => Err(format!(
                "spec.nodes.lossPerBoot: {vms} VMs that boot on a node at once have {share:.3} of a full share each, and a loss of {} \
                 leaves nothing of it: none would ever be up. Give a loss below {share:.3}, more bootsAtFullSpeed or fewer VMs on a \
                 node; a loss that was measured holds up to the number of guests that it was measured with",
                capacity.loss,
                share = f64::from(capacity.at_full_speed) / f64::from(vms.max(1))
            )),
            _ => Ok(()),
        }
    }

    /// On the first node, which has the most VMs.
    fn is_watched_long_enough(&self) -> Result<(), String> {
        let needed = self.over(0) + WATCHED_AFTER;
        if self.judged.is_empty() || needed <= self.horizon {
            return Ok(());
        }
        Err(format!(
            "spec.for: too short to see whether the fleet settles: an hour after the last VM of a node has had its turn in the \
             incidents, {} at least",
            humantime::format_duration(needed)
        ))
    }

    /// On the first node, which is as good as any.
    fn breaks_few_enough(&self) -> Result<(), String> {
        let mut all = 0;
        for (i, group) in self.groups.iter().enumerate() {
            for (k, (fault, rate, _)) in group.rates.iter().enumerate() {
                let mut random = Rng::with_seed(self.seed);
                for _ in 0..self.share(group, 0) {
                    let left = MOST_BY_CHANCE.saturating_sub(all).saturating_add(1);
                    all += rate.times(self.horizon, &mut random).take(left).count();
                }
                if all > MOST_BY_CHANCE {
                    return Err(format!(
                        "spec.groups[{i}].faults[{k}]: with {} so often a node has more than {MOST_BY_CHANCE} faults by chance, and \
                         that is too many: let it break less often, watch for a shorter time, or spread the VMs over more nodes",
                        fault.kind()
                    ));
                }
            }
        }
        Ok(())
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

    /// Of a group's VMs: from a quick boot by itself to a slow one beside those of all others of the fullest node.
    pub fn boots(&self, group: usize) -> Option<(Duration, Duration)> {
        let (quick, slow) = self.groups.get(group)?.boots.usual();
        // The first node has the most VMs.
        let slower = self.capacity.map_or(1.0, |capacity| capacity.pace(self.vms_on(0) as usize).recip());
        Some((quick, slow.mul_f64(slower)))
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

    /// The number of its cause; incidents that are called the same have one in common.
    pub(super) fn cause_of(&self, incident: &Incident) -> usize {
        let label = incident.label();
        self.causes.iter().position(|cause| *cause == label).unwrap_or(OTHER)
    }

    /// The file's incidents.
    pub fn judged(&self) -> &[Incident] {
        &self.judged
    }

    /// What an incident of the file is called in [`Plan::causes`].
    pub fn name_of(&self, incident: &Incident) -> &str {
        self.causes.get(self.cause_of(incident)).map_or("", String::as_str)
    }

    /// When the file's last incident is over on a node, as large as the file has it.
    pub(super) fn over(&self, node: u32) -> Duration {
        let here = self.judged.iter().filter(|incident| incident.is_on(node));
        let ends = here.flat_map(|incident| {
            let mut taken = 0;
            self.groups.iter().filter(|group| incident.concerns(&group.name)).filter_map(move |group| {
                taken += self.share(group, node);
                let last = taken.min(incident.vms.unwrap_or(taken)).checked_sub(1)?;
                Some(incident.ends(last, &group.vm))
            })
        });
        ends.max().unwrap_or_default()
    }
}

impl GroupPlan {
    /// From its creation to the fleet's beginning.
    pub(super) fn offset(&self, random: &mut Rng) -> Duration {
        self.warm + Duration::from_millis(random.u64(0..APART))
    }

    pub(super) fn scenario(&self, random: &mut Rng) -> (Spec, Config) {
        let spec = Spec { seed: random.u64(..), ..self.spec.clone() };
        let config = Config { boot_deadline: spec.observe.0, breaks_any_guest: true, ..Config::of(&spec, 1.0, false) };
        (spec, config)
    }

    /// What breaks by chance until the end.
    pub(super) fn by_chance(&self, horizon: Duration, random: &mut Rng) -> Vec<Coming> {
        let mut coming = Vec::new();
        for (fault, rate, cause) in &self.rates {
            let times = rate.times(horizon, random);
            coming.extend(times.map(|at| (at, Outside::Breaks(fault.clone()), *cause)));
        }
        coming
    }
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
fn warm(vm: &VirtualMachine, boots: BootTimes) -> Result<Duration, String> {
    let first = |(name, probe): (&str, &Option<Probe>)| {
        let Some(t) = probe.as_ref().map(|p| &p.timings) else { return Ok(0) };
        let delay = u64::try_from(t.initial_delay).unwrap_or(0);
        let seconds = delay + u64::from(t.period) * (u64::from(t.success_threshold) + 1);
        if seconds <= LONGEST_WARM {
            return Ok(seconds);
        }
        Err(format!(
            "{name}: with initialDelaySeconds {delay}, periodSeconds {} and successThreshold {} its first result takes {seconds} s; \
             at most {LONGEST_WARM} s, a week",
            t.period, t.success_threshold
        ))
    };
    let [readiness, liveness] = [("readinessProbe", &vm.vmi.readiness), ("livenessProbe", &vm.vmi.liveness)].map(first);
    Ok(boots.longest() + Duration::from_secs(readiness?.max(liveness?)) + TO_BE_UP)
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

//! What `fleet` shows: how available the VMs were and what to, what was restarted, and whether the fleet comes to rest.

use super::fleet_sweep::SweepReport;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use vmhealth_sim::fleet::{FleetFile, Incident, Outcome, Plan, Size, Tipping};

/// What came of a fleet.
#[derive(Debug, Clone, Serialize)]
pub struct FleetReport {
    schema: u32,
    pub(super) name: String,
    seed: u64,
    pub(super) for_s: f64,
    pub(super) nodes: u64,
    pub(super) vms: u64,
    boots_at_full_speed: Option<u32>,
    loss_per_boot: f64,
    /// In percent of the time that all VMs had: in the endpoints, and answering there.
    pub(super) available_percent: f64,
    /// The rest of it.
    pub(super) lost: Vec<Loss>,
    /// VM-seconds in which traffic was sent to a VM that did not answer.
    pub(super) misrouted_vm_s: f64,
    pub(super) faults: u64,
    pub(super) failures: FailuresReport,
    pub(super) restarts: u64,
    pub(super) kills_by_liveness: u64,
    /// Kills of guests that would have come back.
    pub(super) false_restarts: u64,
    /// From the loss of a VM's availability to its return; absent: none returned.
    pub(super) recovery_s: Option<Recovery>,
    /// VMs that are not available at the end.
    pub(super) still_down: u64,
    pub(super) storm: StormReport,
    /// After its last incident each node comes to rest.
    pub settles: bool,
    /// From the end of the incidents to the last VM's being back from them, of the nodes that settle.
    pub(super) settled_after_s: f64,
    pub(super) unsettled: Option<Unsettled>,
    pub(super) incidents: Vec<IncidentReport>,
    pub(super) series: Series,
    steps: u64,
    changes: u64,
    /// Of every change and its time.
    digest: String,
    /// If real boots were measured, in place of the file's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    measured_boots: Vec<BootsReport>,
    /// If numbers were swept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sweep: Option<SweepReport>,
}

/// How long real guests of a group took to boot, each by itself.
#[derive(Debug, Clone, Serialize)]
pub struct BootsReport {
    /// Its name.
    pub group: String,
    /// What the fleet was run with, as its file would have it.
    pub boot: String,
    /// Each of them, in seconds.
    pub boots_s: Vec<f64>,
}

/// What availability was lost to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Loss {
    pub(super) cause: String,
    pub(super) vm_s: f64,
    pub(super) percent_of_loss: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct FailuresReport {
    pub(super) detected: u64,
    pub(super) over_before_anybody_acted: u64,
    pub(super) never_detected: u64,
    pub(super) harmless: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Recovery {
    p50: f64,
    p95: f64,
    p99: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct StormReport {
    /// Nodes that had one.
    nodes: u64,
    /// The most restarts of one node in a minute.
    peak_per_minute: u64,
    longest_s: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Unsettled {
    nodes: u64,
    /// The one that is worst, counted from 0.
    worst: u32,
    /// Its repeated false restarts, of guests that have not served since the one before, in the last quarter of the time after its
    /// last incident.
    late_false_restarts: u64,
    /// It is well by itself, and an incident decides whether it stays so.
    vulnerable: bool,
    /// What it takes, in words.
    pub(super) why: String,
    /// The smallest size of the incident that tips it, and the largest that does not, in VMs or seconds.
    tips: Option<f64>,
    holds: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct IncidentReport {
    pub(super) at_s: f64,
    pub(super) what: String,
}

/// What is plotted.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Series {
    pub(super) bin_s: f64,
    /// Of each bin, from the beginning.
    pub(super) available_percent: Vec<f64>,
    /// How many guests were restarted in which minute; the others had none.
    pub(super) restarts_per_minute: BTreeMap<u64, u64>,
}

impl FleetReport {
    /// Of what came of the file.
    pub fn new(file: &FleetFile, plan: &Plan, outcome: &Outcome, tipping: Option<&Tipping>) -> FleetReport {
        let all: u128 = outcome.lost.iter().sum();
        let loss = |(cause, nanos): (&String, &u128)| Loss {
            cause: cause.clone(),
            vm_s: seconds(*nanos),
            percent_of_loss: rounded(100.0 * *nanos as f64 / all.max(1) as f64),
        };
        let lost = plan.causes().iter().zip(&outcome.lost).filter(|(_, nanos)| **nanos > 0).map(loss);
        let mut lost: Vec<Loss> = lost.collect();
        lost.sort_by(|a, b| b.vm_s.total_cmp(&a.vm_s));
        let incident = |incident: &Incident| IncidentReport {
            at_s: incident.at.0.as_secs_f64(),
            what: plan.name_of(incident).to_owned(),
        };
        let incidents: Vec<IncidentReport> = file.spec.incidents.iter().map(incident).collect();
        let within = |percent| outcome.recovery_within(percent).map(|d| d.as_secs_f64());
        let recovery_s = within(50).zip(within(95)).zip(within(99)).map(|((p50, p95), p99)| Recovery { p50, p95, p99 });
        let bin = outcome.bin.as_secs_f64();
        let available = |(number, millis): (usize, &u64)| {
            // The last one may be shorter.
            let width = bin.min(plan.horizon().as_secs_f64() - bin * number as f64).max(1e-9);
            rounded(100.0 * (1.0 - *millis as f64 / 1000.0 / width / outcome.vms.max(1) as f64))
        };
        let failures = outcome.failures;
        FleetReport {
            schema: 1,
            name: file.metadata.name.clone(),
            seed: file.spec.seed,
            for_s: plan.horizon().as_secs_f64(),
            nodes: outcome.nodes,
            vms: outcome.vms,
            boots_at_full_speed: file.spec.nodes.boots_at_full_speed,
            loss_per_boot: file.spec.nodes.loss_per_boot,
            available_percent: rounded(100.0 * outcome.availability()),
            lost,
            misrouted_vm_s: seconds(outcome.misrouted),
            faults: outcome.faults,
            failures: FailuresReport {
                detected: failures.detected,
                over_before_anybody_acted: failures.passed,
                never_detected: failures.never,
                harmless: failures.harmless,
            },
            restarts: outcome.restarts,
            kills_by_liveness: outcome.kills,
            false_restarts: outcome.false_restarts,
            recovery_s,
            still_down: outcome.still_down,
            storm: StormReport {
                nodes: outcome.storm.nodes,
                peak_per_minute: outcome.storm.peak,
                longest_s: outcome.storm.longest.as_secs_f64(),
            },
            settles: outcome.settling.unsettled == 0,
            settled_after_s: outcome.settling.after.as_secs_f64(),
            unsettled: outcome.settling.worst.zip(tipping).map(|(worst, tipping)| {
                Unsettled::new(outcome.settling.unsettled, worst, plan.vms_on(worst.0), tipping, &incidents)
            }),
            incidents,
            series: Series {
                bin_s: bin,
                available_percent: outcome.down.iter().enumerate().map(available).collect(),
                restarts_per_minute: outcome.minutes.clone(),
            },
            steps: outcome.steps,
            changes: outcome.changes,
            digest: format!("{:016x}", outcome.digest),
            measured_boots: Vec::new(),
            sweep: None,
        }
    }

    /// With the boots that were measured.
    pub fn with_boots(self, measured_boots: Vec<BootsReport>) -> FleetReport {
        FleetReport { measured_boots, ..self }
    }

    /// With what came of its sweep.
    pub fn with_sweep(self, sweep: Option<SweepReport>) -> FleetReport {
        FleetReport { sweep, ..self }
    }

    /// As text.
    pub fn render(&self) -> String {
        let boots = self.boots_at_full_speed.map_or("any number".to_owned(), |n| n.to_string());
        let mut out = format!(
            "{}: {} VMs on {} nodes, {boots} of each booting at full speed, {} from seed {}\n\n",
            super::plain(&self.name),
            self.vms,
            self.nodes,
            span(self.for_s),
            self.seed
        );
        let lost: f64 = self.lost.iter().map(|l| l.vm_s).sum();
        out += &format!("available   {:.4} %; lost {} of VMs\n", self.available_percent, span(lost));
        for Loss { cause, vm_s, percent_of_loss } in &self.lost {
            out += &format!("              {percent_of_loss:6.2} %  {cause}: {}\n", span(*vm_s));
        }
        out += &format!("misrouted   {} of VMs that got traffic and did not answer\n", span(self.misrouted_vm_s));
        let FailuresReport { detected, over_before_anybody_acted, never_detected, harmless } = &self.failures;
        out += &format!(
            "broken      {}: {detected} detected, {over_before_anybody_acted} over before anybody acted, {never_detected} never \
             detected, {harmless} that the service did not feel\n",
            self.faults
        );
        out += &format!(
            "restarts    {}; {} kills by liveness, {} of them of guests that would have come back\n",
            self.restarts, self.kills_by_liveness, self.false_restarts
        );
        out += &match &self.recovery_s {
            Some(Recovery { p50, p95, p99 }) => {
                format!("recovery    p50 {}, p95 {}, p99 {}\n", span(*p50), span(*p95), span(*p99))
            }
            None => "recovery    no VM that was lost is back\n".to_owned(),
        };
        let StormReport { nodes, peak_per_minute, longest_s } = &self.storm;
        out += &match nodes {
            0 => "storm       none\n".to_owned(),
            n => format!(
                "storm       on {n} {}: up to {peak_per_minute} restarts of a node in a minute, for {}\n",
                if *n == 1 { "node" } else { "nodes" },
                span(*longest_s)
            ),
        };
        out += &format!("at the end  {} VMs are not available\n\n", self.still_down);
        out += &match (&self.unsettled, self.incidents.is_empty()) {
            (Some(unsettled), _) => format!("it does not settle: {}\n", unsettled.why),
            (None, true) => "it is at rest: no restarts that make restarts\n".to_owned(),
            (None, false) if self.still_down > 0 => {
                "nothing is restarted again and again, but not all VMs are back at the end: a longer `for` shows whether they will be\n".to_owned()
            }
            (None, false) => {
                format!("it settles: {} after the last incident is over\n", span(self.settled_after_s))
            }
        };
        out + &self.sweep.as_ref().map_or(String::new(), SweepReport::render)
    }
}

impl Unsettled {
    fn new(
        nodes: u64,
        (worst, late): (u32, u64),
        vms: u32,
        tipping: &Tipping,
        incidents: &[IncidentReport],
    ) -> Unsettled {
        let many = if nodes == 1 { "node".to_owned() } else { format!("{nodes} nodes do not; node") };
        let since = if incidents.is_empty() { "" } else { " after its incidents" };
        let head = format!("{many} {worst} has {late} repeated false restarts in the last quarter of the time{since}");
        let (vulnerable, why, tips, holds) = match tipping {
            Tipping::Nothing if incidents.is_empty() => {
                (false, "no incident is needed for that".to_owned(), None, None)
            }
            Tipping::Nothing => (false, "without any incident, too".to_owned(), None, None),
            Tipping::Together => {
                (true, "it is vulnerable: well by itself, and the incidents together tip it".to_owned(), None, None)
            }
            Tipping::Incident { number, smallest, holds } => {
                let name = incidents.get(*number).map_or("", |i| i.what.as_str());
                let size = |size: &Size| match size {
                    Size::Vms(n) => format!("{n} of its {vms} VMs"),
                    Size::Lasting(span) => humantime::format_duration(*span).to_string(),
                };
                let verb = if matches!(smallest, Size::Vms(_)) { "hits" } else { "lasts" };
                let held = match holds {
                    Some(Size::Vms(n)) => format!("; with {n} it comes to rest"),
                    Some(shorter) => format!("; after {} it comes to rest", size(shorter)),
                    None => String::new(),
                };
                let why = format!(
                    "it is vulnerable: well by itself, and {name} tips it as soon as it {verb} {}{held}",
                    size(smallest)
                );
                (true, why, Some(number_of(smallest)), holds.as_ref().map(number_of))
            }
        };
        let why = format!("{head};\n  {why}");
        Unsettled { nodes, worst, late_false_restarts: late, vulnerable, why, tips, holds }
    }
}

fn number_of(size: &Size) -> f64 {
    match size {
        Size::Vms(n) => f64::from(*n),
        Size::Lasting(span) => span.as_secs_f64(),
    }
}

fn seconds(nanos: u128) -> f64 {
    rounded(nanos as f64 / 1e9)
}

/// To what a float of a report needs.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// `5h 25m`: the two largest units.
pub(super) fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1}s");
    }
    let whole = Duration::from_secs(seconds.round() as u64);
    let text = humantime::format_duration(whole).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

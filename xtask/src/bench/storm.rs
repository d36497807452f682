//! `bench storm`: real guests that boot together on this machine, against the fleet's model of it.
//!
//! First boots: 1, 2, 4 ... guests from power-on at once, in real time, and the capacity for boots (`bootsAtFullSpeed`,
//! `lossPerBoot`) that fits them best. Then the small storm: as many guests as the largest number, with a liveness probe that waits
//! twice as long as a boot alone takes, and with one that waits three times as long as a boot beside all others. Both are asked of
//! the fleet before, with the measured boot and capacity.
//! What kills guests and starts them again is the engine's own kubelet and controllers, over real probes of real guests.

use super::stats::Spread;
use crate::report::Machine;
use crate::run::catalogue::{self, Case};
use crate::run::{Progress, Reality, remove_containers};
use serde::Serialize;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use vmhealth_guests::reality::{self, Setup};
use vmhealth_guests::scratch::Scratch;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::fleet::{Capacity, FleetFile, Plan, Resolved, run_node};
use vmhealth_sim::trace::{Event, Trace};

/// Of the liveness probe: with three failures it gives up so many seconds after its delay, about.
const PERIOD: u32 = 5;
const FAILURES: u32 = 3;
/// A boot may take so long: nobody kills it while boots are measured.
const LONGEST_BOOT: &str = "50m";
/// When the fleet's node loses its power, and for how long.
const OUTAGE: (Duration, Duration) = (Duration::from_secs(1800), Duration::from_secs(1));

/// What is measured.
#[derive(Debug, Clone)]
pub struct StormPlan {
    /// How many guests boot at once, one measurement for each; the largest is the storm's, and 1 is among them.
    pub guests: Vec<usize>,
    /// How long the storm is watched, in boots beside all others.
    pub boots: f64,
}

/// The results of `bench storm`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StormBench {
    /// One for each number of guests.
    pub boots: Vec<BootRow>,
    /// What fits them best.
    pub boots_at_full_speed: u32,
    /// And what each loses beside others, part of a full share.
    pub loss_per_boot: f64,
    /// With a liveness probe that is too hasty, and with one that is patient enough.
    pub storms: Vec<StormRow>,
    /// The machine's load (of one minute) before, between and after: what is more than the guests is other work's.
    pub load: Vec<f64>,
    /// The machine.
    pub machine: Machine,
}

/// Guests that booted at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BootRow {
    /// How many.
    pub guests: usize,
    /// From a guest's start to its service's first answer, seconds.
    pub boot_s: Spread,
    /// What the fleet's model says.
    pub fleet_s: f64,
    /// How far that is from the median, percent of it.
    pub error_percent: f64,
}

/// A storm, real and as the fleet says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StormRow {
    /// How long liveness waits for a boot, seconds.
    pub patience_s: f64,
    /// How long it was watched, seconds.
    pub watched_s: f64,
    /// Guests that were killed and started again, in all.
    pub restarts: usize,
    /// What the fleet says of the same time.
    pub fleet_restarts: usize,
    /// Guests whose service answered at the end.
    pub up: usize,
    /// Whether the fleet says that it settles.
    pub fleet_settles: bool,
}

/// Measures.
pub async fn storm(
    plan: &StormPlan,
    reality: &Reality,
    machine: Machine,
    progress: &Progress,
) -> io::Result<StormBench> {
    let scratch = Scratch::new()?;
    let bench = Bench { reality, scratch: &scratch, progress };
    let found = LocalSet::new().run_until(bench.all(plan, machine)).await;
    remove_containers(reality, &scratch).await;
    found
}

struct Bench<'a> {
    reality: &'a Reality,
    scratch: &'a Scratch,
    progress: &'a Progress,
}

impl Bench<'_> {
    async fn all(&self, plan: &StormPlan, machine: Machine) -> io::Result<StormBench> {
        let mut load = vec![load()];
        let mut series = Vec::new();
        for guests in &plan.guests {
            let case = self.case(&format!("boot-{guests}"), None, Duration::ZERO)?;
            let traces = self.together(&case, *guests, &format!("b{guests}")).await?;
            let boots: Vec<f64> = traces.iter().filter_map(|trace| Course::of(trace).first_boot_s).collect();
            if boots.len() < *guests {
                return Err(io::Error::other(format!("{} of {guests} guests came up", boots.len())));
            }
            let boot_s = Spread::of(boots);
            self.progress.say(&format!("{guests} guests at once boot in {:.1} s (median)", boot_s.median));
            series.push((*guests, boot_s));
        }
        load.push(self::load());
        let alone = series.iter().find(|(guests, _)| *guests == 1).map_or(1.0, |(_, boot)| boot.median);
        let capacity = fitted(alone, &series);
        let boots: Vec<BootRow> =
            series.iter().map(|(guests, boot_s)| row(*guests, *boot_s, alone, capacity)).collect();
        let (guests, together) =
            series.iter().max_by_key(|(guests, _)| *guests).map_or((1, alone), |(guests, boot)| (*guests, boot.median));
        let mut storms = Vec::new();
        for (name, patience) in [("hasty", alone * 2.0), ("patient", together * 3.0)] {
            let watched = Duration::from_secs_f64(together * plan.boots);
            let case = self.case(name, Some(patience), watched)?;
            let (fleet_restarts, fleet_settles) = of_fleet(&case, guests, alone, capacity, watched)?;
            let traces = self.together(&case, guests, name).await?;
            let courses: Vec<Course> = traces.iter().map(Course::of).collect();
            let (restarts, up) = (courses.iter().map(|c| c.restarts).sum(), courses.iter().filter(|c| c.up).count());
            self.progress.say(&format!("{name}: {restarts} restarts, {up} of {guests} are up"));
            let watched_s = watched.as_secs_f64();
            storms.push(StormRow { patience_s: patience, watched_s, restarts, fleet_restarts, up, fleet_settles });
        }
        load.push(self::load());
        let Capacity { at_full_speed, loss } = capacity;
        Ok(StormBench { boots, boots_at_full_speed: at_full_speed, loss_per_boot: loss, storms, load, machine })
    }

    /// Guests that are watched from their service's first answer on, or from their creation where liveness may kill them.
    fn case(&self, name: &str, patience: Option<f64>, watched: Duration) -> io::Result<Case> {
        let folder = self.scratch.subdir(&format!("files-{name}"))?;
        let (manifest, scenario) = texts(patience, watched);
        std::fs::create_dir_all(folder.join("manifests"))?;
        std::fs::write(folder.join("manifests/vm.yaml"), manifest)?;
        std::fs::write(folder.join("storm.yaml"), scenario)?;
        let cases = catalogue::read(Some(folder.as_path())).map_err(io::Error::other)?;
        cases.into_iter().next().ok_or_else(|| io::Error::other("no scenario"))
    }

    /// Runs so many of it at once, by nobody's schedule; their traces.
    async fn together(&self, case: &Case, guests: usize, name: &str) -> io::Result<Vec<Trace>> {
        let platform = self.reality.platform(case).map_err(io::Error::other)?;
        let (_never, cancelled) = watch::channel(false);
        let mut running = JoinSet::new();
        for number in 1..=guests {
            let setup = Setup {
                manifest: case.manifest.clone(),
                spec: case.scenario.spec.clone(),
                platform: platform.clone(),
                template: None,
                scratch: self.scratch.subdir(&format!("{name}-{number}"))?,
                evidence: self.scratch.subdir(&format!("{name}-{number}-evidence"))?,
                freeze: None,
            };
            let cancelled = cancelled.clone();
            running.spawn_local(async move {
                let (_nobody, controls) = reality::controls();
                reality::run(setup, cancelled, controls, |_| ()).await
            });
        }
        let mut traces = Vec::new();
        while let Some(ended) = running.join_next().await {
            traces.push(ended.map_err(io::Error::other)??.trace);
        }
        Ok(traces)
    }
}

/// The manifest and the scenario; without a patience there is no liveness probe, and the run ends with the service's first answer.
fn texts(patience: Option<f64>, watched: Duration) -> (String, String) {
    let liveness = patience.map_or(String::new(), |seconds| {
        let delay = (seconds as u32).saturating_sub(PERIOD * FAILURES);
        format!(
            "      livenessProbe: {{httpGet: {{port: 1500, path: /healthz}}, initialDelaySeconds: {delay}, periodSeconds: {PERIOD}, \
             failureThreshold: {FAILURES}}}\n"
        )
    });
    let manifest = format!(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  template:\n    spec:\n      \
         terminationGracePeriodSeconds: 1\n      readinessProbe: {{httpGet: {{port: 1500, path: /healthz}}, periodSeconds: 2}}\n{liveness}      \
         domain: {{devices: {{watchdog: {{name: w, i6300esb: {{action: reset}}}}}}}}\n"
    );
    let awaited = match patience {
        None => format!("{{see: guest ready, from: vm event SuccessfulCreate, within: 0s..{LONGEST_BOOT}}}"),
        Some(_) => "{see: vm event SuccessfulCreate, within: 0s..1m}".to_owned(),
    };
    let scenario = format!(
        "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: bench/storm/vm, summary: one of several that boot together}}\n\
         spec:\n  manifest: manifests/vm.yaml\n  bootDeadline: {LONGEST_BOOT}\n  guest: {{healthServer: true, watchdogDaemon: \
         {{heartbeatSeconds: 60, keepalive: masked}}}}\n  expect: [{awaited}]\n  observe: {}s\n  final: {{}}\n",
        watched.as_secs()
    );
    (manifest, scenario)
}

/// What became of one guest.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Course {
    first_boot_s: Option<f64>,
    restarts: usize,
    up: bool,
}

impl Course {
    fn of(trace: &Trace) -> Course {
        let (mut course, mut started) = (Course::default(), None);
        for entry in trace.sorted() {
            let at = entry.at.as_secs_f64();
            match entry.event {
                Event::Qemu(DomainEvent::Started) => {
                    course.restarts += usize::from(started.is_some());
                    (started, course.up) = (Some(at), false);
                }
                Event::Qemu(DomainEvent::Exited(_) | DomainEvent::Shutdown { .. }) => course.up = false,
                Event::GuestReady => {
                    course.up = true;
                    course.first_boot_s = course.first_boot_s.or(started.map(|started| at - started));
                }
                _ => {}
            }
        }
        course
    }
}

/// The fleet's model: `guests` that begin together take so long.
fn modelled(alone: f64, guests: usize, capacity: Capacity) -> f64 {
    alone / capacity.pace(guests)
}

/// The capacity with the smallest square of relative errors.
fn fitted(alone: f64, series: &[(usize, Spread)]) -> Capacity {
    let most = series.iter().map(|(guests, _)| *guests).max().unwrap_or(1);
    let error = |capacity: Capacity| -> f64 {
        let of = |(guests, boot): &(usize, Spread)| (modelled(alone, *guests, capacity) / boot.median - 1.0).powi(2);
        series.iter().map(of).sum()
    };
    let losses = (0..=90).map(|percent| f64::from(percent) / 100.0);
    let of = |at_full_speed| losses.clone().map(move |loss| Capacity { at_full_speed, loss });
    let all = (1..=u32::try_from(most).unwrap_or(u32::MAX)).flat_map(of);
    all.min_by(|a, b| error(*a).total_cmp(&error(*b))).unwrap_or(Capacity { at_full_speed: 1, loss: 0.0 })
}

fn row(guests: usize, boot_s: Spread, alone: f64, capacity: Capacity) -> BootRow {
    let fleet_s = modelled(alone, guests, capacity);
    BootRow { guests, boot_s, fleet_s, error_percent: 100.0 * (fleet_s / boot_s.median - 1.0) }
}

/// What the fleet says of them: restarts in the time that is watched, and whether they come to rest.
fn of_fleet(
    case: &Case,
    guests: usize,
    alone: f64,
    capacity: Capacity,
    watched: Duration,
) -> io::Result<(usize, bool)> {
    let (at, lasting) = OUTAGE;
    let Capacity { at_full_speed, loss } = capacity;
    let text = format!(
        "{{apiVersion: vmhealth.dev/v1alpha1, kind: Fleet, metadata: {{name: storm}}, spec: {{for: 12h, nodes: {{count: 1, bootsAtFullSpeed: \
         {at_full_speed}, lossPerBoot: {loss}}}, groups: [{{name: a, manifest: m, count: {guests}, boot: {{is: {}ms}}}}], incidents: [{{at: {}s, nodeDown: {{for: {}s}}}}]}}}}",
        (alone * 1000.0).max(1000.0).round(),
        at.as_secs(),
        lasting.as_secs()
    );
    let file = FleetFile::read("storm", &text).map_err(|e| io::Error::other(e.to_string()))?;
    let resolved = Resolved { vm: (*case.manifest).clone(), guest: case.scenario.spec.guest.clone() };
    let plan = Plan::new(&file, vec![resolved]).map_err(io::Error::other)?;
    let (mut starts, end) = (0_usize, at + lasting + watched);
    let outcome = run_node(&plan, 0, &mut |_, when, entry| {
        starts += usize::from(when > at && when <= end && entry.event == Event::Qemu(DomainEvent::Started));
    });
    Ok((starts.saturating_sub(guests), outcome.settling.unsettled == 0))
}

/// Of the last minute; 0 where the kernel does not say.
fn load() -> f64 {
    let text = std::fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

impl fmt::Display for StormBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} on {} cores, in real time, from power-on; load {:?}",
            self.machine.accel, self.machine.cores, self.load
        )?;
        writeln!(f, "{:>6}  {:>10}  {:>10}  {:>10}  {:>7}", "guests", "median s", "slowest s", "fleet s", "error")?;
        for BootRow { guests, boot_s, fleet_s, error_percent } in &self.boots {
            let Spread { median, p95, .. } = boot_s;
            writeln!(f, "{guests:6}  {median:10.1}  {p95:10.1}  {fleet_s:10.1}  {error_percent:+6.1} %")?;
        }
        writeln!(f, "fits best: bootsAtFullSpeed {}, lossPerBoot {}", self.boots_at_full_speed, self.loss_per_boot)?;
        for row in &self.storms {
            writeln!(
                f,
                "liveness waits {:.0} s: {} restarts in {:.0} s, {} up at the end; the fleet said {} restarts, and {}",
                row.patience_s,
                row.restarts,
                row.watched_s,
                row.up,
                row.fleet_restarts,
                if row.fleet_settles { "that it settles" } else { "that it does not settle" }
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(median: f64) -> Spread {
        Spread { median, p95: median, n: 1 }
    }

    #[test]
    fn the_capacity_is_found_again() {
        for (at_full_speed, loss) in [(1, 0.0), (2, 0.0), (2, 0.1), (4, 0.3)] {
            let capacity = Capacity { at_full_speed, loss };
            let series = [1, 2, 4, 8].map(|guests| (guests, spread(modelled(30.0, guests, capacity))));
            assert_eq!(fitted(30.0, &series), capacity);
            assert_eq!(row(8, series[3].1, 30.0, capacity).error_percent, 0.0);
        }
        // Not quite the model, as guests on two cores are.
        let seen = [(1, 30.0), (2, 31.0), (4, 75.0), (8, 290.0)].map(|(guests, median)| (guests, spread(median)));
        let found = fitted(30.0, &seen);
        assert_eq!(found.at_full_speed, 2);
        assert!((0.1..0.2).contains(&found.loss), "{found:?}");
    }

    /// Up at the end is a guest that has not ended since it was ready.
    #[test]
    fn what_became_of_a_guest() {
        use vmhealth_sim::time::Time;
        use vmhealth_sim::trace::{Entry, Exit, Keeps, ShutdownCause};
        let started = Event::Qemu(DomainEvent::Started);
        let shutdown = Event::Qemu(DomainEvent::Shutdown { reason: ShutdownCause::HostQmpQuit });
        let exited = Event::Qemu(DomainEvent::Exited(Exit::Status(0)));
        let ready = Event::GuestReady;
        for (events, first_boot_s, restarts, up) in [
            (vec![], None, 0, false),
            (vec![&started], None, 0, false),
            (vec![&started, &ready], Some(10.0), 0, true),
            (vec![&started, &ready, &exited], Some(10.0), 0, false),
            (vec![&started, &ready, &shutdown], Some(10.0), 0, false),
            (vec![&started, &exited, &started], None, 1, false),
            (vec![&started, &ready, &shutdown, &exited, &started, &ready], Some(10.0), 1, true),
        ] {
            let mut trace = Trace::new(Keeps::Everything);
            for (event, number) in events.iter().zip(1..) {
                let at = Time::from_millis(number * 10_000);
                trace.push(Entry { at, vmi: 1, event: (*event).clone(), detail: String::new(), replayed: false });
            }
            assert_eq!(Course::of(&trace), Course { first_boot_s, restarts, up }, "{events:?}");
        }
    }

    /// What the fleet is asked is the storm: hasty numbers restart guests again and again until the backoffs have pulled them
    /// apart; patient ones restart none.
    #[test]
    fn the_fleet_says_how_many_are_restarted() {
        let folder = tempfile::tempdir().unwrap();
        let mut said = Vec::new();
        for patience in [Some(45.0), Some(180.0), None] {
            let (manifest, scenario) = texts(patience, Duration::from_secs(240));
            std::fs::create_dir_all(folder.path().join("manifests")).unwrap();
            std::fs::write(folder.path().join("manifests/vm.yaml"), manifest).unwrap();
            std::fs::write(folder.path().join("storm.yaml"), scenario).unwrap();
            let case = catalogue::read(Some(folder.path())).unwrap().remove(0);
            said.push(
                of_fleet(&case, 8, 15.0, Capacity { at_full_speed: 2, loss: 0.0 }, Duration::from_secs(240)).unwrap(),
            );
        }
        let [(hasty, _), patient, without] = said[..] else { panic!("{said:?}") };
        assert!(hasty >= 8, "{said:?}");
        assert_eq!([patient, without], [(0, true); 2]);
    }
}

//! Runs cases in both worlds, as many at once as memory and cores allow.
//!
//! A booting guest needs a core, a waiting one almost none: a case holds a boot permit until its first guest is ready,
//! and a memory permit until it ends. A guest that boots again cannot wait, since its scenario's clock runs; it takes a
//! permit if there is one, so that others begin later. A starved guest would be judged for its host's slowness.

use crate::catalogue::Case;
use crate::divergence;
use crate::host;
use crate::normal::Normal;
use crate::templates;
use crate::report::{Conformance, Machine, Results, RunFolder, ScenarioResult};
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinSet, LocalSet};
use vmhealth_guests::guest::Image;
use vmhealth_guests::qemu::{Accel, QemuVersion};
use vmhealth_guests::reality::{self, Outcome, Setup};
use vmhealth_guests::scratch::Scratch;
use vmhealth_guests::template::Template;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::engine::Config;
use vmhealth_sim::scenario::Verdict;
use vmhealth_sim::trace::{Entry, Event};
use vmhealth_sim::world::{self, Timings};

/// What QEMU's own process takes beside the guest's memory, MiB.
const QEMU_OVERHEAD_MIB: u64 = 200;

/// Which worlds a run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worlds {
    /// QEMU and the model, compared.
    Both,
    /// QEMU only.
    Qemu,
    /// The model only.
    Model,
}

/// What QEMU runs need; `Err` says why they cannot be had.
#[derive(Debug, Clone)]
pub struct Reality {
    /// What the guests boot.
    pub image: Image,
    /// How they run.
    pub accel: Accel,
    /// What runs them.
    pub qemu: QemuVersion,
    /// No forks.
    pub cold: bool,
    /// At most so many at once; `None`: as memory and cores allow.
    pub jobs: Option<usize>,
}

/// A line of progress.
pub type Progress = Rc<dyn Fn(&str)>;

/// Runs the cases; results come in catalogue order whatever finished first.
pub async fn run(
    cases: Vec<Case>,
    worlds: Worlds,
    reality: Result<Reality, String>,
    machine: Machine,
    folder: &RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
) -> io::Result<Results> {
    let models: Vec<Option<ScenarioRun>> = cases
        .iter()
        .map(|c| (worlds != Worlds::Qemu).then(|| run_model(c, folder)).transpose())
        .collect::<Result<_, _>>()?;
    let mut real: Vec<Option<ScenarioRun>> = vec![None; cases.len()];
    if worlds != Worlds::Model {
        match &reality {
            Ok(reality) => {
                let scheduler = Scheduler::new(reality);
                let run_all = scheduler.run_all(&cases, folder, cancelled, progress);
                real = LocalSet::new().run_until(run_all).await?;
            }
            Err(reason) => {
                for (case, slot) in cases.iter().zip(&mut real) {
                    *slot = Some(not_run(case, reason, folder)?);
                }
            }
        }
    }
    let mut conformance = Conformance::default();
    let mut scenarios = Vec::new();
    for (model, mut qemu) in models.into_iter().zip(real) {
        if let (Some(model), Some(qemu)) = (&model, &mut qemu)
            && qemu.comparable
        {
            let divergences = divergence::compare(&model.normal, &qemu.normal);
            conformance.compared += qemu.normal.len();
            conformance.divergences += divergences.len();
            qemu.result.divergences = divergences.iter().map(ToString::to_string).collect();
        }
        scenarios.extend([model, qemu].into_iter().flatten().map(|r| r.result));
    }
    let results = Results::new(scenarios, conformance, machine);
    folder.finish(&results)?;
    Ok(results)
}

/// One case in one world.
#[derive(Debug, Clone)]
struct ScenarioRun {
    result: ScenarioResult,
    normal: Normal,
    /// It came to a verdict about the guest.
    comparable: bool,
}

fn finish(
    case: &Case,
    world: &str,
    outcome: &Outcome,
    wall: Duration,
    folder: &crate::report::ScenarioFolder,
) -> io::Result<ScenarioRun> {
    let (verdict, reason) = crate::report::word(&outcome.verdict);
    let normal = Normal::of(&outcome.trace);
    let result = ScenarioResult {
        id: case.id().to_owned(),
        world: world.to_owned(),
        arch: "amd64".into(),
        host: "local".into(),
        verdict,
        reason,
        duration_s: wall.as_secs_f64(),
        guest_s: outcome.lasted.as_secs_f64(),
        forked: !outcome.skipped.is_zero(),
        divergences: Vec::new(),
        repeat: case.again.replace("{world}", world),
    };
    folder.end(&outcome.trace, &normal, &result)?;
    let comparable = !matches!(outcome.verdict, Verdict::Infra(_));
    Ok(ScenarioRun { result, normal, comparable })
}

fn run_model(case: &Case, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let begun = Instant::now();
    let folder = folder.begin(case.id(), "model")?;
    let (verdict, trace, end) = world::run(&case.manifest, &case.scenario.spec, Config::default(), Timings::default());
    let outcome = Outcome { verdict, trace, lasted: end.since_origin(), skipped: Duration::ZERO };
    finish(case, "model", &outcome, begun.elapsed(), &folder)
}

fn not_run(case: &Case, reason: &str, folder: &RunFolder) -> io::Result<ScenarioRun> {
    let folder = folder.begin(case.id(), "qemu")?;
    let outcome =
        Outcome { verdict: Verdict::Infra(reason.to_owned()), trace: Default::default(), lasted: Duration::ZERO, skipped: Duration::ZERO };
    finish(case, "qemu", &outcome, Duration::ZERO, &folder)
}

struct Scheduler {
    reality: Reality,
    /// One permit a MiB.
    memory: Arc<Semaphore>,
    memory_total: u32,
    jobs: Arc<Semaphore>,
    boots: Arc<Semaphore>,
}

impl Scheduler {
    fn new(reality: &Reality) -> Scheduler {
        let memory_total = u32::try_from(host::memory_budget_mib()).unwrap_or(u32::MAX);
        let jobs = reality.jobs.unwrap_or(3 * host::cores()).max(1);
        Scheduler {
            reality: reality.clone(),
            memory: Arc::new(Semaphore::new(memory_total as usize)),
            memory_total,
            jobs: Arc::new(Semaphore::new(jobs)),
            boots: Arc::new(Semaphore::new(host::cores())),
        }
    }

    async fn run_all(
        &self,
        cases: &[Case],
        folder: &RunFolder,
        cancelled: watch::Receiver<bool>,
        progress: Progress,
    ) -> io::Result<Vec<Option<ScenarioRun>>> {
        let scratch = Rc::new(Scratch::new()?);
        let stock = match self.reality.cold {
            true => vec![None; cases.len()],
            false => templates::stock(cases, &self.reality, &scratch, cancelled.clone(), &progress).await?,
        };
        let mut tasks = JoinSet::new();
        for (index, (case, template)) in cases.iter().zip(stock).enumerate() {
            let permits = self.admit(case).await;
            let job = Job {
                case: case.clone(),
                reality: self.reality.clone(),
                template,
                scratch: scratch.subdir(&index.to_string())?,
                folder: folder.clone(),
                cancelled: cancelled.clone(),
                progress: progress.clone(),
                alone: cases.len() == 1,
            };
            tasks.spawn_local(async move { (index, job.run(permits).await) });
        }
        let mut runs = vec![None; cases.len()];
        while let Some(done) = tasks.join_next().await {
            // A task that panicked has lost its index; its case is the one without a run below.
            if let Ok((index, run)) = done {
                runs[index] = Some(run.or_else(|e| not_run(&cases[index], &e.to_string(), folder))?);
            }
        }
        for (case, run) in cases.iter().zip(&mut runs).filter(|(_, run)| run.is_none()) {
            *run = Some(not_run(case, "the runner panicked; its message is on stderr", folder)?);
        }
        Ok(runs)
    }

    /// Waits for a job, its memory and a boot. A guest larger than the budget waits for all of it.
    async fn admit(&self, case: &Case) -> Permits {
        let need = vmhealth_guests::guest::memory_mib(&case.manifest) + QEMU_OVERHEAD_MIB;
        let need = u32::try_from(need).unwrap_or(u32::MAX).min(self.memory_total);
        // The semaphores are never closed.
        let job = self.jobs.clone().acquire_owned().await.ok();
        let memory = self.memory.clone().acquire_many_owned(need).await.ok();
        let boot = self.boots.clone().acquire_owned().await.ok();
        Permits { _held: (job, memory), boot: RefCell::new(boot), boots: self.boots.clone() }
    }
}

struct Permits {
    _held: (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>),
    boot: RefCell<Option<OwnedSemaphorePermit>>,
    boots: Arc<Semaphore>,
}

impl Permits {
    fn observe(&self, event: &Event) {
        let mut boot = self.boot.borrow_mut();
        match event {
            Event::GuestReady | Event::GuestNotReady => *boot = None,
            Event::Qemu(DomainEvent::Started | DomainEvent::Reset { .. }) if boot.is_none() => {
                *boot = self.boots.clone().try_acquire_owned().ok();
            }
            _ => {}
        }
    }
}

struct Job {
    case: Case,
    reality: Reality,
    template: Option<Arc<Template>>,
    scratch: PathBuf,
    folder: RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
    /// Nobody else's lines are in between: show everything.
    alone: bool,
}

impl Job {
    async fn run(self, permits: Permits) -> io::Result<ScenarioRun> {
        let begun = Instant::now();
        let folder = self.folder.begin(self.case.id(), "qemu")?;
        let setup = Setup {
            manifest: self.case.manifest.clone(),
            spec: self.case.scenario.spec.clone(),
            image: self.reality.image.clone(),
            accel: self.reality.accel,
            template: self.template.clone(),
            scratch: self.scratch.clone(),
            evidence: folder.path().to_owned(),
        };
        let id = self.case.id();
        let watcher = |entry: &Entry| {
            permits.observe(&entry.event);
            if self.alone && !matches!(entry.event, Event::Attempt(..)) {
                let detail = if entry.detail.is_empty() { String::new() } else { format!(" ({})", entry.detail) };
                (self.progress)(&format!("{}{}{detail}", entry.event, remark(entry)));
            } else if matches!(
                entry.event,
                Event::GuestReady | Event::FaultConfirmed(_) | Event::Qemu(_) | Event::Petter(_)
            ) {
                (self.progress)(&format!("{id}: {:.1} s: {}{}", entry.at.as_secs_f64(), entry.event, remark(entry)));
            }
        };
        (self.progress)(&format!("{id}: begins"));
        let outcome = reality::run(setup, self.cancelled.clone(), watcher).await?;
        let run = finish(&self.case, "qemu", &outcome, begun.elapsed(), &folder)?;
        (self.progress)(&format!("{id}: {} after {:.1} s", run.result.verdict.as_str(), run.result.duration_s));
        Ok(run)
    }
}

/// What a reader should not have to know: a keepalive that took over.
fn remark(entry: &Entry) -> String {
    match &entry.event {
        Event::Petter(name) if name != "nobody" => {
            format!(": {name} took over from the daemon and pets the device; the watchdog will not fire")
        }
        _ => String::new(),
    }
}

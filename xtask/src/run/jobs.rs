//! The real half of a run: cases on QEMU, as many at once as the schedule allows.
//!
//! A case whose guest was starved by the host is no judgement of the guest, whatever its verdict, nor is one that went wrong
//! while its guest was short of CPU: it is run again alone when all others are done. The report says why, the first attempt's
//! evidence stays beside the second one's, and a guest that is starved alone is infrastructure.

use super::catalogue::Case;
use super::forecast::{Start, forecast};
use super::held::tell;
use super::reality::{Begun, HostError, Progress, Reality, remove_containers};
use super::scenario_run::{ScenarioRun, begin, finish, not_run, skipped};
use super::schedule::Schedule;
use super::tally::{Tally, What};
use super::templates::{CaseTemplates, Making, Ready};
use crate::durations::Durations;
use crate::host;
use crate::lines::{is_verbose, show_status};
use crate::report::{RunFolder, VerdictWord, place};
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use vmhealth_guests::reality::{self, Outcome, Setup};
use vmhealth_guests::scratch::{FilesAreIn, Scratch};
use vmhealth_guests::template::Template;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::trace::{Entry, Event, Trace};

/// Of half a second, spent waiting for a core: a host on which pets can be missed.
const BUSY: f64 = 0.5;
/// Between two lines about how far the run is, where no line is drawn anew.
const SHOW_TALLY: Duration = Duration::from_secs(15);
/// Between two looks at it.
const LOOK: Duration = Duration::from_secs(1);

/// The cases of a run, and what they need.
pub(crate) struct Jobs<'a> {
    pub(crate) cases: &'a [Case],
    /// What the model said of each.
    pub(crate) models: &'a [Option<ScenarioRun>],
    pub(crate) reality: &'a Reality,
    pub(crate) folder: &'a RunFolder,
    pub(crate) cancelled: watch::Receiver<bool>,
    pub(crate) progress: Progress,
}

impl Jobs<'_> {
    /// Runs them all; must be called in a LocalSet.
    pub(crate) async fn run(&self) -> io::Result<Vec<Option<ScenarioRun>>> {
        let scratch = Scratch::new()?;
        let runs = self.run_all(&scratch).await;
        remove_containers(self.reality, &scratch).await;
        runs
    }

    async fn run_all(&self, scratch: &Scratch) -> io::Result<Vec<Option<ScenarioRun>>> {
        let templates = RefCell::new(vec![None; self.cases.len()]);
        let tally = Rc::new(RefCell::new(self.tally()));
        let runs = self.run_all_of(&tally, &templates, scratch).await;
        if let Err(e) = tally.borrow_mut().save() {
            self.progress.say(&format!("how long it took cannot be noted for the next run: {e}"));
        }
        runs
    }

    /// What is going to be waited for but templates.
    fn tally(&self) -> Tally {
        // In real time guests mostly wait, and more run at once; its estimate is then too long.
        let lanes = self.reality.jobs.unwrap_or_else(host::cores);
        let mut tally = Tally::new(lanes, Durations::open());
        for (index, case) in self.cases.iter().enumerate() {
            let ways = if self.reality.cold { ", cold" } else { "" };
            tally.expect(What::Scenario, index, case.id(), format!("{}, {}{ways}", case.id(), self.reality.host));
        }
        tally
    }

    async fn run_all_of(
        &self,
        tally: &Rc<RefCell<Tally>>,
        templates: &RefCell<CaseTemplates>,
        scratch: &Scratch,
    ) -> io::Result<Vec<Option<ScenarioRun>>> {
        let mut runs = self.run_together(tally, templates, scratch).await?;
        if let [Some(only)] = runs.as_mut_slice() {
            only.result.starved_alone();
            return Ok(runs);
        }
        for (index, case) in self.cases.iter().enumerate() {
            let Some(reason) = runs[index].as_ref().and_then(|r| r.result.worth_another_run()) else { continue };
            if *self.cancelled.borrow() {
                break;
            }
            self.progress.say(&format!(
                "{}: inconclusive, the host was overloaded ({reason}); running it again alone",
                case.id()
            ));
            self.folder.set_aside(case.id(), &place("qemu", &self.reality.host))?;
            let job = self.job(index, (tally, templates), scratch, "alone")?;
            let again = job.run(&Schedule::new(u64::MAX, host::cores(), None)).await;
            let mut again = again.or_else(|e| not_run(case, &e.to_string(), &self.reality.host, self.folder))?;
            again.compare_with_model(self.models[index].as_ref(), &self.cases[index]);
            again.result.starved_alone();
            again.result.after_starvation(reason);
            runs[index] = Some(again);
        }
        Ok(runs)
    }

    async fn run_together(
        &self,
        tally: &Rc<RefCell<Tally>>,
        templates: &RefCell<CaseTemplates>,
        scratch: &Scratch,
    ) -> io::Result<Vec<Option<ScenarioRun>>> {
        let (memory_mib, cores, jobs) = (host::memory_budget_mib(), host::cores(), self.reality.jobs);
        let schedule = Arc::new(match self.reality.is_in_guest_time() {
            true => Schedule::in_guest_time(memory_mib, cores, jobs),
            false => Schedule::new(memory_mib, cores, jobs),
        });
        let show = tokio::task::spawn_local(show(tally.clone(), schedule.clone(), self.progress.clone()));
        let mut tasks = JoinSet::new();
        let serve = async {
            while let Some(index) = schedule.next().await {
                let job = self.job(index, (tally, templates), scratch, "")?;
                let schedule = schedule.clone();
                tasks.spawn_local(async move {
                    let _place = Place(&schedule, index);
                    (index, job.run(&schedule).await)
                });
            }
            Ok::<(), io::Error>(())
        };
        tokio::try_join!(self.enqueue_all(&schedule, (tally, templates), scratch), serve)?;
        let mut runs = vec![None; self.cases.len()];
        while let Some(done) = tasks.join_next().await {
            // A task that panicked has lost its index; its case is the one without a run below.
            if let Ok((index, run)) = done {
                let mut run =
                    run.or_else(|e| not_run(&self.cases[index], &e.to_string(), &self.reality.host, self.folder))?;
                run.compare_with_model(self.models[index].as_ref(), &self.cases[index]);
                runs[index] = Some(run);
            }
        }
        show.abort();
        for (case, run) in self.cases.iter().zip(&mut runs).filter(|(_, run)| run.is_none()) {
            *run = Some(not_run(case, "vmhealth crashed; its message is on stderr", &self.reality.host, self.folder)?);
        }
        Ok(runs)
    }

    /// Puts every case into the queue when its template is there. In real time that is when all are: their boots would keep
    /// the cores from guests that are timed.
    async fn enqueue_all(
        &self,
        schedule: &Schedule,
        (tally, templates): (&Rc<RefCell<Tally>>, &RefCell<CaseTemplates>),
        scratch: &Scratch,
    ) -> io::Result<()> {
        let on_disk = FilesAreIn::of(scratch.path()) == FilesAreIn::Disk;
        if self.reality.cold {
            self.cases
                .iter()
                .enumerate()
                .for_each(|(index, case)| schedule.enqueue(index, forecast(case, Start::Cold, on_disk)));
            schedule.close();
            return Ok(());
        }
        let (cancelled, progress) = (self.cancelled.clone(), &self.progress);
        let mut making = Making::begin(self.cases, self.reality, scratch, tally, cancelled, progress)?;
        let mut held = Vec::new();
        while let Some(Ready { cases, template }) = making.next().await {
            for index in cases {
                templates.borrow_mut()[index] = template.clone();
                let case = &self.cases[index];
                held.push((index, forecast(case, self.start(case, template.is_some()), on_disk)));
            }
            if self.reality.is_in_guest_time() {
                held.drain(..).for_each(|(index, forecast)| schedule.enqueue(index, forecast));
            }
        }
        held.into_iter().for_each(|(index, forecast)| schedule.enqueue(index, forecast));
        schedule.close();
        Ok(())
    }

    fn start(&self, case: &Case, has_template: bool) -> Start {
        match self.reality.platform(case) {
            _ if !has_template => Start::Cold,
            Ok(platform) if !platform.forks_share_memory() => Start::ForkOfCopy,
            _ => Start::Fork,
        }
    }

    fn job(
        &self,
        index: usize,
        (tally, templates): (&Rc<RefCell<Tally>>, &RefCell<CaseTemplates>),
        scratch: &Scratch,
        suffix: &str,
    ) -> io::Result<Job> {
        Ok(Job {
            index,
            case: self.cases[index].clone(),
            reality: self.reality.clone(),
            template: templates.borrow()[index].clone(),
            scratch: scratch.subdir(&format!("{index}{suffix}"))?,
            folder: self.folder.clone(),
            cancelled: self.cancelled.clone(),
            progress: self.progress.clone(),
            tally: tally.clone(),
            alone: self.cases.len() == 1,
        })
    }
}

/// Says how far a run is until it is stopped: all the time in a line that is drawn anew, else now and then.
async fn show(tally: Rc<RefCell<Tally>>, schedule: Arc<Schedule>, progress: Progress) {
    let mut said = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let status = tally.borrow().describe(Instant::now());
        let is_shown = show_status(&status);
        if said.elapsed() < SHOW_TALLY {
            continue;
        }
        said = Instant::now();
        // Who watches sees more.
        if !is_shown && progress.watcher.is_none() {
            progress.say(&status);
        }
        if is_verbose() {
            progress.say(&schedule.describe());
        }
    }
}

/// A running case's place in the schedule; given back however it ends.
struct Place<'a>(&'a Schedule, usize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

struct Job {
    index: usize,
    case: Case,
    reality: Reality,
    template: Option<Arc<Template>>,
    scratch: PathBuf,
    folder: RunFolder,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
    tally: Rc<RefCell<Tally>>,
    /// Nobody else's lines are in between: show everything.
    alone: bool,
}

impl Job {
    async fn run(self, schedule: &Schedule) -> io::Result<ScenarioRun> {
        let begun = Instant::now();
        let platform = match self.reality.platform(&self.case) {
            Ok(platform) => platform.clone(),
            Err(HostError::Unsupported(reason)) => {
                return skipped(&self.case, &reason, &self.reality.host, &self.folder);
            }
            Err(HostError::NotReady(reason)) => return not_run(&self.case, &reason, &self.reality.host, &self.folder),
        };
        let folder = begin(&self.case, &place("qemu", &self.reality.host), &self.folder)?;
        let (told, held) = mpsc::unbounded_channel();
        let telling = tokio::task::spawn_local(tell(held, folder.path().to_owned(), self.progress.clone()));
        let setup = Setup {
            manifest: self.case.manifest.clone(),
            spec: self.case.scenario.spec.clone(),
            platform,
            template: self.template.clone(),
            scratch: self.scratch.clone(),
            evidence: folder.path().to_owned(),
            freeze: self.reality.freeze.then_some(told),
        };
        let begun_run = Begun { time: &setup.platform.time, evidence: folder.path() };
        let (nobody, unwatched) = reality::controls();
        let controls = match &self.progress.watcher {
            Some(watcher) => watcher.begins(&self.case, &begun_run)?,
            None => unwatched,
        };
        drop(nobody);
        let watcher = |entry: &Entry| {
            schedule.observe(self.index, entry);
            match &self.progress.watcher {
                Some(watcher) => watcher.sees(&self.case, entry),
                None => self.show(entry),
            }
        };
        let id = self.case.id();
        let number = self.tally.borrow_mut().begins(What::Scenario, self.index, Instant::now());
        self.progress.say(&format!("{id}: begins ({number})"));
        let ran = reality::run(setup, self.cancelled.clone(), controls, watcher).await;
        if let Some(watcher) = &self.progress.watcher {
            watcher.ends(&self.case);
        }
        let mut outcome = ran?;
        telling.abort();
        note_missed_pets(&mut outcome);
        let run = finish(&self.case, ("qemu", &self.reality.host), &outcome, begun.elapsed(), &folder)?;
        // One that the host could not run, or that was interrupted, tells nothing about the next time.
        let timed = run.result.verdict != VerdictWord::Infra && !*self.cancelled.borrow();
        let far = self.tally.borrow_mut().ends(What::Scenario, self.index, Instant::now(), timed);
        let reason = match run.result.verdict {
            VerdictWord::Pass => String::new(),
            _ => format!(" {}", run.result.reason),
        };
        let (word, took) = (run.result.verdict.as_str(), run.result.duration_s);
        self.progress.say(&format!("{id}: {word} after {took:.1} s ({far}){reason}"));
        Ok(run)
    }

    fn show(&self, entry: &Entry) {
        let worth_it = matches!(
            entry.event,
            Event::GuestReady | Event::FaultConfirmed(_) | Event::Qemu(_) | Event::WatchdogHolder(_)
        );
        let mark = if entry.replayed { "~" } else { "" };
        if is_verbose() || self.alone && !matches!(entry.event, Event::Attempt(..)) {
            let whose = if self.alone { String::new() } else { format!("{}: ", self.case.id()) };
            let detail =
                if entry.detail.is_empty() { String::new() } else { format!(" ({})", entry.detail.trim_end()) };
            self.progress.say(&format!(
                "{whose}{mark}{:.1} s: {}{}{detail}",
                entry.at.as_secs_f64(),
                entry.event,
                remark(entry)
            ));
        } else if worth_it && !entry.replayed {
            let (id, at) = (self.case.id(), entry.at.as_secs_f64());
            self.progress.say(&format!("{id}: {at:.1} s: {}{}", entry.event, remark(entry)));
        }
    }
}

/// A device that fires although nobody touched the guest was not petted; on a busy host that is the host's doing.
fn note_missed_pets(outcome: &mut Outcome) {
    let pressure = &mut outcome.pressure;
    if pressure.starved.is_none() && pressure.vcpu_waited > BUSY && missed_pets(&outcome.trace) {
        pressure.starved = Some("the watchdog fired before any fault was injected".into());
    }
}

fn missed_pets(trace: &Trace) -> bool {
    let mut touched = 0;
    trace.sorted().iter().any(|entry| {
        if matches!(entry.event, Event::FaultBegun(_)) {
            touched = entry.vmi;
        }
        matches!(entry.event, Event::Qemu(DomainEvent::Watchdog(_))) && touched != entry.vmi
    })
}

/// What a reader should not have to know: a keepalive that took over.
fn remark(entry: &Entry) -> String {
    match &entry.event {
        Event::WatchdogHolder(name) if name != "nobody" => {
            format!(": {name} took over from the daemon and pets the device; the watchdog will not fire")
        }
        _ => String::new(),
    }
}

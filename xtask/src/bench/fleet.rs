//! `bench fleet`: what virtual time costs. One healthy VM stepped and skipped, VMs that panic, a whole fleet on several threads,
//! the bare queue, a bare event loop and SimPy with the same processes. nexosim is not among them: for one row it would want some
//! forty packages, and no simulator with a queue is faster than a loop that does nothing else.
//!
//! Rates are of CPU time: a wall clock would measure who else uses the machine.

use super::stats::peak_mib;
use crate::run::Progress;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vmhealth_guests::process::guarded;
use vmhealth_sim::fleet::{Fleet, Tally};
use vmhealth_sim::manifest;
use vmhealth_sim::scenario::{Scenario, Step};
use vmhealth_sim::time::Time;
use vmhealth_sim::world::{Queue, Timings};

const VM: &str = "apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  runStrategy: Always
  template:
    spec:
      readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 10}
      livenessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 10, initialDelaySeconds: 60}
      domain: {devices: {watchdog: {name: w, i6300esb: {action: reset}}}}
";
const SCENARIO: &str = "apiVersion: vmhealth.dev/v1alpha1
kind: Scenario
metadata: {id: bench/fleet/vm, summary: one of a fleet}
spec:
  manifest: vm.yaml
  guest: {healthServer: true, watchdogDaemon: {heartbeatSeconds: 30, keepalive: masked}}
  steps: [{after: guest ready, fault: kernelPanic}]
  expect: [{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..15m}]
  final: {}
";
/// Two probes with begin and answer, and a pet, every ten seconds.
const EVENTS_A_DAY: u64 = 8640 * 5;
const PET_INTERVAL: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);
/// VMs that one thread takes at once. What comes of a fleet is added up in this order, whoever has run it.
const CHUNK: u64 = 500;
/// The part of the fleet that is measured first.
const PART: u64 = 5_000;
/// All of it is run if that takes no longer.
const LONGEST: Duration = Duration::from_secs(60);
const QUEUE_EVENTS: u64 = 5_000_000;
const STEPPED_DAYS: u32 = 10;
const SIMPY: &str = "simpy==4.1.2";
const SIMPY_DAYS: u32 = 20;
/// From a probe's begin to its answer, as in fleet.py.
const ANSWER: Duration = Duration::from_millis(50);
const LOOP_DAYS: u64 = 100;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct FleetPlan {
    /// VMs of the fleet.
    pub vms: u64,
    /// Virtual days that each of them lives.
    pub days: u32,
    /// Threads that run them.
    pub threads: usize,
    /// Decides what happens to them.
    pub seed: u64,
    /// All VMs are run, however long that takes.
    pub whole: bool,
}

/// Of one row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// Events a second, skipped ones too.
    pub events_per_s: f64,
    /// Virtual days of one VM a second; 0 where there is no VM.
    pub vm_days_per_s: f64,
}

/// The results of `bench fleet`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetBench {
    /// What was run, and how fast.
    pub rows: Vec<(String, Rate)>,
    /// Why there is no figure of SimPy's.
    pub simpy_failed: Option<String>,
    /// VMs of the fleet that were run, of how many.
    pub fleet: (u64, u64),
    /// Virtual days of each.
    pub days: u32,
    /// Threads, wall seconds and CPU seconds.
    pub took: (usize, f64, f64),
    /// The CPU seconds of all its VMs, if not all were run.
    pub all_cpu_s: f64,
    /// Of the time in which its VMs were to be Ready, percent.
    pub ready_percent: f64,
    /// Faults of the fleet.
    pub faults: u64,
    /// Changes that a user could see.
    pub changes: u64,
    /// Of every change of every VM and its time. The same seed makes the same.
    pub digest: String,
    /// A part of it came out the same with one thread and with several.
    pub same_with_any_threads: bool,
    /// The process's largest resident set, MiB.
    pub peak_mib: u64,
    /// Nothing that a user would wait for is built like this.
    pub debug_build: bool,
}

/// Measures; SimPy is installed into `scratch` where it is not there yet.
pub async fn fleet(plan: FleetPlan, scratch: &Path, progress: &Progress) -> io::Result<FleetBench> {
    let of = |panics_every: Option<f64>, days| made(panics_every, days, plan.seed);
    progress.say("the bare queue, one VM stepped and skipped");
    let mut rows = vec![("the bare queue, of three".to_owned(), queue())];
    rows.push(("a bare event loop, healthy".to_owned(), bare_loop()));
    let healthy = of(None, STEPPED_DAYS)?;
    let (tally, cpu) = cpu_of(|| healthy.run_stepped(0));
    rows.push(("stepped, healthy".into(), rate(&tally, STEPPED_DAYS, cpu)));
    for (name, panics_every) in
        [("healthy", None), ("a panic a month", Some(30.0)), ("a panic in three days", Some(3.0))]
    {
        let fleet = of(panics_every, plan.days)?;
        let (tally, cpu) = cpu_of(|| run(&fleet, PART.min(plan.vms), 1));
        rows.push((format!("skipped, {name}"), rate(&tally, plan.days, cpu)));
    }
    let simpy_failed = match simpy(scratch, progress).await {
        Ok(rate) => {
            rows.push((format!("SimPy ({SIMPY}), healthy"), rate));
            None
        }
        Err(why) => Some(why.to_string()),
    };
    progress.say("the fleet");
    let fleet = of(Some(30.0), plan.days)?;
    let part = PART.min(plan.vms);
    let (alone, cpu) = cpu_of(|| run(&fleet, part, 1));
    let same_with_any_threads = [2, 3, plan.threads].into_iter().all(|threads| run(&fleet, part, threads) == alone);
    let all = cpu.mul_f64(plan.vms as f64 / part.max(1) as f64 / plan.threads.max(1) as f64);
    let vms = if plan.whole || all <= LONGEST { plan.vms } else { part };
    let begun = Instant::now();
    let (tally, cpu) = cpu_of(|| run(&fleet, vms, plan.threads));
    let lived = f64::from(plan.days) * DAY.as_secs_f64() * vms as f64;
    Ok(FleetBench {
        rows,
        simpy_failed,
        fleet: (vms, plan.vms),
        days: plan.days,
        took: (plan.threads, begun.elapsed().as_secs_f64(), cpu.as_secs_f64()),
        all_cpu_s: cpu.as_secs_f64() * plan.vms as f64 / vms.max(1) as f64,
        ready_percent: 100.0 * tally.ready.as_secs_f64() / lived,
        faults: tally.faults,
        changes: tally.changes,
        digest: format!("{:016x}", tally.digest),
        same_with_any_threads,
        peak_mib: peak_mib(),
        debug_build: cfg!(debug_assertions),
    })
}

/// The healthy VM, or one that panics now and then; `panics_every` in days, on average.
fn made(panics_every: Option<f64>, days: u32, seed: u64) -> io::Result<Fleet> {
    let vm = manifest::read("vm.yaml", VM).map_err(io::Error::other)?;
    let mut spec = Scenario::read(SCENARIO).map_err(io::Error::other)?.spec;
    let step: Option<Step> = spec.steps.pop();
    let step = step.zip(panics_every).map(|(step, days)| (step, DAY.mul_f64(days)));
    let timings = Timings { pet_interval: PET_INTERVAL, ..Timings::default() };
    Ok(Fleet { vm, spec, timings, step, lasts: DAY * days, seed })
}

/// The first VMs of the fleet by so many threads.
fn run(fleet: &Fleet, vms: u64, threads: usize) -> Tally {
    let next = AtomicU64::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let numbers = chunk * CHUNK..vms.min((chunk + 1) * CHUNK);
            if numbers.is_empty() {
                return done;
            }
            done.push((chunk, sum(numbers.map(|number| fleet.run(number)))));
        }
    };
    let mut done: Vec<(u64, Tally)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(chunk, _)| *chunk);
    sum(done.into_iter().map(|(_, tally)| tally))
}

fn sum(tallies: impl Iterator<Item = Tally>) -> Tally {
    tallies.fold(Tally::default(), |mut all, next| {
        all.add(&next);
        all
    })
}

/// Three events, each of which comes again and again.
fn queue() -> Rate {
    let mut queue = Queue::default();
    for (event, offset) in [(0_u8, 0), (1, 3), (2, 7)] {
        queue.push(Time::from_secs(offset), event);
    }
    let (last, cpu) = cpu_of(|| {
        let mut last = Time::ZERO;
        for _ in 0..QUEUE_EVENTS {
            if let Some((at, event)) = queue.pop() {
                last = at;
                queue.push(at + PET_INTERVAL, event);
            }
        }
        last
    });
    std::hint::black_box(last);
    Rate { events_per_s: QUEUE_EVENTS as f64 / cpu.as_secs_f64(), vm_days_per_s: 0.0 }
}

/// The healthy VM's five events of each ten seconds from a heap, and nothing else is done.
fn bare_loop() -> Rate {
    let (begin, answer, pet) = (0_u8, 2_u8, 4_u8);
    let mut heap: BinaryHeap<Reverse<(Duration, u8)>> =
        [begin, begin + 1, pet].into_iter().map(|event| Reverse((PET_INTERVAL, event))).collect();
    let events = LOOP_DAYS * EVENTS_A_DAY;
    let (last, cpu) = cpu_of(|| {
        let mut last = Duration::ZERO;
        for _ in 0..events {
            if let Some(Reverse((at, event))) = heap.pop() {
                last = at;
                heap.push(Reverse(match event {
                    event if event < answer => (at + ANSWER, event + answer),
                    event if event < pet => (at + PET_INTERVAL - ANSWER, event - answer),
                    event => (at + PET_INTERVAL, event),
                }));
            }
        }
        last
    });
    std::hint::black_box(last);
    let seconds = cpu.as_secs_f64();
    Rate { events_per_s: events as f64 / seconds, vm_days_per_s: last.as_secs_f64() / DAY.as_secs_f64() / seconds }
}

async fn simpy(scratch: &Path, progress: &Progress) -> io::Result<Rate> {
    progress.say("SimPy; the first time it is installed");
    std::fs::create_dir_all(scratch)?;
    let (venv, script) = (scratch.join("venv-simpy"), scratch.join("fleet.py"));
    let python = venv.join("bin/python");
    std::fs::write(&script, include_str!("fleet.py"))?;
    if !python.exists() {
        said(guarded("python3", &[]).args(["-m", "venv"]).arg(&venv).output().await?)?;
    }
    said(guarded(&python, &[]).args(["-m", "pip", "install", "-q", SIMPY]).output().await?)?;
    let days = SIMPY_DAYS.to_string();
    let text = said(guarded(&python, &[]).arg(&script).arg(days).output().await?)?;
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [events, seconds] = figures[..] else { return Err(io::Error::other(format!("no figures in {text:?}"))) };
    Ok(Rate { events_per_s: events / seconds, vm_days_per_s: f64::from(SIMPY_DAYS) / seconds })
}

/// What a program printed, if all went well; else its last line.
fn said(output: Output) -> io::Result<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(io::Error::other(text(&output.stderr).lines().last().unwrap_or("no word").to_owned())),
    }
}

fn rate(tally: &Tally, days: u32, cpu: Duration) -> Rate {
    let vm_days_per_s = tally.vms as f64 * f64::from(days) / cpu.as_secs_f64();
    // As SimPy counts: a healthy VM's.
    Rate { events_per_s: vm_days_per_s * EVENTS_A_DAY as f64, vm_days_per_s }
}

/// With the CPU time of all threads.
fn cpu_of<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let used = || getrusage(UsageWho::RUSAGE_SELF).map_or(0, |u| (u.user_time() + u.system_time()).num_microseconds());
    let before = used();
    let done = work();
    (done, Duration::from_micros(u64::try_from(used() - before).unwrap_or(0).max(1)))
}

impl fmt::Display for FleetBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.debug_build {
            writeln!(f, "not a release build: several times slower than cargo run --release -p xtask -- bench fleet")?;
        }
        writeln!(f, "{:36} {:>14} {:>14}", "a second of CPU time", "events", "VM-days")?;
        for (name, rate) in &self.rows {
            writeln!(f, "{name:36} {:14.0} {:14.0}", rate.events_per_s, rate.vm_days_per_s)?;
        }
        if let Some(why) = &self.simpy_failed {
            writeln!(f, "SimPy could not be measured: {why}")?;
        }
        let (vms, of) = self.fleet;
        let (threads, wall, cpu) = self.took;
        writeln!(
            f,
            "{vms} of {of} VMs for {} days with a panic a month, {threads} threads: {wall:.1} s, CPU {cpu:.1} s",
            self.days
        )?;
        if vms < of {
            writeln!(f, "  all of them would take {:.0} s of CPU", self.all_cpu_s)?;
        }
        writeln!(
            f,
            "  {} faults, {} changes, Ready {:.4} %, digest {}",
            self.faults, self.changes, self.ready_percent, self.digest
        )?;
        let same = if self.same_with_any_threads { "the same" } else { "NOT THE SAME" };
        writeln!(f, "  with 1, 2, 3 and {threads} threads {same}; largest resident set {} MiB", self.peak_mib)
    }
}

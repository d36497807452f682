//! `bench fork`: a template's forks against cold boots of the same guest, and what many of them cost.

use super::stats::Spread;
use crate::host;
use crate::report::Machine;
use crate::run::catalogue::Case;
use crate::run::templates::{self, Making};
use crate::run::{Progress, Reality, Tally, remove_containers};
use nix::unistd::{SysconfVar, sysconf};
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;
use vmhealth_guests::guest::{BootMode, GuestEvent, Live};
use vmhealth_guests::net::GUEST_ADDRESS;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::probe::{self, HttpTarget, Network};
use vmhealth_guests::scratch::Scratch;
use vmhealth_guests::template::Template;
use vmhealth_sim::cluster::DomainEvent;
use vmhealth_sim::kubelet::Verdict;
use vmhealth_sim::manifest::Scheme;

/// How long a guest may take to answer, forked or booted.
const ANSWER_LIMIT: Duration = Duration::from_secs(300);
const PROBE_LIMIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);

/// How much is measured.
#[derive(Debug, Clone)]
pub struct ForkPlan {
    /// Forks, one after another.
    pub forks: usize,
    /// Cold boots, one after another.
    pub colds: usize,
    /// How many guests at once.
    pub guests: Vec<usize>,
    /// How long the largest number of them is watched.
    pub hold: Duration,
}

/// The results of `bench fork`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForkBench {
    /// Times of forks.
    pub fork: Times,
    /// Times of boots of the same guest from power-on.
    pub cold: Times,
    /// Cold boots' medians divided by forks' medians.
    pub ratio: Ratio,
    /// Many at once.
    pub memory: Vec<Crowd>,
    /// The machine that it was measured on.
    pub machine: Machine,
}

/// How long a guest takes from exec, seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Times {
    /// Until QMP's greeting.
    pub qmp_s: Spread,
    /// Until the agent's first reply.
    pub agent_s: Spread,
    /// Until the first HTTP 200.
    pub http_s: Spread,
}

/// How many times faster a fork is than a cold boot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Until the agent's first reply.
    pub agent: f64,
    /// Until the first HTTP 200.
    pub http: f64,
}

/// Many forks at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Crowd {
    /// How many forks.
    pub guests: usize,
    /// Their share of the host's memory (PSS), each, after they have answered.
    pub pss_mib_each: f64,
    /// From the first exec until all had answered HTTP.
    pub all_http_s: f64,
    /// CPU time of each guest while it was watched, as a share of one core.
    pub idle_cpu_each: f64,
    /// How long they were watched.
    pub held_s: f64,
    /// Watchdogs that fired meanwhile.
    pub fired: usize,
    /// Guests that were no longer there at the end.
    pub lost: usize,
}

/// Measures; `case` says which guest.
pub async fn fork(
    case: &Case,
    reality: &Reality,
    plan: &ForkPlan,
    machine: Machine,
    evidence: &Path,
    progress: &Progress,
) -> io::Result<ForkBench> {
    let scratch = Scratch::new()?;
    let bench = async {
        let (_never, cancelled) = watch::channel(false);
        let making = async {
            let unseen = Rc::new(RefCell::new(Tally::default()));
            let only = std::slice::from_ref(case);
            let mut making = Making::begin(only, reality, &scratch, &unseen, cancelled, progress)?;
            Ok::<_, io::Error>(making.next().await)
        };
        let ready = LocalSet::new().run_until(making).await?;
        let Some(template) = ready.and_then(|ready| ready.template) else {
            return Err(io::Error::other("there is no template to fork from"));
        };
        let platform = reality.platform(case).map_err(io::Error::other)?;
        let mut bench = Bench { case, platform, scratch: &scratch, evidence: evidence.to_owned(), number: 0 };
        let mut cold = Series::default();
        for n in 1..=plan.colds {
            cold.push(bench.one(BootMode::Cold, true, true).await?);
            progress.say(&format!(
                "cold boot {n} of {}: HTTP after {:.1} s",
                plan.colds,
                cold.http.last().unwrap_or(&0.0)
            ));
        }
        let mut forks = Series::default();
        // What is asked of a fork is all it does: one fork for each question.
        for _ in 0..plan.forks {
            forks.push(bench.one(BootMode::Fork(template.captured()), true, false).await?);
            forks.push(bench.one(BootMode::Fork(template.captured()), false, true).await?);
        }
        progress.say(&format!("{} forks", plan.forks));
        let (fork, cold) = (forks.times(), cold.times());
        let ratio =
            Ratio { agent: cold.agent_s.median / fork.agent_s.median, http: cold.http_s.median / fork.http_s.median };
        let mut memory = Vec::new();
        let largest = plan.guests.iter().max().copied();
        for guests in &plan.guests {
            let hold = if Some(*guests) == largest { plan.hold } else { Duration::from_secs(15) };
            let crowd = bench.crowd(*guests, hold, &template).await?;
            progress.say(&format!("{guests} guests at once: {:.1} MiB each", crowd.pss_mib_each));
            memory.push(crowd);
        }
        Ok(ForkBench { fork, cold, ratio, memory, machine })
    };
    let bench = bench.await;
    remove_containers(reality, &scratch).await;
    bench
}

#[derive(Default)]
struct Series {
    qmp: Vec<f64>,
    agent: Vec<f64>,
    http: Vec<f64>,
}

impl Series {
    fn push(&mut self, (qmp, agent, http): (f64, Option<f64>, Option<f64>)) {
        self.qmp.push(qmp);
        self.agent.extend(agent);
        self.http.extend(http);
    }

    fn times(self) -> Times {
        Times { qmp_s: Spread::of(self.qmp), agent_s: Spread::of(self.agent), http_s: Spread::of(self.http) }
    }
}

struct Bench<'a> {
    case: &'a Case,
    platform: &'a Platform,
    scratch: &'a Scratch,
    evidence: PathBuf,
    number: u32,
}

type Guest = (Live, mpsc::UnboundedReceiver<GuestEvent>);

impl Bench<'_> {
    /// Starts a guest; returns it with the moment of its exec and its number.
    async fn start(&mut self, mode: BootMode) -> io::Result<(Guest, Instant, u32)> {
        self.number += 1;
        let number = self.number;
        let scratch = self.scratch.subdir(&format!("b{number}"))?;
        let prepared = templates::spec(self.case, self.platform)
            .prepare(mode, number, &scratch, &self.evidence)
            .map_err(io::Error::other)?;
        let exec = Instant::now();
        Ok((prepared.launch(exec, false).await.map_err(io::Error::other)?, exec, number))
    }

    /// One guest alone: seconds from exec to QMP, to the agent's reply and to HTTP 200 as far as they are asked for.
    async fn one(&mut self, mode: BootMode, agent: bool, http: bool) -> io::Result<(f64, Option<f64>, Option<f64>)> {
        let ((live, _events), exec, number) = self.start(mode).await?;
        let agent = async { if agent { answers_agent(&live).await.map(Some) } else { Ok(None) } };
        let http = async { if http { answers_http(&live).await.map(Some) } else { Ok(None) } };
        let (agent, http) = tokio::join!(agent, http);
        let since = |at: Instant| (at - exec).as_secs_f64();
        let qmp = first_line(&self.evidence.join(format!("qmp-{number}.log")))?;
        Ok((qmp, agent?.map(since), http?.map(since)))
    }

    /// Many forks at once, as many starting at a time as there are cores.
    async fn crowd(&mut self, guests: usize, hold: Duration, template: &Arc<Template>) -> io::Result<Crowd> {
        let begun = Instant::now();
        let mut alive: Vec<Guest> = Vec::new();
        while alive.len() < guests {
            let mut batch = Vec::new();
            for _ in 0..host::cores().min(guests - alive.len()) {
                batch.push(self.start(BootMode::Fork(template.captured())).await?.0);
            }
            for (live, _) in &batch {
                answers_http(live).await?;
            }
            alive.append(&mut batch);
        }
        let all_http_s = begun.elapsed().as_secs_f64();
        let pids: Vec<u32> = alive.iter().filter_map(|(live, _)| live.pid()).collect();
        let pss: u64 = pids.iter().filter_map(|pid| pss_kib(*pid)).sum();
        let (cpu_before, watched) = (cpu_seconds(&pids), Instant::now());
        tokio::time::sleep(hold).await;
        let held_s = watched.elapsed().as_secs_f64();
        let cpu = cpu_seconds(&pids) - cpu_before;
        let (mut fired, mut lost) = (0, 0);
        for (_, events) in &mut alive {
            while let Ok(event) = events.try_recv() {
                fired += usize::from(matches!(event.event, DomainEvent::Watchdog(_)));
                lost += usize::from(matches!(event.event, DomainEvent::Exited(_)));
            }
        }
        Ok(Crowd {
            guests,
            pss_mib_each: pss as f64 / 1024.0 / guests as f64,
            all_http_s,
            idle_cpu_each: cpu / held_s / guests as f64,
            held_s,
            fired,
            lost,
        })
    }
}

async fn answers_agent(live: &Live) -> io::Result<Instant> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    let mut port = live.port.clone();
    while Instant::now() < deadline {
        // Its end is seen by the ping that cannot be sent.
        let _ = tokio::time::timeout_at(deadline, port.wait_for(|s| s.open)).await;
        if probe::ping(&live.agent, PROBE_LIMIT).await.verdict == Verdict::Success {
            return Ok(Instant::now());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(io::Error::other(format!("the agent did not answer within {} s", ANSWER_LIMIT.as_secs())))
}

async fn answers_http(live: &Live) -> io::Result<Instant> {
    let target = HttpTarget {
        scheme: Scheme::Http,
        host: GUEST_ADDRESS.to_string(),
        port: templates::HEALTH_PORT,
        path: "/healthz".into(),
        headers: Vec::new(),
    };
    let deadline = Instant::now() + ANSWER_LIMIT;
    let mut last = String::new();
    while Instant::now() < deadline {
        let attempt = probe::get(Network::Namespace(&live.netns), &target, PROBE_LIMIT).await;
        if attempt.verdict == Verdict::Success {
            return Ok(Instant::now());
        }
        last = attempt.text;
        tokio::time::sleep(POLL).await;
    }
    Err(io::Error::other(format!("no HTTP 200 within {} s; seen last: {last}", ANSWER_LIMIT.as_secs())))
}

/// When the transcript's first line came, seconds from its origin.
fn first_line(transcript: &Path) -> io::Result<f64> {
    let text = std::fs::read_to_string(transcript)?;
    let time = text.split(' ').next().and_then(|t| t.parse().ok());
    time.ok_or_else(|| io::Error::other(format!("{} is empty", transcript.display())))
}

fn pss_kib(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines().find_map(|l| l.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

/// User and system CPU time of all of these processes together.
fn cpu_seconds(pids: &[u32]) -> f64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
    let of = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, which may have anything in it, ends with the last parenthesis.
        let fields: Vec<u64> =
            text.rsplit(')').next()?.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
        Some(fields.iter().sum::<u64>() as f64)
    };
    pids.iter().filter_map(of).sum::<f64>() / ticks
}

impl fmt::Display for ForkBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {} cores, {}", self.machine.accel, self.machine.cores, self.machine.qemu)?;
        writeln!(f, "from exec to           QMP      agent   HTTP 200   (seconds, median / p95)")?;
        for (name, times) in [("fork", &self.fork), ("cold boot", &self.cold)] {
            let show = |s: &Spread| format!("{:.3} / {:.3}", s.median, s.p95);
            writeln!(
                f,
                "  {name:10} n={:<3} {:>15} {:>15} {:>15}",
                times.agent_s.n,
                show(&times.qmp_s),
                show(&times.agent_s),
                show(&times.http_s)
            )?;
        }
        writeln!(f, "  times faster: agent {:.0}, HTTP {:.0}", self.ratio.agent, self.ratio.http)?;
        writeln!(f, "guests  all HTTP s  PSS MiB each  idle % of a core each  held s  fired  lost")?;
        for c in &self.memory {
            writeln!(
                f,
                "{:6}  {:10.1}  {:12.1}  {:21.2}  {:6.0}  {:5}  {:4}",
                c.guests,
                c.all_http_s,
                c.pss_mib_each,
                100.0 * c.idle_cpu_each,
                c.held_s,
                c.fired,
                c.lost
            )?;
        }
        Ok(())
    }
}

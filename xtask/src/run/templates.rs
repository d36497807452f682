//! The templates that a run's cases fork from: each booted once. A case can begin as soon as its own is there.

use super::catalogue::Case;
use super::reality::{Progress, Reality};
use super::tally::{Tally, What};
use crate::host;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use vmhealth_guests::guest::VmSpec;
use vmhealth_guests::platform::Platform;
use vmhealth_guests::scratch::Scratch;
use vmhealth_guests::template::{self, CaptureError, Template, Templates};
use vmhealth_sim::engine::Config;

/// The port of the health server that scenarios ask for (that of OpenShift's documentation).
pub(crate) const HEALTH_PORT: u16 = 1500;

/// By case: the template that it forks from; `None`: it boots cold.
pub(crate) type CaseTemplates = Vec<Option<Arc<Template>>>;

/// A template that was found or made, or that cannot be had, and the cases that wait for it.
pub(crate) struct Ready {
    pub(crate) cases: Vec<usize>,
    /// `None`: they boot cold.
    pub(crate) template: Option<Arc<Template>>,
}

/// The templates of a run, being found or made. Each reason why there is none is said once.
pub(crate) struct Making {
    tasks: JoinSet<(String, Result<Template, CaptureError>)>,
    /// By template, the cases that wait for it; of the empty name are those that need none.
    waiting: BTreeMap<String, Vec<usize>>,
    reasons: BTreeSet<String>,
    store: Templates,
    cancelled: watch::Receiver<bool>,
    progress: Progress,
}

impl Making {
    /// Begins; must be called in a LocalSet.
    pub(crate) fn begin(
        cases: &[Case],
        reality: &Reality,
        scratch: &Scratch,
        tally: &Rc<RefCell<Tally>>,
        cancelled: watch::Receiver<bool>,
        progress: &Progress,
    ) -> io::Result<Making> {
        let store = Templates::new(&host::cache_folder());
        let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
        let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, case) in cases.iter().enumerate() {
            // A guest that cannot run needs none; its case says why. One that the cluster refuses is never started.
            let platform = reality.platform(case).ok().filter(|_| case.manifest.vmi.refusal().is_none());
            let Some(platform) = platform else {
                waiting.entry(String::new()).or_default().push(index);
                continue;
            };
            let (spec, watched) = (spec(case, platform), watched(case));
            let key = template::key(&spec, &watched);
            let scale = platform.guest_scale();
            let limit = Config::of(&case.scenario.spec, scale, platform.image.is_users()).scaled_boot_deadline();
            wanted.entry(key.clone()).or_insert(Wanted { spec, watched, limit });
            waiting.entry(key).or_default().push(index);
        }
        // In real time half of the cores: a boot that had to share one would be a slow boot in every fork's history.
        let cores = if reality.is_in_guest_time() { host::cores() } else { (host::cores() / 2).max(1) };
        let cores = Rc::new(Semaphore::new(cores));
        let mut tasks = JoinSet::new();
        for (index, (key, wanted)) in wanted.into_iter().enumerate() {
            let (store, cores, progress) = (store.clone(), cores.clone(), progress.clone());
            // Those that are there are opened in a moment.
            if !store.has(&key) {
                let of = waiting.get(&key).and_then(|cases| cases.first()).map_or("", |first| cases[*first].id());
                let noted = format!("template, {}, {}", wanted.spec.platform.architecture, reality.host);
                tally.borrow_mut().expect(What::Template, index, &format!("the template of {of}"), noted);
            }
            let tally = tally.clone();
            let scratch = scratch.subdir(&format!("t{index}"))?;
            tasks.spawn_local(async move {
                // Never closed.
                let _core = cores.acquire().await;
                let Wanted { spec, watched, limit } = wanted;
                let say = |line: &str| progress.say(line);
                let number = tally.borrow_mut().begins(What::Template, index, Instant::now());
                if !number.is_empty() {
                    say(&format!("template {number}: {key}"));
                }
                let made = template::ensure(&spec, &store, &watched, limit, &scratch, &say).await;
                tally.borrow_mut().ends(What::Template, index, Instant::now(), made.is_ok());
                (key, made)
            });
        }
        let progress = progress.clone();
        Ok(Making { tasks, waiting, reasons: BTreeSet::new(), store, cancelled, progress })
    }

    /// The next that is ready; `None` once every case has had its turn.
    pub(crate) async fn next(&mut self) -> Option<Ready> {
        if let Some(cases) = self.waiting.remove("") {
            return Some(Ready { cases, template: None });
        }
        loop {
            let done = tokio::select! {
                done = self.tasks.join_next() => done,
                // The tasks end with the set; every case then says that it was interrupted.
                _ = self.cancelled.wait_for(|c| *c) => None,
            };
            let (key, template) = match done {
                Some(Ok((key, Ok(template)))) => (key, Some(Arc::new(template))),
                Some(Ok((key, Err(e)))) => {
                    if self.reasons.insert(e.to_string()) {
                        self.progress.say(&format!("no template, booting cold: {e}"));
                    }
                    (key, None)
                }
                // A task that panicked has printed why; its cases are among those that are left at the end.
                Some(Err(_)) => continue,
                None => return self.end(),
            };
            if let Some(cases) = self.waiting.remove(&key) {
                return Some(Ready { cases, template });
            }
        }
    }

    /// Cases that are left boot cold, and the store gets room.
    fn end(&mut self) -> Option<Ready> {
        let cases: Vec<usize> = std::mem::take(&mut self.waiting).into_values().flatten().collect();
        if !cases.is_empty() {
            return Some(Ready { cases, template: None });
        }
        let evicted = self.store.evict();
        if evicted > 0 {
            self.progress.say(&format!("removed the {evicted} least recently used templates to free space"));
        }
        None
    }
}

struct Wanted {
    spec: VmSpec,
    watched: BTreeSet<u16>,
    /// For its boot.
    limit: Duration,
}

/// The guest of a case.
pub(crate) fn spec(case: &Case, platform: &Platform) -> VmSpec {
    VmSpec { manifest: case.manifest.clone(), profile: case.scenario.spec.guest.clone(), platform: platform.clone() }
}

/// The ports whose history its probes need. In a guest without user data of its own nothing can listen but the health
/// server; all ports but its are closed in it as they are in its forks.
fn watched(case: &Case) -> BTreeSet<u16> {
    let vmi = &case.manifest.vmi;
    if vmi.cloud_init.user_data.is_none() && !case.scenario.spec.guest.serves_probes {
        return BTreeSet::from([HEALTH_PORT]);
    }
    let probes = [&vmi.readiness, &vmi.liveness].into_iter().flatten();
    let probed = probes.filter_map(|probe| Some(vmi.destination(&probe.handler)?.ok()?.port()));
    let traffic = case.scenario.spec.traffic.as_ref().map(|t| t.port);
    probed.chain(traffic).chain([HEALTH_PORT]).collect()
}

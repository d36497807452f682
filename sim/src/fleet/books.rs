//! One VM's books: when it was available and when not, and what that is put down to.
//!
//! Available is a VM that is in the endpoints and answers there. Its loss is put down to what broke it last, from a kill by
//! liveness of a guest that would have come back to that kill: so a storm's cost is not its trigger's.

use super::outcome::Outcome;
use super::plan::{FALSE_RESTARTS, OTHER};
use crate::kubelet::{ProbeKind, ProbeResult};
use crate::time::Time;
use crate::trace::{DomainEvent, Entry, Event};
use crate::world::Member;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A failure that nobody has noticed for so long will not be.
const LATE: Duration = Duration::from_secs(600);

/// What a node's books have beside its outcome.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// False restarts of guests that have not served since the one before, by minute: restarts that are made by restarts.
    pub(super) repeated: BTreeMap<u64, u64>,
    /// When the last VM was back from an incident, or from a false restart that an incident made.
    pub(super) back: Option<Duration>,
}

/// What was broken, and is not yet known to be detected or over.
#[derive(Debug)]
struct Episode {
    /// Since when the VM does not serve.
    broke: Option<Time>,
    noticed: bool,
}

/// One VM's books.
#[derive(Debug)]
pub(super) struct Books {
    available: bool,
    /// Since when it is (not), as far as that is not written down yet.
    since: Time,
    lost_at: Time,
    cause: Option<usize>,
    misrouted_since: Option<Time>,
    episode: Option<Episode>,
    /// Causes of faults that were asked for and have not begun.
    asked: VecDeque<usize>,
    /// Causes from here on are incidents'.
    first_incident: usize,
    /// When the last incident is over, on the fleet's clock.
    over: Time,
    /// The present loss, or what broke last, goes back to an incident.
    of_incident: bool,
    /// The guest has not served since a false restart.
    restarted: bool,
    liveness_failed: Option<u32>,
}

impl Books {
    pub(super) fn new(member: &Member, first_incident: usize, over: Duration) -> Books {
        let sent = member.endpoint_serves();
        Books {
            available: sent == Some(true),
            since: Time::ZERO,
            lost_at: Time::ZERO,
            cause: None,
            misrouted_since: sent.filter(|serves| !serves).map(|_| Time::ZERO),
            episode: None,
            asked: VecDeque::new(),
            first_incident,
            over: Time::ZERO + over,
            of_incident: false,
            restarted: false,
            liveness_failed: None,
        }
    }

    /// A fault is going to begin for this cause.
    pub(super) fn asked(&mut self, cause: usize) {
        self.asked.push_back(cause);
    }

    /// From here on a loss is put down to this.
    pub(super) fn blame(&mut self, at: Time, cause: usize, outcome: &mut Outcome) {
        if !self.available {
            outcome.lose(self.cause.unwrap_or(OTHER), self.since, at);
            self.since = at;
        }
        self.cause = Some(cause);
        // A false restart goes back to what was before it.
        self.of_incident = cause >= self.first_incident || (cause == FALSE_RESTARTS && self.of_incident);
    }

    /// Takes what happened; `comes_back`: before it, the guest served or would have without anybody's help.
    pub(super) fn take(&mut self, at: Time, entry: &Entry, comes_back: bool, outcome: &mut Outcome, log: &mut Log) {
        let minute = at.as_nanos() / 60_000_000_000;
        match &entry.event {
            Event::FaultBegun(_) => {
                let cause = self.asked.pop_front().unwrap_or(OTHER);
                outcome.faults += 1;
                // One that comes while the VM does not serve belongs to what is under way.
                if self.episode.as_ref().is_some_and(|e| e.broke.is_none()) {
                    self.over(outcome);
                }
                self.episode.get_or_insert(Episode { broke: None, noticed: false });
                if self.available {
                    self.blame(at, cause, outcome);
                }
            }
            Event::FaultFailed(_) => {
                outcome.faults = outcome.faults.saturating_sub(1);
                self.episode = self.episode.take().filter(|e| e.broke.is_some());
            }
            Event::Published(ProbeKind::Liveness, ProbeResult::Failure) => self.liveness_failed = Some(entry.vmi),
            Event::Killing => {
                self.noticed();
                if self.liveness_failed.take() == Some(entry.vmi) {
                    outcome.kills += 1;
                    if comes_back {
                        outcome.false_restarts += 1;
                        if std::mem::replace(&mut self.restarted, true) {
                            *log.repeated.entry(minute).or_default() += 1;
                        }
                        self.blame(at, FALSE_RESTARTS, outcome);
                    }
                }
            }
            // Its first start was before the fleet's beginning.
            Event::Qemu(DomainEvent::Started) => {
                outcome.restarts += 1;
                *outcome.minutes.entry(minute).or_default() += 1;
            }
            Event::Qemu(DomainEvent::Reset { .. }) => {
                self.noticed();
                outcome.restarts += 1;
                *outcome.minutes.entry(minute).or_default() += 1;
            }
            Event::Endpoint(false) | Event::Qemu(DomainEvent::Watchdog(_) | DomainEvent::Panicked { .. }) => {
                self.noticed();
            }
            Event::Phase(phase) if phase.is_final() => self.noticed(),
            _ => {}
        }
    }

    fn noticed(&mut self) {
        if let Some(episode) = &mut self.episode {
            episode.noticed = true;
        }
    }

    /// Looks at the VM after everything that happened to it at `at`.
    pub(super) fn look(&mut self, at: Time, member: &Member, outcome: &mut Outcome, log: &mut Log) {
        let sent = member.endpoint_serves();
        match (self.misrouted_since, sent == Some(false)) {
            (None, true) => self.misrouted_since = Some(at),
            (Some(since), false) => {
                outcome.misrouted += at.since(since).as_nanos();
                self.misrouted_since = None;
            }
            _ => {}
        }
        if let Some(episode) = &mut self.episode {
            match (episode.broke, member.serves()) {
                (None, false) => episode.broke = Some(at),
                (Some(_), true) => self.over(outcome),
                _ => {}
            }
        }
        self.restarted &= !member.serves();
        let available = sent == Some(true);
        match (self.available, available) {
            (true, false) => (self.lost_at, self.since) = (at, at),
            (false, true) => {
                let cause = self.cause.take().unwrap_or(OTHER);
                outcome.lose(cause, self.since, at);
                outcome.recovered(at.since(self.lost_at));
                let under_way = cause == FALSE_RESTARTS && self.lost_at < self.over;
                if std::mem::take(&mut self.of_incident) || under_way {
                    log.back = log.back.max(Some(at.since_origin()));
                }
                // What was broken has had its effect.
                self.over(outcome);
            }
            _ => {}
        }
        self.available = available;
    }

    /// What became of the present failure, if there is one.
    fn over(&mut self, outcome: &mut Outcome) {
        let Some(Episode { broke, noticed }) = self.episode.take() else { return };
        let failures = &mut outcome.failures;
        match (broke, noticed) {
            (None, _) => failures.harmless += 1,
            (Some(_), true) => failures.detected += 1,
            (Some(_), false) => failures.passed += 1,
        }
    }

    /// The end.
    pub(super) fn close(mut self, at: Time, outcome: &mut Outcome) {
        outcome.vms += 1;
        outcome.lived += at.since_origin().as_nanos();
        outcome.misrouted += self.misrouted_since.map_or(0, |since| at.since(since).as_nanos());
        if !self.available {
            outcome.still_down += 1;
            outcome.lose(self.cause.unwrap_or(OTHER), self.since, at);
        }
        match self.episode.take() {
            Some(Episode { noticed: true, .. }) => outcome.failures.detected += 1,
            Some(Episode { broke: Some(broke), .. }) if at.since(broke) >= LATE => outcome.failures.never += 1,
            Some(Episode { broke: None, .. }) => outcome.failures.harmless += 1,
            // Whether anybody acts is not known yet.
            _ => {}
        }
    }
}

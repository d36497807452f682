//! The VMs of one node, gone through together: whichever is due first goes on, and what it takes of the node's capacity for boots is
//! missing to the others from that moment on.
//!
//! The guests that boot share the node evenly ([`Capacity`]). What happens at one moment happens before anybody's pace changes.

use super::books::{Books, Log};
use super::capacity::Capacity;
use super::chance::{Digest, mixed};
use super::outcome::Outcome;
use super::plan::{Coming, GroupPlan, Outside, Plan, on_its_clock};
use super::settle::{Settling, Storm};
use crate::engine::Input;
use crate::fault::{Fault, NodeLoss};
use crate::time::{Span, Time, earliest};
use crate::trace::{DomainEvent, Entry, Event};
use crate::world::{Member, Timings};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Runs the VMs of a node. `see` is shown what happens: the VM's number on the node, when it was on the fleet's clock, and what.
pub fn run_node(plan: &Plan, node: u32, see: &mut dyn FnMut(usize, Duration, &Entry)) -> Outcome {
    let mut running = Node::new(plan, node);
    running.run(see);
    running.close(plan, node)
}

/// A VM on a node.
struct One {
    member: Member,
    /// From its creation to the fleet's beginning.
    offset: Duration,
    coming: VecDeque<Coming>,
    /// When its node is without power, on the fleet's clock, and for which cause.
    outages: Vec<Outage>,
    books: Books,
    /// When it is due, on the fleet's clock.
    due: Option<Time>,
    boots: bool,
    /// At which it boots, or booted last.
    pace: f64,
}

type Outage = (Duration, Duration, usize);

struct Node {
    vms: Vec<One>,
    /// Who is due when, on the fleet's clock.
    due: BTreeSet<(Time, usize)>,
    capacity: Option<Capacity>,
    booting: usize,
    pace: f64,
    end: Time,
    outcome: Outcome,
    log: Log,
    digest: Digest,
    /// When the last incident is over.
    over: Duration,
}

impl Node {
    /// Its VMs, each of them up if it ever is.
    fn new(plan: &Plan, node: u32) -> Node {
        let mut made = Node {
            vms: Vec::new(),
            due: BTreeSet::new(),
            capacity: plan.capacity,
            booting: 0,
            pace: 1.0,
            end: Time::ZERO + plan.horizon,
            outcome: Outcome::new(plan.horizon, plan.causes().len()),
            log: Log::default(),
            digest: Digest::default(),
            over: plan.over(node),
        };
        let mut taken = vec![0; plan.incidents.len()];
        for (index, group) in plan.groups.iter().enumerate() {
            for number in 0..plan.share(group, node) {
                let mut random = plan.random(node, index, number);
                let offset = group.offset(&mut random);
                let (spec, config) = group.scenario(&mut random);
                let boots = (group.boots, random.u64(..));
                let member = Member::new(&group.vm, &spec, config, Timings::default(), boots);
                let (coming, outages) = befalls(plan, node, group, &mut taken);
                let coming = by_time(coming, group.by_chance(plan.horizon, &mut random));
                made.join(plan, member, offset, coming, outages);
            }
        }
        made
    }

    /// Goes through what a VM was before the fleet's beginning, by itself.
    fn join(
        &mut self,
        plan: &Plan,
        mut member: Member,
        offset: Duration,
        coming: VecDeque<Coming>,
        outages: Vec<Outage>,
    ) {
        let begins = on_its_clock(Duration::ZERO, offset);
        let first = coming.front().map_or(self.end.since_origin() * 2, |(at, ..)| *at);
        let next = member.run_until(begins, on_its_clock(first, offset));
        member.news();
        let books = Books::new(&member, plan.first_incident(), self.over);
        let one = One { books, boots: false, pace: 1.0, due: None, member, offset, coming, outages };
        let next = one.due_after(next);
        self.vms.push(one);
        let index = self.vms.len() - 1;
        self.set_due(index, next);
        self.count(index);
    }

    fn run(&mut self, see: &mut dyn FnMut(usize, Duration, &Entry)) {
        let mut at_once: Vec<usize> = (0..self.vms.len()).collect();
        self.share(Time::ZERO, &at_once);
        while let Some((at, _)) = self.due.first().copied().filter(|(at, _)| *at <= self.end) {
            at_once.clear();
            while let Some((_, index)) = self.due.first().copied().filter(|(due, _)| *due == at) {
                self.set_due(index, None);
                at_once.push(index);
            }
            for index in &at_once {
                let next = self.go_on(*index, at, see);
                self.set_due(*index, next);
                self.count(*index);
            }
            self.share(at, &at_once);
        }
    }

    fn set_due(&mut self, index: usize, next: Option<Time>) {
        let Some(one) = self.vms.get_mut(index) else { return };
        if let Some(before) = std::mem::replace(&mut one.due, next) {
            self.due.remove(&(before, index));
        }
        self.due.extend(next.map(|next| (next, index)));
    }

    /// Goes on with a VM; when it is due next.
    fn go_on(&mut self, index: usize, at: Time, see: &mut dyn FnMut(usize, Duration, &Entry)) -> Option<Time> {
        let one = self.vms.get_mut(index)?;
        let (since, now) = (at.since_origin(), on_its_clock(at.since_origin(), one.offset));
        while one.coming.front().is_some_and(|(comes, ..)| *comes <= since) {
            let Some((_, what, cause)) = one.coming.pop_front() else { break };
            match what {
                Outside::Breaks(fault) => one.breaks(now, fault, cause),
                Outside::Asks(request) => {
                    one.member.tell(now, Input::Requested { request });
                    one.books.blame(at, cause, &mut self.outcome);
                }
                Outside::Image(good) => one.member.set_image(good),
            }
        }
        let outside = one.coming.front().map_or(self.end.since_origin() * 2, |(comes, ..)| *comes);
        let comes_back = one.member.comes_back();
        let mut next = one.member.run_until(now, on_its_clock(outside, one.offset));
        let mut started = false;
        for entry in one.member.news() {
            started |= entry.event == Event::Qemu(DomainEvent::Started);
            one.books.take(at, &entry, comes_back, &mut self.outcome, &mut self.log);
            self.outcome.changes += 1;
            self.digest.add(&index.to_le_bytes());
            self.digest.entry(&entry);
            see(index, since, &entry);
        }
        let without_power = one.outages.iter().find(|(from, to, _)| *from <= since && since < *to).copied();
        if let Some((_, back, cause)) = without_power.filter(|_| started) {
            // It was on its way when the power went, and is lost with the others.
            let lasting = Some(Span(back.saturating_sub(since)));
            one.breaks(now, Fault::NodeLost { lasting, by: NodeLoss::PowerLoss }, cause);
            next = Some(now);
        }
        one.books.look(at, &one.member, &mut self.outcome, &mut self.log);
        one.due_after(next)
    }

    /// Whether it boots now.
    fn count(&mut self, index: usize) {
        let Some(one) = self.vms.get_mut(index) else { return };
        let boots = one.member.is_booting();
        match (std::mem::replace(&mut one.boots, boots), boots) {
            (false, true) => self.booting += 1,
            (true, false) => self.booting -= 1,
            _ => {}
        }
    }

    /// Gives each guest that boots its pace, where it has another one; `changed`: those that may have begun just now.
    fn share(&mut self, at: Time, changed: &[usize]) {
        let Some(capacity) = self.capacity else { return };
        let pace = capacity.pace(self.booting);
        let same = std::mem::replace(&mut self.pace, pace) == pace;
        let all: Vec<usize> = if same { changed.to_vec() } else { (0..self.vms.len()).collect() };
        for index in all {
            let Some(one) = self.vms.get_mut(index).filter(|one| one.boots && one.pace != pace) else { continue };
            one.pace = pace;
            one.member.set_pace(on_its_clock(at.since_origin(), one.offset), pace);
            // When it is due now it says itself.
            self.set_due(index, Some(at));
        }
    }

    fn close(self, plan: &Plan, node: u32) -> Outcome {
        let mut outcome = self.outcome;
        for one in self.vms {
            outcome.steps += one.member.steps();
            one.books.close(self.end, &mut outcome);
        }
        outcome.nodes = 1;
        outcome.storm = Storm::of(outcome.vms, &outcome.minutes);
        outcome.settling =
            Settling::of((node, outcome.vms), (self.over, plan.horizon), &self.log.repeated, self.log.back);
        outcome.digest = mixed(self.digest.value() ^ mixed(node.into()));
        outcome
    }
}

impl One {
    fn breaks(&mut self, now: Time, fault: Fault, cause: usize) {
        self.member.tell(now, Input::Asked { fault });
        self.books.asked(cause);
    }

    /// When it is due on the fleet's clock: by itself, or because something comes to it.
    fn due_after(&self, next: Option<Time>) -> Option<Time> {
        let own = next.map(|next| Time::ZERO + next.since(on_its_clock(Duration::ZERO, self.offset)));
        let coming = self.coming.front().map(|(at, ..)| Time::ZERO + *at);
        earliest([own, coming])
    }
}

/// What incidents are to a VM of the group; `taken`: how many VMs of the node each has found before it.
fn befalls(plan: &Plan, node: u32, group: &GroupPlan, taken: &mut [u32]) -> (Vec<Coming>, Vec<Outage>) {
    let (mut coming, mut outages) = (Vec::new(), Vec::new());
    for (incident, taken) in plan.incidents.iter().zip(taken) {
        let here = incident.is_on(node) && incident.concerns(&group.name);
        if !here || incident.vms.is_some_and(|vms| *taken >= vms) {
            continue;
        }
        let cause = plan.cause_of(incident);
        coming.extend(incident.comes(*taken, &group.vm).into_iter().map(|(at, what)| (at, what, cause)));
        outages.extend(incident.without_power().map(|(from, to)| (from, to, cause)));
        *taken += 1;
    }
    (coming, outages)
}

/// In the order of their times; of one moment, what incidents bring comes first.
fn by_time(mut all: Vec<Coming>, more: Vec<Coming>) -> VecDeque<Coming> {
    all.extend(more);
    all.sort_by_key(|(at, ..)| *at);
    all.into()
}

#[cfg(test)]
mod tests {
    use super::super::{FleetFile, Resolved};
    use super::*;
    use crate::fixture::vm;
    use crate::manifest::WatchdogAction;
    use crate::scenario::{GuestProfile, Step};
    use crate::world;
    use crate::yaml;
    use fastrand::Rng;

    const FAULTS: [&str; 13] = [
        "kernelPanic",
        "killWatchdog",
        "stopWatchdog",
        "killQemu",
        "killLauncher",
        "guestReboot",
        "guestPoweroff",
        "{health: hang}",
        "{hangAgent: {for: 40s}}",
        "{networkLoss: {for: 50s}}",
        "{ioError: {for: 20s}}",
        "{nodeLost: {for: 4m, by: powerLoss}}",
        "{bootLoop: panic}",
    ];

    /// With nobody beside it a VM of a fleet is what the engine's own run makes of it: each change and its time.
    #[test]
    fn a_vm_alone_is_the_engines_own() {
        let (mut compared, guest) =
            (0, "{healthServer: true, watchdogDaemon: {heartbeatSeconds: 30, keepalive: masked}}");
        for case in 0..96 {
            let mut random = Rng::with_seed(case);
            let fault = FAULTS[usize::try_from(case).unwrap() % FAULTS.len()];
            let (at, boot) = (Duration::from_millis(random.u64(1..3_600_000)), random.u64(10..120));
            let (period, action) = (random.u32(1..15), *random.choice(&WatchdogAction::ALL).unwrap());
            let vm = vm()
                .watchdog(action)
                .readiness(&format!("httpGet: {{port: 1500, path: /healthz}}, periodSeconds: {period}"))
                .liveness_http(1500)
                .build();
            let capacity = if random.bool() { ", bootsAtFullSpeed: 1" } else { "" };
            let text = format!(
                "{{apiVersion: vmhealth.dev/v1alpha1, kind: Fleet, metadata: {{name: f}}, spec: {{for: 3h, seed: {case}, \
                 nodes: {{count: 1{capacity}}}, groups: [{{name: a, manifest: m, count: 1, boot: {{is: {boot}s}}}}], \
                 incidents: [{{at: {}ms, fault: {fault}}}]}}}}",
                at.as_millis()
            );
            let file = FleetFile::read("f", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let guest: GuestProfile = yaml::read(guest).unwrap();
            let plan = Plan::new(&file, vec![Resolved { vm: vm.clone(), guest }]).unwrap();
            let mut seen = Vec::new();
            run_node(&plan, 0, &mut |_, _, entry| seen.push((entry.at, entry.vmi, entry.event.clone())));

            let (group, mut chance) = (&plan.groups[0], plan.random(0, 0, 0));
            let offset = group.offset(&mut chance);
            let (mut spec, config) = group.scenario(&mut chance);
            let fault = fault.parse().ok();
            spec.steps = vec![Step { after: None, guarded_within: None, plus: Span(offset + at), fault, user: None }];
            let timings = Timings::booting_in(Duration::from_secs(boot));
            let (_, trace, _) = world::run_skipping(&vm, &spec, config, timings);
            let span = on_its_clock(Duration::ZERO, offset)..on_its_clock(plan.horizon, offset);
            let own = trace.entries().iter().filter(|e| e.at > span.start && e.at <= span.end);
            let own: Vec<_> = own.map(|e| (e.at, e.vmi, e.event.clone())).collect();
            assert_eq!(seen, own, "{text}");
            compared += own.len();
        }
        assert!(compared > 1000, "{compared}");
    }
}

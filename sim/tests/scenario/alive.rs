//! Whether a VM serves: what a fault, the guest's boots and its probes say of it.

use vmhealth_sim::fixture::scenario;
use vmhealth_sim::kubelet::{ProbeKind, Verdict};
use vmhealth_sim::scenario::{Alive, Fault, FaultKind, Health, Step};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{DomainEvent, Entry, Event, Exit, Outage, PanicAction, Ready, ShutdownCause};

fn steps(faults: &[&str]) -> Vec<Step> {
    let steps: Vec<String> = faults.iter().map(|fault| format!("{{after: guest ready, fault: {fault}}}")).collect();
    scenario().guest("healthServer: true").steps(&steps.join(", ")).build().spec.steps
}

fn sees(alive: &mut Alive, events: &[Event]) {
    for event in events {
        let entry = Entry { at: Time::ZERO, vmi: 1, event: event.clone(), detail: String::new(), replayed: false };
        alive.observe(&entry);
    }
}

/// The next of the faults begins, whichever that is.
const BEGUN: Event = Event::FaultBegun(FaultKind::KernelPanic);

/// After which events, and behind which faults, a guest that was up does not answer.
#[test]
fn what_ends_the_answers() {
    use Event::{FaultOver, GuestReady, Qemu};
    let lost = FaultOver(Outage(FaultKind::NetworkLoss));
    for (faults, events, answers) in [
        (&[][..], vec![], true),
        (&[], vec![Qemu(DomainEvent::Started)], false),
        (&[], vec![Qemu(DomainEvent::Reset { reason: ShutdownCause::GuestReset })], false),
        (&[], vec![Qemu(DomainEvent::Panicked { action: PanicAction::Pause })], false),
        (&[], vec![Qemu(DomainEvent::Shutdown { reason: ShutdownCause::GuestShutdown })], false),
        (&[], vec![Qemu(DomainEvent::Exited(Exit::Status(0)))], false),
        (&[], vec![Qemu(DomainEvent::Started), GuestReady], true),
        (&["kernelPanic"], vec![BEGUN], false),
        (&["{health: {status: 399}}"], vec![BEGUN], true),
        (&["{health: {status: 400}}"], vec![BEGUN], false),
        // Its next boot has the service again.
        (&["{health: stop}"], vec![BEGUN, GuestReady], true),
        (&["{unit: {stop: vmhealth-health.service}}"], vec![BEGUN], false),
        (&["{unit: {freeze: vmhealth-health.service}}"], vec![BEGUN], false),
        (&["{unit: {stop: cron.service}}"], vec![BEGUN], true),
        (&["{networkLoss: {for: 5s}}"], vec![BEGUN], false),
        (&["{networkLoss: {for: 5s}}"], vec![BEGUN, lost.clone()], true),
        (&["{networkLoss: {for: 5s}}"; 2], vec![BEGUN, BEGUN, lost.clone()], false),
        // Another guest has a network of its own.
        (&["{networkLoss: {for: 5s}}"], vec![BEGUN, Qemu(DomainEvent::Started), GuestReady], true),
        // Each fault is the next of the steps.
        (&["{health: {status: 200}}", "{health: {status: 500}}", "{health: start}"], vec![BEGUN, BEGUN], false),
        (&["{health: {status: 200}}", "{health: {status: 500}}", "{health: start}"], vec![BEGUN; 3], true),
    ] {
        let mut alive = Alive::new(&steps(faults), false);
        sees(&mut alive, &[GuestReady]);
        sees(&mut alive, &events);
        assert_eq!(alive.answers(), answers, "{faults:?} {events:?}");
    }
}

/// What somebody asks for while the scenario runs comes before what the scenario still has.
#[test]
fn a_fault_in_between() {
    let mut alive = Alive::new(&steps(&["{health: stop}"]), false);
    alive.breaks_next(Some(Fault::Health(Health::Status(200))));
    sees(&mut alive, &[Event::GuestReady, BEGUN]);
    assert!(alive.answers());
    sees(&mut alive, &[BEGUN]);
    assert!(!alive.answers());
}

/// A new guest has to show its liveness anew.
#[test]
fn a_vm_is_guarded_once_its_liveness_has_succeeded() {
    let up = [Event::GuestReady, Event::Ready(Ready::True)];
    let success = [Event::Answered(ProbeKind::Liveness, Verdict::Success)];
    let readiness = [Event::Answered(ProbeKind::Readiness, Verdict::Success)];
    let started = [Event::Qemu(DomainEvent::Started)];
    for (has_liveness, seen, guarded) in [
        (false, vec![&up[..]], true),
        (true, vec![&up], false),
        (true, vec![&up, &readiness], false),
        (true, vec![&up, &success], true),
        (true, vec![&up, &success, &started, &up], false),
        (true, vec![&success, &up[..1]], false),
    ] {
        let mut alive = Alive::new(&[], has_liveness);
        seen.iter().for_each(|events| sees(&mut alive, events));
        assert_eq!(alive.is_guarded(), guarded, "{has_liveness} {seen:?}");
    }
}

//! A guest whose disk fails (kubevirt-health.md 7.5): what is told of it, when virt-handler lets it go on, and when it does not.

use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::trace::Entry;
use vmhealth_sim::world::{self, Timings};

/// What is seen of a guest that stands still, from two seconds after it was ready: milliseconds, the event, and what it says.
fn seen(steps: &str) -> Vec<String> {
    let vm = vm().strategy("Once").spec("terminationGracePeriodSeconds: 20").build();
    let steps = format!("{{after: guest ready, plus: 2s, {steps}");
    let spec = scenario().steps(&steps).observe("2m").build().spec;
    let (_, trace, _) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
    let entries = trace.sorted();
    let ready =
        entries.iter().find(|e| e.event.to_string() == "guest ready").unwrap_or_else(|| panic!("{entries:#?}")).at;
    let line =
        |e: &Entry| format!("{} {} {}", e.at.since(ready).as_millis() - 2000, e.event, e.detail).trim().to_owned();
    let shown = |e: &&Entry| {
        let text = e.event.to_string();
        e.at > ready && ["vmi paused", "qemu RESUME", "vmi event IOerror"].iter().any(|word| text.starts_with(word))
    };
    entries.iter().filter(shown).map(line).collect()
}

#[test]
fn what_a_disk_that_fails_comes_to() {
    let broken = "vmi event IOerror Warning: VM Paused due to IO error at the volume: root";
    let full = "vmi event IOerror Warning: VM Paused due to not enough space on volume: root";
    for (name, steps, expected) in [
        (
            "it fails again at once, then after 10 s; after the next wait, twice as long, it is seen to go on when virt-launcher looks",
            "fault: {ioError: {for: 15s}}}",
            format!(
                "0 {broken}, 0 vmi paused True PausedIOError, 0 qemu RESUME, 0 {broken}, 10000 qemu RESUME, 10000 {broken}, \
                 30000 qemu RESUME, 30100 vmi paused gone"
            ),
        ),
        (
            "what it lies on is full",
            "fault: {ioError: {for: 5s, error: noSpace}}}",
            format!(
                "0 {full}, 0 vmi paused True PausedIOError, 0 qemu RESUME, 0 {full}, 10000 qemu RESUME, 10100 vmi paused gone"
            ),
        ),
        (
            "its pod is stopped: nobody lets it go on, and after its grace period it is destroyed",
            "fault: {ioError: {for: 5s}}}, {user: deletePod}",
            format!("0 {broken}, 0 vmi paused True PausedIOError, 0 qemu RESUME, 0 {broken}, 20050 vmi paused gone"),
        ),
        ("a user pauses it: no disk has failed", "user: pause}", "0 vmi paused True PausedByUser".to_owned()),
    ] {
        assert_eq!(seen(steps).join(", "), expected, "{name}");
    }
}

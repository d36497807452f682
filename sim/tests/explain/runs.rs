//! What is said of VMs that the model runs: one for each way of noticing, of acting, of not noticing and of not coming back.

use vmhealth_sim::engine::Config;
use vmhealth_sim::explain::{Explanation, explain};
use vmhealth_sim::fixture::{Vm, scenario, vm};
use vmhealth_sim::manifest::WatchdogAction;
use vmhealth_sim::world::{self, Timings};

/// A VM, its guest's profile, what is done to it, and how long it is watched from its first fault on.
struct Row {
    name: &'static str,
    vm: Vm,
    guest: &'static str,
    steps: String,
    watched: &'static str,
}

fn row(name: &'static str, vm: Vm, guest: &'static str, steps: &str, watched: &'static str) -> Row {
    Row { name, vm, guest, steps: steps.to_owned(), watched }
}

fn explained(Row { vm, guest, steps, watched, .. }: &Row) -> Vec<Explanation> {
    let vm = vm.build();
    let seen = if steps.contains("fault:") { "fault" } else { "vm status" };
    let expect = format!("{{see: {seen}, within: 0s..1h}}");
    let spec = scenario().guest(guest).steps(steps).expect(&expect).observe(watched).build().spec;
    let (_, trace, end) = world::run(&vm, &spec, Config::of(&spec, 1.0, false), Timings::default());
    explain(&vm, &spec, &trace, end)
}

fn said(rows: &[Row]) -> String {
    let of = |row: &Row| {
        let all: String = explained(row).iter().map(ToString::to_string).collect();
        format!("# {}\n{all}\n", row.name)
    };
    rows.iter().map(of).collect()
}

/// Half a minute after the guest was ready: the probes have succeeded by then.
fn breaks(fault: &str) -> String {
    format!("{{after: guest ready, plus: 30s, fault: {fault}}}")
}

/// After other steps, so long after the last of them.
fn then(steps: &str, plus: &str, action: &str) -> String {
    format!("{steps}, {{plus: {plus}, {action}}}")
}

const HTTP: &str = "httpGet: {port: 1500, path: /healthz}, periodSeconds: 2, failureThreshold: 4";
const SERVER: &str = "healthServer: true";
const DAEMON: &str = "watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}";
const SERVER_AND_DAEMON: &str = "healthServer: true, watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}";
const RESET: WatchdogAction = WatchdogAction::Reset;

fn ready() -> Vm {
    vm().readiness(HTTP)
}

fn live() -> Vm {
    vm().liveness(&format!("{HTTP}, initialDelaySeconds: 20"))
}

fn both() -> Vm {
    live().readiness(HTTP)
}

#[test]
fn of_probes() {
    let (stop, hang) = (breaks("{health: stop}"), breaks("{health: hang}"));
    let open = vm().readiness(HTTP).liveness("tcpSocket: {port: 1500}, periodSeconds: 3");
    let ping = vm().readiness("guestAgentPing: {}, periodSeconds: 2");
    let told = ["{status: 500}", "{redirect: /elsewhere}", "hang", "{slow: 200ms}", "start"];
    let told = told.iter().fold(stop.clone(), |all, to| then(&all, "1s", &format!("fault: {{health: {to}}}")));
    let early = "{after: guest ready, fault: {health: {status: 500}}}";
    let rows = [
        row("readiness first, liveness later", both(), SERVER, &stop, "2m"),
        row("readiness only", ready(), SERVER, &stop, "2m"),
        row("a server that hangs has its port open", open, SERVER, &hang, "40s"),
        row("an agent that is away for a while", ping, "", &breaks("{stopAgent: {for: 15s}}"), "1m"),
        row("too short for failureThreshold", both(), SERVER, &breaks("{networkLoss: {for: 4s}}"), "1m"),
        row("what the server is told", vm(), SERVER, &told, "0s"),
        row("before readiness has succeeded", ready(), SERVER, &then(early, "5s", "fault: {health: start}"), "1m"),
        row("before liveness has succeeded", live(), SERVER, early, "1m"),
    ];
    insta::assert_snapshot!(said(&rows));
}

#[test]
fn of_a_kubelet_that_starts_anew() {
    let steps = then(&breaks("{health: stop}"), "4s", "user: {restartKubelet: {}}");
    let rows = [
        row("what its probes had counted is forgotten", live(), SERVER, &steps, "1m"),
        row("by the end it has counted to two again", live(), SERVER, &steps, "7s"),
    ];
    insta::assert_snapshot!(said(&rows));
}

#[test]
fn of_watchdogs() {
    let [panic, killed, hang] = ["kernelPanic", "killWatchdog", "{health: hang}"].map(breaks);
    let of = |action| vm().watchdog(action);
    let takeover = "watchdogDaemon: {heartbeatSeconds: 10, keepalive: takeover}";
    let slow = "healthServer: true, watchdogDaemon: {heartbeatSeconds: 60, keepalive: masked}";
    let patient = vm().liveness("tcpSocket: {port: 1500}, periodSeconds: 3, failureThreshold: 20").watchdog(RESET);
    let rows = [
        row("it resets the guest before liveness has made up its mind", patient, SERVER_AND_DAEMON, &panic, "1m"),
        row(
            "it ends the VMI, and nobody makes another",
            of(WatchdogAction::Poweroff).strategy("Once"),
            DAEMON,
            &panic,
            "1m",
        ),
        row("it resets the guest, and liveness ends the VMI", live().watchdog(RESET), SERVER_AND_DAEMON, &killed, "1m"),
        row("liveness is quicker", live().watchdog(RESET), slow, &panic, "2m"),
        row("its action mends nothing", of(WatchdogAction::None), DAEMON, &panic, "1m"),
        row("another program takes over", of(RESET), takeover, &killed, "1m"),
        row("nothing has armed it", of(RESET), "", &panic, "1m"),
        row("the user's own daemon", of(RESET), "ownWatchdogDaemon: true", &panic, "1m"),
        row("it is petted all the same", of(RESET), SERVER_AND_DAEMON, &hang, "1m"),
        row("it stands still", of(RESET), DAEMON, &breaks("{ioError: {for: 35s}}"), "2m"),
        row("the next fault comes first", of(RESET), DAEMON, &then(&panic, "3s", "fault: guestPoweroff"), "1m"),
    ];
    insta::assert_snapshot!(said(&rows));
}

#[test]
fn of_those_who_see_the_machine_only() {
    let [panic, off, killed] = ["kernelPanic", "guestPoweroff", "killQemu"].map(breaks);
    let cut_off = |span: &str| breaks(&format!("{{nodeLost: {{for: {span}}}}}"));
    let no_power = breaks("{nodeLost: {for: 7m, by: powerLoss}}");
    let manual = format!("{{user: start}}, {killed}");
    let late = then(&panic, "30s", "fault: {networkLoss: {for: 10s}}");
    let rows = [
        row("a panic device", vm().device("panicDevices: [{model: isa}]"), "", &panic, "1m"),
        row("a mainframe", vm().spec("architecture: s390x"), "", &panic, "1m"),
        row("nobody", vm(), "", &panic, "1m"),
        row("what would have helped before is not asked", vm(), "", &late, "1m"),
        row("a disk has failed", both(), SERVER, &breaks("{ioError: {for: 90s}}"), "3m"),
        row("a disk is full for a moment", vm(), "", &breaks("{ioError: {for: 3s, error: noSpace}}"), "1m"),
        row("the guest is off", vm().strategy("RerunOnFailure"), "", &off, "1m"),
        row("QEMU is killed", vm().strategy("Manual"), "", &manual, "1m"),
        row("a node is cut off", both(), SERVER, &cut_off("7m"), "10m"),
        row("a node is cut off for a moment", both(), SERVER, &cut_off("20s"), "1m"),
        row("a node has no power", both().watchdog(RESET), SERVER_AND_DAEMON, &no_power, "10m"),
        row("a reboot of the guest's own", vm(), "", &breaks("guestReboot"), "1m"),
    ];
    insta::assert_snapshot!(said(&rows));
}

#[test]
fn of_runs_in_which_nothing_is_broken() {
    let hasty = vm().liveness("tcpSocket: {port: 9}, initialDelaySeconds: 20, periodSeconds: 2");
    let rows = [
        row("all is well", live(), SERVER, "", "1m"),
        row("a user stops it", vm(), SERVER, "{after: guest ready, user: stop}", "1m"),
        row("a probe asks the wrong port", hasty, "", "", "3m"),
        row("it was never Ready", vm().readiness("tcpSocket: {port: 9}"), "", "", "1m"),
        row("nobody starts it", vm().strategy("Manual"), "", "", "1m"),
    ];
    insta::assert_snapshot!(said(&rows));
}

/// Each boot is longer than liveness waits.
#[test]
fn of_a_vm_that_is_restarted_again_and_again() {
    let steps = then(&breaks("{slowBoot: {by: 60s}}"), "1s", "fault: killQemu");
    let row = row("it never comes up again", live(), SERVER, &steps, "10m");
    insta::assert_snapshot!(said(&[row]));
}

/// For programs as for readers.
#[test]
fn the_parts_of_what_took_how_long() {
    let row = row("a reset", vm().watchdog(RESET), DAEMON, &breaks("kernelHang"), "1m");
    let all = explained(&row);
    let parts = all[0].parts.iter().map(|part| (part.what.as_str(), part.after_ms));
    assert_eq!(
        parts.collect::<Vec<_>>(),
        [
            ("the watchdog fires; the guest is reset in place", 10_066),
            ("the guest has booted; back: Ready, and the guest answers", 27_066),
        ]
    );
}

#[test]
fn of_what_users_and_strategies_do() {
    let [panic, off, killed] = ["kernelPanic", "guestPoweroff", "killQemu"].map(breaks);
    let started = format!("{off}, {{after: vm event SuccessfulDelete, plus: 5s, user: start}}");
    let stopped = format!("{{user: start}}, {}", then(&breaks("killAgent"), "5s", "user: stop"));
    let of = |strategy| vm().strategy(strategy);
    let watched = vm().watchdog(RESET);
    let too_soon = then(&breaks("killWatchdog"), "2s", "user: stop");
    let paused = then(&breaks("kernelHang"), "2s", "user: pause");
    let later = "{after: guest ready, plus: 30s, user: restart}, {plus: 60s, fault: killQemu}".to_owned();
    let restarted =
        "{user: start}, {after: guest ready, plus: 30s, user: restart}, {plus: 100ms, fault: killQemu}".to_owned();
    let rows = [
        row("a user starts it again", of("RerunOnFailure"), "", &started, "1m"),
        row("a user restarts it, and nobody had noticed", of("Always"), "", &then(&panic, "3s", "user: restart"), "1m"),
        row("a user stops it, and the guest obeys", of("Manual"), "", &stopped, "1m"),
        row("a user has stopped it before its watchdog's timeout was over", watched.clone(), DAEMON, &too_soon, "1m"),
        row("a user has paused it: its watchdog's time stands still", watched, DAEMON, &paused, "1m"),
        row(
            "it powers itself off, and a user stops it too late",
            of("Always"),
            "",
            &then(&off, "1s", "user: stop"),
            "1m",
        ),
        row("it breaks while a user's restart is under way", of("Manual"), "", &restarted, "1m"),
        row("it breaks long after a user's restart", of("RerunOnFailure"), "", &later, "1m"),
        row("a reboot ends it", vm().domain("rebootPolicy: Terminate"), "", &breaks("guestReboot"), "1m"),
        row("it is not replaced", of("Once"), "", &killed, "0s"),
        // What is not seen any more is not denied.
        row("it would be replaced", of("Always"), "", &killed, "0s"),
        row("it would be replaced, for it has failed", of("RerunOnFailure"), "", &killed, "0s"),
    ];
    insta::assert_snapshot!(said(&rows));
}

/// Neither of these has a change that is worth being told.
#[test]
fn of_what_would_not_be_faster() {
    let quick = "httpGet: {port: 1500, path: /healthz}, periodSeconds: 2, failureThreshold: 2, initialDelaySeconds: 20";
    let quick = vm().spec("terminationGracePeriodSeconds: 5").liveness(quick);
    let only_after_a_reset =
        format!("{}, {{after: qemu RESET, plus: 40s, fault: {{health: stop}}}}", breaks("kernelHang"));
    let rows = [
        row("two seconds are saved", quick, SERVER, &breaks("{health: stop}"), "1m"),
        row("another fault would be the last one", vm().watchdog(RESET), SERVER_AND_DAEMON, &only_after_a_reset, "1m"),
    ];
    insta::assert_snapshot!(said(&rows));
}

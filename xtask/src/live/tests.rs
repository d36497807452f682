//! Pictures of a run that the model makes, at moments of it; what keys come to; what a hostile guest can do to the screen.

use super::countdown::Petting;
use super::draw::draw;
use super::keys::Key;
use super::picture::svg;
use super::view::{Asked, Pace, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;
use vmhealth_guests::reality::Control;
use vmhealth_sim::concern::concerning;
use vmhealth_sim::devices::fires_after;
use vmhealth_sim::engine::Config;
use vmhealth_sim::fixture::{scenario, vm};
use vmhealth_sim::manifest::{VirtualMachine, WatchdogAction, WatchdogModel};
use vmhealth_sim::scenario::Fault;
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Entry, Event};
use vmhealth_sim::world::{self, Timings};

/// The picture in the README: the view half a minute after the panic. LIVE_PICTURE=write draws it anew.
#[test]
fn the_picture_in_the_readme_is_the_view() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../.github/pictures/live.svg");
    // The VM of the README's tour, in the model; the last lines of its console, as a run on QEMU had them.
    let web = vm()
        .readiness("httpGet: {port: 80, path: /}, periodSeconds: 5, failureThreshold: 2")
        .liveness("tcpSocket: {port: 80}, initialDelaySeconds: 60, periodSeconds: 20")
        .watchdog(WatchdogAction::Poweroff)
        .build();
    let guest = "watchdogDaemon: {heartbeatSeconds: 60, keepalive: masked}, healthServer: true, servesProbes: true";
    let mut view = panicking(&web, (guest, 80), Duration::from_secs(26));
    let console = include_str!("console.txt");
    view.console = console.lines().map(str::to_owned).collect();
    let mut buffer = Buffer::empty(Rect::new(0, 0, 132, 30));
    draw(&view, buffer.area, &mut buffer, true);
    let says = "The live view of a run: the kernel has panicked, readiness has failed and the VM is out of the endpoints, \
                the watchdog counts down";
    let picture = svg(&buffer, says);
    if std::env::var_os("LIVE_PICTURE").is_some_and(|word| word == "write") {
        std::fs::write(file, &picture).unwrap();
    }
    let present = std::fs::read_to_string(file).unwrap_or_default();
    assert!(present == picture, "{file} is not the view as it is now; LIVE_PICTURE=write draws it anew");
}

/// A web server with both probes and a watchdog whose kernel panics, as its watcher sees it `after` the fault began.
fn view(after: Duration) -> View {
    let http = "httpGet: {port: 1500}, periodSeconds: 5, failureThreshold: 3";
    let vm = vm()
        .readiness(http)
        .liveness(&format!("{http}, initialDelaySeconds: 20"))
        .watchdog(WatchdogAction::Poweroff)
        .build();
    let guest = "watchdogDaemon: {heartbeatSeconds: 30, keepalive: masked}, healthServer: true";
    panicking(&vm, (guest, 1500), after)
}

/// The same of another VM, whose guest is set up so; clients connect to the port.
fn panicking(vm: &VirtualMachine, (guest, port): (&str, u16), after: Duration) -> View {
    let file = scenario()
        .guest(guest)
        .spec(&format!("traffic: {{every: 1s, port: {port}}}"))
        .steps("{after: guest ready, guardedWithin: 5m, plus: 2s, fault: kernelPanic}")
        .expect("{see: guest ready, from: qemu WATCHDOG, within: 0s..5m}");
    let spec = file.build().spec;
    let (_, trace, _) = world::run(vm, &spec, Config::default(), Timings::default());
    let entries = trace.sorted();
    let begun = entries.iter().find(|e| matches!(e.event, Event::FaultBegun(_))).unwrap().at;
    let pace = Pace { held: false, speed: Some(1.0) };
    let heartbeat = spec.guest.petting().map_or(0, |petting| petting.heartbeat_seconds);
    let fires = fires_after(WatchdogModel::I6300esb, heartbeat).as_secs_f64();
    let mut view = View::new(vm, Some(fires), concerning(vm, &spec.guest), Some(pace));
    entries.iter().filter(|e| e.at <= begun + after).for_each(|e| view.take(e));
    view.now = begun + after;
    view.console = vec!["[    0.0] Linux".into(), "web login:".into(), "[   90.1] Kernel panic - not syncing".into()];
    view
}

/// What is on the screen.
fn screen(view: &View, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(view, area, &mut buffer, true);
    let row = |y| (0..width).filter_map(|x| Some(buffer.cell((x, y))?.symbol())).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

#[test]
fn wide() {
    insta::assert_snapshot!(screen(&view(Duration::from_secs(8)), 140, 26));
}

#[test]
fn narrow() {
    insta::assert_snapshot!(screen(&view(Duration::from_secs(8)), 80, 24));
}

#[test]
fn the_list_of_faults() {
    let mut view = view(Duration::from_secs(60));
    view.key(Key::List);
    view.key(Key::Down);
    insta::assert_snapshot!(screen(&view, 80, 24));
}

#[test]
fn no_terminal_is_too_small() {
    let mut view = view(Duration::from_secs(8));
    view.key(Key::List);
    for width in [0, 1, 2, 39, 40, 41, 80, 500] {
        for height in [0, 1, 2, 9, 10, 11, 24, 200] {
            screen(&view, width, height);
        }
    }
    assert!(screen(&view, 39, 3).contains("too small"));
}

#[test]
fn without_colours_nothing_is_coloured() {
    let (view, area) = (view(Duration::from_secs(8)), Rect::new(0, 0, 80, 24));
    let colours = |coloured| {
        let mut buffer = Buffer::empty(area);
        draw(&view, area, &mut buffer, coloured);
        buffer.content().iter().filter(|cell| cell.fg != ratatui::style::Color::Reset).count()
    };
    assert!(colours(true) > 0);
    assert_eq!(colours(false), 0);
}

/// What a guest says on its console goes the same way through `console_end`, which is tested where it is.
#[test]
fn a_hostile_text_is_text() {
    let mut view = view(Duration::from_secs(8));
    let hostile = "a\u{1b}[2J\u{1b}[1;1HOWNED\u{202e}dehcaer\u{7}\r\nb\u{9b}31m";
    let at = view.now;
    view.take(&Entry { at, vmi: 1, event: Event::GuestReady, detail: hostile.to_owned(), replayed: false });
    view.line(hostile);
    let shown = screen(&view, 140, 26);
    assert!(shown.contains("aOWNEDdehcaer b31m"), "{shown}");
    let bad = shown.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(bad, None, "{shown:?}");
}

#[test]
fn keys() {
    let mut view = view(Duration::from_secs(8));
    let mut check = |keys: &[Key], expected: &[Asked]| {
        let found: Vec<Asked> =
            keys.iter().map(|key| view.key(*key)).filter(|asked| *asked != Asked::Nothing).collect();
        assert_eq!(found, expected, "{keys:?}");
    };
    let of_run = |control| Asked::OfRun(control);
    check(&[Key::Choose, Key::Pick(0), Key::Up], &[]);
    check(&[Key::List, Key::Choose], &[of_run(Control::Break(Fault::KernelPanic))]);
    check(&[Key::List, Key::Pick(1)], &[of_run(Control::Break("killWatchdog".parse().unwrap()))]);
    check(
        &[Key::List, Key::Down, Key::Down, Key::Up, Key::Choose],
        &[of_run(Control::Break("killWatchdog".parse().unwrap()))],
    );
    check(
        &[Key::List, Key::Back, Key::Choose, Key::List, Key::List, Key::Choose, Key::List, Key::Pick(90), Key::Back],
        &[],
    );
    check(&[Key::Hold, Key::Hold], &[of_run(Control::Hold(true)), of_run(Control::Hold(false))]);
    check(&[Key::Faster, Key::Slower, Key::Slower], &[2.0, 1.0, 0.5].map(|s| of_run(Control::Pace(Some(s)))));
    let to_the_end = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0].map(|s| of_run(Control::Pace(Some(s))));
    check(&[Key::Faster; 6], &to_the_end);
    check(&[Key::Faster, Key::Faster, Key::Slower], &[None, None, Some(32.0)].map(|s| of_run(Control::Pace(s))));
    check(&[Key::Quit, Key::Quit], &[of_run(Control::End), Asked::Interrupt]);
    check(&[Key::Interrupt], &[Asked::Interrupt]);
    view.pace = None;
    assert_eq!([Key::Hold, Key::Faster, Key::Slower].map(|key| view.key(key)), [const { Asked::Nothing }; 3]);
}

#[test]
fn faults_by_key_are_bounded() {
    let mut view = view(Duration::from_secs(8));
    let asked = |view: &mut View| (view.key(Key::List), view.key(Key::Choose)).1 != Asked::Nothing;
    assert_eq!((0..60).filter(|_| asked(&mut view)).count(), 50);
    assert!(screen(&view, 140, 26).contains("50 faults by key are the most"));
}

#[test]
fn a_countdown_ends_with_its_watchdog() {
    let has_fired = |half: u64| view(Duration::from_millis(500 * half)).watchdog.unwrap().state == Petting::Fired;
    let fires_at = view(Duration::from_secs(8)).watchdog.unwrap();
    let left = fires_at.left(view(Duration::from_secs(8)).now).unwrap();
    assert!((Duration::from_secs(22)..Duration::from_millis(22_200)).contains(&left), "{left:?}");
    assert!((30..64).any(has_fired) && !has_fired(16));
    assert_eq!(fires_at.left(Time::from_secs(9999)), Some(Duration::ZERO));
}

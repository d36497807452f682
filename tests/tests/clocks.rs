//! The same scenarios in guest time and in real time: the same verdicts, the same story. Ignored by a plain `cargo test`, because
//! it needs QEMU and the guest images: `cargo xtask test` runs it; `cargo xtask compare --clocks` compares the whole catalogue.

use tokio::sync::watch;
use vmhealth_sim::manifest::Architecture;
use xtask::prepare::{ClockChoice, GuestOptions, prepare};
use xtask::report::RunFolder;
use xtask::run::two_ways::{Way, compare};
use xtask::run::{Progress, catalogue};

/// The watchdog, a probe that fails and recovers, one that nobody answers, and a guest that stands still meanwhile.
const CASES: [&str; 4] = [
    "killed-daemon/watchdog/poweroff",
    "http-500/readiness-http/threshold-1",
    "http-hang/readiness-http/not-ready",
    "paused/readiness-http/out-and-in",
];

#[tokio::test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
async fn guest_time_and_real_time_tell_the_same_story() {
    let cases = catalogue::select(catalogue::read(None).unwrap(), &CASES.map(str::to_owned)).unwrap();
    assert_eq!(cases.len(), CASES.len());
    let reality =
        async |clock| prepare([Architecture::Amd64].into(), GuestOptions { clock, ..GuestOptions::default() }).await.0;
    let guest = Way { name: "guest-time", reality: reality(GuestOptions::default().clock).await };
    let real = Way { name: "real-time", reality: reality(ClockChoice::Real).await };
    let folder = tempfile::tempdir().unwrap();
    let (_cancel, cancelled) = watch::channel(false);
    let progress = Progress::lines(|line| eprintln!("{line}"));
    let folder = RunFolder::create(&folder.path().join("run")).unwrap();
    let found = compare(&cases, [guest, real], &folder, cancelled, progress).await.unwrap();
    assert!(found.cases.iter().all(|case| case.same()), "{found}");
}

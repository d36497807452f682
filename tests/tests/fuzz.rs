//! The fuzz targets without a fuzzer: every file of their corpora, and some thousand changes of them, the same ones each time.
//!
//! `VMHEALTH_FUZZ_CASES` asks for more of them a target, `VMHEALTH_FUZZ_SEED` for others, `VMHEALTH_FUZZ_TARGET` for one target only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../fuzz/targets.rs"]
mod targets;

use fastrand::Rng;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use targets::TARGETS;

/// Of each target. One of `results` writes two run folders with all that is in them.
const CASES: usize = 2000;
const CASES_OF_RESULTS: usize = 100;
/// No input is worth more.
const LONGEST: usize = 64 << 10;
/// Of its thread's time, for one of them.
const PATIENCE: Duration = Duration::from_secs(5);

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let name = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap().path())).collect()
}

/// A target's corpus, in the order of its names; what a fuzzer has found besides has no extension.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder("corpus").join(target)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn asked<T: std::str::FromStr<Err: std::fmt::Debug>>(variable: &str, otherwise: T) -> T {
    std::env::var(variable).map_or(otherwise, |value| value.parse().unwrap())
}

/// Some changes of a text out of the corpus: bytes, and spans of it or of another one, taken out, doubled, put elsewhere.
fn changed(corpus: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    const ODD: [&[u8]; 12] =
        [b"\0", b"\xff", b"\n", b"{", b"]", b"\"", b"-1", b"0", b"99999999999999999999", b"null", b"\xc3", b"1e999"];
    let mut bytes = rng.choice(corpus).unwrap().clone();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..=bytes.len());
        let end = at + rng.usize(0..=(bytes.len() - at).min(40));
        match rng.u8(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 => {
                let other = rng.choice(corpus).unwrap();
                let from = rng.usize(0..=other.len());
                let to = from + rng.usize(0..=(other.len() - from).min(80));
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            4 => {
                let span = bytes[at..end].repeat(rng.usize(1..20));
                bytes.splice(at..at, span);
            }
            _ => {
                bytes.splice(at..end, rng.choice(ODD).unwrap().iter().copied());
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// How long this thread has run: what else the machine does is not in it.
fn thread_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

thread_local! {
    /// Something has panicked on this thread. A task that panics says so to nobody but the hook.
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

fn watch_panics() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.set(true);
        hook(info);
    }));
}

fn holds(target: &str, run: fn(&[u8]), bytes: &[u8]) {
    let begun = thread_time();
    let shown = || bytes[..bytes.len().min(2000)].escape_ascii().to_string();
    let ends = catch_unwind(AssertUnwindSafe(|| run(bytes))).is_ok();
    assert!(ends && !PANICKED.get(), "{target} (said above) on:\n{}", shown());
    let took = thread_time().saturating_sub(begun);
    assert!(took < PATIENCE, "{target} took {took:?} on:\n{}", shown());
}

#[test]
fn whatever_comes_in() {
    watch_panics();
    let seed = asked("VMHEALTH_FUZZ_SEED", 1_u64);
    // Each on a core of its own, as far as there are some.
    std::thread::scope(|scope| {
        let only: String = asked("VMHEALTH_FUZZ_TARGET", String::new());
        assert!(only.is_empty() || TARGETS.iter().any(|(target, _)| *target == only), "there is no target {only}");
        for (target, run) in TARGETS.into_iter().filter(|(target, _)| only.is_empty() || *target == only) {
            scope.spawn(move || {
                let corpus = corpus(target);
                corpus.iter().for_each(|bytes| holds(target, run, bytes));
                let mut rng = Rng::with_seed(seed);
                let usual = if target == "results" { CASES_OF_RESULTS } else { CASES };
                let begun = Instant::now();
                for _ in 0..asked("VMHEALTH_FUZZ_CASES", usual) {
                    holds(target, run, &changed(&corpus, &mut rng));
                }
                eprintln!("{target}: {} files, {:.1} s", corpus.len(), begun.elapsed().as_secs_f64());
            });
        }
    });
}

/// A target that nobody drives, a corpus of none.
#[test]
fn each_target_has_its_corpus_and_its_program() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("fuzz_targets")), known);
    assert_eq!(names(&folder("corpus")), known);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in &known {
        assert!(!corpus(name).is_empty(), "{name}");
        let program = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(program.contains(&format!("targets::run(\"{name}\", bytes)")), "{program}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

//! A run on a machine that has no guest image yet: what can run runs while the other architectures' images are built.

use super::interrupt::Interrupt;
use crate::host::cache_folder;
use crate::prepare::{GuestOptions, prepare_all, recipe, say};
use crate::report::{Machine, Results, RunFolder};
use crate::run::catalogue::{self, Case};
use crate::run::{self, Models, Progress, Reality, Worlds};
use std::collections::BTreeSet;
use std::io;
use std::thread::JoinHandle;
use vmhealth_images::Store;
use vmhealth_sim::manifest::Architecture;

/// What hosts can run, and the machine.
type Prepared = (Vec<Reality>, Machine);

/// The architectures whose guests run first, and those whose images are built meanwhile.
fn first_and_later(
    all: BTreeSet<Architecture>,
    is_built: impl Fn(Architecture) -> bool,
) -> [BTreeSet<Architecture>; 2] {
    let (built, missing): (BTreeSet<_>, BTreeSet<_>) = all.into_iter().partition(|a| is_built(*a));
    match (built.is_empty(), missing.iter().next().copied()) {
        // The first of them is built the fastest: it is the host's own, or as slow as the others.
        (true, Some(first)) => [BTreeSet::from([first]), missing.into_iter().filter(|a| *a != first).collect()],
        _ => [built, missing],
    }
}

fn is_built(architecture: Architecture) -> bool {
    recipe(architecture).is_ok_and(|recipe| Store::new(&cache_folder()).seems_built(recipe))
}

/// Prepares on a thread of its own.
fn prepare_beside(
    architectures: BTreeSet<Architecture>,
    options: GuestOptions,
) -> io::Result<JoinHandle<io::Result<Prepared>>> {
    std::thread::Builder::new().name("prepare".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(prepare_all(architectures, options)))
    })
}

/// What a thread has prepared.
async fn join(beside: JoinHandle<io::Result<Prepared>>) -> io::Result<Prepared> {
    let prepared = tokio::task::spawn_blocking(|| beside.join()).await.map_err(io::Error::other)?;
    prepared.map_err(|_| io::Error::other("vmhealth crashed; its message is on stderr"))?
}

/// Runs the cases on QEMU, and in the model if `worlds` says so; what the model says is there while the first image is built.
pub(super) async fn run_in_parts(
    cases: Vec<Case>,
    worlds: Worlds,
    options: GuestOptions,
    folder: &RunFolder,
    progress: Progress,
    interrupt: &mut Option<Interrupt>,
) -> io::Result<Results> {
    let order: Vec<String> = cases.iter().map(|case| case.id().to_owned()).collect();
    let [first, later] = first_and_later(catalogue::architectures(&cases), is_built);
    let (cases, later_cases): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| first.contains(&case.architecture()));
    let beside = match later.is_empty() {
        true => None,
        false => Some(prepare_beside(later, options.clone())?),
    };
    let building = match first.iter().all(|architecture| is_built(*architecture)) {
        true => None,
        false => Some(prepare_beside(first.clone(), options.clone())?),
    };
    let models = Models::run(&cases, worlds, folder, &progress)?;
    let later_models = Models::run(&later_cases, worlds, folder, &progress)?;
    let preparing = async {
        match building {
            Some(building) => join(building).await,
            None => Ok(prepare_all(first, options).await),
        }
    };
    let (realities, mut machine) = match interrupt.as_ref() {
        // Nobody listens yet: the process ends at once.
        None => preparing.await?,
        Some(interrupt) => tokio::select! {
            prepared = preparing => prepared?,
            () = interrupt.is_asked() => return Err(io::ErrorKind::Interrupted.into()),
        },
    };
    let cancelled = interrupt.get_or_insert_with(Interrupt::listen).cancelled();
    let whole = (cases, models);
    let ran = run::run(whole, worlds, realities, machine.clone(), folder, cancelled.clone(), progress.clone()).await?;
    let Some(beside) = beside.filter(|_| !*cancelled.borrow()) else { return Ok(ran) };
    if !beside.is_finished() {
        say("waiting for the guest image that is still being built");
    }
    let (realities, later_machine) = join(beside).await?;
    let whole = (later_cases, later_models);
    let later = run::run(whole, worlds, realities, later_machine.clone(), folder, cancelled, progress).await?;
    machine.platforms.extend(later_machine.platforms);
    let (mut conformance, mut scenarios, hidden) = (ran.conformance, ran.scenarios, ran.hidden + later.hidden);
    conformance += later.conformance;
    scenarios.extend(later.scenarios);
    // Stable: what a scenario has in several worlds stays together, in its order.
    scenarios.sort_by_key(|scenario| order.iter().position(|id| *id == scenario.id));
    folder.finish(&Results { hidden, ..Results::new(scenarios, conformance, machine) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_runs_first_and_otherwise_the_first() {
        use Architecture::{Amd64, S390x};
        let check = |all: &[Architecture], built: &[Architecture], expected: [&[Architecture]; 2]| {
            let found = first_and_later(all.iter().copied().collect(), |a| built.contains(&a));
            assert_eq!(found.map(Vec::from_iter), expected.map(<[_]>::to_vec), "{all:?}, built: {built:?}");
        };
        check(&[Amd64, S390x], &[], [&[Amd64], &[S390x]]);
        check(&[Amd64, S390x], &[S390x], [&[S390x], &[Amd64]]);
        check(&[Amd64, S390x], &[Amd64, S390x], [&[Amd64, S390x], &[]]);
        check(&[S390x], &[], [&[S390x], &[]]);
        check(&[], &[], [&[], &[]]);
    }
}

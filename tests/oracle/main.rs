//! Holds `check` against KubeVirt's and Kubernetes' own code, on manifests that nobody wrote a rule for.
//!
//! `cargo run -p vmhealth-tests --example oracle -- KUBEVIRT PROGRAMS OUT PROFILE SEED COUNT`
//!
//! KUBEVIRT is the checkout, PROGRAMS the folder in which `tests/oracle/build.sh` left the two programs, OUT gets the manifests, what
//! was said of them (`oracle.jsonl`) and what is not the same (`disagreements.txt`). The same seed makes the same manifests.
//! CONTRIBUTING.md says how it is used; nothing else needs it.

mod compare;
mod mutate;
mod shapes;
mod tree;
mod words;

use compare::{Compared, Said};
use fastrand::Rng;
use mutate::{Mutator, Profile};
use shapes::Shapes;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use tree::Tree;
use vmhealth_sim::yaml;

const USAGE: &str = "usage: oracle KUBEVIRT PROGRAMS OUT health|devices|all SEED COUNT";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [kubevirt, programs, out, profile, seed, count] = arguments else { return Err(USAGE.into()) };
    let (kubevirt, programs, out) = (Path::new(kubevirt), Path::new(programs), Path::new(out));
    let profile = Profile::named(profile).ok_or(USAGE)?;
    let manifests = out.join("manifests");
    fs::create_dir_all(&manifests)?;
    if fs::read_dir(&manifests)?.next().is_some() {
        return Err(format!("{} is not empty: name another folder", manifests.display()).into());
    }
    let shapes = Shapes::read(kubevirt)?;
    let bases = bases(profile)?;
    let mut mutator = Mutator { shapes: &shapes, profile, random: Rng::with_seed(seed.parse()?) };
    for number in 0..count.parse::<usize>()? {
        let (kind, base) = mutator.random.choice(&bases).ok_or("no manifest to begin with")?;
        fs::write(manifests.join(format!("{number:06}.yaml")), mutator.mutated(base, kind).yaml())?;
    }
    let said = Command::new(programs.join("oracle-kubevirt"))
        .arg(programs.join("oracle-kubernetes"))
        .arg(&manifests)
        .output()?;
    fs::write(out.join("oracle.jsonl"), &said.stdout)?;
    if !said.status.success() {
        return Err(format!("the oracle failed: {}", String::from_utf8_lossy(&said.stderr)).into());
    }
    let mut compared = Compared::default();
    for line in String::from_utf8(said.stdout)?.lines() {
        let said: Said = Said::read(line)?;
        let text = fs::read_to_string(&said.file)?;
        compared.add(&said, &text);
    }
    fs::write(out.join("disagreements.txt"), compared.listed())?;
    println!("{compared}");
    Ok(())
}

/// The manifests that a profile starts from, with their kinds.
fn bases(profile: Profile) -> Result<Vec<(String, Tree)>, Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    if profile != Profile::Devices {
        let mut files: Vec<_> = fs::read_dir(here.join("scenarios/manifests"))?.collect::<Result<_, _>>()?;
        files.sort_by_key(fs::DirEntry::path);
        // In `all` the many alike would leave no room for the others.
        let step = if profile == Profile::All { 8 } else { 1 };
        for file in files.iter().step_by(step) {
            texts.push(fs::read_to_string(file.path())?);
        }
    }
    texts.push(fs::read_to_string(here.join("oracle/bases.yaml"))?);
    let mut bases = Vec::new();
    for text in texts {
        for document in yaml::documents(&text)? {
            bases.push((document.text_at("kind").to_owned(), Tree::of(&document)));
        }
    }
    Ok(bases)
}

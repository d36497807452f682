//! `package`: what people install, built from these sources: a Debian package, an RPM, a container image. No registry is asked.
//!
//! The program needs the C library that it was built with, or a newer one: what is preloaded into QEMU, which is no static
//! program, is carried inside it and is built with it. Build on the oldest release that is to be served.

use super::exit::{Failure, Status, infra, usage};
use super::output::out;
use crate::host;
use crate::lines::tell;
use crate::workspace;
use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use vmhealth_images::container_root;
use vmhealth_sim::manifest::Architecture;

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  package deb rpm     needs: cargo install cargo-deb cargo-generate-rpm
  package image       a root to import: docker import --change 'ENTRYPOINT [\"vmhealth\"]' target/package/vmhealth-image.tar vmhealth";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Package {
    /// What to build; it is written to target/package
    #[arg(value_enum, required = true)]
    kinds: Vec<PackageKind>,
    /// Do not optimize: for a try
    #[arg(long)]
    debug: bool,
    /// The Debian release that is in the container image
    #[arg(long, value_name = "SUITE", default_value = "trixie")]
    suite: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum PackageKind {
    /// For Debian and Ubuntu, by cargo-deb
    Deb,
    /// For Fedora and RHEL, by cargo-generate-rpm
    Rpm,
    /// A root with the program and what it needs, for docker or podman import
    Image,
}

/// A shell, and what its completions are called.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "vmhealth.bash"), ("zsh", "_vmhealth"), ("fish", "vmhealth.fish")];
const IMAGE: &str = "vmhealth-image.tar";

impl Package {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let sources = workspace::find()?;
        let folder = sources.join("target/package");
        let kinds: BTreeSet<PackageKind> = self.kinds.into_iter().collect();
        // Before minutes of building.
        for (kind, tool) in [(PackageKind::Deb, "deb"), (PackageKind::Rpm, "generate-rpm")] {
            let found = cargo(&sources).args([tool, "--version"]).output().is_ok_and(|o| o.status.success());
            if kinds.contains(&kind) && !found {
                return Err(usage(anyhow!("cargo-{tool} is missing; type: cargo install cargo-{tool}")));
            }
        }
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string()).map_err(infra)?;
        // Of another version, perhaps.
        for old in packages(&folder, &kinds)? {
            fs::remove_file(old)?;
        }
        contents(&built(&sources, self.debug)?, &folder)?;
        for kind in &kinds {
            let made = match kind {
                // The binary is there, and as it is.
                PackageKind::Deb => {
                    done(cargo(&sources).args(["deb", "-p", "xtask", "--no-build", "--no-strip", "-o"]).arg(&folder))?
                }
                PackageKind::Rpm => done(cargo(&sources).args(["generate-rpm", "-p", "xtask", "-o"]).arg(&folder))?,
                PackageKind::Image => image(&self.suite, &folder)?,
            };
            tell(made.trim_end());
        }
        out(&(packages(&folder, &kinds)?.join("\n") + "\n"))?;
        Ok(Status::Passed)
    }
}

/// The packages of these kinds that are there.
fn packages(folder: &Path, kinds: &BTreeSet<PackageKind>) -> io::Result<Vec<String>> {
    let end = |kind: &PackageKind| match kind {
        PackageKind::Deb => ".deb",
        PackageKind::Rpm => ".rpm",
        PackageKind::Image => IMAGE,
    };
    let mut files: Vec<String> = fs::read_dir(folder)?.flatten().map(|e| e.path().display().to_string()).collect();
    files.retain(|file| kinds.iter().any(|kind| file.ends_with(end(kind))));
    files.sort();
    Ok(files)
}

fn cargo(sources: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(sources);
    command
}

/// What it said; an error if it failed.
fn done(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().with_context(|| format!("{command:?}")).map_err(infra)?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if !output.status.success() {
        return Err(infra(anyhow!("{command:?} failed: {}", said.trim_end())));
    }
    Ok(said)
}

/// Builds the program; its path, as cargo says it.
fn built(sources: &Path, debug: bool) -> Result<PathBuf, Failure> {
    let mut command = cargo(sources);
    command.args([
        "build",
        "--locked",
        "-p",
        "xtask",
        "--bin",
        "vmhealth",
        "--message-format",
        "json-render-diagnostics",
    ]);
    if !debug {
        command.arg("--release");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo build").map_err(infra)?;
    let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines()).into_iter().flatten();
    let program = lines.map_while(Result::ok).filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(&line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    let program = program.last();
    match (child.wait()?.success(), program) {
        (true, Some(program)) => Ok(program),
        _ => Err(infra(anyhow!("cargo build failed; what it said is above"))),
    }
}

/// What every package holds: the program, its manual page and completions, as it prints them itself.
fn contents(program: &Path, folder: &Path) -> Result<(), Failure> {
    let put = |name: &str, content: &[u8], mode: u32| -> Result<(), Failure> {
        let file = folder.join(name);
        fs::write(&file, content).with_context(|| file.display().to_string()).map_err(infra)?;
        // Others are to read and run what is packaged.
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(mode))?)
    };
    put("vmhealth", &fs::read(program)?, 0o755)?;
    let program = folder.join("vmhealth");
    put("vmhealth.1", done(Command::new(&program).arg("man"))?.as_bytes(), 0o644)?;
    for (shell, name) in COMPLETIONS {
        put(name, done(Command::new(&program).args(["completions", shell]))?.as_bytes(), 0o644)?;
    }
    Ok(())
}

/// A minimal Debian with what amd64 guests need, and the program.
fn image(suite: &str, folder: &Path) -> Result<String, Failure> {
    let packages: BTreeSet<&str> =
        host::tools(Architecture::Amd64).iter().filter_map(|tool| tool.packages.first()).copied().collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let archive = folder.join(IMAGE);
    let qemu = container_root(suite, &packages, "qemu-system-x86_64 --version", &archive, &tell).map_err(infra)?;
    // Behind what is there, as it lies in a root.
    let root = tempfile::tempdir_in(folder)?;
    let bin = root.path().join("usr/bin");
    fs::create_dir_all(&bin)?;
    fs::copy(folder.join("vmhealth"), bin.join("vmhealth"))?;
    let mut tar = Command::new("tar");
    tar.arg("--append").arg("-f").arg(&archive).args(["--owner=0", "--group=0", "-C"]).arg(root.path());
    done(tar.arg("usr/bin/vmhealth"))?;
    Ok(format!("container image of {suite} with {qemu}"))
}

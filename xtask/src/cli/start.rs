//! From the command line to the exit status of the process.

use super::command::{Command, ProductCommand};
use super::exit::Status;
use super::loudness::{ENVIRONMENT, LoudnessArgs};
use crate::lines::set_loudness;
use crate::prepare;
use crate::program;
use crate::stderr;
use clap::Parser;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::{Mode, umask};
use std::process::ExitCode;

/// What will your probes and your watchdog really do when the guest breaks?
#[derive(Debug, Parser)]
#[command(name = program::XTASK, bin_name = program::XTASK, version, after_help = ENVIRONMENT)]
struct Xtask {
    #[command(flatten)]
    loudness: LoudnessArgs,
    #[command(subcommand)]
    command: Command,
}

/// What will your probes and your watchdog really do when the guest breaks?
#[derive(Debug, Parser)]
#[command(name = program::VMHEALTH, bin_name = program::VMHEALTH, version, after_help = ENVIRONMENT)]
struct Vmhealth {
    #[command(flatten)]
    loudness: LoudnessArgs,
    #[command(subcommand)]
    command: ProductCommand,
}

/// `cargo xtask`
pub fn xtask() -> ExitCode {
    program::set_name(program::XTASK);
    let Xtask { loudness, command } = Xtask::parse();
    set_loudness(loudness.loudness());
    run(command)
}

/// `vmhealth`
pub fn vmhealth() -> ExitCode {
    program::set_name(program::VMHEALTH);
    let Vmhealth { loudness, command } = Vmhealth::parse();
    set_loudness(loudness.loudness());
    run(Command::Product(command))
}

fn run(command: Command) -> ExitCode {
    if command.only_prints() {
        // Whoever reads may have seen enough, like `head`. Elsewhere a broken pipe is an error like others.
        // SAFETY: no thread and no handler exists yet.
        let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    }
    // What is written holds user data and what guests said: nobody else's to read. mmdebstrap and apt set a umask of their own.
    umask(Mode::from_bits_truncate(0o077));
    // Before any thread exists: an ordinary user's network namespaces need a user namespace.
    if let Some(images) = command.guests() {
        prepare::enter_user_namespace(&images);
    }
    stderr::begin();
    let status = run_on_a_runtime(command);
    stderr::finish();
    status
}

fn run_on_a_runtime(command: Command) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            prepare::say(&format!("error: no runtime: {e}"));
            return Status::Infra.into();
        }
    };
    let done = runtime.block_on(command.run());
    // A thread may still wait for another process's template.
    runtime.shutdown_background();
    match done {
        Ok(status) => status.into(),
        Err(failure) => {
            prepare::say(&format!("error: {:#}", failure.error));
            failure.status.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_lines_are_well_formed() {
        Xtask::command().debug_assert();
        Vmhealth::command().debug_assert();
    }
}

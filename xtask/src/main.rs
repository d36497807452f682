//! `cargo xtask ...`: the door. Thin: it reads the command line, calls the crates, and turns what they say into text and
//! an exit status (0 passed, 1 failed, 2 usage or unreadable input, 3 the host could not, 130 interrupted).

mod arguments;
mod bench;
mod check;
mod cli;
mod commands;
mod doctor;
mod exit;
mod explore;
mod mutants;
mod own_image;
mod own_run;
mod prepare;
mod probe;

use clap::Parser;
use nix::sys::signal::{SigHandler, Signal, signal};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    if cli.command.only_prints() {
        // Whoever reads may have seen enough, like `head`. Elsewhere a broken pipe is an error like others.
        // SAFETY: no thread and no handler exists yet.
        let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    }
    // Before any thread exists: an ordinary user's network namespaces need a user namespace.
    prepare::enter_user_namespace(&cli.command);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: no runtime: {e}");
            return exit::Status::Infra.into();
        }
    };
    let done = runtime.block_on(commands::run(cli.command));
    // A thread may still wait for another process's template.
    runtime.shutdown_background();
    match done {
        Ok(status) => status.into(),
        Err(failure) => {
            eprintln!("error: {:#}", failure.error);
            failure.status.into()
        }
    }
}

//! `cargo xtask ...`: vmhealth's commands, and those that need its sources.

fn main() -> std::process::ExitCode {
    xtask::cli::xtask()
}

//! `vmhealth ...`: the same commands as a program of its own, which runs in any folder.

fn main() -> std::process::ExitCode {
    xtask::cli::vmhealth()
}

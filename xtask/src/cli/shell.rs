//! `completions` and `man`: what a shell and a reader of manuals want to know of the command line.

use super::exit::{Failure, Status};
use super::output::out;
use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut of: clap::Command) -> Result<Status, Failure> {
        let (mut text, name) = (Vec::new(), of.get_name().to_owned());
        clap_complete::generate(self.shell, &mut of, name, &mut text);
        out(&String::from_utf8_lossy(&text))?;
        Ok(Status::Passed)
    }
}

/// One page: the program, then each of its commands.
pub(super) fn man(of: clap::Command) -> Result<Status, Failure> {
    let mut text = Vec::new();
    let commands: Vec<clap::Command> = of.get_subcommands().filter(|c| !c.is_hide_set()).cloned().collect();
    clap_mangen::Man::new(of.clone()).render(&mut text)?;
    for command in commands {
        let name = format!("{} {}", of.get_name(), command.get_name());
        let page = clap_mangen::Man::new(command.bin_name(name));
        page.render_synopsis_section(&mut text)?;
        page.render_description_section(&mut text)?;
        page.render_options_section(&mut text)?;
    }
    out(&String::from_utf8_lossy(&text))?;
    Ok(Status::Passed)
}

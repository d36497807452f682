//! `shell`: commands in the guest of a run that goes on or is held.

use super::exit::{Failure, Status, infra, usage};
use super::output::out;
use super::session::runs_folder;
use crate::report::{plain, without_control};
use anyhow::anyhow;
use clap::Args;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use vmhealth_guests::reality::{Answer, Ask, DOOR, DoorPlace, Ran, ask};

/// Shown below the options.
const EXAMPLES: &str = "\
Each line is a command of its own, run as root by the guest agent: the folder is kept from line to line, variables are not, and \
nothing can be typed into a program that runs. A line may take a minute of the guest's time. In a guest that is held time goes on \
only while a line runs; one whose kernel has panicked, or whose agent is gone, cannot be asked: its console, QMP and gdb can.

Examples:
  shell                                    the run that goes on or is held now
  shell runs/2026-11-26T10-00-00Z-77       one of several
  shell -c 'systemctl status watchdog'
  shell --end                              end a run that is held";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Shell {
    /// The run's folder, or a scenario's in it. If absent: the one in ./runs whose guests can be reached
    folder: Option<PathBuf>,
    /// Run this one command; its exit status other than 0 is 1 here
    #[arg(short, long, value_name = "TEXT", conflicts_with = "end")]
    command: Option<String>,
    /// Whose guest, counted from 1. If absent: the newest VMI's
    #[arg(long, value_name = "N")]
    vmi: Option<u32>,
    /// Let a run go on to its end that repro --freeze holds
    #[arg(long)]
    end: bool,
}

/// A run that can be reached, and the folder in the guest.
struct Session {
    socket: PathBuf,
    folder: String,
    vmi: Option<u32>,
}

impl Shell {
    pub(super) async fn run(self) -> Result<Status, Failure> {
        let socket = door(self.folder.as_deref()).await?;
        if self.end {
            return match ask(&socket, &Ask::End).await? {
                Answer::Refused(why) => Err(usage(anyhow!(why))),
                _ => Ok(Status::Passed),
            };
        }
        let mut session = Session { socket, folder: "/root".to_owned(), vmi: self.vmi };
        match self.command {
            Some(command) => session.one(command).await,
            None => session.lines().await,
        }
    }
}

impl Session {
    async fn one(&mut self, command: String) -> Result<Status, Failure> {
        match self.ask(command).await? {
            Ok(ran) if ran.exit == Some(0) => Ok(Status::Passed),
            Ok(_) => Ok(Status::Failed),
            Err(why) => Err(infra(anyhow!(plain(&why)))),
        }
    }

    /// Until the input's end, or `exit`. Typed, all of it passes; of a file or a pipe the last line decides.
    async fn lines(&mut self) -> Result<Status, Failure> {
        let typed = io::stdin().is_terminal();
        let (mut prompt, mut last) = ("guest".to_owned(), Status::Passed);
        loop {
            if typed {
                out(&format!("{prompt} {} # ", plain(&self.folder)))?;
            }
            let mut line = String::new();
            if io::stdin().read_line(&mut line)? == 0 || line.trim() == "exit" {
                return Ok(if typed { Status::Passed } else { last });
            }
            if line.trim().is_empty() {
                continue;
            }
            match self.ask(line.trim_end().to_owned()).await? {
                Ok(ran) => {
                    if ran.exit != Some(0) {
                        let how = ran.exit.map_or("ended by a signal".to_owned(), |code| format!("exit status {code}"));
                        eprintln!("({how})");
                    }
                    prompt = format!("vmi {} {:.3} s", ran.vmi, ran.at_s);
                    last = if ran.exit == Some(0) { Status::Passed } else { Status::Failed };
                }
                Err(why) => {
                    eprintln!("({})", plain(&why));
                    last = Status::Infra;
                }
            }
        }
    }

    /// What came of a command, after it was printed; why it was not run.
    async fn ask(&mut self, command: String) -> Result<Result<Ran, String>, Failure> {
        let question = Ask::Run { command, folder: self.folder.clone(), vmi: self.vmi };
        let answer = ask(&self.socket, &question).await.map_err(|e| usage(anyhow!("the run is over: {e}")))?;
        Ok(match answer {
            Answer::Ran(ran) => {
                // A terminal must not be steered by a guest.
                let shown = |text: &str, is_terminal| if is_terminal { without_control(text) } else { text.to_owned() };
                out(&shown(&ran.out, io::stdout().is_terminal()))?;
                eprint!("{}", shown(&ran.err, io::stderr().is_terminal()));
                self.folder.clone_from(&ran.folder);
                Ok(ran)
            }
            Answer::Refused(why) => Err(why),
            Answer::Ended => Err("the run ends".to_owned()),
        })
    }
}

/// The door of the one scenario below this folder whose guests can be reached.
async fn door(folder: Option<&Path>) -> Result<PathBuf, Failure> {
    let runs = runs_folder();
    let folder = folder.unwrap_or(&runs);
    if !folder.is_dir() {
        return Err(usage(anyhow!("{} is no folder: expected a run's", folder.display())));
    }
    let mut found = Vec::new();
    for file in doors(folder, 3) {
        let place = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<DoorPlace>(&text).ok());
        let Some(DoorPlace { socket }) = place else { continue };
        // A killed run leaves its file.
        if tokio::net::UnixStream::connect(&socket).await.is_ok() {
            found.push((file, socket));
        }
    }
    match found.as_slice() {
        [(_, socket)] => Ok(socket.clone()),
        [] => Err(usage(anyhow!(
            "no guest below {} can be reached: its run is over. repro --freeze holds one, run --pace 1x lets one go slowly",
            folder.display()
        ))),
        several => {
            let folders: Vec<String> =
                several.iter().filter_map(|(file, _)| Some(file.parent()?.display().to_string())).collect();
            Err(usage(anyhow!("the guests of several scenarios can be reached; name one: {}", folders.join(", "))))
        }
    }
}

/// The files that say where a door is: in this folder, or at most so many below.
fn doors(folder: &Path, levels: usize) -> Vec<PathBuf> {
    let own = folder.join(DOOR);
    if own.exists() {
        return vec![own];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.filter(|e| levels > 0 && e.file_type().is_ok_and(|t| t.is_dir()));
    below.flat_map(|e| doors(&e.path(), levels - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_are_found_in_a_scenarios_folder_a_runs_and_all_runs() {
        let runs = tempfile::tempdir().unwrap();
        let scenario = runs.path().join("one/qemu/a.b.c");
        std::fs::create_dir_all(&scenario).unwrap();
        std::fs::create_dir_all(runs.path().join("other/model/a.b.c")).unwrap();
        std::fs::write(scenario.join(DOOR), "{}").unwrap();
        for folder in ["", "one", "one/qemu", "one/qemu/a.b.c"] {
            assert_eq!(doors(&runs.path().join(folder), 3), [scenario.join(DOOR)], "{folder}");
        }
        assert_eq!(doors(&runs.path().join("other"), 3), Vec::<PathBuf>::new());
    }
}

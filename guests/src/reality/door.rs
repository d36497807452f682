//! The door of a run: a socket by which another process runs commands in the run's guests, found through the run's folder.
//!
//! A line of JSON each way. Guest time goes on while a command works. In a run that is held it does so only then: between two
//! commands the guest stands still. It knows nothing of scenarios and verdicts.

use super::qemu::Qemu;
use super::world::World;
use crate::guest::Live;
use crate::time::{self, Hold};
use crate::wire::{Agent, AgentError, ExecOutput};
use qapi::{qga, qmp};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Notify};

/// In a scenario's evidence for as long as its guests can be reached: where the socket is. After a kill it stays, and the
/// socket is gone.
pub const DOOR: &str = "door.json";
/// A command's own time, on the guest's clock.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// An agent that lives answers within this.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const QMP_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of a question.
const LONGEST_ASK: u64 = 256 << 10;
/// Runs `$2` in the folder `$1`; its last word, after a character that no path has, is the folder that it ends in.
const RUN: &str = r#"cd "$1" 2>/dev/null || cd /; trap 'printf "\036%s" "$PWD"' EXIT; eval "$2""#;
const FOLDER_MARK: char = '\u{1e}';

/// What is in [`DOOR`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorPlace {
    /// Where it listens.
    pub socket: PathBuf,
}

/// What is asked at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ask {
    /// Run a shell's command as root, through the guest agent.
    Run {
        /// For `/bin/sh`.
        command: String,
        /// The folder in the guest that it begins in.
        folder: String,
        /// Whose guest; `None`: the newest.
        vmi: Option<u32>,
    },
    /// A held run is to end.
    End,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The command has ended.
    Ran(Ran),
    /// The run ends now.
    Ended,
    /// It could not be done; says why.
    Refused(String),
}

/// A command that has ended in a guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Whose guest.
    pub vmi: u32,
    /// The scenario's clock afterwards, seconds.
    pub at_s: f64,
    /// Its exit code; `None`: a signal ended it.
    pub exit: Option<i64>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The folder that it ended in.
    pub folder: String,
}

/// Asks at the door of a run; the error is that of a run which is over.
pub async fn ask(socket: &Path, ask: &Ask) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(&[serde_json::to_vec(ask)?, vec![b'\n']].concat()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    match line.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(serde_json::from_str(&line)?),
    }
}

/// A run's door, from its making until it is dropped.
pub(super) struct Door {
    world: Rc<World<Qemu>>,
    file: PathBuf,
    held: RefCell<Option<Held>>,
    /// One command at a time: the end of one that a held guest was let go for stops every other.
    turn: Mutex<()>,
    /// The run has come to its end, and is held there.
    at_end: Cell<bool>,
    /// Who watches the run has made guest time stand still.
    pub(super) paused: Cell<bool>,
    /// The run has come to its end while a command works.
    over: Notify,
    end: Notify,
}

/// Nothing goes on.
struct Held {
    _time: Hold,
    /// In real time the vCPUs have to be stopped: these were by us.
    stopped: Vec<Rc<Live>>,
}

impl Door {
    /// Listens from now on.
    pub(super) fn open(world: Rc<World<Qemu>>, scratch: &Path, evidence: &Path) -> io::Result<Rc<Door>> {
        let place = DoorPlace { socket: scratch.join("door") };
        let listener = UnixListener::bind(&place.socket)?;
        let file = evidence.join(DOOR);
        std::fs::write(&file, serde_json::to_vec(&place)?)?;
        let door = Rc::new(Door {
            world,
            file,
            held: RefCell::default(),
            turn: Mutex::default(),
            at_end: Cell::default(),
            paused: Cell::default(),
            over: Notify::new(),
            end: Notify::new(),
        });
        let weak = Rc::downgrade(&door);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(door) = weak.upgrade() else { return };
                tokio::task::spawn_local(async move { door.serve(stream).await });
            }
        });
        Ok(door)
    }

    async fn serve(&self, stream: UnixStream) {
        let mut line = String::new();
        let mut stream = BufReader::new(stream);
        // Whoever goes away asks nothing.
        if (&mut stream).take(LONGEST_ASK).read_line(&mut line).await.is_err() {
            return;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(Ask::Run { command, folder, vmi }) => {
                self.run(&command, folder, vmi).await.map_or_else(Answer::Refused, Answer::Ran)
            }
            Ok(Ask::End) if self.at_end.get() => Answer::Ended,
            Ok(Ask::End) => Answer::Refused("the run is not held: it ends by itself, or with Ctrl-C".to_owned()),
            Err(e) => Answer::Refused(format!("not a question: {e}")),
        };
        let text = serde_json::to_string(&answer).unwrap_or_default();
        let _ = stream.get_mut().write_all(format!("{text}\n").as_bytes()).await;
        if answer == Answer::Ended {
            self.end.notify_one();
        }
    }

    async fn run(&self, command: &str, mut folder: String, vmi: Option<u32>) -> Result<Ran, String> {
        let guests = self.world.present();
        let found = guests.into_iter().rfind(|(number, _)| vmi.is_none_or(|vmi| vmi == *number));
        let (vmi, guest) = found.ok_or_else(|| match vmi {
            Some(vmi) => format!("VMI {vmi} has no guest now"),
            None => "there is no guest now".to_owned(),
        })?;
        let agent = guest.live().agent.present().map_err(|e| format!("{e}; its console still tells"))?;
        let _turn = self.turn.lock().await;
        if self.paused.get() {
            return Err("the run is paused where it is watched: let it go on there first".to_owned());
        }
        let held = self.held.take();
        let was_held = held.is_some();
        if let Some(held) = held {
            held.end().await;
        }
        let output = tokio::select! {
            output = run_in(&agent, command, &folder) => output,
            () = self.over.notified() => {
                return Err("the run has come to its end meanwhile, and nobody waits for this command any more".to_owned());
            }
        };
        if was_held {
            self.hold().await;
        }
        let (exit, mut out, err) = output.map(|o| (o.exit_code, o.stdout, o.stderr)).map_err(|e| e.to_string())?;
        if let Some(at) = out.rfind(FOLDER_MARK) {
            folder = out.split_off(at).trim_start_matches(FOLDER_MARK).to_owned();
        }
        Ok(Ran { vmi, at_s: self.world.shared.clock.now().as_secs_f64(), exit, out, err, folder })
    }

    /// The run has come to its end: nothing goes on from here on, but for commands.
    pub(super) async fn hold_at_end(&self) {
        self.over.notify_waiters();
        let _turn = self.turn.lock().await;
        self.at_end.set(true);
        self.hold().await;
    }

    async fn hold(&self) {
        let time = time::hold();
        let mut stopped = Vec::new();
        for (_, guest) in self.world.present() {
            let live = guest.live();
            // What stands already, because it panicked or lost its disk, is not to go on by our hand.
            if live.is_in_real_time() && is_running(live).await {
                let _ = live.qmp.execute(qmp::stop {}, QMP_LIMIT).await;
                stopped.push(live.clone());
            }
        }
        *self.held.borrow_mut() = Some(Held { _time: time, stopped });
    }

    /// Until somebody asks for the end.
    pub(super) async fn asked_to_end(&self) {
        self.end.notified().await;
    }
}

impl Held {
    async fn end(self) {
        for live in &self.stopped {
            let _ = live.qmp.execute(qmp::cont {}, QMP_LIMIT).await;
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // A run that was killed leaves it, and its reader finds nobody.
        let _ = std::fs::remove_file(&self.file);
    }
}

async fn run_in(agent: &Agent, command: &str, folder: &str) -> Result<ExecOutput, AgentError> {
    // A guest whose agent is dead is not let run for a minute.
    agent.execute(qga::guest_ping {}, ANSWER_LIMIT).await?;
    agent.run(&["/bin/sh", "-c", RUN, "sh", folder, command], time::now() + COMMAND_LIMIT).await
}

async fn is_running(live: &Live) -> bool {
    live.qmp.execute(qmp::query_status {}, QMP_LIMIT).await.is_ok_and(|status| status.running)
}

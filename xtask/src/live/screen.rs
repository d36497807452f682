//! The terminal: a thread that owns it from the first picture on and gives it back however it ends.

use super::draw::draw;
use super::keys::key;
use super::view::{Asked, CONSOLE_LINES, View};
use crate::report::console_end;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event as TerminalEvent};
use ratatui::crossterm::execute;
use std::io;
use std::panic;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;
use vmhealth_guests::reality::{Control, Watch};
use vmhealth_sim::trace::Entry;

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// What is to be shown.
#[derive(Debug)]
pub(super) enum News {
    Seen(Entry),
    Line(String),
}

/// A run to be shown.
pub(super) struct Shown {
    pub(super) view: View,
    pub(super) watch: Watch,
    /// Where its guests' consoles are.
    pub(super) evidence: PathBuf,
    /// What must not be shown is hidden by this.
    pub(super) hide: Box<dyn Fn(&str) -> String + Send>,
    pub(super) news: Receiver<News>,
    pub(super) coloured: bool,
}

/// The terminal is ours.
static OURS: AtomicBool = AtomicBool::new(false);

/// Gives it back, if it is ours. For who ends the process without another word.
pub(crate) fn give_terminal_back() {
    if OURS.swap(false, SeqCst) {
        ratatui::restore();
        let _ = execute!(io::stdout(), Show);
    }
}

/// The terminal is given back when this is dropped.
struct Owned(DefaultTerminal);

impl Drop for Owned {
    fn drop(&mut self) {
        give_terminal_back();
    }
}

/// Somebody has panicked, and the terminal is given back.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Shows it until its news end. A panic anywhere gives the terminal back before its message.
pub(super) fn show(shown: Shown) -> io::Result<JoinHandle<io::Result<()>>> {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, SeqCst);
        before(info);
    }));
    std::thread::Builder::new().name("live".into()).spawn(move || {
        // Before: half of a change of the terminal is taken back, too.
        OURS.store(true, SeqCst);
        let watch = shown.watch.clone();
        let ended = ratatui::try_init().map(Owned).and_then(|mut owned| run(shown, &mut owned.0));
        give_terminal_back();
        if ended.is_err() {
            // Nobody could watch it any more, or end it by key.
            watch.ask(Control::End);
        }
        ended
    })
}

fn run(mut shown: Shown, terminal: &mut DefaultTerminal) -> io::Result<()> {
    loop {
        if !shown.take_news() || PANICKED.load(SeqCst) || !OURS.load(SeqCst) {
            return Ok(());
        }
        shown.view.now = shown.view.now.max(shown.watch.now());
        shown.read_console();
        terminal.draw(|frame| draw(&shown.view, frame.area(), frame.buffer_mut(), shown.coloured))?;
        if event::poll(FRAME)?
            && let TerminalEvent::Key(event) = event::read()?
            && let Some(key) = key(event)
        {
            match shown.view.key(key) {
                Asked::Nothing => {}
                Asked::OfRun(control) => shown.watch.ask(control),
                // As the terminal itself would do it.
                Asked::Interrupt => kill(Pid::this(), Signal::SIGINT)?,
            }
        }
    }
}

impl Shown {
    /// `false`: no more will come.
    fn take_news(&mut self) -> bool {
        loop {
            match self.news.try_recv() {
                Ok(News::Seen(mut entry)) => {
                    entry.detail = (self.hide)(&entry.detail);
                    self.view.take(&entry);
                }
                Ok(News::Line(line)) => self.view.line(&line),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn read_console(&mut self) {
        let file = self.evidence.join(format!("serial-{}.log", self.view.vmi));
        let end = console_end(&file, CONSOLE_LINES).unwrap_or_default();
        self.view.console = (self.hide)(&end).lines().map(str::to_owned).collect();
    }
}

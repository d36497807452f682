//! A run's watcher that shows it.

use super::screen::{News, Shown, show};
use super::view::{Pace, View};
use crate::lines::{self, Elsewhere};
use crate::report::Secrets;
use crate::run::catalogue::Case;
use crate::run::{Begun, Watcher};
use std::cell::RefCell;
use std::io::{self, Write as _};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use vmhealth_guests::guest_time::Timekeeping;
use vmhealth_guests::reality::{Controls, controls};
use vmhealth_sim::concern::concerning;
use vmhealth_sim::trace::Entry;

/// Shows the run of one case.
pub(crate) struct LiveWatcher {
    secrets: Secrets,
    coloured: bool,
    screen: RefCell<Option<Screen>>,
}

struct Screen {
    news: Sender<News>,
    thread: JoinHandle<io::Result<()>>,
    _lines: Elsewhere,
}

impl LiveWatcher {
    /// Nothing is shown before a guest is about to run.
    pub(crate) fn new(secrets: Secrets, coloured: bool) -> LiveWatcher {
        LiveWatcher { secrets, coloured, screen: RefCell::default() }
    }
}

impl Watcher for LiveWatcher {
    fn begins(&self, case: &Case, begun: &Begun) -> io::Result<Controls> {
        let (watch, controls) = controls();
        let pace = match begun.time {
            Timekeeping::Real => None,
            Timekeeping::Guest { pace, .. } => Some(Pace { held: false, speed: *pace }),
        };
        let faults = concerning(&case.manifest, &case.scenario.spec.guest);
        let view = View::new(&case.manifest, case.about().watchdog_s, faults, pace);
        let (news, receiver) = channel();
        let secrets = self.secrets.clone();
        let shown = Shown {
            view,
            watch,
            evidence: begun.evidence.to_owned(),
            hide: Box::new(move |text| secrets.hide(text)),
            news: receiver,
            coloured: self.coloured,
        };
        let line = news.clone();
        let lines = lines::take(move |text| {
            // The terminal is not ours any more.
            if line.send(News::Line(text.to_owned())).is_err() {
                let _ = writeln!(io::stderr().lock(), "{text}");
            }
        });
        let screen = Screen { news, thread: show(shown)?, _lines: lines };
        *self.screen.borrow_mut() = Some(screen);
        Ok(controls)
    }

    fn sees(&self, _: &Case, entry: &Entry) {
        if let Some(screen) = &*self.screen.borrow() {
            // Likewise.
            let _ = screen.news.send(News::Seen(entry.clone()));
        }
    }

    fn ends(&self, _: &Case) {
        let Some(Screen { news, thread, _lines }) = self.screen.take() else { return };
        // Its last senders: the thread ends, and the terminal is given back.
        drop((news, _lines));
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => lines::say(&format!("the terminal could not be used: {e} (--plain shows lines)")),
            // It has said why.
            Err(_) => {}
        }
    }
}

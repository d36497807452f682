//! Who asks a run to end: Ctrl-C, a service manager (SIGTERM), a terminal that goes away (SIGHUP).

use super::exit::{Failure, Status};
use crate::lines::go_back;
use crate::live::give_terminal_back;
use crate::prepare::say;
use crate::stderr;
use anyhow::anyhow;
use nix::libc::{self, c_int};
use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::process;
use std::ptr::null;
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const ASKS: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
/// As a shell shows Ctrl-C.
const ENDED_AT_ONCE: i32 = 130;

/// The first ends the guests and lets what is known be written; the second ends the process at once.
pub(super) struct Interrupt {
    cancelled: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Interrupt {
    pub(super) fn listen() -> Interrupt {
        let (cancel, cancelled) = watch::channel(false);
        let asked = ASKS.into_iter().filter(|number| !is_ignored(*number));
        // One that cannot be listened to ends the process, as it would without this.
        let mut asked: Vec<Signal> = asked.filter_map(|n| signal(SignalKind::from_raw(n)).ok()).collect();
        let listener = tokio::spawn(async move {
            next(&mut asked).await;
            // Nobody listens once every scenario has ended. Before the line, whose reader may be slow.
            let _ = cancel.send(true);
            say("interrupted; ending the guests (once more: ending at once)");
            next(&mut asked).await;
            give_terminal_back();
            go_back();
            say("ended at once; what is left of the run is removed by the next one");
            stderr::finish();
            process::exit(ENDED_AT_ONCE);
        });
        Interrupt { cancelled, listener }
    }

    /// Becomes true when somebody asks.
    pub(super) fn cancelled(&self) -> watch::Receiver<bool> {
        self.cancelled.clone()
    }

    /// Over when somebody asks.
    pub(super) async fn is_asked(&self) {
        // The sender lives as long as the listener, which ends only with this.
        let _ = self.cancelled().wait_for(|asked| *asked).await;
    }

    /// Stops listening; an error if somebody has asked.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.asked()
    }

    /// An error if somebody has asked.
    pub(super) fn asked(&self) -> Result<(), Failure> {
        if *self.cancelled.borrow() {
            return Err(Failure { error: anyhow!("interrupted"), status: Status::Interrupted });
        }
        Ok(())
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn next(asked: &mut [Signal]) {
    poll_fn(|context| match asked.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// `nohup` wants it so.
fn is_ignored(signal: c_int) -> bool {
    let mut present = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is changed, and zeros are a sigaction, too.
    unsafe {
        libc::sigaction(signal, null(), present.as_mut_ptr()) == 0
            && present.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

//! Ctrl-C, and `kill`.

use super::exit::{Failure, Status};
use crate::prepare::say;
use anyhow::anyhow;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Ctrl-C or SIGTERM, which ends the guests and lets what is known be written.
pub(super) struct Interrupt {
    cancelled: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

async fn asked_to_end() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        ctrl_c = tokio::signal::ctrl_c() => ctrl_c,
        _ = terminated.recv() => Ok(()),
    }
}

impl Interrupt {
    pub(super) fn listen() -> Interrupt {
        let (cancel, cancelled) = watch::channel(false);
        let listener = tokio::spawn(async move {
            if asked_to_end().await.is_ok() {
                say("interrupted; ending the guests");
                // Nobody listens once every scenario has ended.
                let _ = cancel.send(true);
            }
            std::future::pending::<()>().await;
        });
        Interrupt { cancelled, listener }
    }

    /// Becomes true on Ctrl-C.
    pub(super) fn cancelled(&self) -> watch::Receiver<bool> {
        self.cancelled.clone()
    }

    /// Stops listening; an error if Ctrl-C came.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.listener.abort();
        if *self.cancelled.borrow() {
            return Err(Failure { error: anyhow!("interrupted"), status: Status::Interrupted });
        }
        Ok(())
    }
}

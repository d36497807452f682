//! What a world carries its commands out on: QEMU and its network, or a fake in its place.
//!
//! It does what it is told and decides nothing; when a guest is there and whose a command is, is the world's.

use crate::guest::{GuestEvent, VerifyMode, Waited};
use crate::template::{History, PortReply};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use vmhealth_sim::cluster::{DomainEvent, ProbeRequest};
use vmhealth_sim::engine::{Connection, Input, Request};
use vmhealth_sim::kubelet::Attempt;

/// How a guest begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// As the template was captured.
    Fork,
    /// At power-on.
    Cold {
        /// Its vCPUs stand still until they are resumed.
        paused: bool,
    },
}

/// The boot that a fork does not go through itself.
#[derive(Debug)]
pub(super) struct Past {
    /// What happened in it.
    pub(super) history: History,
    /// The template's name in its store.
    pub(super) template: String,
}

/// Starts guests, and forwards the Service's connections.
pub(super) trait Backend: Sized + 'static {
    /// A guest that runs, or has run.
    type Guest: Running;

    /// What guests can be forked from.
    fn past(&self) -> Option<Rc<Past>>;

    /// Starts a guest; times in its transcripts count from `origin`. It ends when it is dropped.
    async fn launch(
        &self,
        vmi: u32,
        start: Start,
        origin: Instant,
    ) -> Result<(Self::Guest, mpsc::UnboundedReceiver<GuestEvent>), String>;

    /// Has the Service's connections go to this guest, or has them refused.
    fn forward(&self, to: Option<Rc<Self::Guest>>) -> Result<(), String>;

    /// One connection to the Service; `None`: there is no Service.
    async fn connect(&self) -> Option<Connection>;
}

/// A guest that was started.
pub(super) trait Running: 'static {
    /// The file that its console is written to.
    fn console(&self) -> PathBuf;

    /// Takes note of what it did; what somebody else has done to it, if that is why.
    fn note(&self, event: &DomainEvent) -> Option<String>;

    /// How long it was kept from a core; `None`: nobody knows, or cares.
    fn waited_for_core(&self) -> Option<Waited>;

    /// Why it does not run although it should, where that is nobody's doing in there; asked now and then.
    async fn hangs(&self) -> Option<String>;

    /// Whether its kernel answers, whatever its console says: a program may write there, too.
    async fn answers(&self) -> bool;

    /// Carries out a command; what to tell of it.
    async fn carry_out(&self, vmi: u32, what: Request, look: VerifyMode) -> Vec<Input>;

    /// One attempt of a probe, whose connection meets this.
    async fn probe(&self, met: PortReply, request: &ProbeRequest, timeout: Duration) -> Attempt;

    /// Kills it and waits until it is gone.
    async fn kill(&self);
}

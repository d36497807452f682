//! Guests that are booted once and forked ever after.
//!
//! A template is a guest that was booted to readiness, stopped and captured: its memory as a file, its device state as a
//! migration stream without that memory (`x-ignore-shared`), its disk as an overlay that nobody writes to any more, and the
//! history of its boot. A fork maps the memory privately and goes on from there; the history is replayed into its
//! scenario's trace (`reality::replay`). Whatever goes wrong here is a reason to boot cold, never a verdict.

mod capture;
mod error;
mod history;
mod key;
mod store;
mod trial;

pub use capture::ensure;
pub use error::CaptureError;
pub use history::{History, PortHistory, PortReply};
pub use key::key;
pub use store::{Template, Templates};

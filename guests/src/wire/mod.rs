//! QMP and guest agent over unix sockets: our own line protocol and qapi's types. Not qapi's own client: it can abort the
//! process on a command that timed out, and it refuses events that it does not know.

mod agent;
mod qmp;
mod transcript;

pub use agent::{Agent, AgentError, ExecOutput, PortState};
pub use qmp::{Qmp, QmpError, QmpEvent};
pub use transcript::Transcript;

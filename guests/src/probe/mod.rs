//! One attempt of a probe, exactly as the kubelet (http, tcp) or virt-probe (exec, guestAgentPing) makes it.
//!
//! kubelet-prober.md 9, 10 and 15. An *error* (thrown away by the worker) is not a failure: each handler says which
//! of its troubles are which.

mod agent;
mod attempt;
mod connection;
mod hop;
mod http;
mod network;
mod target;
mod tcp;
mod tls;

pub use agent::{exec, no_agent, ping};
pub use hop::HttpTarget;
pub(crate) use hop::first_hop;
pub(crate) use http::answered_on;
pub use http::{Sent, get, get_logged};
pub use network::Network;
pub use tcp::tcp;

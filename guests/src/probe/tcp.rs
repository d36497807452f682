//! A TCP probe.

use super::attempt::{failure, success};
use super::network::{Network, dial};
use crate::time;
use std::time::Duration;
use vmhealth_sim::kubelet::Attempt;

/// A TCP probe: a completed handshake is success; nothing is sent. There is no error class here, also not for a name
/// that cannot be resolved.
pub async fn tcp(network: Network<'_>, host: &str, port: u16, timeout: Duration) -> Attempt {
    match time::timeout(timeout, dial(network, host, port)).await {
        Ok(Ok(_)) => success(String::new()),
        Ok(Err(text)) => failure(text),
        Err(_) => failure(format!("dial tcp {host}:{port}: i/o timeout")),
    }
}

//! guestAgentPing and exec, as virt-probe and virt-launcher do them (kubevirt-health.md 3.3, 3.4).
//!
//! Trouble with the agent is a failure, not an error: virt-probe exits with a status other than 0.

use super::attempt::{failure, success};
use crate::time;
use crate::wire::{Agent, AgentError};
use qapi::qga;
use std::time::Duration;
use vmhealth_sim::kubelet::Attempt;

/// libvirt's own limit for an agent command; the probe's timeout is not used for a ping.
const LIBVIRT_AGENT_LIMIT: Duration = Duration::from_secs(5);

/// `guest-ping`; the kubelet cuts it at `timeout` (the VMI's and one second).
pub async fn ping(agent: &Agent, timeout: Duration) -> Attempt {
    let asked = async { agent.present()?.execute(qga::guest_ping {}, LIBVIRT_AGENT_LIMIT).await };
    match time::timeout(timeout, asked).await {
        Ok(Ok(_)) => success(""),
        Ok(Err(e)) => failure(virt_probe_panic(&e)),
        Err(_) => failure(cut(timeout)),
    }
}

/// `guest-exec` without a shell: `inner` inside, `timeout` outside. What a signal killed has no exit code and counts as
/// success; what runs too long is left running.
pub async fn exec(agent: &Agent, command: &[String], inner: Duration, timeout: Duration) -> Attempt {
    let argv: Vec<&str> = command.iter().map(String::as_str).collect();
    let asked = async {
        let agent = agent.present()?;
        let pid = agent.start(&argv, LIBVIRT_AGENT_LIMIT).await?;
        agent.finish(pid, time::now() + inner).await
    };
    match time::timeout(timeout, asked).await {
        Ok(Ok(output)) => match output.exit_code.unwrap_or(0) {
            0 => success(cap(output.stdout)),
            // virt-launcher reads the program's standard output only (agent/exec.go).
            _ => failure(cap(output.stdout)),
        },
        Ok(Err(e)) => failure(virt_probe_panic(&e)),
        Err(_) => failure(cut(timeout)),
    }
}

/// What both find where the agent is not connected.
pub fn no_agent() -> Attempt {
    failure(virt_probe_panic(&AgentError::NotConnected))
}

/// The kubelet keeps 10 240 bytes of a command's output (exec.go).
fn cap(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(10 * 1024));
    text
}

fn virt_probe_panic(e: &AgentError) -> String {
    format!("panic: {e}")
}

fn cut(timeout: Duration) -> String {
    format!("command timed out: \"virt-probe\" timed out after {}s", timeout.as_secs())
}

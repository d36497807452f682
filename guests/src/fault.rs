//! Breaking things, and seeing that they broke (qemu-watchdog.md 9).
//!
//! Every injection answers with how it was confirmed, or with why not and whose doing that was: an exit status of 0 proves
//! nothing (`pkill watchdog` succeeds without a daemon, a killed agent heals itself in 0.2 s).

use self::NotInjected::{Guest, Host};
use crate::console;
use crate::guest::{Live, Moment};
use crate::outside;
use crate::time;
use crate::wire::AgentError;
use nix::sys::signal::Signal;
use std::time::Duration;
use tokio::time::Instant;
use vmhealth_sim::scenario::Fault;

/// A fault that was seen to have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// How it was seen.
    pub how: String,
    /// Who pets the watchdog from now on, where the fault concerns it.
    pub petter: Option<String>,
}

/// Why a fault was not seen to have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotInjected {
    /// The guest lacks what it needs, or shows nothing of it.
    Guest(String),
    /// The host could not.
    Host(String),
}

impl From<AgentError> for NotInjected {
    fn from(e: AgentError) -> Self {
        match &e {
            AgentError::NotConnected | AgentError::Over | AgentError::Late { .. } => Guest(e.to_string()),
            blocked if blocked.is_blocked() => Guest(e.to_string()),
            AgentError::Wire(_) | AgentError::Answer(_) => Host(e.to_string()),
        }
    }
}

/// How long an unscaled injection may take with its confirmation.
const LIMIT: Duration = Duration::from_secs(10);
const SERIAL_POLL: Duration = Duration::from_millis(20);

/// Injects the `fault` of a scenario's step and waits until it is seen; deadlines stretch with `guest_scale`.
pub async fn inject(live: &Live, step: usize, fault: &Fault, guest_scale: f64) -> Result<Confirmed, NotInjected> {
    let deadline = time::now() + LIMIT.mul_f64(guest_scale);
    let how = match fault {
        Fault::KernelPanic => kernel_panic(live, deadline).await?,
        Fault::KillWatchdog => {
            let output = shell(live, &live.os.kill_watchdog_daemon(), deadline).await?;
            let petter = output.lines().find_map(|l| l.strip_prefix("petter ")).unwrap_or("nobody").to_owned();
            let how = match petter.as_str() {
                "nobody" => format!("{}; nobody pets the device now", first_line(&output)),
                name => format!("{}; {name} took over and pets the device", first_line(&output)),
            };
            return Ok(Confirmed { how, petter: Some(petter) });
        }
        Fault::StopWatchdog => shell(live, &live.os.stop_watchdog_daemon(), deadline).await?,
        Fault::KillAgent => kill_agent(live, deadline).await?,
        Fault::StopAgent { lasting } => stop_agent(live, lasting.0, deadline).await?,
        Fault::Health(health) => shell(live, &live.os.set_health(health), deadline).await?,
        Fault::KillQemu => end_qemu(live, Signal::SIGKILL, deadline).await?,
        // virt-launcher-monitor passes its end on to QEMU as SIGTERM.
        Fault::KillLauncher => end_qemu(live, Signal::SIGTERM, deadline).await?,
        Fault::NetworkLoss { direction, .. } => outside::lose_frames(live, step, *direction).await.map_err(Host)?,
        Fault::IoError { .. } => outside::fail_writes(live, step).await.map_err(Host)?,
        Fault::GuestPoweroff => ask(live, live.os.power_off(), deadline).await?,
        Fault::GuestReboot => ask(live, live.os.reboot(), deadline).await?,
    };
    Ok(Confirmed { how: first_line(&how).to_owned(), petter: None })
}

/// Confirmed by the process being reaped.
async fn end_qemu(live: &Live, signal: Signal, deadline: Instant) -> Result<String, NotInjected> {
    live.signal(signal);
    match live.exited(left(deadline)).await {
        true => Ok(format!("QEMU was ended by {signal} and reaped")),
        false => Err(Host(format!("QEMU is still there after {signal}"))),
    }
}

/// Confirmed by systemd taking the request, or by the agent that goes down with the rest before it could say so.
async fn ask(live: &Live, command: &[&str], deadline: Instant) -> Result<String, NotInjected> {
    let agent = live.agent.present()?;
    match agent.run(command, deadline).await {
        Ok(output) if output.exit_code == Some(0) => Ok("systemd took the request".into()),
        Err(AgentError::Over) => Ok("the agent went down with the guest".into()),
        Ok(output) => Err(Guest(format!("exit code {:?}, stderr: {}", output.exit_code, output.stderr.trim()))),
        Err(e) => Err(e.into()),
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(time::now())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Runs a script in the guest; anything but exit code 0 means that the fault could not be injected.
async fn shell(live: &Live, script: &str, deadline: Instant) -> Result<String, NotInjected> {
    let agent = live.agent.present()?;
    let output = agent.shell(script, deadline).await?;
    match output.exit_code {
        Some(0) => Ok(output.stdout),
        _ => Err(Guest(format!("exit code {:?}, stderr: {}", output.exit_code, output.stderr.trim()))),
    }
}

/// Confirmed by the console: the agent cannot answer any more, and its silence would prove nothing.
async fn kernel_panic(live: &Live, deadline: Instant) -> Result<String, NotInjected> {
    let from = std::fs::metadata(&live.serial).map_or(0, |m| m.len());
    let agent = live.agent.present()?;
    let trigger = agent.start(live.os.panic_kernel(), left(deadline));
    tokio::pin!(trigger);
    let mut triggered = false;
    loop {
        let console = console::since(&live.serial, from);
        if console::panics(&console).any(|p| p == console::SYSRQ) {
            live.vcpus_at(Moment::Panicked { counts: live.counts_in_panic });
            return Ok("the console shows the panic".into());
        }
        tokio::select! {
            // The reply may or may not come out before the panic; an error is one only if no panic follows.
            _ = &mut trigger, if !triggered => triggered = true,
            () = time::sleep(SERIAL_POLL) => {}
        }
        if time::now() >= deadline {
            let end = String::from_utf8_lossy(&console).into_owned();
            return Err(Guest(format!(
                "no panic on the console (a kernel speaks there with console=ttyS0); its end: {end}"
            )));
        }
    }
}

/// Confirmed by the port: closed, and opened again by systemd's restart.
async fn kill_agent(live: &Live, deadline: Instant) -> Result<String, NotInjected> {
    let agent = live.agent.present()?;
    let mut port = live.port.clone();
    let session = port.borrow_and_update().session;
    // Its reply dies with it.
    let _ = agent.start(live.os.kill_agent(), left(deadline)).await;
    let again = port.wait_for(|s| s.open && s.session > session);
    match time::timeout_at(deadline, again).await {
        Ok(Ok(_)) => Ok("the agent's port closed and opened again".into()),
        Ok(Err(_)) => Err(Host("QEMU ended meanwhile".into())),
        Err(_) => Err(Guest("the agent's port did not close and open again".into())),
    }
}

/// Confirmed by the port closing.
async fn stop_agent(live: &Live, lasting: Duration, deadline: Instant) -> Result<String, NotInjected> {
    let agent = live.agent.present()?;
    let mut port = live.port.clone();
    let script = live.os.stop_agent(lasting);
    // Its reply may die with the agent; the port tells.
    let _ = agent.start(&["/bin/sh", "-c", &script], left(deadline)).await;
    match time::timeout_at(deadline, port.wait_for(|s| !s.open)).await {
        Ok(Ok(_)) => Ok("the agent's port closed".into()),
        Ok(Err(_)) => Err(Host("QEMU ended meanwhile".into())),
        Err(_) => Err(Guest("the agent's port did not close".into())),
    }
}

//! Breaking things, and seeing that they broke (qemu-watchdog.md 9).
//!
//! Every injection answers with how it was confirmed, or with why not and whose doing that was: an exit status of 0 proves
//! nothing (`pkill watchdog` succeeds without a daemon, a killed agent heals itself in 0.2 s).

use self::NotInjected::{Guest, Host};
use crate::console;
use crate::guest::{Live, Moment};
use crate::os::{Breakage, LACKS, SAYS};
use crate::outside;
use crate::time;
use crate::wire::{AgentError, QmpError};
use nix::sys::signal::Signal;
use qapi::{qga, qmp};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use vmhealth_sim::scenario::{Fault, NodeLoss, OomVictim};

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

impl From<QmpError> for NotInjected {
    fn from(e: QmpError) -> Self {
        Host(e.to_string())
    }
}

/// How long an unscaled injection may take with its confirmation.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a frozen guest is asked to thaw, each time for the limit: ten minutes.
const THAW_TRIES: usize = 60;
const SERIAL_POLL: Duration = Duration::from_millis(20);

/// Injects the `fault` of a scenario's step and waits until it is seen; deadlines stretch with `guest_scale`.
pub async fn inject(live: &Live, step: usize, fault: &Fault, guest_scale: f64) -> Result<Confirmed, NotInjected> {
    let deadline = time::now() + LIMIT.mul_f64(guest_scale);
    let how = match fault {
        Fault::KernelPanic => kernel_panic(live, deadline).await?,
        Fault::KillWatchdog => shell(live, &live.os.kill_watchdog_daemon(), deadline).await?,
        Fault::StopWatchdog => shell(live, &live.os.stop_watchdog_daemon(), deadline).await?,
        Fault::KillAgent => kill_agent(live, deadline).await?,
        Fault::StopAgent { lasting } => stop_agent(live, lasting.0, deadline).await?,
        Fault::Health(health) => shell(live, &live.os.set_health(health), deadline).await?,
        // The kernel spares nobody in the container.
        Fault::KillQemu | Fault::OomKill { of: OomVictim::Container } => {
            end_qemu(live, Signal::SIGKILL, deadline).await?
        }
        // virt-launcher-monitor passes its end on to QEMU as SIGTERM.
        Fault::KillLauncher => end_qemu(live, Signal::SIGTERM, deadline).await?,
        Fault::NetworkLoss { delay: Some(delay), .. } => {
            outside::delay_frames(live, step, delay.0).await.map_err(Host)?
        }
        Fault::NetworkLoss { direction, .. } => outside::lose_frames(live, step, *direction).await.map_err(Host)?,
        Fault::IoError { .. } if live.disk_fault.borrow().is_on() => {
            return Err(Guest("the guest's writes fail already".into()));
        }
        Fault::IoError { error, .. } => outside::fail_writes(live, step, *error).await.map_err(Host)?,
        Fault::NodeLost { by: NodeLoss::PowerLoss, .. } => end_qemu(live, Signal::SIGKILL, deadline).await?,
        Fault::NodeLost { by: NodeLoss::CutOff, .. } => outside::cut_off_node(live),
        Fault::GuestPoweroff => ask(live, live.os.power_off(), deadline).await?,
        Fault::GuestReboot => ask(live, live.os.reboot(), deadline).await?,
        Fault::PowerButton => {
            live.qmp.execute(qmp::system_powerdown {}, left(deadline)).await?;
            "QEMU pressed the power button".to_owned()
        }
        Fault::Nmi { panics } => nmi(live, fault, *panics, deadline).await?,
        Fault::FsFreeze { lasting } => freeze(live, lasting.0, deadline).await?,
        Fault::KernelHang => kernel_hang(live, fault, deadline).await?,
        Fault::SoftLockup { .. } => soft_lockup(live, fault, deadline).await?,
        within => match live.os.break_within(within) {
            Some(Breakage::Script(script)) => shell(live, &script, deadline).await?,
            Some(Breakage::Unit(script)) => unit(live, &script, deadline).await?,
            None => return Err(Guest(format!("nothing is known that brings about {} in such a guest", fault.kind()))),
        },
    };
    Ok(confirmed(&how))
}

/// From what a script has printed.
fn confirmed(output: &str) -> Confirmed {
    let petter = output.lines().find_map(|l| l.strip_prefix("petter ")).map(str::to_owned);
    let how = match petter.as_deref() {
        None => first_line(output).to_owned(),
        Some("nobody") => format!("{}; nobody pets the device now", first_line(output)),
        Some(name) => format!("{}; {name} took over and pets the device", first_line(output)),
    };
    Confirmed { how, petter }
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
    let agent = live.agent.present()?;
    let from = live.console_length();
    let trigger = agent.start(live.os.panic_kernel(), left(deadline));
    let panicked = |console: &[u8]| console::panics(console).any(|p| p == console::SYSRQ).then_some(());
    on_console(live, trigger, "panic", deadline, panicked).await?;
    live.panicked(from);
    Ok("the console shows the panic".into())
}

/// Its own word is its last one. Confirmed by a connection that is not answered: where only programs are kept from the CPU, the
/// kernel answers.
async fn kernel_hang(live: &Live, fault: &Fault, deadline: Instant) -> Result<String, NotInjected> {
    let Some(Breakage::Unit(script)) = live.os.break_within(fault) else {
        return Err(Guest("nothing is known that makes such a guest's kernel hang".into()));
    };
    let word = unit(live, &script, deadline).await?;
    while let Some(answer) = outside::answer(live).await.map_err(Host)? {
        if time::now() >= deadline {
            return Err(Guest(format!("it says that {word}, and a connection to it is answered: {answer}")));
        }
        time::sleep(outside::POLL).await;
    }
    live.vcpus_at(Moment::Panicked { counts: false });
    Ok(format!("{word}, and a connection to it is not answered"))
}

/// It says its word before it loops, too. Confirmed by an agent that answers no ping. The kernel mostly still answers a connection;
/// not where it had left that to a thread of its own, ksoftirqd, which gets no CPU either.
async fn soft_lockup(live: &Live, fault: &Fault, deadline: Instant) -> Result<String, NotInjected> {
    let Some(Breakage::Unit(script)) = live.os.break_within(fault) else {
        return Err(Guest("nothing is known that makes such a guest's kernel loop".into()));
    };
    let word = unit(live, &script, deadline).await?;
    let agent = live.agent.present()?;
    loop {
        match agent.execute(qga::guest_ping {}, outside::SILENCE).await {
            Err(AgentError::Late { .. }) => break,
            Err(e) => return Err(e.into()),
            Ok(_) if time::now() >= deadline => {
                return Err(Guest(format!("it says that {word}, and its agent answers a ping")));
            }
            Ok(_) => time::sleep(outside::POLL).await,
        }
    }
    let answer = outside::answer(live).await.map_err(Host)?;
    Ok(format!("{word}: its agent is silent, a connection is {}", answer.as_deref().unwrap_or("not answered")))
}

/// Pulls `trigger` and waits until `look` finds something in what the console shows from then on. Whether the trigger ends, and
/// how, makes no difference: its reply may or may not come out before the fault.
async fn on_console<T>(
    live: &Live,
    trigger: impl Future,
    what: &str,
    deadline: Instant,
    look: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, NotInjected> {
    let from = live.console_length();
    tokio::pin!(trigger);
    let mut triggered = false;
    loop {
        let console = console::since(&live.serial, from);
        if let Some(found) = look(&console) {
            return Ok(found);
        }
        tokio::select! {
            _ = &mut trigger, if !triggered => triggered = true,
            () = time::sleep(SERIAL_POLL) => {}
        }
        if time::now() >= deadline {
            let end = String::from_utf8_lossy(&console).into_owned();
            return Err(Guest(format!(
                "no {what} on the console (a kernel speaks there with console=ttyS0); its end: {end}"
            )));
        }
    }
}

/// Runs a script as a unit of its own; confirmed by what it says on the console.
async fn unit(live: &Live, script: &str, deadline: Instant) -> Result<String, NotInjected> {
    let agent = live.agent.present()?;
    let command = ["/usr/bin/systemd-run", "--quiet", "--collect", "/bin/sh", "-c", script];
    let trigger = agent.start(&command, left(deadline));
    let word = |console: &[u8]| {
        let lack = console::said(console, LACKS).map(|why| Err(Guest(why)));
        lack.or_else(|| console::said(console, SAYS).map(Ok))
    };
    on_console(live, trigger, "word of the fault", deadline, word).await?
}

/// Confirmed by what the kernel says to it on the console, or by QEMU: a panic device tells of it before a kernel that was
/// interrupted so has written anything.
async fn nmi(live: &Live, fault: &Fault, panics: bool, deadline: Instant) -> Result<String, NotInjected> {
    if let Some(Breakage::Script(script)) = live.os.break_within(fault) {
        shell(live, &script, deadline).await?;
    }
    let from = live.console_length();
    let trigger = live.qmp.execute(qmp::inject_nmi {}, left(deadline));
    let expected = if panics { console::NMI } else { console::NMI_IGNORED };
    let shown = |console: &[u8]| match panics {
        true => console::panics(console).any(|p| p == expected),
        false => console::said(console, expected).is_some(),
    };
    let taken = |console: &[u8]| match shown(console) {
        true => Some(format!("the console shows {expected:?}")),
        false if panics && live.panicked.load(Ordering::Relaxed) => Some("QEMU tells of the panic".to_owned()),
        false => None,
    };
    let how = on_console(live, trigger, expected, deadline, taken).await?;
    if panics {
        live.panicked(from);
    }
    Ok(how)
}

/// Confirmed by the agent's own word. It is thawed by the agent too: nobody else can take its state back.
async fn freeze(live: &Live, lasting: Duration, deadline: Instant) -> Result<String, NotInjected> {
    let agent = live.agent.present()?;
    let frozen = agent.execute(qga::guest_fsfreeze_freeze {}, left(deadline)).await?;
    let status = agent.execute(qga::guest_fsfreeze_status {}, left(deadline)).await?;
    if status != qga::GuestFsfreezeStatus::frozen {
        return Err(Guest(format!("the agent says that {frozen} filesystems are {status:?}")));
    }
    tokio::task::spawn_local(async move {
        time::sleep(lasting).await;
        for _ in 0..THAW_TRIES {
            // One that is gone or boots again has nothing frozen. One that is late may hang or be paused, and is asked again.
            match agent.execute(qga::guest_fsfreeze_thaw {}, LIMIT).await {
                Err(AgentError::Late { .. }) => {}
                _ => break,
            }
        }
    });
    Ok(format!("the agent says that {frozen} filesystems are frozen"))
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

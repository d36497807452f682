//! The QEMU guest agent over its virtio-serial socket (qemu-watchdog.md 10).
//!
//! Serial by nature: one command at a time, resynchronised with a 0xFF-delimited sync on every new boot and after every
//! failure. An [`Agent`] belongs to one boot: when the port closes or the guest is reset, a pending call and every
//! later one fails at once.

use super::{QmpError, Transcript};
use crate::time;
use qapi::Execute;
use qapi::qga::{self, QgaCommand};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// More than a program's output that virt-launcher would pass on (gRPC's 4 MiB, in base64); a longer line ends the connection.
const MAX_LINE: u64 = 8 << 20;
/// How often a running guest-exec is asked for its end; each look costs the guest some milliseconds of its CPU.
const EXEC_POLL: Duration = Duration::from_millis(250);

/// Why the agent has not answered.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nobody has the port open in the guest: libvirt's own words.
    #[error("Guest agent is not responding: QEMU guest agent is not connected")]
    NotConnected,
    /// This session's boot is over.
    #[error("the guest was reset or its agent restarted: this agent session is over")]
    Over,
    /// The port is open and nothing came.
    #[error("Guest agent is not responding: no answer to {what} within {}s", limit.as_secs_f64())]
    Late {
        /// The command.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The agent's own error, or the socket's.
    #[error(transparent)]
    Wire(#[from] QmpError),
    /// An answer that makes no sense.
    #[error("the agent's answer cannot be used: {0}")]
    Answer(String),
}

impl AgentError {
    /// The agent is set up not to do that.
    pub fn is_blocked(&self) -> bool {
        // "The command guest-exec has been disabled for this instance", and since QEMU 8.1 "Command guest-exec has been disabled: ...".
        matches!(self, AgentError::Wire(QmpError::Qemu { desc, .. }) if desc.contains("has been disabled"))
    }
}

/// The port's state, from VSERPORT_CHANGE and RESET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortState {
    /// The guest has it open.
    pub open: bool,
    /// Counts openings; a session is valid for one.
    pub session: u64,
}

/// The agent in one session of the port. Clones share the channel.
#[derive(Debug, Clone)]
pub struct Agent {
    channel: Arc<Mutex<Channel>>,
    port: watch::Receiver<PortState>,
    session: u64,
}

#[derive(Debug)]
struct Channel {
    stream: BufReader<UnixStream>,
    transcript: Transcript,
    /// The line is in step for this session; `None` after any failure.
    in_step: Option<u64>,
    next_sync: i64,
}

/// What a program in the guest left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code; `None` if a signal killed it.
    pub exit_code: Option<i64>,
    /// Standard output, lossily decoded.
    pub stdout: String,
    /// Standard error, lossily decoded.
    pub stderr: String,
}

impl Agent {
    /// Connects to the host's end of the port; nothing is sent before the guest opens its own.
    pub async fn connect(
        path: &Path,
        transcript: Transcript,
        port: watch::Receiver<PortState>,
    ) -> Result<Agent, AgentError> {
        let stream = UnixStream::connect(path).await.map_err(QmpError::Io)?;
        Ok(Agent::on(stream, transcript, port))
    }

    /// The same on a connection.
    pub(crate) fn on(stream: UnixStream, transcript: Transcript, port: watch::Receiver<PortState>) -> Agent {
        // From this process's own start on, so that no stale reply of an earlier one can match.
        let next_sync = i64::from(std::process::id()) << 20;
        let channel = Channel { stream: BufReader::new(stream), transcript, in_step: None, next_sync };
        Agent { channel: Arc::new(Mutex::new(channel)), port, session: 0 }
    }

    /// The agent in the port's present session.
    pub fn present(&self) -> Result<Agent, AgentError> {
        let state = *self.port.borrow();
        if !state.open {
            return Err(AgentError::NotConnected);
        }
        Ok(Agent { session: state.session, ..self.clone() })
    }

    /// Waits until the port is no longer in this session.
    async fn over(&self) {
        let mut port = self.port.clone();
        let session = self.session;
        // An error means that QEMU is gone, and the session with it.
        let _ = port.wait_for(|s| !s.open || s.session != session).await;
    }

    /// Executes one command.
    pub async fn execute<C: QgaCommand>(&self, command: C, limit: Duration) -> Result<C::Ok, AgentError> {
        self.within_session(C::NAME, limit, self.exchange(command)).await
    }

    /// The session's end is looked at first: nothing of an old session may be sent into a new one.
    async fn within_session<T>(
        &self,
        what: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, AgentError>>,
    ) -> Result<T, AgentError> {
        tokio::select! {
            biased;
            () = self.over() => Err(AgentError::Over),
            answer = time::timeout(limit, call) => answer.map_err(|_| AgentError::Late { what, limit })?,
        }
    }

    async fn exchange<C: QgaCommand>(&self, command: C) -> Result<C::Ok, AgentError> {
        let mut channel = self.channel.lock().await;
        // Out of step until the reply is read: also when we are cancelled.
        if channel.in_step.take() != Some(self.session) {
            channel.sync().await?;
        }
        channel.send(command).await?;
        let line = channel.read_line().await?;
        let result = answer(&line);
        // What is JSON is the end of an answer, whatever stands in it.
        if matches!(&result, Ok(_) | Err(QmpError::Qemu { .. })) {
            channel.in_step = Some(self.session);
        }
        Ok(result?)
    }

    /// Sends a command that answers only when it refuses; how long that may take is `refusal`. The line is brought in step
    /// first, in any case: libvirt's own is out of step soon after an agent stops answering, because KubeVirt asks it every 5 s
    /// whether its filesystems are frozen.
    pub async fn send<C: QgaCommand>(&self, command: C, limit: Duration, refusal: Duration) -> Result<(), AgentError> {
        let sending = async {
            let mut channel = self.channel.lock().await;
            channel.in_step = None;
            channel.sync().await?;
            channel.send(command).await?;
            Ok(channel)
        };
        let mut channel = self.within_session(C::NAME, limit, sending).await?;
        match self.within_session(C::NAME, refusal, channel.read_line()).await {
            Ok(line) => Ok(answer::<IgnoredAny>(&line).map(drop)?),
            // Nothing is said against it, or the agent goes down with the guest.
            Err(_) => Ok(()),
        }
    }

    /// Starts a program in the guest, without a shell; its pid there.
    pub async fn start(&self, argv: &[&str], limit: Duration) -> Result<i64, AgentError> {
        let Some((path, arg)) = argv.split_first() else {
            return Err(AgentError::Answer("an empty command".into()));
        };
        let command = qga::guest_exec {
            path: (*path).to_owned(),
            arg: Some(arg.iter().map(|a| (*a).to_owned()).collect()),
            env: None,
            input_data: None,
            capture_output: Some(qga::GuestExecCaptureOutput::flag(true)),
        };
        Ok(self.execute(command, limit).await?.pid)
    }

    /// Runs a program in the guest and waits for its end until the deadline.
    pub async fn run(&self, argv: &[&str], deadline: Instant) -> Result<ExecOutput, AgentError> {
        let pid = self.start(argv, deadline.saturating_duration_since(time::now())).await?;
        self.finish(pid, deadline).await
    }

    /// Waits until the deadline for the end of a program that was started.
    pub async fn finish(&self, pid: i64, deadline: Instant) -> Result<ExecOutput, AgentError> {
        let left = || deadline.saturating_duration_since(time::now());
        let limit = left();
        loop {
            let status = self.execute(qga::guest_exec_status { pid }, left()).await?;
            if status.exited {
                let text = |data: Option<Vec<u8>>| String::from_utf8_lossy(&data.unwrap_or_default()).into_owned();
                let (stdout, stderr) = (text(status.out_data), text(status.err_data));
                return Ok(ExecOutput { exit_code: status.exitcode, stdout, stderr });
            }
            if left().is_zero() {
                return Err(AgentError::Late { what: "guest-exec", limit });
            }
            time::sleep(EXEC_POLL.min(left())).await;
        }
    }

    /// Runs a shell script in the guest.
    pub async fn shell(&self, script: &str, deadline: Instant) -> Result<ExecOutput, AgentError> {
        self.run(&["/bin/sh", "-c", script], deadline).await
    }
}

impl Channel {
    async fn send<C: QgaCommand>(&mut self, command: C) -> Result<(), AgentError> {
        let mut line = serde_json::to_vec(&Execute::<_, u64>::with_command(command)).map_err(QmpError::Json)?;
        line.push(b'\n');
        self.write(&line).await
    }

    async fn write(&mut self, line: &[u8]) -> Result<(), AgentError> {
        self.transcript.sent(line);
        Ok(self.stream.write_all(line).await.map_err(QmpError::Io)?)
    }

    async fn read_line(&mut self) -> Result<Vec<u8>, AgentError> {
        let mut line = Vec::new();
        let n = (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line).await.map_err(QmpError::Io)?;
        self.transcript.received(&line);
        if n == 0 || !line.ends_with(b"\n") { Err(QmpError::Closed.into()) } else { Ok(line) }
    }

    /// The leading 0xFF flushes a half-received command and always provokes one parse error; everything before the
    /// answering 0xFF is stale.
    async fn sync(&mut self) -> Result<(), AgentError> {
        self.next_sync += 1;
        let id = self.next_sync;
        let command = Execute::<_, u64>::with_command(qga::guest_sync_delimited { id });
        let mut line = vec![0xFF];
        line.extend(serde_json::to_vec(&command).map_err(QmpError::Json)?);
        line.push(b'\n');
        self.write(&line).await?;
        loop {
            let mut stale = Vec::new();
            let n = (&mut self.stream).take(MAX_LINE).read_until(0xFF, &mut stale).await.map_err(QmpError::Io)?;
            if n == 0 {
                return Err(QmpError::Closed.into());
            }
            self.transcript.received(&stale);
            let line = self.read_line().await?;
            if answer::<i64>(&line).is_ok_and(|answered| answered == id) {
                return Ok(());
            }
        }
    }
}

/// What the agent says. Read straight into what is wanted of it: of anything else nothing is kept in memory.
#[derive(Deserialize)]
struct Reply<T> {
    #[serde(rename = "return")]
    value: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    class: Option<String>,
    desc: Option<String>,
}

fn answer<T: DeserializeOwned>(line: &[u8]) -> Result<T, QmpError> {
    let reply: Reply<T> = serde_json::from_slice(line)?;
    if let Some(Refusal { class, desc }) = reply.error {
        let text = |text: Option<String>| text.unwrap_or_else(|| "?".into());
        return Err(QmpError::Qemu { class: text(class), desc: text(desc) });
    }
    reply.value.ok_or_else(|| serde::de::Error::missing_field("return")).map_err(QmpError::Json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// A port that closes and opens again while a call waits is another session: the call must not wait for its answer.
    #[tokio::test(flavor = "current_thread")]
    async fn a_call_ends_with_its_session() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("agent.sock");
        let _silent = UnixListener::bind(&path).expect("a socket");
        let open = |session| PortState { open: true, session };
        for (then, over) in [(open(2), true), (PortState { open: false, session: 1 }, true), (open(1), false)] {
            let (port, states) = watch::channel(open(1));
            let transcript =
                Transcript::create(&folder.path().join("transcript"), Instant::now()).expect("a transcript");
            let agent = Agent::connect(&path, transcript, states).await.expect("a connection");
            let present = agent.present().expect("the port is open");
            let call = present.execute(qga::guest_ping {}, Duration::from_millis(300));
            let change = async {
                tokio::task::yield_now().await;
                port.send_replace(then);
            };
            let (answer, ()) = tokio::join!(call, change);
            assert_eq!(matches!(answer, Err(AgentError::Over)), over, "{then:?}: {answer:?}");
        }
    }
}

//! A guest's frames between its TAP, which is in a namespace of ours, and a QEMU that cannot be given the descriptor.
//!
//! QEMU's end is a pair of unix datagram sockets (`-netdev dgram`). Nothing is accepted or answered here: a probe's handshake
//! is still the guest's own.

use super::NetError;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use tokio::io::unix::AsyncFd;
use tokio::net::UnixDatagram;
use tokio::task::JoinHandle;

/// Larger than any frame without offloads.
const FRAME: usize = 64 << 10;

/// Carries frames for as long as it lives.
#[derive(Debug)]
pub(crate) struct Relay {
    task: JoinHandle<()>,
}

impl Relay {
    /// Between a TAP and a QEMU whose socket will be `theirs`; ours is made at `ours`.
    pub(crate) fn start(tap: OwnedFd, ours: &Path, theirs: PathBuf) -> Result<Relay, NetError> {
        let configure = |source| NetError::Configure { what: "the relay to QEMU", source };
        set_nonblocking(&tap).map_err(configure)?;
        // SAFETY: an OwnedFd has the same open descriptor for as long as it lives.
        let tap = unsafe { AsyncFd::register(tap) }.map_err(|e| configure(e.into()))?;
        let socket = UnixDatagram::bind(ours).map_err(configure)?;
        Ok(Relay { task: tokio::spawn(carry(Tap(Some(tap)), socket, theirs)) })
    }
}

/// A TAP whose end nobody waits for: its close takes the kernel's network lock, which was seen to take 3 s.
struct Tap(Option<AsyncFd<OwnedFd>>);

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(tap) = self.0.take() {
            let fd = tap.into_inner();
            // Without a thread it is closed here.
            let _ = std::thread::Builder::new().name("close".into()).spawn(move || drop(fd));
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(owner: Tap, socket: UnixDatagram, theirs: PathBuf) {
    let Some(tap) = &owner.0 else { return };
    let (mut from_tap, mut from_qemu) = (vec![0; FRAME], vec![0; FRAME]);
    loop {
        // What cannot be delivered is lost, as on any wire: the guest is not there yet, or not any more.
        tokio::select! {
            read = tap.async_io(tokio::io::Interest::READABLE, |fd| read(fd, &mut from_tap)) => match read {
                Ok(n) => drop(socket.send_to(&from_tap[..n], &theirs).await),
                Err(_) => return,
            },
            received = socket.recv(&mut from_qemu) => match received {
                Ok(n) => drop(write(tap.get_ref(), &from_qemu[..n])),
                Err(_) => return,
            },
        }
    }
}

fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

fn read(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: plain read(2) into a buffer of that length.
    let n = unsafe { nix::libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

fn write(fd: &OwnedFd, frame: &[u8]) -> io::Result<usize> {
    // SAFETY: plain write(2) of a buffer of that length.
    let n = unsafe { nix::libc::write(fd.as_raw_fd(), frame.as_ptr().cast(), frame.len()) };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Netns;
    use std::time::Duration;

    /// An address that nobody has is asked for on the TAP; the question comes out at QEMU's end.
    #[tokio::test]
    async fn frames_come_out_at_the_other_end() {
        let folder = tempfile::tempdir().unwrap();
        let netns = Netns::new().unwrap();
        let theirs = folder.path().join("qemu");
        let qemu = UnixDatagram::bind(&theirs).unwrap();
        let _relay = Relay::start(netns.tap().unwrap(), &folder.path().join("ours"), theirs).unwrap();
        let guest = Netns::guest(80);
        let socket = netns.tcp_socket(&guest).unwrap();
        let connect = tokio::spawn(tokio::net::TcpSocket::from_std_stream(socket.into()).connect(guest));
        let mut frame = vec![0; FRAME];
        let arp = async {
            loop {
                let n = qemu.recv(&mut frame).await.unwrap();
                // Who has 10.0.2.2?
                if frame[12..14] == [0x08, 0x06] && frame[38..42] == [10, 0, 2, 2] {
                    return n;
                }
            }
        };
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), arp).await.unwrap(), 42);
        // And what QEMU sends is taken by the TAP.
        qemu.send_to(&frame[..42], folder.path().join("ours")).await.unwrap();
        connect.abort();
    }
}

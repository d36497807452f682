//! A network namespace held by one thread: it lives as long as this value, and no longer, also after SIGKILL.

use super::{DhcpServer, GUEST_ADDRESS, GUEST_MAC, HOST_ADDRESS, NetError, dhcp, tap};
use nix::sched::{CloneFlags, unshare};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::mpsc;

type Job = Box<dyn FnOnce() + Send>;

/// A namespace of our own. A socket made in it stays in it wherever it is used.
#[derive(Debug)]
pub struct Netns {
    jobs: mpsc::Sender<Job>,
}

impl Netns {
    /// Makes a namespace with a loopback.
    pub fn new() -> Result<Netns, NetError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (ready, made) = mpsc::channel();
        let thread = std::thread::Builder::new().name("netns".into()).spawn(move || {
            let result = unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|errno| NetError::namespace("network", errno))
                .and_then(|()| tap::bring_up("lo"));
            let failed = result.is_err();
            if ready.send(result).is_err() || failed {
                return;
            }
            for job in queue {
                job();
            }
        });
        thread.map_err(|source| NetError::Configure { what: "the namespace's thread", source })?;
        made.recv().map_err(|_| NetError::Gone)??;
        Ok(Netns { jobs })
    }

    /// Runs something short in the namespace's thread.
    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, NetError> {
        let (answer, wait) = mpsc::channel();
        let job = move || {
            // The asker waits for it just below.
            let _ = answer.send(job());
        };
        self.jobs.send(Box::new(job)).map_err(|_| NetError::Gone)?;
        wait.recv().map_err(|_| NetError::Gone)
    }

    /// A TAP whose other end is for QEMU, with our address on it.
    pub fn tap(&self) -> Result<OwnedFd, NetError> {
        self.run(|| tap::create(HOST_ADDRESS))?
    }

    /// A non-blocking TCP socket in the namespace.
    pub fn tcp_socket(&self, peer: &SocketAddr) -> Result<Socket, NetError> {
        let domain = Domain::for_address(*peer);
        let make = move || {
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        self.run(make)?.map_err(|source| NetError::Configure { what: "a socket", source })
    }

    /// A listener on the namespace's own loopback.
    pub fn listen(&self, address: SocketAddr) -> Result<std::net::TcpListener, NetError> {
        let make = move || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        self.run(make)?.map_err(|source| NetError::Configure { what: "a listener", source })
    }

    /// Serves the guest's address by DHCP; call it from the runtime, after the TAP was made.
    pub fn serve_dhcp(&self) -> Result<DhcpServer, NetError> {
        let configure = |source| NetError::Configure { what: "the DHCP server", source };
        let make = || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_nonblocking(true)?;
            socket.set_broadcast(true)?;
            // Broadcasts have no route of their own.
            socket.bind_device(Some(tap::TAP_NAME.as_bytes()))?;
            socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, dhcp::SERVER_PORT)).into())?;
            Ok(socket)
        };
        let socket = self.run(make)?.map_err(configure)?;
        let socket = tokio::net::UdpSocket::from_std(socket.into()).map_err(configure)?;
        Ok(DhcpServer::start(socket))
    }

    /// The guest's hardware address is known from here on and not asked for: what asks in vain is late with the next packets,
    /// by this host's clock, also when the guest answers again.
    pub(crate) fn know_guest(&self) -> Result<(), NetError> {
        self.run(|| tap::know(GUEST_ADDRESS, GUEST_MAC))?
    }

    /// The guest's address with this port.
    pub fn guest(port: u16) -> SocketAddr {
        (GUEST_ADDRESS, port).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    /// Needs root or user namespaces; the host's own loopback must stay out of reach.
    #[tokio::test]
    async fn a_namespace_reaches_only_itself() {
        let on_host = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host_address = on_host.local_addr().unwrap();
        let netns = match Netns::new() {
            Ok(netns) => netns,
            Err(e) => panic!("{e}"),
        };
        let connect = async |address: SocketAddr| {
            let socket = netns.tcp_socket(&address).unwrap();
            tokio::net::TcpSocket::from_std_stream(socket.into()).connect(address).await
        };
        assert_eq!(connect(host_address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let inside = netns.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        connect(inside.local_addr().unwrap()).await.unwrap();
        let out = connect("192.0.2.1:80".parse().unwrap()).await.unwrap_err();
        assert_eq!(out.kind(), ErrorKind::NetworkUnreachable);
    }
}

//! Where a probe connects from, and the errors of connecting in Go's words.

use crate::net::{NetError, Netns};
use crate::time;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};

/// Where a probe connects from.
#[derive(Debug, Clone, Copy)]
pub enum Network<'a> {
    /// This process's own network.
    Host,
    /// A guest's namespace.
    Namespace(&'a Netns),
    /// A guest that was not there yet: nothing ever answers.
    Silent,
    /// A guest in which nothing listened yet.
    Refusing,
}

impl Network<'_> {
    pub(crate) async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        match self {
            Network::Host => TcpStream::connect(address).await,
            Network::Namespace(netns) => {
                let socket = netns.tcp_socket(&address).map_err(|e: NetError| io::Error::other(e.to_string()))?;
                TcpSocket::from_std_stream(socket.into()).connect(address).await
            }
            Network::Silent => std::future::pending().await,
            Network::Refusing => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

/// Connects to a name or an address, without brackets; a name is resolved by the node, and its addresses are tried in turn.
pub(super) async fn dial(network: Network<'_>, host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![(ip, port).into()],
        Err(_) => {
            // The node's own resolver, which takes no guest time.
            let _hold = time::hold();
            tokio::net::lookup_host((host, port)).await.map_err(|_| no_such_host(host))?.collect()
        }
    };
    let mut failed = no_such_host(host);
    for address in addresses {
        match network.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(e) => failed = format!("dial tcp {address}: {}", dial_error(&e)),
        }
    }
    Err(failed)
}

fn no_such_host(name: &str) -> String {
    format!("dial tcp: lookup {name}: no such host")
}

/// The operating system's error in Go's words.
fn dial_error(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".into(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".into(),
        io::ErrorKind::ConnectionReset => "connect: connection reset by peer".into(),
        _ => e.to_string(),
    }
}

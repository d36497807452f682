//! A client and a Service: a connection every so often, forwarded to the ready endpoint only.
//!
//! The Service is a listener on the loopback of a namespace of its own. Without a ready endpoint it does not listen at
//! all, so the client is refused by the kernel, as kube-proxy's REJECT rule would.

use crate::guest::Live;
use crate::net::{NetError, Netns};
use crate::probe::Network;
use crate::time;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use vmhealth_sim::engine::Connection;

/// The Service's address in its own namespace.
const SERVICE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80);
/// For one whole connection of the client.
const CLIENT_LIMIT: Duration = Duration::from_secs(2);

/// The Service; clones share it.
#[derive(Debug, Clone)]
pub struct Service {
    netns: Rc<Netns>,
    forwarder: Rc<RefCell<Option<JoinHandle<()>>>>,
    port: u16,
}

impl Service {
    /// A Service in front of the guests' `port`, with no endpoint.
    pub fn new(port: u16) -> Result<Service, NetError> {
        Ok(Service { netns: Rc::new(Netns::new()?), forwarder: Rc::default(), port })
    }

    /// Forwards to this guest from now on, or to none.
    pub fn set_endpoint(&self, guest: Option<Rc<Live>>) -> Result<(), NetError> {
        if let Some(old) = self.forwarder.take() {
            // It is not polled again but to be dropped, and its listener with it: what is in the backlog is reset.
            old.abort();
        }
        if let Some(guest) = guest {
            let listener = self.netns.listen(SERVICE)?;
            let listener = TcpListener::from_std(listener)
                .map_err(|source| NetError::Configure { what: "the Service's listener", source })?;
            let port = self.port;
            let forwarder = tokio::task::spawn_local(async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::task::spawn_local(forward(client, guest.clone(), port));
                }
            });
            *self.forwarder.borrow_mut() = Some(forwarder);
        }
        Ok(())
    }

    /// One connection of the client.
    pub async fn connect(&self) -> Connection {
        match time::timeout(CLIENT_LIMIT, self.ask()).await {
            Ok(Ok(())) => Connection::Delivered,
            // Reset: the listener went away while the connection was in its backlog.
            Ok(Err(e)) if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset) => {
                Connection::Refused
            }
            _ => Connection::Lost,
        }
    }

    async fn ask(&self) -> io::Result<()> {
        let network = Network::Namespace(&self.netns);
        let mut stream = network.connect(SERVICE).await?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
        match stream.read(&mut [0; 64]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

async fn forward(mut client: TcpStream, guest: Rc<Live>, port: u16) {
    if guest.node_cut_off.get() {
        // Until it has waited for long enough: nobody refuses it.
        let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        return;
    }
    // A guest that does not answer is a closed connection: the client sees it as lost.
    if let Ok(mut server) = Network::Namespace(&guest.netns).connect(Netns::guest(port)).await {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

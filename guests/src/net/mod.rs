//! The guest's network: a namespace of our own per guest, a TAP in it, and nothing else.
//!
//! Probes are real handshakes with the guest's own address; QEMU's `hostfwd` would accept before the guest has
//! answered (kubelet-prober.md 10). The namespace has no other interface, so guests have no way out, two guests with
//! the same address never meet, and no host port is ever bound.

mod dhcp;
mod netns;
mod relay;
mod tap;
mod user;

pub use dhcp::DhcpServer;
pub(crate) use dhcp::answer as dhcp_answer;
pub use netns::Netns;
pub(crate) use relay::Relay;
pub(crate) use user::ALLOW_USER_NAMESPACES;
pub use user::{enter_user_namespace, try_as_user};

use std::net::Ipv4Addr;

/// The guest's address, as KubeVirt's masquerade binding gives it.
pub const GUEST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// Its NIC's, on every machine here.
pub(crate) const GUEST_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Our end of the TAP.
pub const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 1);
/// Of both.
pub const PREFIX_LENGTH: u8 = 24;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A namespace needs CAP_SYS_ADMIN, ours or in a user namespace.
    #[error(
        "cannot make a {kind} namespace: {why}; run as root, or allow user namespaces: {ALLOW_USER_NAMESPACES}; in a container: --privileged"
    )]
    Namespace {
        /// `user` or `network`.
        kind: &'static str,
        /// What the system says.
        why: String,
    },
    /// /dev/net/tun.
    #[error("cannot make a TAP device: {0}; {mend}", mend = tap::mend(.0))]
    Tap(#[source] std::io::Error),
    /// An address, a link or a socket could not be set up.
    #[error("cannot configure {what}: {source}")]
    Configure {
        /// What was to be set up.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// The thread that holds the namespace is gone.
    #[error("the network namespace is gone")]
    Gone,
}

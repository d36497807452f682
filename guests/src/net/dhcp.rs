//! The DHCP server that virt-launcher runs for its one guest: it always hands out the same address (RFC 2131).
//!
//! Only for guests whose own `networkData` may ask for it; ours is static.

use super::{GUEST_ADDRESS, HOST_ADDRESS, PREFIX_LENGTH};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Where servers listen.
pub(super) const SERVER_PORT: u16 = 67;
/// Where clients listen, which have no address yet.
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::BROADCAST), 68);

const MAGIC: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// The fixed part, up to the magic.
const FIXED: usize = 236;
const MESSAGE_TYPE: u8 = 53;

/// A running server; dropping it ends it, and with it its hold on the namespace.
#[derive(Debug)]
pub struct DhcpServer(JoinHandle<()>);

impl DhcpServer {
    pub(super) fn start(socket: UdpSocket) -> DhcpServer {
        DhcpServer(tokio::spawn(serve(socket)))
    }
}

impl Drop for DhcpServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(socket: UdpSocket) {
    let mut buffer = [0; 1500];
    while let Ok((length, _)) = socket.recv_from(&mut buffer).await {
        if let Some(answer) = answer(&buffer[..length]) {
            // A client that gets no answer asks again.
            let _ = socket.send_to(&answer, CLIENT).await;
        }
    }
}

/// An offer for a discover, an acknowledgement for a request; nothing for anything else.
pub(crate) fn answer(request: &[u8]) -> Option<Vec<u8>> {
    const BOOTREQUEST: u8 = 1;
    const BOOTREPLY: u8 = 2;
    let options = request.get(FIXED..)?.strip_prefix(&MAGIC)?;
    if request[0] != BOOTREQUEST {
        return None;
    }
    let kind = match message_type(options)? {
        1 => 2,
        3 => 5,
        _ => return None,
    };
    let mut answer = request[..FIXED].to_vec();
    answer[0] = BOOTREPLY;
    answer[16..20].copy_from_slice(&GUEST_ADDRESS.octets());
    answer[20..24].copy_from_slice(&HOST_ADDRESS.octets());
    // The names of server and boot file.
    answer[44..].fill(0);
    answer.extend(MAGIC);
    let mask = u32::MAX << (32 - u32::from(PREFIX_LENGTH));
    answer.extend([MESSAGE_TYPE, 1, kind, 51, 4, 0xff, 0xff, 0xff, 0xff]);
    for (code, address) in [(54, HOST_ADDRESS), (1, Ipv4Addr::from(mask)), (3, HOST_ADDRESS)] {
        answer.extend([code, 4]);
        answer.extend(address.octets());
    }
    answer.push(0xff);
    Some(answer)
}

fn message_type(mut options: &[u8]) -> Option<u8> {
    loop {
        match *options {
            [0, ref rest @ ..] => options = rest,
            [code, length, ref rest @ ..] => {
                let value = rest.get(..usize::from(length))?;
                if code == MESSAGE_TYPE {
                    return value.first().copied();
                }
                options = &rest[usize::from(length)..];
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(op: u8, options: &[u8]) -> Vec<u8> {
        let mut packet = vec![0xaa; FIXED];
        packet[0] = op;
        packet.extend(MAGIC);
        packet.extend(options);
        packet
    }

    #[test]
    fn discover_and_request_get_the_one_address() {
        for (asked, answered) in [(1, 2), (3, 5)] {
            let answer = answer(&request(1, &[0, 61, 2, 9, 9, 53, 1, asked, 255])).unwrap();
            assert_eq!((answer[0], &answer[16..20]), (2, &GUEST_ADDRESS.octets()[..]));
            assert_eq!(answer[4..8], [0xaa; 4], "the transaction's id");
            assert_eq!(message_type(&answer[FIXED + 4..]), Some(answered));
        }
    }

    #[test]
    fn anything_else_gets_nothing() {
        for packet in [
            vec![],
            request(2, &[53, 1, 1, 255]),
            request(1, &[53, 1, 7, 255]),
            request(1, &[53]),
            request(1, &[61, 200, 1]),
            request(1, &[255]),
            request(1, &[53, 1, 1])[..FIXED + 2].to_vec(),
        ] {
            assert_eq!(answer(&packet), None, "{packet:?}");
        }
    }
}

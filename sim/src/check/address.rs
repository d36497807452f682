//! Addresses as Go and KubeVirt read them: MAC, PCI, IPv4.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Go's net.ParseMAC: the number of bytes.
pub(super) fn mac_length(mac: &str) -> Option<usize> {
    let (separator, digits) = match mac.as_bytes() {
        [_, _, separator @ (b':' | b'-'), ..] => (char::from(*separator), 2),
        [_, _, _, _, b'.', ..] => ('.', 4),
        _ => return None,
    };
    let groups: Vec<&str> = mac.split(separator).collect();
    let fits = |group: &&str| group.len() == digits && group.bytes().all(|b| b.is_ascii_hexdigit());
    let length = groups.len() * digits / 2;
    (groups.iter().all(fits) && [6, 8, 20].contains(&length)).then_some(length)
}

/// KubeVirt's PCI_ADDRESS_PATTERN (pkg/util/hardware/hw_utils.go).
pub(super) fn is_pci_address(text: &str) -> bool {
    let shape = b"hhhh:hh:hh.o";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'h' => byte.is_ascii_hexdigit(),
        b'o' => (b'0'..=b'7').contains(&byte),
        _ => byte == *shape,
    };
    text.len() == shape.len() && text.bytes().zip(shape).all(fits)
}

/// Go's net.ParseIP and To4.
pub(super) fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_ipv4_mapped().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (mac, length) in [
            ("02:ab:cd:00:00:01", Some(6)),
            ("02-AB-cd-00-00-01", Some(6)),
            ("02ab.cd00.0001", Some(6)),
            ("02:ab:cd:00:00:01:02:03", Some(8)),
            ("02:ab:cd:00:00", None),
            ("02:ab:cd:00:00-01", None),
            ("02:ab:cd:00:00:1", None),
            ("02:ab:cd:00:00:0g", None),
            ("02ab:cd00:0001", None),
            ("02ab.cd00", None),
            ("éé:", None),
            ("", None),
        ] {
            assert_eq!(mac_length(mac), length, "{mac}");
        }
        for (address, fine) in [
            ("0000:81:01.0", true),
            ("0000:81:01.7", true),
            ("0000:81:01.8", false),
            ("0000:81:01", false),
            ("81:01.0", false),
            ("000g:81:01.0", false),
        ] {
            assert_eq!(is_pci_address(address), fine, "{address}");
        }
        for (ip, fine) in [("192.0.2.1", true), ("::ffff:192.0.2.1", true), ("::1", false), ("ntp.example", false)] {
            assert_eq!(is_ipv4(ip), fine, "{ip}");
        }
    }
}

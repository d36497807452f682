//! TAP devices and addresses by ioctl, in whatever namespace the calling thread is in.

use super::{NetError, PREFIX_LENGTH};
use nix::libc::{self, c_int, ifreq, sockaddr, sockaddr_in};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub(super) const TAP_NAME: &str = "vmh0";

/// Makes the TAP, gives our end an address, and brings it up. QEMU gets the descriptor; the device lives as long as it.
pub(super) fn create(address: Ipv4Addr) -> Result<OwnedFd, NetError> {
    let tun = File::options().read(true).write(true).open("/dev/net/tun").map_err(NetError::Tap)?;
    let mut request = request(TAP_NAME);
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    ioctl(tun.as_raw_fd(), libc::TUNSETIFF as libc::c_ulong, &mut request).map_err(NetError::Tap)?;
    set_address(libc::SIOCSIFADDR, address, "the TAP's address")?;
    let mask = u32::MAX << (32 - u32::from(PREFIX_LENGTH));
    set_address(libc::SIOCSIFNETMASK, Ipv4Addr::from(mask), "the TAP's netmask")?;
    bring_up(TAP_NAME)?;
    Ok(tun.into())
}

/// Sets IFF_UP.
pub(super) fn bring_up(name: &str) -> Result<(), NetError> {
    let mut request = request(name);
    let up = control().and_then(|socket| {
        ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: SIOCGIFFLAGS has filled in this member.
        unsafe { request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short };
        ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &mut request)
    });
    up.map_err(|source| NetError::Configure { what: "a network interface", source })
}

fn set_address(operation: libc::c_ulong, address: Ipv4Addr, what: &'static str) -> Result<(), NetError> {
    let mut request = request(TAP_NAME);
    request.ifr_ifru.ifru_addr = inet(address);
    let set = control().and_then(|socket| ioctl(socket.as_raw_fd(), operation, &mut request));
    set.map_err(|source| NetError::Configure { what, source })
}

/// A neighbour's hardware address, for good.
pub(super) fn know(address: Ipv4Addr, mac: [u8; 6]) -> Result<(), NetError> {
    // SAFETY: all zeroes is a valid arpreq.
    let mut entry: libc::arpreq = unsafe { std::mem::zeroed() };
    entry.arp_pa = inet(address);
    entry.arp_ha.sa_family = libc::ARPHRD_ETHER;
    for (to, from) in entry.arp_ha.sa_data.iter_mut().zip(mac) {
        *to = from as libc::c_char;
    }
    entry.arp_flags = libc::ATF_PERM | libc::ATF_COM;
    for (to, from) in entry.arp_dev.iter_mut().zip(TAP_NAME.bytes()) {
        *to = from as libc::c_char;
    }
    let set = control().and_then(|socket| ioctl(socket.as_raw_fd(), libc::SIOCSARP, &mut entry));
    set.map_err(|source| NetError::Configure { what: "the guest's hardware address", source })
}

fn inet(address: Ipv4Addr) -> sockaddr {
    let inet = sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(address).to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: sockaddr_in is no larger than sockaddr and both begin with the family.
    unsafe { std::mem::transmute::<sockaddr_in, sockaddr>(inet) }
}

fn request(name: &str) -> ifreq {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

/// Any socket will do for interface ioctls.
fn control() -> io::Result<OwnedFd> {
    // SAFETY: plain socket(2); the descriptor is ours when it succeeds.
    unsafe {
        let fd: c_int = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// `T`: what the operation takes.
fn ioctl<T>(fd: c_int, operation: libc::c_ulong, request: &mut T) -> io::Result<()> {
    // SAFETY: every operation used here takes a pointer to an ifreq or an arpreq, as its caller has it, which outlives the call.
    let result = unsafe { libc::ioctl(fd, operation, std::ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What makes a TAP device possible; a module is loaded only where there is no device.
pub(super) fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "let everybody open it, as Debian's udev does: sudo chmod 666 /dev/net/tun",
        _ => {
            "load the module and let everybody open the device, as Debian's udev does: sudo modprobe tun && sudo chmod 666 /dev/net/tun"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::NetError;
    use nix::errno::Errno;

    #[test]
    fn a_module_is_loaded_only_where_there_is_no_device() {
        for (code, loads) in
            [(Errno::EACCES, false), (Errno::EPERM, false), (Errno::ENOENT, true), (Errno::ENODEV, true)]
        {
            let text = NetError::Tap(code.into()).to_string();
            assert_eq!((text.contains("modprobe"), text.contains("chmod 666")), (loads, true), "{text}");
        }
    }
}

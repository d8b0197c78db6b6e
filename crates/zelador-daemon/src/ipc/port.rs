//! Binding a port that the workers of a cluster share, as Node's primary does.
//!
//! The socket is bound and not yet listening: each worker calls `listen` on its copy.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_to, socket_with, sockopt,
};

use super::speak::Query;

/// libuv: `UV_TCP_IPV6ONLY`, `UV_UDP_IPV6ONLY`.
const IPV6_ONLY: i64 = 1;
/// libuv: `UV_UDP_REUSEADDR`.
const UDP_REUSE_ADDRESS: i64 = 4;

/// Returns a socket that is bound as a worker asks, or the kernel's number of why there is none.
pub fn bind(query: &Query) -> Result<OwnedFd, i32> {
    let number = |error: io::Error| error.raw_os_error().unwrap_or(libc::EINVAL);
    if query.address_type == -1 {
        return path(query.address.as_deref().unwrap_or_default()).map_err(number);
    }
    let port = query.port.and_then(|port| u16::try_from(port).ok()).ok_or(libc::EINVAL)?;
    let six = query.address_type == 6 || query.address_type == "udp6";
    let address = query.address.as_deref().unwrap_or_default();
    if address.is_empty() {
        // Any: both families by one socket where the host has IPv6, as Node.
        let udp4 = query.address_type == "udp4";
        let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let four = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        if udp4 {
            return at(four, query).map_err(number);
        }
        return match at(both, query) {
            Err(_) if !six => at(four, query).map_err(number),
            done => done.map_err(number),
        };
    }
    // Node has looked names up before it asks; a number with a zone (`fe80::1%eth0`) is left.
    let mut found = (address, port).to_socket_addrs().map_err(|_| libc::EINVAL)?;
    at(found.next().ok_or(libc::EINVAL)?, query).map_err(number)
}

fn at(address: SocketAddr, query: &Query) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let kind = if query.is_udp() { SocketType::DGRAM } else { SocketType::STREAM };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, kind, flags, None)?;
    let wishes = query.flags.unwrap_or_default();
    if !query.is_udp() || wishes & UDP_REUSE_ADDRESS != 0 {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, wishes & IPV6_ONLY != 0)?;
    }
    bind_to(&socket, &address)?;
    Ok(socket)
}

fn path(path: &str) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // An old one that nobody listens on is Node's problem too: it says EADDRINUSE.
    bind_to(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(address: Option<&str>, port: i64, kind: serde_json::Value) -> Query {
        Query {
            address: address.map(str::to_owned),
            port: Some(port),
            address_type: kind,
            fd: Some(-1),
            index: None,
            flags: None,
            seq: 1,
        }
    }

    #[test]
    fn every_kind_of_port_is_bound_and_a_taken_one_is_named() {
        for (address, kind) in [
            (None, 4.into()),
            (Some("127.0.0.1"), 4.into()),
            (Some("127.0.0.1"), "udp4".into()),
            (None, "udp4".into()),
        ] {
            let socket = bind(&query(address, 0, kind)).unwrap();
            let own = rustix::net::getsockname(&socket).unwrap();
            let own = SocketAddr::try_from(own).unwrap();
            assert_ne!(own.port(), 0);
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = i64::from(listener.local_addr().unwrap().port());
        assert_eq!(bind(&query(Some("127.0.0.1"), taken, 4.into())).unwrap_err(), libc::EADDRINUSE);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        bind(&query(path.to_str(), -1, (-1).into())).unwrap();
        assert_eq!(bind(&query(path.to_str(), -1, (-1).into())).unwrap_err(), libc::EADDRINUSE);
        assert_eq!(bind(&query(None, 70_000, 4.into())).unwrap_err(), libc::EINVAL);
    }
}

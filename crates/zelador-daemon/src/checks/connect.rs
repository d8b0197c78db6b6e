//! Reaching a TCP port.
//!
//! A host and a port go in; a connection, or why there is none, comes out. All addresses of a name
//! are tried, IPv6 first, each with a fair part of the time that is left.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time;
use zelador_core::probe::Finding;

use super::aside::{NotDone, aside};
use super::patience::Patience;
use super::said;
use crate::errno;

/// `host:port`, `[::1]:port`, or `:port` for this host.
pub(super) fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = bare(host);
    Some((if host.is_empty() { "localhost" } else { host }, port.parse().ok()?))
}

/// An IPv6 address without its brackets; anything else as it is.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Connects; the finding says why that was not possible.
pub(super) async fn connect(
    host: &str,
    port: u16,
    patience: Patience,
) -> Result<TcpStream, Finding> {
    connect_timed(host, port, patience).await.map(|(stream, _)| stream)
}

/// How long each part of connecting took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    /// Finding the addresses.
    pub name: Duration,
    /// From there until a connection was accepted.
    pub connect: Duration,
}

/// The same, with how long it took.
pub(super) async fn connect_timed(
    host: &str,
    port: u16,
    patience: Patience,
) -> Result<(TcpStream, Spans), Finding> {
    let begin = time::Instant::now();
    let place =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let addresses = resolve(host, port, patience).await?;
    let name = begin.elapsed();
    let mut failure = Finding::Refused { detail: said::no_address(host) };
    for (index, address) in addresses.iter().enumerate() {
        let fair = patience.left() / (addresses.len() - index) as u32;
        let found = match time::timeout(fair, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let connect = begin.elapsed().saturating_sub(name);
                return Ok((stream, Spans { name, connect }));
            }
            Ok(Err(error)) if is_elsewhere(&error) && index > 0 => continue,
            Ok(Err(error)) => Finding::Refused { detail: said::at(&error, &place) },
            Err(_) => Finding::TimedOut { detail: said::no_connection(&place, patience) },
        };
        failure = found;
    }
    Err(failure)
}

/// The addresses of a host, in the order in which they are tried; the finding says why there are none.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    patience: Patience,
) -> Result<Vec<SocketAddr>, Finding> {
    let found = match addresses(host, port, patience).await {
        Ok(found) => found,
        Err(NotDone::Late | NotDone::StillBusy) => {
            return Err(Finding::TimedOut { detail: said::address_not_found(host, patience) });
        }
        Err(NotDone::Failed(why)) => {
            return Err(Finding::Refused { detail: said::no_address_since(host, &why) });
        }
    };
    if found.is_empty() {
        return Err(Finding::Refused { detail: said::no_address(host) });
    }
    Ok(found)
}

/// This host has no way to that address at all, as without IPv6: says nothing about the service.
pub(super) fn is_elsewhere(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable | Unsupported)
}

/// Asks the host's own resolver, as every program on it does: it blocks, for as long as a server of names
/// is silent.
pub(super) async fn addresses(
    host: &str,
    port: u16,
    patience: Patience,
) -> Result<Vec<SocketAddr>, NotDone> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        // RFC 6761: always loopback; /etc/hosts often knows only one of the two.
        let both = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
        return Ok(both.map(|ip| SocketAddr::new(ip, port)).to_vec());
    }
    let name = host.to_owned();
    let work = move || Ok((name.as_str(), port).to_socket_addrs()?.collect());
    let found: io::Result<Vec<SocketAddr>> = aside(format!("name {host}"), patience, work).await?;
    let mut all = found.map_err(|error| NotDone::Failed(errno::said(&error)))?;
    all.sort_by_key(SocketAddr::is_ipv4);
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use zelador_core::words::quoted;

    use super::*;

    async fn looked(address: &str) -> Finding {
        let talk = zelador_core::spec::TalkProbe::new(address);
        super::super::talk::tcp(&talk, Patience::new(Duration::from_secs(10))).await
    }

    #[tokio::test]
    async fn an_open_port_is_connected_and_a_closed_one_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(looked(&address).await, Finding::Answered { detail: quoted("connected") });
        drop(listener);
        let detail = quoted(format!("connection refused at {address}"));
        assert_eq!(looked(&address).await, Finding::Refused { detail });
    }

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses() {
        let four = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = four.local_addr().unwrap().port();
        let connected = Finding::Answered { detail: quoted("connected") };
        assert_eq!(looked(&format!("localhost:{port}")).await, connected);
        assert_eq!(looked(&format!(":{port}")).await, connected);
        let Ok(six) = TcpListener::bind("[::1]:0").await else { return };
        let port = six.local_addr().unwrap().port();
        assert_eq!(looked(&format!("localhost:{port}")).await, connected);
        assert_eq!(looked(&format!("[::1]:{port}")).await, connected);
    }

    #[tokio::test]
    async fn what_is_no_address_is_not_tried() {
        for address in ["", "host", "host:", "host:99999", "host:http"] {
            let found = looked(address).await;
            assert!(matches!(found, Finding::Unavailable { .. }), "{address}: {found:?}");
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_refused() {
        let found = looked("nobody.invalid:80").await;
        assert!(matches!(found, Finding::Refused { .. } | Finding::TimedOut { .. }), "{found:?}");
    }
}

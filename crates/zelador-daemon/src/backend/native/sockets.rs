//! The declared sockets of a run that outlived its guardian and its engine, taken back from its process, so that
//! who calls waits while it is started again.
//!
//! Root may, and the owner of a process where the host lets him trace it (`kernel.yama.ptrace_scope` is 0).
//! Elsewhere they are opened anew with the next run. Always holds: what is taken listens at the address that
//! is declared.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::net::{SocketAddrUnix, SocketType, getsockname, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use zelador_core::spec::{Listen, SocketSpec};

use super::handed::FIRST;
use super::pipes::is_still;
use crate::processes::Stat;

/// Those that a process still has where it was handed them.
pub(super) fn taken_back(process: &Stat, declared: &[SocketSpec]) -> Vec<(SocketSpec, OwnedFd)> {
    let pid = Pid::from_raw(process.pid).filter(|_| !declared.is_empty());
    let Some(pidfd) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return Vec::new();
    };
    // Only now is it certain whom the descriptor means.
    if !is_still(process) {
        return Vec::new();
    }
    let mut sockets = Vec::new();
    for (spec, number) in declared.iter().zip(FIRST.cast_signed()..) {
        match pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()) {
            Ok(socket) if listens_at(&socket, &spec.listen) => {
                sockets.push((spec.clone(), socket));
            }
            Ok(_) => {}
            Err(error) => {
                let (pid, socket) = (process.pid, &spec.listen);
                tracing::warn!(pid, %socket, %error, "the socket of an adopted run cannot be kept: it is opened anew with the next");
            }
        }
    }
    sockets
}

fn listens_at(socket: &OwnedFd, listen: &Listen) -> bool {
    let takes = |kind| {
        let accepts = kind != SocketType::STREAM || sockopt::socket_acceptconn(socket) == Ok(true);
        accepts && sockopt::socket_type(socket) == Ok(kind)
    };
    let Ok(local) = getsockname(socket) else { return false };
    match listen {
        Listen::Tcp(address) => {
            takes(SocketType::STREAM) && SocketAddr::try_from(local) == Ok(*address)
        }
        Listen::Udp(address) => {
            takes(SocketType::DGRAM) && SocketAddr::try_from(local) == Ok(*address)
        }
        Listen::Unix(path) => {
            let at = SocketAddrUnix::try_from(local);
            let at = at.as_ref().ok().and_then(SocketAddrUnix::path_bytes);
            let is_there = at.is_some_and(|at| {
                use std::os::unix::ffi::OsStrExt;
                Path::new(std::ffi::OsStr::from_bytes(at)) == path
            });
            takes(SocketType::STREAM) && is_there
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_is_known_by_its_kind_and_its_address() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = tcp.local_addr().unwrap();
        let caller = TcpStream::connect(at).unwrap();
        let own = caller.local_addr().unwrap();
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        let udp_at = udp.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let unix = UnixListener::bind(&path).unwrap();
        let file = tempfile::tempfile().unwrap();
        let [tcp, caller, udp, unix, file] =
            [tcp.into(), caller.into(), udp.into(), unix.into(), file.into()];
        assert!(listens_at(&tcp, &Listen::Tcp(at)));
        assert!(listens_at(&udp, &Listen::Udp(udp_at)));
        assert!(listens_at(&unix, &Listen::Unix(path.clone())));
        for (socket, listen) in [
            (&tcp, Listen::Tcp(udp_at)),
            (&tcp, Listen::Udp(at)),
            (&tcp, Listen::Unix(path.clone())),
            (&caller, Listen::Tcp(own)),
            (&udp, Listen::Tcp(udp_at)),
            (&unix, Listen::Unix(path.with_extension("b"))),
            (&unix, Listen::Tcp(at)),
            (&file, Listen::Tcp(at)),
        ] {
            assert!(!listens_at(socket, &listen), "{listen}");
        }
    }
}

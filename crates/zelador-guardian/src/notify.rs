//! What a service manager (systemd) is told: datagrams to the socket in `NOTIFY_SOCKET`.
//!
//! The guardian sends them, not the engine: it is the unit's main process, so that the unit needs
//! no more than `NotifyAccess=main` and no service can speak in its name. Always holds: nothing
//! here waits, and nobody listening is no failure.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

/// The service manager that started this process.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// Whether it wants to hear regularly that everything is well.
    watches: bool,
}

impl Manager {
    /// Returns the one that the environment names; `None`: nobody wants to be told.
    pub fn from_environment() -> Option<Self> {
        let address = address(&std::env::var_os("NOTIFY_SOCKET")?)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()?;
        Some(Self { socket, address, watches: std::env::var_os("WATCHDOG_USEC").is_some() })
    }

    /// Everything that begins with the host is up; `status` says it for people, on one line.
    pub fn ready(&self, status: &str) {
        let line: String = status.chars().filter(|letter| !letter.is_control()).collect();
        self.tell(&format!("READY=1\nSTATUS={line}"));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// All is well at this moment.
    pub fn well(&self) {
        if self.watches {
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, text: &str) {
        let flags = SendFlags::NOSIGNAL;
        let _ = rustix::net::sendto(&self.socket, text.as_bytes(), flags, &self.address);
    }
}

/// An absolute path, or a name that begins with `@` and has no file.
fn address(name: &OsStr) -> Option<SocketAddrUnix> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name).ok(),
        path @ [b'/', ..] => SocketAddrUnix::new(path).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_named_by_a_path_or_an_abstract_name() {
        let known = |name: &str| address(OsStr::new(name)).is_some();
        assert!(known("/run/systemd/notify") && known("@/org/freedesktop/systemd1/notify"));
        assert!(!known("") && !known("run/notify") && !known("vsock:2:1234"));
    }
}

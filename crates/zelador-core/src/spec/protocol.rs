//! How an app speaks to its supervisor, and the sockets that it is handed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The protocols of readiness and of the watchdog that an app speaks; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notify {
    /// It is given `NOTIFY_SOCKET` (`sd_notify`).
    pub socket: bool,
    /// It is not ready before it has said `READY=1` there.
    pub ready: bool,
    /// It is not ready before it has written a line to this descriptor (s6).
    pub descriptor: Option<u32>,
    /// It must say `WATCHDOG=1` at least this often.
    pub watchdog: Option<Duration>,
}

impl Notify {
    /// Whether a run says by itself that it is ready.
    pub fn says_ready(&self) -> bool {
        self.ready || self.descriptor.is_some()
    }
}

/// A socket that is opened once, and given to every run of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketSpec {
    /// Its name in `LISTEN_FDNAMES`.
    pub name: String,
    /// Where it listens.
    pub listen: Listen,
    /// The permissions of its file.
    pub mode: u32,
}

/// The usual permissions of a socket's file: only its owner and group may connect.
pub const SOCKET_MODE: u32 = 0o660;

impl SocketSpec {
    /// The permissions of its file, where it has one, unless they are [`SOCKET_MODE`].
    pub fn unusual_mode(&self) -> Option<u32> {
        let has_file = matches!(self.listen, Listen::Unix(_));
        (has_file && self.mode != SOCKET_MODE).then_some(self.mode)
    }
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listen {
    /// For connections.
    Tcp(SocketAddr),
    /// For datagrams.
    Udp(SocketAddr),
    /// At a file, for connections.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

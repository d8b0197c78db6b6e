//! Looking at things: the host, a route, a port, a database.
//!
//! A target goes in; what was found comes out, as facts: whether that is good or bad is decided in
//! the core. Always holds: a look ends within its timeout (processors take 200 ms if nobody looked
//! before), can be dropped at any time, and never blocks the runtime, whatever hangs.

mod aside;
mod connect;
mod disk;
mod host;
mod http;
mod mysql;
mod patience;
mod sqlite;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;
use zelador_core::probe::{Finding, ProbeOutcome};

pub use host::CpuMeter;
use patience::Patience;

/// What is looked at.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// The host's memory.
    Memory,
    /// The host's processors, over the next 200 ms; for longer spans see [`CpuMeter`].
    Cpu,
    /// The file systems that hold these paths. One that does not exist stands for its nearest
    /// parent that does.
    Disk {
        /// Absolute paths.
        paths: Vec<PathBuf>,
    },
    /// A GET request.
    Http {
        /// `http://host:port/path`.
        url: String,
        /// Lowest and highest status that is right.
        status: (u16, u16),
        /// Text that the body must contain.
        contains: Option<String>,
    },
    /// A connection that must be accepted.
    Tcp {
        /// `host:port`.
        address: String,
    },
    /// Connect and `SELECT 1`.
    Database {
        /// `mysql://user:password@host:port/name` (also `mariadb://`, `?socket=/path`), or
        /// `sqlite:///absolute/path`.
        url: String,
    },
}

impl std::fmt::Debug for Target {
    /// URLs are shown without their passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let masked = zelador_core::redact::url;
        match self {
            Self::Memory => f.write_str("Memory"),
            Self::Cpu => f.write_str("Cpu"),
            Self::Disk { paths } => f.debug_struct("Disk").field("paths", paths).finish(),
            Self::Http { url, .. } => f.debug_tuple("Http").field(&masked(url)).finish(),
            Self::Tcp { address } => f.debug_tuple("Tcp").field(address).finish(),
            Self::Database { url } => f.debug_tuple("Database").field(&masked(url)).finish(),
        }
    }
}

/// Looks once, for at most `timeout`.
pub async fn look(target: &Target, timeout: Duration) -> ProbeOutcome {
    let begin = Instant::now();
    let patience = Patience::new(timeout);
    let finding = match target {
        Target::Memory => host::memory(),
        Target::Cpu => return CpuMeter::new().look().await,
        Target::Disk { paths } => disk::look(paths.clone(), patience).await,
        Target::Http { url, status, contains } => {
            http::look(url, *status, contains.as_deref(), patience).await
        }
        Target::Tcp { address } => connect::look(address, patience).await,
        Target::Database { url } => database(url, patience).await,
    };
    ProbeOutcome { finding, took: begin.elapsed() }
}

async fn database(url: &str, patience: Patience) -> Finding {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("mysql" | "mariadb") => mysql::look(url, patience).await,
        Some("sqlite") => sqlite::look(url, patience).await,
        Some(other) => Finding::Unavailable {
            detail: format!("`{other}` databases are not known; mysql, mariadb and sqlite are"),
        },
        None => Finding::Unavailable { detail: "its URL has no scheme".to_owned() },
    }
}

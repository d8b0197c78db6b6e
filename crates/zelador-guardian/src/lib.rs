//! The guardian of zelador: parent of the engine and of every service.
//!
//! It forks and executes, waits, keeps descriptors, and starts the engine again when it ends or falls
//! silent; it decides nothing. A killed engine finds everything as it left it: the new one is told of
//! every run, gets duplicates of its descriptors, and learns of each death exactly as the kernel
//! reported it, also of those that happened while no engine ran.
//!
//! [`run`] is the guardian. The engine speaks to it by [`link`] over descriptor [`ENGINE_SOCKET`], in
//! [`message`]s. An engine whose guardian was killed takes its place by [`become_guardian`].

mod aside;
mod begin;
mod capabilities;
mod clone;
mod codec;
mod engine;
mod guardian;
mod home;
mod keep;
mod limits;
pub mod link;
pub mod message;
mod near;
mod notify;
mod poll;
mod reign;
mod request;
mod runs;
mod signals;
mod slots;
mod sparse;
mod spawn;
mod table;
pub mod thrift;
mod trial;
mod wait;
mod wire;

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::{fmt, io};

pub use aside::may_wait;
pub use engine::Patience;
pub use guardian::{ENGINE_SOCKET, FIRST_RESERVED_RUN};
pub use home::{LOCK, LOG, SOCKET};
pub use keep::{Capture, Descriptors, Kept, STATE_SIZE, state};
pub use limits::{DESCRIPTORS_PER_RUN, has_room};
pub use table::{Handover, become_guardian};
pub use trial::{FORMER_FLAG, Former};

/// How a guardian is to be.
#[derive(Debug)]
pub struct Options {
    /// The home folder, which exists.
    pub home: PathBuf,
    /// The log of this guardian and its engines, beside which others may be.
    pub log: PathBuf,
    /// Command line of the engine; the first is the absolute path of the executable.
    pub engine: Vec<CString>,
    /// What an engine, or a former image of this guardian, hands over: the descriptor whose number
    /// [`become_guardian`] put on the command line.
    pub table: Option<OwnedFd>,
    /// The image before this one, when this one is new and on trial.
    pub former: Option<Former>,
    /// How patient it is.
    pub patience: Patience,
    /// Whether the saved list is to be brought up: it begins with the host. An engine is asked for
    /// it until it says that it is done.
    pub resurrect: bool,
}

/// How a guardian came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its engine told it to end, and nothing is left.
    Ended,
    /// A signal told it to end, and nothing is left.
    Terminated,
    /// Another one holds the home; nothing was touched.
    AlreadyRunning,
}

/// Why a guardian could not begin, or not go on.
#[derive(Debug)]
pub enum Error {
    /// The home cannot be used.
    Home(PathBuf, io::Error),
    /// The control socket cannot be made.
    Socket(PathBuf, io::Error),
    /// What was handed over cannot be read.
    Table(io::Error),
    /// The kernel refused something that needs no privilege.
    Kernel(&'static str, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Home(path, _) => write!(f, "home `{}` cannot be locked", path.display()),
            Self::Socket(path, _) => {
                write!(f, "control socket `{}` cannot be made", path.join(SOCKET).display())
            }
            Self::Table(_) => f.write_str("table of the former guardian cannot be read"),
            Self::Kernel(what, _) => write!(f, "{what} failed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Home(_, error)
            | Self::Socket(_, error)
            | Self::Table(error)
            | Self::Kernel(_, error) => Some(error),
        }
    }
}

/// Runs the guardian until it is told to end. Must be called by the only thread of the process,
/// early: it blocks signals, takes the process over, and closes all descriptors above 2 that were not
/// handed over.
///
/// # Errors
/// When it cannot begin, nor the former image in its place; nothing was started then. Later only if waiting itself fails.
pub fn run(options: Options) -> Result<Outcome, Error> {
    let Some(mut guardian) = begin::guardian(options)? else { return Ok(Outcome::AlreadyRunning) };
    let done = guardian.run();
    guardian.home.remove_socket();
    let outcome = if guardian.terminated { Outcome::Terminated } else { Outcome::Ended };
    done.map(|()| outcome).map_err(|error| Error::Kernel("epoll_wait", error))
}

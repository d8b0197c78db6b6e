//! What the engine and the guardian say to each other.
//!
//! Pure: a message to bytes and back. The first byte is the version of the protocol, the second says
//! which message it is. Always holds: what was encoded decodes to the same value, and decoding of
//! hostile bytes returns an error, never panics, and reserves no more memory than it was given.
//! Descriptors ride beside the bytes; see [`crate::link`].

mod launch;

use std::fmt;

pub use launch::{Extras, Launch, Limit};

/// The version both sides must speak: the first byte of every message.
pub const VERSION: u8 = 2;

/// The longest label, in bytes: a label is repeated in every `Kept`, so it stays small.
pub const LONGEST_LABEL: usize = 4096;

/// The longest name of a stowed descriptor, in bytes.
pub const LONGEST_NAME: usize = 1024;

/// A message that can cross the link.
pub trait Message: Sized {
    /// Returns its bytes.
    fn encode(&self) -> Vec<u8>;

    /// Returns the message in `bytes`.
    ///
    /// # Errors
    /// When `bytes` is not exactly one message of [`VERSION`].
    fn decode(bytes: &[u8]) -> Result<Self, Malformed>;
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The other side speaks this version, not [`VERSION`].
    Version(u8),
    /// Cut short, too long, or with a value that does not exist.
    Body,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(found) => write!(f, "protocol version {found}, expected {VERSION}"),
            Self::Body => f.write_str("malformed message"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Where an output of a service goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Into a pipe that guardian and engine hold.
    Pipe,
    /// Nowhere.
    Null,
    /// Where standard output goes; only for standard error.
    SameAsOut,
    /// Where the guardian's own goes: it runs in the foreground, and nobody reads along.
    Inherit,
}

/// A request of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToGuardian {
    /// The engine is up: from here on it must be heard of regularly.
    Hello,
    /// The engine still turns.
    Alive,
    /// Start a service; answered by `Spawned` or `SpawnFailed`.
    Spawn {
        /// The run it will be.
        run: u64,
        /// What to start.
        launch: Launch,
    },
    /// Send a signal; answered only by `Refused`.
    Signal {
        /// To whom.
        run: u64,
        /// Which.
        signal: u8,
        /// To the whole process group instead of the main process.
        group: bool,
    },
    /// Ask a service to end: `Signal` and `Linger` at once, so that the next engine sees by `linger` that it was
    /// asked. Answered only by `Refused`.
    Ask {
        /// Whom.
        run: u64,
        /// With which signal.
        signal: u8,
        /// The whole process group instead of the main process.
        group: bool,
    },
    /// Whether the rest of the group outlives the main process (`true` during an asked-for stop).
    Linger {
        /// Of which run.
        run: u64,
        /// `false`: at the death of the main process the group is killed.
        on: bool,
    },
    /// The engine has recorded the end of this run: forget it and close its descriptors.
    Release {
        /// Which.
        run: u64,
    },
    /// Keep the descriptor that rides along, for this and every later engine, until `Discard`. One of
    /// the same name is closed.
    Stow {
        /// Its name; at most [`LONGEST_NAME`] bytes.
        name: Vec<u8>,
    },
    /// Close a stowed descriptor.
    Discard {
        /// Its name.
        name: Vec<u8>,
    },
    /// Watch a process that somebody else started; answered by `Kept` or `Refused`.
    Adopt {
        /// The run it will be.
        run: u64,
        /// Its process id.
        pid: u32,
        /// Field 22 of `/proc/PID/stat`, in clock ticks since boot: proof that it is that process.
        start_time: u64,
        /// Kept and returned as it is.
        label: Vec<u8>,
        /// Which of its descriptors ride along, to be kept with it.
        which: Which,
    },
    /// Replace the guardian's own image as soon as the engine has ended, which it is expected to do by
    /// itself. Process id, children and descriptors stay; a new engine is started.
    Upgrade {
        /// The command line of the new guardian; the first is the absolute path of the executable.
        argv: Vec<Vec<u8>>,
        /// The option after which the number of the table's descriptor is appended.
        table_flag: Vec<u8>,
    },
    /// Kill what is left, remove the socket and end. The engine is expected to end by itself.
    Shutdown,
    /// The answer to `Resurrect`: the saved list is up, as far as it can be. The service manager is
    /// told.
    Ready {
        /// How it is, for people.
        status: Vec<u8>,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Raw wait status; 0 when not known.
    pub status: i32,
    /// Whether `status` is what the kernel said.
    pub known: bool,
    /// When the guardian saw it, in microseconds since the Unix epoch.
    pub at_micros: u64,
}

/// What was being done when a spawn failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Pipes, the state memfd, or the request itself (`EINVAL`).
    Pipes,
    /// `clone`.
    Fork,
    /// Entering its control groups.
    Cgroup,
    /// `prlimit`.
    Limits,
    /// `setgroups`.
    Groups,
    /// `setgid`.
    Gid,
    /// `setuid`.
    Uid,
    /// `chdir`.
    Directory,
    /// `execve`, or the descriptors just before it.
    Exec,
    /// Writing `oom_score_adj`.
    Oom,
    /// `setpriority`.
    Nice,
    /// `ioprio_set`.
    Io,
    /// Dropping or keeping capabilities.
    Capabilities,
    /// `PR_SET_NO_NEW_PRIVS`.
    Privileges,
}

impl Stage {
    const ALL: [Self; 14] = [
        Self::Pipes,
        Self::Fork,
        Self::Cgroup,
        Self::Limits,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::Directory,
        Self::Exec,
        Self::Oom,
        Self::Nice,
        Self::Io,
        Self::Capabilities,
        Self::Privileges,
    ];

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No such run.
    Unknown,
    /// A run of this number exists, or the number is reserved.
    Taken,
    /// The process is gone.
    Gone,
    /// The process is not the one that was meant: its start time differs.
    Different,
    /// `Release` of a run that still lives and that the guardian started.
    Living,
    /// The operating system said no, with this `errno`.
    Failed(i32),
}

impl Why {
    /// Whether the process that was meant is there no more; what failed says nothing of it.
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Gone | Self::Different)
    }
}

/// Which descriptors of a run exist. They travel in the order of the bits, lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Which(pub u16);

impl Which {
    /// The pidfd of the main process.
    pub const PIDFD: u16 = 1;
    /// The state memfd, 4096 bytes.
    pub const STATE: u16 = 1 << 1;
    /// Read end of the pipe of standard output, then of its hold pipe, then the hold pipe's write
    /// end: always the three together.
    pub const OUT: u16 = 0b111 << 2;
    /// The same for standard error.
    pub const ERR: u16 = 0b111 << 5;
    /// The write end of the pipe of standard input.
    pub const INPUT: u16 = 1 << 8;
    /// The kept end of the channel.
    pub const CHANNEL: u16 = 1 << 9;

    /// Returns whether all of `bits` exist.
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }

    /// Returns how many descriptors travel.
    pub const fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// What the guardian tells the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromGuardian {
    /// The first message to every engine. The listening control socket rides along.
    Welcome {
        /// The guardian's protocol version.
        version: u8,
        /// The guardian's process id.
        guardian_pid: u32,
        /// How many messages follow first: a `Kept` for each run, and before them `Terminate` where an end was
        /// asked for already.
        runs: u32,
        /// How many `Stowed` follow then.
        stowed: u32,
        /// Soft limit of open files that services get back.
        nofile_soft: u64,
        /// The hard one.
        nofile_hard: u64,
    },
    /// A run that exists; its descriptors ride along.
    Kept {
        /// Which.
        run: u64,
        /// Its process id.
        pid: u32,
        /// Field 22 of `/proc/PID/stat`; 0 when it could not be read.
        start_time: u64,
        /// As it was given.
        label: Vec<u8>,
        /// How it ended, when it has.
        ended: Option<Ended>,
        /// Whether it is no child of the guardian.
        adopted: bool,
        /// Whether its group outlives its main process.
        linger: bool,
        /// Whether somebody else started it and `Adopt` brought it here.
        foreign: bool,
        /// Whether it leads its process group.
        leads_group: bool,
        /// Which descriptors ride along.
        which: Which,
    },
    /// A descriptor that an engine has stowed; it rides along.
    Stowed {
        /// Its name.
        name: Vec<u8>,
    },
    /// A service runs; its descriptors ride along.
    Spawned {
        /// Which.
        run: u64,
        /// Its process id, and the id of its session and group.
        pid: u32,
        /// Field 22 of `/proc/PID/stat`.
        start_time: u64,
        /// Which descriptors ride along.
        which: Which,
    },
    /// A service could not be started; the run does not exist.
    SpawnFailed {
        /// Which.
        run: u64,
        /// What was being done.
        stage: Stage,
        /// The kernel's answer.
        errno: i32,
    },
    /// The main process of a run ended. Repeated to each new engine, as part of `Kept`, until
    /// `Release`.
    Ended {
        /// Which.
        run: u64,
        /// How.
        ended: Ended,
    },
    /// The guardian was asked to end: stop everything in order, then send `Shutdown`.
    Terminate,
    /// This zelador begins with the host: bring the saved list up, then send `Ready`.
    Resurrect,
    /// A request was not carried out.
    Refused {
        /// About which run.
        run: u64,
        /// Why.
        why: Why,
    },
}

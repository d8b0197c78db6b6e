//! What is to be started.

use super::Stream;

/// Everything needed to start a service. Byte strings must not contain a zero byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Absolute path of the executable.
    pub program: Vec<u8>,
    /// Arguments, the name of the program first.
    pub argv: Vec<Vec<u8>>,
    /// The whole environment, each `KEY=value`; nothing is inherited.
    pub env: Vec<Vec<u8>>,
    /// Directory; empty means the guardian's.
    pub cwd: Vec<u8>,
    /// User to become.
    pub uid: Option<u32>,
    /// Group to become.
    pub gid: Option<u32>,
    /// Supplementary groups. `None` keeps the guardian's, or, when root becomes another user, none.
    pub groups: Option<Vec<u32>>,
    /// Soft limit of open files; the hard one is raised only when it is lower.
    pub nofile: Option<u64>,
    /// Standard output.
    pub out: Stream,
    /// Standard error.
    pub err: Stream,
    /// Whether standard input is a pipe, whose write end is kept; otherwise it is `/dev/null`.
    pub input: bool,
    /// Whether descriptor 3 is one end of a stream socket pair, whose other end is kept.
    pub channel: bool,
    /// Kept and returned as it is; at most [`super::LONGEST_LABEL`] bytes.
    pub label: Vec<u8>,
    /// Whether the folder of its group in cgroup v2 rides along.
    pub cgroup: bool,
    /// Whether its pipes outlive guardian and engine: what it writes waits in them, and its input does not end.
    pub lasting: bool,
    /// What most services do not have.
    pub extras: Box<Extras>,
}

/// What a service may have besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Limits of resources.
    pub limits: Vec<Limit>,
    /// How nice it is, from -20 to 19.
    pub nice: Option<i32>,
    /// Class and level of its input and output, as `ioprio_set` takes them.
    pub io: Option<u32>,
    /// Its out-of-memory score, from -1000 to 1000.
    pub oom: Option<i32>,
    /// Which permissions its files do not get.
    pub umask: Option<u32>,
    /// Nothing that it executes gives it more rights.
    pub no_new_privs: bool,
    /// The only capabilities that it may have, a bit each.
    pub capabilities: Option<u64>,
    /// So many files `cgroup.procs` of further groups, open for writing, ride along after that folder.
    pub cgroups: u8,
    /// The numbers in the service of the descriptors that ride along last, in their order.
    pub passed: Vec<u32>,
    /// The number of its end of the channel instead of 3.
    pub channel_at: Option<u32>,
}

/// A limit of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `RLIMIT_…`.
    pub resource: u32,
    /// The soft one.
    pub soft: u64,
    /// The hard one.
    pub hard: u64,
}

//! What an app may use and do at most, held by the kernel.

use serde::{Deserialize, Serialize};

use crate::unit::ByteSize;

/// The limits of an app; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory of the whole process tree; above it the kernel kills (`memory.max`).
    pub memory: Option<ByteSize>,
    /// Memory of the whole process tree; above it the kernel slows down (`memory.high`).
    pub memory_high: Option<ByteSize>,
    /// Processors, in thousandths of one (`cpu.max`).
    pub cpu: Option<u32>,
    /// Processes and threads of the whole tree (`pids.max`).
    pub pids: Option<u32>,
    /// Limits of each process.
    pub resources: Vec<ResourceLimit>,
    /// From -20, the most important, to 19.
    pub nice: Option<i32>,
    /// Class and level of input and output.
    pub io: Option<IoPriority>,
    /// From -1000 to 1000: the higher, the earlier the kernel kills it when memory runs out.
    pub oom_score_adj: Option<i32>,
    /// Which permissions its new files do not get.
    pub umask: Option<u32>,
    /// Nothing that it executes gives it more rights.
    pub no_new_privs: bool,
    /// Supplementary groups, by name or number, instead of those of its user.
    pub groups: Option<Vec<String>>,
    /// The only capabilities that it may have, a bit each.
    pub capabilities: Option<u64>,
}

impl Limits {
    /// The fields that need a control group.
    pub fn of_group(&self) -> Vec<&'static str> {
        let fields = [
            ("memory", self.memory.is_some()),
            ("memory_high", self.memory_high.is_some()),
            ("cpu", self.cpu.is_some()),
            ("pids", self.pids.is_some()),
        ];
        fields.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }
}

/// A limit of each process (`setrlimit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimit {
    /// Of what.
    pub resource: Resource,
    /// How much; `None`: without limit. Soft and hard alike.
    pub most: Option<u64>,
}

/// What a process may use so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Open files.
    Nofile,
    /// Processes and threads of its user.
    Nproc,
    /// Bytes of a core dump.
    Core,
    /// Bytes of address space.
    As,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nofile, Self::Nproc, Self::Core, Self::As];

    /// Its field.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nofile => "nofile",
            Self::Nproc => "nproc",
            Self::Core => "core",
            Self::As => "as",
        }
    }
}

/// Class and level of input and output (`ionice`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoPriority {
    /// Before all others; 0 is the highest level, 7 the lowest. Needs root.
    Realtime(u8),
    /// The usual class.
    BestEffort(u8),
    /// Only when nobody else wants the disk.
    Idle,
}

/// The capabilities of Linux in the order of their numbers (capability.h of 6.18), without `CAP_`.
pub const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

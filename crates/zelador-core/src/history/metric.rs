//! What is measured, in which unit, and under which word it is kept.

use serde::{Deserialize, Serialize};

/// One kind of number. Values are whole: the unit is chosen so that nothing that matters is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Resident memory of a process tree, or memory in use of the host; bytes.
    Memory,
    /// Processor time; thousandths of a core.
    Cpu,
    /// Open descriptors of the main process.
    Descriptors,
    /// Threads of a process tree.
    Threads,
    /// Starts after the first one, since it was declared.
    Restarts,
    /// How long the last look of a check took; microseconds.
    Latency,
    /// Whether it does what it is wanted to do; thousandths: 1000 up, 0 down. Its mean is the
    /// availability.
    Up,
    /// The fullest file system; thousandths in use.
    Disk,
    /// How many things wait for a processor; thousandths (`/proc/loadavg`).
    Load,
    /// Memory that there is; bytes.
    MemoryTotal,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Memory,
        Self::Cpu,
        Self::Descriptors,
        Self::Threads,
        Self::Restarts,
        Self::Latency,
        Self::Up,
        Self::Disk,
        Self::Load,
        Self::MemoryTotal,
    ];

    /// Its word in the history.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::Restarts => "restarts",
            Self::Latency => "latency",
            Self::Up => "up",
            Self::Disk => "disk",
            Self::Load => "load",
            Self::MemoryTotal => "memory-total",
        }
    }

    /// Its unit, as the history says it.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::MemoryTotal => "bytes",
            Self::Cpu => "millicores",
            Self::Descriptors | Self::Threads | Self::Restarts => "count",
            Self::Latency => "microseconds",
            Self::Up | Self::Disk | Self::Load => "thousandths",
        }
    }

    /// Returns the metric of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.word() == word)
    }
}

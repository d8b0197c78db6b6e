//! Names of things: an id of one kind can never stand for another kind.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            /// Returns the id with this number.
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn number(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id! {
    /// One replica of an app; the number is PM2's `pm_id`.
    InstanceId(u32)
}
id! {
    /// One execution of an instance, from spawn to exit. Never reused, so a late event is
    /// recognised.
    RunId(u64)
}
id! {
    /// One incident; numbers begin at 1 and are never reused.
    IncidentId(u64)
}
id! {
    /// One command that waits for its answer.
    Ticket(u64)
}
id! {
    /// One execution of a check. Never reused, so a late result is recognised.
    ProbeId(u64)
}

id! {
    /// One call that zelador makes of somebody. Never reused within an engine's life.
    CallId(u64)
}

/// The name of an app: what the user calls it, unique in a home.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

impl AppName {
    /// Returns `None` for an empty name, one of more than 128 bytes, and one with a control
    /// character (names are printed to terminals and logs).
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        let fits = !name.trim().is_empty() && name.len() <= 128;
        (fits && !name.chars().any(char::is_control)).then_some(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as part of a file name: everything outside `A-Z a-z 0-9 . -` becomes `-`
    /// (PM2's rule), and a leading dot too.
    pub fn file_stem(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '-' };
        let stem: String = self.0.chars().map(safe).collect();
        match stem.strip_prefix('.') {
            Some(rest) => format!("-{rest}"),
            None => stem,
        }
    }
}

impl TryFrom<String> for AppName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name.clone()).ok_or_else(|| format!("{name:?} cannot be the name of an app"))
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is looked at regularly. The order of the kinds counts: databases stand together, and what
/// belongs to instances stands last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "of")]
pub enum CheckId {
    /// The host's memory.
    Memory,
    /// The host's processors.
    Cpu,
    /// The file systems that zelador or an app writes to.
    Disk,
    /// A database, by its name in the configuration.
    Database(String),
    /// A host check or another one, by its name in the configuration.
    Named(String),
    /// An instance's own check: whether it is alive and well.
    Instance(InstanceId),
    /// Whether an instance has come up; until it has, it is asked nothing else.
    Startup(InstanceId),
    /// Whether an instance can take work.
    Ready(InstanceId),
}

impl CheckId {
    /// What it is called in records and messages: `memory`, `database:main`, `instance:3`.
    pub fn key(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::Cpu => "cpu".to_owned(),
            Self::Disk => "disk".to_owned(),
            Self::Database(name) => format!("database:{name}"),
            Self::Named(name) => format!("named:{name}"),
            Self::Instance(id) => format!("instance:{id}"),
            Self::Startup(id) => format!("startup:{id}"),
            Self::Ready(id) => format!("ready:{id}"),
        }
    }

    /// The checks of databases, of all there are in order.
    pub fn of_databases() -> std::ops::Range<Self> {
        Self::Database(String::new())..Self::Named(String::new())
    }

    /// The checks of instances, of all there are in order.
    pub fn of_instances() -> std::ops::RangeFrom<Self> {
        Self::Instance(InstanceId::new(0))..
    }

    /// The instance whose check it is.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Instance(id) | Self::Startup(id) | Self::Ready(id) => Some(*id),
            Self::Memory | Self::Cpu | Self::Disk | Self::Database(_) | Self::Named(_) => None,
        }
    }
}

//! Which limit can be raised against a cause, and how far.
//!
//! Pure. Always holds: a limit is never raised above the ceiling that was declared for it, and never lowered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::is_node;
use crate::diagnosis::Cause;
use crate::notify::Language;
use crate::said::comma;
use crate::spec::{AppSpec, Resource};
use crate::unit::ByteSize;

/// What can be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The heap that Node may use (`--max-old-space-size`), in bytes.
    Heap,
    /// The memory of the whole tree (`limits.memory`), in bytes.
    Memory,
    /// Open files (`limits.nofile`).
    OpenFiles,
    /// Processes and threads: of the whole tree (`limits.pids`), of its user (`limits.nproc`), or both.
    Processes,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heap => "the limit of its heap",
            Self::Memory => "the limit of its memory",
            Self::OpenFiles => "the limit of its open files",
            Self::Processes => "the limit of its processes",
        })
    }
}

/// One step up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// Of what.
    pub limit: Bound,
    /// What it is; `None`: nobody declared it.
    pub from: Option<u64>,
    /// What it becomes.
    pub to: u64,
}

impl Bound {
    /// In a language.
    pub fn told(self, language: Language) -> String {
        let portuguese = match self {
            _ if language == Language::En => return self.to_string(),
            Self::Heap => "o limite do heap dele",
            Self::Memory => "o limite da memória dele",
            Self::OpenFiles => "o limite de arquivos abertos dele",
            Self::Processes => "o limite de processos dele",
        };
        portuguese.to_owned()
    }
}

impl Raise {
    /// In words: `the limit of its memory is raised from 64.0 MB to 128 MB`.
    pub fn told(&self, language: Language) -> String {
        let said = |value| comma(language, spoken_value(self.limit, value));
        let (limit, to) = (self.limit.told(language), said(self.to));
        match (language, self.from.map(said)) {
            (Language::En, Some(from)) => format!("{limit} is raised from {from} to {to}"),
            (Language::En, None) => format!("{limit} is raised to {to}"),
            (Language::Pt, Some(from)) => format!("{limit} sobe de {from} para {to}"),
            (Language::Pt, None) => format!("{limit} sobe para {to}"),
        }
    }
}

/// A value of a limit in words.
pub fn spoken_value(limit: Bound, value: u64) -> String {
    match limit {
        Bound::Heap | Bound::Memory => ByteSize::new(value).to_string(),
        Bound::OpenFiles | Bound::Processes => value.to_string(),
    }
}

/// Returns the next step against a cause: twice as much, at most the ceiling; `None`: the cause has no such limit, no
/// ceiling was declared, or it is reached.
pub fn raise(cause: Cause, spec: &AppSpec) -> Option<Raise> {
    let limit = match cause {
        Cause::OutOfMemoryHeap => Bound::Heap,
        Cause::OomKilled => Bound::Memory,
        Cause::TooManyOpenFiles => Bound::OpenFiles,
        Cause::ThreadExhaustion => Bound::Processes,
        _ => return None,
    };
    let ceiling = *spec.heal.ceilings.get(&limit)?;
    let from = spec.raised.get(&limit).copied().or_else(|| declared(limit, spec));
    let is_held = match limit {
        // A group without a limit was not what killed it.
        Bound::Memory | Bound::Processes => from.is_some(),
        Bound::Heap => spec.launch.interpreter.as_deref().is_some_and(is_node),
        Bound::OpenFiles => true,
    };
    let to = from.map_or(ceiling, |from| from.saturating_mul(2).min(ceiling));
    (is_held && from.is_none_or(|from| from < to)).then_some(Raise { limit, from, to })
}

/// What the declaration says.
pub fn declared(limit: Bound, spec: &AppSpec) -> Option<u64> {
    match limit {
        Bound::Memory => spec.limits.memory.map(ByteSize::bytes),
        Bound::Processes => {
            // The lower one is reached first.
            spec.limits.pids.map(u64::from).into_iter().chain(most(Resource::Nproc, spec)).min()
        }
        Bound::OpenFiles => most(Resource::Nofile, spec),
        Bound::Heap => {
            let options =
                spec.launch.env.get("NODE_OPTIONS").map(String::as_str).unwrap_or_default();
            let words = options.split_ascii_whitespace();
            let words = words.chain(spec.launch.interpreter_args.iter().map(String::as_str));
            let mut said = words.filter_map(|word| word.strip_prefix("--max-old-space-size="));
            let mebibytes: u64 = said.next_back()?.parse().ok()?;
            mebibytes.checked_mul(1 << 20)
        }
    }
}

fn most(resource: Resource, spec: &AppSpec) -> Option<u64> {
    spec.limits.resources.iter().find(|it| it.resource == resource)?.most
}

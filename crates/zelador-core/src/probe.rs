//! What a look at something found: facts only; what they mean is decided in [`crate::check`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::notify::Language;
use crate::retry::ErrorClass;
use crate::unit::{ByteSize, Percent, spoken};
use crate::words::{Amount, Tell, Words};

/// What one execution of a check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeOutcome {
    /// What was found.
    pub finding: Finding,
    /// How long the look took.
    pub took: Duration,
}

/// The facts of one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "found")]
pub enum Finding {
    /// The host's memory: `MemTotal` − `MemAvailable`, of `MemTotal`.
    Memory {
        /// In use.
        used: ByteSize,
        /// In all.
        total: ByteSize,
    },
    /// The host's processors, over the time since the last look (at least 200 ms).
    Cpu {
        /// Busy share of all processors.
        busy: Percent,
        /// How many processors.
        cores: u32,
    },
    /// File systems, each once.
    Disks {
        /// One entry a file system.
        volumes: Vec<Volume>,
    },
    /// The same file systems, of which the inodes are asked for.
    Inodes {
        /// One entry a file system.
        volumes: Vec<Volume>,
    },
    /// It answered as it should.
    Answered {
        /// What it said, short: `HTTP 200`, `connected`, `SELECT 1`.
        detail: Words,
    },
    /// It answered, and the answer is wrong.
    WrongAnswer {
        /// What was wrong, short: `HTTP 500`.
        detail: Words,
    },
    /// It answered that it has too much to do, and asks to be left alone.
    Busy {
        /// What it said, short: `HTTP 503`.
        detail: Words,
        /// For how long: `Retry-After`.
        retry_after: Duration,
    },
    /// It did not answer in time.
    TimedOut {
        /// What was waited for: `no answer within 3 s after the connection was accepted`.
        detail: Words,
    },
    /// It could not be reached, or refused.
    Refused {
        /// What the system or the server said, without secrets.
        detail: Words,
    },
    /// It answered, and the answer says that it works worse than it should.
    Impaired {
        /// What it said, short.
        detail: Words,
    },
    /// It answered as it should, and this was measured.
    Measured {
        /// What it said, short: `SELECT 1`.
        detail: Words,
        /// What was measured, by name: `connect`, `connections`, `lag`.
        measures: Vec<Measure>,
    },
    /// The look itself was not possible: no `/proc`, no right to read.
    Unavailable {
        /// Why.
        detail: Words,
    },
}

impl Finding {
    /// The values that it rests on.
    pub fn measured(&self) -> Vec<Measure> {
        let share = |name: &str, share: Percent| Measure::new(name, share.value(), Unit::Percent);
        let size =
            |name: String, size: ByteSize| Measure::new(name, size.bytes() as f64, Unit::Bytes);
        match self {
            Self::Measured { measures, .. } => measures.clone(),
            Self::Memory { used, total } => {
                let of = Percent::of(used.bytes(), total.bytes());
                vec![share("share", of), size("used".into(), *used), size("total".into(), *total)]
            }
            Self::Cpu { busy, .. } => vec![share("share", *busy)],
            Self::Disks { volumes } => {
                let of = |volume: &Volume| {
                    let mount = &volume.mount;
                    let room = [
                        share(mount, volume.share()),
                        size(format!("{mount} free"), volume.available),
                    ];
                    let inodes = volume.inodes.map(Inodes::share);
                    let inodes = inodes.map(|it| share(&format!("{mount} inodes"), it));
                    room.into_iter().chain(inodes)
                };
                volumes.iter().flat_map(of).collect()
            }
            Self::Inodes { volumes } => {
                let counted = volumes.iter().filter_map(|it| Some((&it.mount, it.inodes?)));
                let of = |(mount, inodes): (&String, Inodes)| {
                    let free = format!("{mount} free");
                    [
                        share(mount, inodes.share()),
                        Measure::new(free, inodes.free as f64, Unit::Count),
                    ]
                };
                counted.flat_map(of).collect()
            }
            Self::Answered { .. }
            | Self::Impaired { .. }
            | Self::WrongAnswer { .. }
            | Self::Busy { .. }
            | Self::TimedOut { .. }
            | Self::Refused { .. }
            | Self::Unavailable { .. } => Vec::new(),
        }
    }

    /// How long it is left alone because it asks for that, at most [`LONGEST_ASKED`].
    pub fn asks_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => Some((*retry_after).min(LONGEST_ASKED)),
            _ => None,
        }
    }

    /// What kind of failure it is and what was said, if what was asked failed.
    pub fn failure(&self) -> Option<(ErrorClass, &Words)> {
        let (usual, detail) = match self {
            Self::WrongAnswer { detail } => (ErrorClass::ServerFailed, detail),
            Self::Busy { detail, .. } => (ErrorClass::Overloaded, detail),
            Self::TimedOut { detail } => (ErrorClass::TimedOut, detail),
            Self::Refused { detail } => (ErrorClass::Unreachable, detail),
            Self::Memory { .. }
            | Self::Cpu { .. }
            | Self::Disks { .. }
            | Self::Inodes { .. }
            | Self::Answered { .. }
            | Self::Impaired { .. }
            | Self::Measured { .. }
            | Self::Unavailable { .. } => return None,
        };
        Some((ErrorClass::of_text(detail.english()).unwrap_or(usual), detail))
    }
}

/// The longest that something is left alone because it asks for that: the longest pause that a kubelet
/// makes between two tries of a container. Who asks for a day would not be seen to be well again.
pub const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What: `connections`.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

/// What a measured number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Just a number.
    Count,
    /// A share of 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Days.
    Days,
    /// So many a minute.
    PerMinute,
}

impl Measure {
    /// Returns a measure.
    pub fn new(name: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self { name: name.into(), value, unit }
    }

    /// Name and value: `memory 52.4 MB`.
    pub fn words(&self) -> Words {
        let of = |language| {
            let name = measure_name(&self.name, language);
            format!("{name} {}", Amount(self.unit, self.value).tell(language))
        };
        Words::new(of(Language::En), of(Language::Pt))
    }

    /// Returns a time span that was measured.
    pub fn span(name: impl Into<String>, span: Duration) -> Self {
        Self::new(name, span.as_secs_f64(), Unit::Seconds)
    }
}

/// What a measure is called; one that is not known by its own name.
pub fn measure_name(name: &str, language: Language) -> &str {
    let pt = match name {
        // What the kernel tells of pressure: `some` or `full` of the last 10 s, 60 s, 300 s.
        "some avg10" => return language.pick("waiting in 10 s", "espera em 10 s"),
        "some avg60" => return language.pick("waiting in a minute", "espera em um minuto"),
        "some avg300" => return language.pick("waiting in 5 min", "espera em 5 min"),
        "full avg10" => return language.pick("standstill in 10 s", "paralisação em 10 s"),
        "full avg60" => return language.pick("standstill in a minute", "paralisação em um minuto"),
        "full avg300" => return language.pick("standstill in 5 min", "paralisação em 5 min"),
        // As it is judged: the host's own is another number.
        "load" => return language.pick("load for each core", "carga por núcleo"),
        "restarts" => "reinícios",
        "memory" => "memória",
        "processes" => "processos",
        "descriptors" => "descritores",
        "connections" => "conexões",
        "lag" => "atraso",
        "size" => "tamanho",
        "age" => "idade",
        "left" => "prazo",
        "rate" => "taxa",
        "clock" => "relógio",
        "errors" => "erros",
        other => other,
    };
    language.pick(name, pt)
}

impl Unit {
    /// The number as a person says it: `91.0 %`, `4 ms`, `1.5 GB`.
    pub fn said(self, value: f64) -> String {
        let whole = |value: f64| {
            if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
        };
        match self {
            Self::Count => whole(value),
            Self::Percent => format!("{value:.1} %"),
            Self::Seconds => {
                spoken(Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX))
            }
            Self::Bytes => ByteSize::new(value.max(0.0) as u64).to_string(),
            Self::Days if (1.0..2.0).contains(&value) => "1 day".to_owned(),
            Self::Days => format!("{:.0} days", value.trunc()),
            Self::PerMinute => format!("{} a minute", whole(value)),
        }
    }
}

/// One file system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Where it is mounted.
    pub mount: String,
    /// Bytes in use, as `df` counts: total − free.
    pub used: ByteSize,
    /// Bytes that an ordinary user may still write.
    pub available: ByteSize,
    /// Its inodes; `None`: it makes them as it needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inodes: Option<Inodes>,
}

/// How many files a file system has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inodes {
    /// How many are in use.
    pub used: u64,
    /// How many are left.
    pub free: u64,
}

impl Inodes {
    /// Used share of all, as `df -i` shows it.
    pub fn share(self) -> Percent {
        Percent::of(self.used, self.used.saturating_add(self.free))
    }
}

impl Volume {
    /// Used share, as `df` shows it: used of (used + available).
    pub fn share(&self) -> Percent {
        Percent::of(self.used.bytes(), self.used.bytes() + self.available.bytes())
    }
}

/// What one run uses, its whole process tree together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Resident memory.
    pub memory: ByteSize,
    /// Processor share since the last sample; 100 is one whole core.
    pub cpu: f64,
    /// How many processes.
    pub processes: u32,
    /// How many threads.
    #[serde(default)]
    pub threads: u32,
    /// How many descriptors its main process has open, where that is known.
    #[serde(default)]
    pub descriptors: Option<u32>,
}

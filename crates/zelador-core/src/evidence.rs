//! What is known about an incident: gathered before anything is killed, bounded in size.

mod asked;
mod port;
mod timed;

use serde::{Deserialize, Serialize};

use crate::death::Death;
use crate::id::RunId;
use crate::probe::Usage;
use crate::unit::{ByteSize, Moment};
use crate::words;
use crate::words::{Decimal, Words, quoted};

pub use asked::Asked;
pub use port::PortHolder;
pub use timed::TimedLines;

/// Everything that was found about one sick instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// When it was gathered.
    pub gathered_at: Moment,
    /// How long gathering took, in milliseconds.
    pub took_millis: u64,
    /// The last lines of standard output, oldest first, secrets masked.
    pub out_tail: Vec<String>,
    /// The last lines of standard error, oldest first, secrets masked.
    pub err_tail: Vec<String>,
    /// When each line of `out_tail` arrived; empty: of none it is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_times: Vec<Option<Moment>>,
    /// The same of `err_tail`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub err_times: Vec<Option<Moment>>,
    /// What the process tree used at that moment.
    pub usage: Option<Usage>,
    /// Open descriptors and the limit on them.
    pub descriptors: Option<Descriptors>,
    /// Threads of the main process, the busiest first.
    pub threads: Vec<Thread>,
    /// How many threads that process has.
    #[serde(default)]
    pub thread_count: Option<usize>,
    /// Deaths before this, the latest first.
    pub deaths: Vec<PastDeath>,
    /// How the run ended that this is about; `None`: it lived.
    #[serde(default)]
    pub death: Option<Death>,
    /// How long it had lived, in milliseconds.
    #[serde(default)]
    pub uptime_millis: Option<u64>,
    /// How often it died within the last hour, as far as that is remembered.
    #[serde(default)]
    pub deaths_last_hour: u32,
    /// What the run used over its life, the oldest first.
    #[serde(default)]
    pub course: Vec<(Moment, Usage)>,
    /// What its own check said last.
    #[serde(default)]
    pub probe: Option<ProbeSeen>,
    /// Of the host's memory, in use, in percent.
    #[serde(default)]
    pub host_memory: Option<f64>,
    /// The file systems that it writes to, the fullest first.
    #[serde(default)]
    pub volumes: Vec<VolumeSeen>,
    /// Kills by the kernel in its control group since the run began.
    #[serde(default)]
    pub oom_kills: Option<u64>,
    /// Its memory limit.
    #[serde(default)]
    pub memory_limit: Option<ByteSize>,
    /// How much of the processors it may use, in percent of a core.
    #[serde(default)]
    pub cpu_limit: Option<f64>,
    /// Who has the port that it says it could not get.
    #[serde(default)]
    pub port_holders: Vec<PortHolder>,
    /// When each stream spoke last: standard output, standard error.
    #[serde(default)]
    pub spoke_at: (Option<Moment>, Option<Moment>),
    /// What the kernel says about memory that ran out: lines of its log, where that may be read.
    #[serde(default)]
    pub kernel: Vec<String>,
    /// The host at that moment.
    #[serde(default)]
    pub host: Option<HostSeen>,
    /// What it depends on, and how that was.
    #[serde(default)]
    pub dependencies: Vec<DependencySeen>,
    /// What changed since the last run that was good began, in words; never a value of a variable.
    #[serde(default)]
    pub changes: Vec<Words>,
    /// What its runtime says about itself, where a rule asked for that.
    #[serde(default)]
    pub dumps: Vec<Dump>,
    /// What was asked of zelador for it within the last hour, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// What could not be gathered, and why.
    pub missing: Vec<Words>,
}

/// What a runtime says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// Of what: `Node diagnostic report`, `jstack`, `py-spy dump`.
    pub of: String,
    /// What it says, bounded, secrets masked.
    pub lines: Vec<String>,
}

/// The host, as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostSeen {
    /// Runnable threads over the last minute (`/proc/loadavg`).
    pub load: f64,
    /// Processors that zelador may use.
    pub processors: u32,
    /// Memory that is still to be had (`MemAvailable`).
    pub available: ByteSize,
    /// All memory.
    pub memory: ByteSize,
    /// Of the last ten seconds, how much somebody waited for processors, memory, a device, in percent
    /// (`/proc/pressure`); `None`: this kernel does not count it.
    pub pressure: Option<[f64; 3]>,
}

/// Something that an app depends on, as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencySeen {
    /// Its name.
    pub name: String,
    /// Whether it is up; `None`: nobody has looked.
    pub is_up: Option<bool>,
    /// What its own check says.
    pub message: Words,
}

impl Evidence {
    /// How many threads its main process has: only the busiest are kept.
    pub fn threads_of_process(&self) -> usize {
        self.thread_count.unwrap_or(self.threads.len())
    }

    /// What it says besides usage, descriptors, the busiest thread and ports: one sentence each.
    pub fn further(&self) -> Vec<Words> {
        let mut said: Vec<Words> = self.over_its_life().into_iter().collect();
        if let Some(limit) = self.memory_limit {
            said.push(words!(
                "its memory is limited to {limit}",
                "a memória dele está limitada a {limit}",
                limit = limit,
            ));
        }
        if let Some(limit) = self.cpu_limit {
            said.push(words!(
                "its processor time is limited to {limit:.0} % of a core",
                "o tempo de processador dele está limitado a {limit:.0} % de um núcleo",
            ));
        }
        if let Some(kills) = self.oom_kills.filter(|kills| *kills > 0) {
            said.push(words!(
                "the kernel killed {kills} of its processes because memory ran out",
                "o kernel matou {kills} dos processos dele porque a memória acabou",
            ));
        }
        let kernel = self.kernel.iter();
        said.extend(kernel.map(|it| words!("the kernel's log: {it}", "log do kernel: {it}")));
        let spoke = |of: Words, at: Moment| {
            words!(
                "{of} spoke last {ago} before",
                "{of}: última linha {ago} antes",
                of = of,
                ago = self.gathered_at.since(at),
            )
        };
        let (out, err) = self.spoke_at;
        said.extend(out.map(|at| spoke(words!("standard output", "saída padrão"), at)));
        said.extend(err.map(|at| spoke(words!("standard error", "saída de erro"), at)));
        said.extend(self.asked.iter().map(|asked| asked.words(self.gathered_at)));
        said.extend(self.threads.iter().filter_map(Thread::call));
        said.extend(self.host.as_ref().map(HostSeen::words));
        said.extend(self.dependencies.iter().map(DependencySeen::words));
        said.extend(self.changes.iter().map(since_good));
        said
    }

    /// How what it used changed.
    fn over_its_life(&self) -> Option<Words> {
        let ((first, begin), (last, end)) = (self.course.first()?, self.course.last()?);
        if first == last {
            return None;
        }
        let most = self.course.iter().map(|(_, usage)| usage.memory).max().unwrap_or_default();
        let (before, after) = (begin.threads, end.threads);
        let told = most.to_string();
        if before == after && [begin, end].iter().all(|it| it.memory.to_string() == told) {
            return Some(words!(
                "over {t}: memory stayed at {most}, threads at {after}",
                "em {t}: a memória ficou em {most}, as threads em {after}",
                t = last.since(*first),
                most = most,
            ));
        }
        Some(words!(
            "over {t}: memory from {from} to {to}, at most {most}; threads from {before} to {after}",
            "em {t}: memória de {from} a {to}, no máximo {most}; threads de {before} a {after}",
            t = last.since(*first),
            from = begin.memory,
            to = end.memory,
            most = most,
        ))
    }
}

/// That something changed since all was well.
pub fn since_good(what: &Words) -> Words {
    words!(
        "since the last good run began: {what}",
        "desde o início da última execução boa: {what}",
        what = what,
    )
}

impl Thread {
    /// Where in the kernel it is, as far as that is known.
    fn call(&self) -> Option<Words> {
        if self.syscall.is_none() && self.stack.is_empty() {
            return None;
        }
        let Self { tid, name, .. } = self;
        let none = || words!("no system call", "nenhuma chamada de sistema");
        let call = self.syscall.as_ref().map_or_else(none, quoted);
        let stack = self.stack.join(" < ");
        let stack = if stack.is_empty() { stack } else { format!(": {stack}") };
        Some(words!(
            "thread {tid} ({name}) is in {call}{stack}",
            "a thread {tid} ({name}) está em {call}{stack}",
            call = call,
        ))
    }
}

impl HostSeen {
    fn words(&self) -> Words {
        let pressure = self.pressure.map(|[processors, memory, devices]| {
            words!(
                ", waits: processors {processors:.0} %, memory {memory:.0} %, devices {devices:.0} %",
                ", esperas: processadores {processors:.0} %, memória {memory:.0} %, dispositivos \
                 {devices:.0} %",
            )
        });
        let processors = self.processors;
        words!(
            "the host: load {load} on {processors} processors, {available} of {memory} memory \
             available{pressure}",
            "o servidor: carga {load} em {processors} processadores, {available} de {memory} de \
             memória disponíveis{pressure}",
            load = Decimal(self.load, 1),
            available = self.available,
            memory = self.memory,
            pressure = pressure,
        )
    }
}

impl DependencySeen {
    fn words(&self) -> Words {
        let Self { name, is_up, message } = self;
        let state = match is_up {
            Some(true) => words!("is up", "está no ar"),
            Some(false) => words!("is down", "está fora do ar"),
            None => words!("has not been looked at", "não foi verificado"),
        };
        let separated = if message.is_empty() { "" } else { ": " };
        words!(
            "{name}, which it depends on, {state}{separated}{message}",
            "{name}, de que depende, {state}{separated}{message}",
            state = state,
            message = message,
        )
    }
}

/// The last words of an app's own check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeSeen {
    /// Failures in a row.
    pub failures: u32,
    /// What it found, short.
    pub message: String,
    /// How long the last look took, in milliseconds.
    pub took_millis: u64,
}

/// A file system, as full as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeSeen {
    /// A folder on it.
    pub path: String,
    /// In use, in percent.
    pub used: f64,
    /// Of its inodes, in use, in percent; `None` where it has none.
    pub inodes: Option<f64>,
}

impl VolumeSeen {
    /// How near it is to taking no more files, in percent: by room or by inodes, whichever is scarcer.
    pub fn fullness(&self) -> f64 {
        self.used.max(self.inodes.unwrap_or_default())
    }
}

/// Open descriptors of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptors {
    /// How many are open.
    pub open: u32,
    /// The soft limit (`RLIMIT_NOFILE`).
    pub limit: u64,
    /// How many of them are sockets.
    pub sockets: u32,
    /// How many of them are pipes.
    pub pipes: u32,
    /// How many of them are files and devices.
    pub files: u32,
}

/// One thread of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its id.
    pub tid: i32,
    /// Its name.
    pub name: String,
    /// The state letter of `/proc`: `R` running, `S` sleeping, `D` waiting for a device, `T`
    /// stopped, `Z` dead.
    pub state: char,
    /// The kernel function it waits in, where the kernel tells.
    pub waits_in: Option<String>,
    /// Processor time it has used, in milliseconds.
    pub cpu_millis: u64,
    /// For which share of the moment looked at it ran or waited for a processor, in percent; of the
    /// busiest threads, where the kernel counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<u8>,
    /// The system call it is in, where zelador may know.
    #[serde(default)]
    pub syscall: Option<String>,
    /// Where in the kernel it is, innermost first, where zelador may know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
}

/// A process that weighs on the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heavy {
    /// Its id.
    pub pid: i32,
    /// What it is called.
    pub name: String,
    /// Processor share while it was looked at; 100 is one whole core.
    pub cpu: f64,
    /// Resident memory.
    pub memory: ByteSize,
    /// When it was started.
    pub started_at: Option<Moment>,
    /// The run of this zelador that it belongs to.
    pub run: Option<RunId>,
    /// Its busiest threads.
    pub threads: Vec<HeavyThread>,
}

/// One thread of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeavyThread {
    /// Its name.
    pub name: String,
    /// Processor share while it was looked at; 100 is one whole core.
    pub cpu: f64,
}

/// One death in an instance's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastDeath {
    /// When.
    pub at: Moment,
    /// How.
    pub death: Death,
    /// How long that run had lived, in milliseconds.
    pub uptime_millis: u64,
    /// What was found out about its cause.
    #[serde(default)]
    pub explained: Option<Words>,
}

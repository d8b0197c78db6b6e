//! What is known about a sick instance, gathered before anything is killed.
//!
//! A subject goes in; an [`Evidence`] comes out, whatever could be read. Always holds: gathering
//! ends within [`TIME_LIMIT`] (a file system that hangs costs a thread, not more), every part is
//! bounded in size, no line carries a secret that [`zelador_core::redact`] knows, and what is not
//! there is in `missing` with the reason.

mod aside;
mod changes;
mod descriptors;
pub mod dump;
mod effort;
mod group;
mod host;
mod kernel_log;
mod line;
pub mod memory;
pub mod port;
mod survey;
mod tails;
mod threads;
mod volumes;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zelador_core::effect::Place;
use zelador_core::evidence::{Evidence, PastDeath, VolumeSeen};
use zelador_core::id::RunId;
use zelador_core::probe::Usage;
use zelador_core::unit::Moment;
use zelador_core::words;
use zelador_core::words::Words;

use aside::Look;
use effort::Efforts;
pub use survey::survey;
use tails::Tails;

use crate::logs::Timed;
use crate::processes::{RunKey, Sampler, stat};

/// How long gathering takes at most. The remedy waits for it.
pub const TIME_LIMIT: Duration = Duration::from_millis(300);

/// Over which span processor use is measured when nobody has measured it before.
const MEASURE_OVER: Duration = Duration::from_millis(100);

/// Reads the last lines of a log, and when each arrived where that is known: path, how many lines at most, how many bytes at most; oldest
/// first. A plain function, so that a thread which hangs in it can be left behind.
pub type Tail = Arc<dyn Fn(&Path, usize, usize) -> io::Result<Vec<Timed>> + Send + Sync>;

/// Which output a log file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Whom evidence is gathered about.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The run; `None` when there is none at the moment.
    pub run: Option<RunKey>,
    /// Whether it is about a run that ended: that it has no process is no gap then.
    pub has_ended: bool,
    /// Folders that the app or zelador writes to.
    pub written: Vec<PathBuf>,
    /// Log files; those of one stream are read in this order.
    pub logs: Vec<(Stream, PathBuf)>,
    /// The port that it was told to use.
    pub port: Option<u16>,
    /// Deaths before this, the latest first.
    pub deaths: Vec<PastDeath>,
    /// Its main process, where that was killed.
    pub killed: Option<i32>,
    /// What its control group counted.
    pub memory: memory::Counted,
    /// Where it is.
    pub place: Place,
}

/// Gathers what can be known about the subject. Blocks for up to [`TIME_LIMIT`].
pub fn gather(subject: &Subject, now: Moment, tail: Tail) -> Evidence {
    let begin = Instant::now();
    let limit = begin + TIME_LIMIT;
    let mut evidence =
        Evidence { gathered_at: now, deaths: subject.deaths.clone(), ..Evidence::default() };
    // Files are read first and awaited last: meanwhile the process is looked at.
    let looks = Looks::begin(subject, now, &tail);
    match &subject.run {
        Some(run) => of_process(run, limit, &mut evidence),
        None if subject.has_ended => {}
        None => evidence.missing.push(words!(
            "process: the instance has none now",
            "processo: a instância não tem nenhum agora",
        )),
    }
    evidence.host = host::now();
    evidence.oom_kills = subject.memory.kills;
    let alive = subject.run.as_ref().map(|run| run.pid);
    let limit_of_group = || memory::limit_of_process(alive);
    evidence.memory_limit = subject.memory.limit.or_else(limit_of_group);
    evidence.cpu_limit = alive.and_then(group::processors_of);
    if let Some(pid) = subject.killed {
        evidence.kernel = kernel_log::about(pid, begin + TIME_LIMIT / 4).unwrap_or_default();
    }
    looks.end(subject, limit, &mut evidence);
    evidence.took_millis = begin.elapsed().as_millis() as u64;
    evidence
}

/// What is looked at aside, as any of it may lie on a file system that hangs.
struct Looks {
    tails: Tails,
    volumes: Look<Vec<VolumeSeen>>,
    changes: Look<Vec<Words>>,
}

impl Looks {
    fn begin(subject: &Subject, now: Moment, tail: &Tail) -> Self {
        let (written, place) = (subject.written.clone(), subject.place.clone());
        Self {
            tails: tails::begin(&subject.logs, tail),
            volumes: Look::begin("volumes", move || volumes::of(&written)),
            changes: Look::begin("changes", move || changes::of(&place, now)),
        }
    }

    /// Takes what was seen until `limit`. Who has a port is searched for before what hangs is waited for, and a log
    /// that hangs leaves a third of the time for that.
    fn end(self, subject: &Subject, limit: Instant, evidence: &mut Evidence) {
        // What a healthy app once said about a port is no evidence for why it hangs now.
        if subject.run.is_none() {
            let now = Instant::now();
            self.tails.end(now + limit.saturating_duration_since(now) * 2 / 3, evidence);
            let lines = [evidence.out_tail.as_slice(), &evidence.err_tail].concat();
            if let Some(taken) = port::taken(&lines, subject.port) {
                evidence.port_holders = port::holders(taken, evidence.gathered_at, limit);
            }
        } else {
            self.tails.end(limit, evidence);
        }
        let missing = &mut evidence.missing;
        match self.volumes.end(limit) {
            Ok(seen) => evidence.volumes = seen,
            Err(why) => missing.push(words!("volumes: {why}", "volumes: {why}", why = why)),
        }
        match self.changes.end(limit) {
            Ok(seen) => evidence.changes = seen,
            Err(why) => missing.push(words!("changes: {why}", "mudanças: {why}", why = why)),
        }
    }
}

fn of_process(run: &RunKey, limit: Instant, evidence: &mut Evidence) {
    let lives = || {
        let stat = stat(run.pid)?.filter(|stat| stat.start_time == run.start_time);
        io::Result::Ok(stat.is_some_and(|stat| !stat.is_dead()))
    };
    let is_alive = match lives() {
        Ok(is_alive) => is_alive,
        Err(error) => {
            return evidence
                .missing
                .push(words!("process: /proc: {error}", "processo: /proc: {error}"));
        }
    };
    if !is_alive {
        let pid = run.pid;
        return evidence
            .missing
            .push(words!("process: {pid} has ended", "processo: {pid} terminou"));
    }
    match descriptors::of(run.pid, limit) {
        Ok((found, note)) => {
            evidence.descriptors = Some(found);
            evidence.missing.extend(note);
        }
        Err(reason) => {
            evidence.missing.push(words!("descriptors: {why}", "descritores: {why}", why = reason));
        }
    }
    let mut efforts = Efforts::default();
    match threads::of(run.pid, limit) {
        Ok((found, count, note)) => {
            efforts = Efforts::begin(run.pid, &found);
            evidence.threads = found;
            evidence.thread_count = Some(count);
            evidence.missing.extend(note);
        }
        Err(reason) => {
            evidence.missing.push(words!("threads: {why}", "threads: {why}", why = reason));
        }
    }
    evidence.usage = measure(run, limit);
    efforts.end(&mut evidence.threads);
    if evidence.usage.is_none() {
        let why = if lives().unwrap_or(true) {
            words!("usage: time ran out", "uso: o tempo acabou")
        } else {
            let pid = run.pid;
            words!("process: {pid} ended meanwhile", "processo: {pid} terminou entretanto")
        };
        evidence.missing.push(why);
    }
}

/// What the tree uses, over the next 100 ms; without a processor share if there is no time.
fn measure(run: &RunKey, limit: Instant) -> Option<Usage> {
    // Nobody else sees the number.
    let runs = [(RunId::new(0), run.clone())];
    let mut sampler = Sampler::new();
    let begin = Instant::now();
    let first = sampler.sample(&runs).ok()?.first()?.1;
    // A pass took this long, and the second costs no more.
    if Instant::now() + MEASURE_OVER + begin.elapsed() > limit {
        return Some(first);
    }
    std::thread::sleep(MEASURE_OVER);
    let second = sampler.sample(&runs).ok()?;
    Some(second.first().map_or(first, |(_, usage)| *usage))
}

#[cfg(test)]
mod tests;

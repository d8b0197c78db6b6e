//! The heaviest processes of the host: what they are, whose, and which of their threads are busy.
//!
//! Blocks for [`MEASURE_OVER`] and two passes over `/proc`; belongs on the blocking pool. Always holds:
//! no more than [`KEPT`] processes come out, each with at most [`THREADS`] threads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use zelador_core::evidence::{Heavy, HeavyThread};
use zelador_core::healing::host::Pressure;
use zelador_core::id::RunId;
use zelador_core::unit::{ByteSize, Moment};

use super::line::presentable;
use super::port;
use crate::processes::{Stat, mark_of, snapshot};

/// Over which span processor use is measured: 50 clock ticks of a core that is busy.
const MEASURE_OVER: Duration = Duration::from_millis(500);

/// How many processes are told: the processes of an app count together, and a worker of many is small
/// by itself.
const KEPT: usize = 64;

/// Of how many processes the threads are looked at, and how many threads are told.
const LOOKED_INTO: usize = 5;
const THREADS: usize = 3;

/// Returns the heaviest processes, the heaviest first; `home` is this zelador's own, by which its runs
/// are known.
///
/// # Errors
/// `/proc` cannot be read.
pub fn survey(of: Pressure, home: &str, now: Moment) -> std::io::Result<Vec<Heavy>> {
    let ticks = rustix::param::clock_ticks_per_second().max(1) as f64;
    let page = rustix::param::page_size() as u64;
    let before: BTreeMap<(i32, u64), u64> =
        snapshot()?.all().iter().map(|stat| ((stat.pid, stat.start_time), stat.ticks)).collect();
    let began = Instant::now();
    let busiest = busiest(&before);
    let threads_before: BTreeMap<i32, BTreeMap<i32, u64>> = busiest
        .iter()
        .map(|pid| (*pid, threads_of(*pid).into_iter().map(ticks_of).collect()))
        .collect();
    thread::sleep(MEASURE_OVER);
    let span = began.elapsed().as_secs_f64();
    let share = |used: u64| used as f64 / ticks / span * 100.0;
    let mut all: Vec<(Stat, f64)> = snapshot()?
        .all()
        .iter()
        .filter_map(|stat| {
            // One that began meanwhile has used all of its time meanwhile.
            let used = before.get(&(stat.pid, stat.start_time)).copied().unwrap_or_default();
            Some((*stat, share(stat.ticks.checked_sub(used)?)))
        })
        .collect();
    all.sort_by(|a, b| match of {
        Pressure::Cpu => b.1.total_cmp(&a.1),
        Pressure::Memory => b.0.pages.cmp(&a.0.pages),
    });
    all.truncate(KEPT);
    let described = all.into_iter().enumerate().filter_map(|(rank, (stat, cpu))| {
        let name = fs::read_to_string(format!("/proc/{}/comm", stat.pid)).ok()?;
        let threads = if rank < LOOKED_INTO {
            let before = threads_before.get(&stat.pid);
            busy_threads(stat.pid, before, share)
        } else {
            Vec::new()
        };
        Some(Heavy {
            pid: stat.pid,
            name: presentable(name.trim_end()),
            cpu,
            memory: ByteSize::new(stat.pages * page),
            started_at: port::started_at(stat.pid, now).ok()?,
            run: run_of(&stat, home),
            threads,
        })
    });
    Ok(described.collect())
}

/// The processes whose threads are worth a first look: those that used the most time so far.
fn busiest(known: &BTreeMap<(i32, u64), u64>) -> BTreeSet<i32> {
    let mut all: Vec<(u64, i32)> = known.iter().map(|((pid, _), ticks)| (*ticks, *pid)).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.into_iter().take(KEPT).map(|(_, pid)| pid).collect()
}

fn run_of(stat: &Stat, home: &str) -> Option<RunId> {
    let mark = mark_of(stat).ok()??;
    let (run, of) = mark.split_once('@')?;
    (of == home).then(|| run.parse().ok().map(RunId::new))?
}

/// The threads of a process, with their names.
fn threads_of(pid: i32) -> Vec<(Stat, String)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let read = tasks.filter_map(|task| {
        let line = fs::read(task.path().join("stat")).ok()?;
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        Some((Stat::parse(&line)?, presentable(name.trim_end())))
    });
    read.collect()
}

fn ticks_of((stat, _): (Stat, String)) -> (i32, u64) {
    (stat.pid, stat.ticks)
}

fn busy_threads(
    pid: i32,
    before: Option<&BTreeMap<i32, u64>>,
    share: impl Fn(u64) -> f64,
) -> Vec<HeavyThread> {
    let Some(before) = before else { return Vec::new() };
    let mut threads: Vec<HeavyThread> = threads_of(pid)
        .into_iter()
        .filter_map(|(stat, name)| {
            let used =
                stat.ticks.checked_sub(before.get(&stat.pid).copied().unwrap_or_default())?;
            Some(HeavyThread { name, cpu: share(used) })
        })
        .filter(|thread| thread.cpu >= 1.0)
        .collect();
    threads.sort_by(|a, b| b.cpu.total_cmp(&a.cpu));
    threads.truncate(THREADS);
    threads
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_busy_process_is_found_with_its_thread_and_what_it_belongs_to() {
        let now = Moment::from_micros(1_700_000_000_000_000);
        let mut child = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .env("ZELADOR_RUN", "77@/srv/home")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let found = |home: &str| {
            let all = survey(Pressure::Cpu, home, now).unwrap();
            all.into_iter().find(|heavy| heavy.pid == pid)
        };
        let limit = Instant::now() + Duration::from_secs(30);
        let mut ours = found("/srv/home");
        while ours.as_ref().is_none_or(|it| it.threads.is_empty()) && Instant::now() < limit {
            ours = found("/srv/home");
        }
        let theirs = found("/another/home");
        child.kill().unwrap();
        child.wait().unwrap();
        let ours = ours.expect("it is among the heaviest");
        assert_eq!((ours.name.as_str(), ours.run), ("sh", Some(RunId::new(77))), "{ours:?}");
        assert!(ours.cpu > 1.0 && ours.threads[0].name == "sh", "{ours:?}");
        assert!(ours.memory.bytes() > 0 && ours.started_at.is_some());
        assert_eq!(theirs.map(|it| it.run), Some(None), "it is no run of that home");
    }
}

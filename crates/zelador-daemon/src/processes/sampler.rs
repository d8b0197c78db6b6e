//! What every run uses: memory, processor share and number of processes, its tree together.
//!
//! A list of runs goes in at each call; a usage for each that has processes comes out. Processor
//! shares are measured from one call to the next; a run's first sample says 0.
//!
//! A process that belongs to no run never will, so its pid is not read again until the list of
//! runs changes; every [`FULL_PASS_EVERY`]th sample reads all, should a pid have been reused.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Instant;

use zelador_core::id::RunId;
use zelador_core::probe::Usage;
use zelador_core::unit::ByteSize;

use super::snapshot::{Processes, snapshot_without};
use super::stat::Stat;
use super::tree::{Owners, RunKey, mark_of};

/// Every how many samples all processes are read: half a minute when sampling every 2 s.
const FULL_PASS_EVERY: u32 = 15;

/// Every how many samples descriptors are counted: every 10 s when sampling every 2 s.
const COUNT_EVERY: u32 = 5;

/// Measures what runs use, and remembers what it needs for the next time.
#[derive(Debug, Default)]
pub struct Sampler {
    /// When the last sample was taken.
    at: Option<Instant>,
    /// Processor time of every process of a run at the last sample.
    ticks: HashMap<Identity, u64>,
    /// Marks in the environments of orphans: they do not change, and reading one costs more than
    /// the rest.
    marks: HashMap<Identity, Option<String>>,
    /// Pids of processes that belong to no run.
    strangers: HashSet<i32>,
    /// The main processes of the last sample.
    runs: Vec<Identity>,
    /// Open descriptors of main processes, as last counted.
    descriptors: HashMap<RunId, u32>,
    /// How many samples were taken since descriptors were counted.
    since_counted: u32,
    /// How many samples were taken since all processes were read.
    since_full_pass: u32,
}

/// A pid and its start time: never reused.
type Identity = (i32, u64);

impl Sampler {
    /// Returns a sampler that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what each of the runs uses now; a run without a process is left out. Blocks for at
    /// most one pass over `/proc`.
    ///
    /// # Errors
    /// `/proc` cannot be listed.
    pub fn sample(&mut self, runs: &[(RunId, RunKey)]) -> io::Result<Vec<(RunId, Usage)>> {
        let mains: Vec<Identity> = runs.iter().map(|(_, key)| (key.pid, key.start_time)).collect();
        self.since_full_pass += 1;
        if mains != self.runs || self.since_full_pass >= FULL_PASS_EVERY {
            self.strangers.clear();
            self.since_full_pass = 0;
        }
        self.runs = mains;
        let mut still_there = HashSet::with_capacity(self.strangers.len());
        let processes = snapshot_without(|pid| {
            let known = self.strangers.contains(&pid);
            if known {
                still_there.insert(pid);
            }
            known
        })?;
        self.strangers = still_there;
        let mut usages = self.sample_of(&processes, Instant::now(), runs);
        self.count_descriptors(&mut usages, runs);
        Ok(usages)
    }

    /// Counting costs more than all the rest where there are many: it is done every
    /// [`COUNT_EVERY`]th time, and for new runs.
    fn count_descriptors(&mut self, usages: &mut [(RunId, Usage)], runs: &[(RunId, RunKey)]) {
        self.since_counted += 1;
        let before = std::mem::take(&mut self.descriptors);
        let is_due = self.since_counted >= COUNT_EVERY;
        if is_due {
            self.since_counted = 0;
        }
        for (run, usage) in usages {
            let known = before.get(run).copied().filter(|_| !is_due);
            let key = runs.iter().find(|(other, _)| other == run).map(|(_, key)| key);
            usage.descriptors = known.or_else(|| open_descriptors(key?.pid));
            self.descriptors.extend(usage.descriptors.map(|count| (*run, count)));
        }
    }

    fn sample_of(
        &mut self,
        processes: &Processes,
        now: Instant,
        runs: &[(RunId, RunKey)],
    ) -> Vec<(RunId, Usage)> {
        let keys: Vec<RunKey> = runs.iter().map(|(_, key)| key.clone()).collect();
        let known = std::mem::take(&mut self.marks);
        let marks = &mut self.marks;
        let owners = Owners::new(processes, &keys, |process| {
            let identity = identity(process);
            // One that could not be read is none of any run until the next look.
            let mark = known.get(&identity).cloned().or_else(|| mark_of(process).ok())?;
            marks.insert(identity, mark.clone());
            mark
        })
        .all();
        let elapsed = self.at.map(|at| now.saturating_duration_since(at).as_secs_f64());
        let before = std::mem::take(&mut self.ticks);
        let mut sums = vec![Sum::default(); runs.len()];
        for (process, owner) in processes.all().iter().zip(owners) {
            let Some(run) = owner else {
                self.strangers.insert(process.pid);
                continue;
            };
            if process.is_dead() {
                continue;
            }
            let sum = &mut sums[run];
            sum.processes += 1;
            sum.pages += process.pages;
            sum.threads += process.threads;
            let earlier = before.get(&identity(process));
            sum.seen_before |= earlier.is_some();
            sum.ticks += process.ticks.saturating_sub(earlier.copied().unwrap_or(0));
            self.ticks.insert(identity(process), process.ticks);
        }
        self.at = Some(now);
        let with_processes = runs.iter().zip(sums).filter(|(_, sum)| sum.processes > 0);
        with_processes.map(|((run, _), sum)| (*run, sum.usage(elapsed))).collect()
    }
}

/// How many descriptors a process has open; `None`: it is gone, or somebody else's.
fn open_descriptors(pid: i32) -> Option<u32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    u32::try_from(entries.count()).ok()
}

fn identity(process: &Stat) -> Identity {
    (process.pid, process.start_time)
}

#[derive(Clone, Default)]
struct Sum {
    processes: u32,
    pages: u64,
    threads: u32,
    ticks: u64,
    /// Whether any process of the run was there at the last sample: else `ticks` counts from the
    /// run's beginning, and the time from the last sample says nothing about it.
    seen_before: bool,
}

impl Sum {
    fn usage(&self, elapsed: Option<f64>) -> Usage {
        let ticks_a_second = rustix::param::clock_ticks_per_second() as f64;
        let cpu = match elapsed {
            Some(elapsed) if self.seen_before && elapsed > 0.0 => {
                self.ticks as f64 / ticks_a_second / elapsed * 100.0
            }
            _ => 0.0,
        };
        let memory = ByteSize::new(self.pages * rustix::param::page_size() as u64);
        let (processes, threads) = (self.processes, self.threads);
        Usage { memory, cpu, processes, threads, descriptors: None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixture::{Program, wait_for};
    use super::*;

    const RUN: RunId = RunId::new(1);

    #[test]
    fn the_memory_of_a_child_counts_for_its_run() {
        // A shell variable of 32 MiB in a child of the main process.
        let program =
            Program::shell("(x=$(head -c 33554432 /dev/zero | tr '\\0' x); sleep 1000) & wait");
        let runs = [(RUN, program.key())];
        let mut sampler = Sampler::new();
        let usage = wait_for("32 MiB in the tree", || {
            let usage = sampler.sample(&runs).unwrap().first()?.1;
            (usage.memory >= ByteSize::mebibytes(32)).then_some(usage)
        });
        assert!(usage.processes >= 2, "{usage:?}");
        assert!(usage.memory < ByteSize::mebibytes(512), "{usage:?}");
    }

    #[test]
    fn a_busy_run_uses_a_core_and_an_idle_one_nothing() {
        let busy = Program::shell("while :; do :; done");
        let idle = Program::shell("sleep 1000");
        let runs = [(RUN, busy.key()), (RunId::new(2), idle.key())];
        let mut sampler = Sampler::new();
        let first = sampler.sample(&runs).unwrap();
        assert!(first.iter().all(|(_, usage)| usage.cpu == 0.0), "nothing to compare with yet");
        // On a crowded machine it gets less than a core; that it gets some is what counts here.
        let shares = wait_for("a share of the busy run", || {
            std::thread::park_timeout(Duration::from_millis(200));
            let found = sampler.sample(&runs).unwrap();
            (found[0].1.cpu > 10.0).then_some((found[0].1.cpu, found[1].1.cpu))
        });
        assert!(shares.0 < 130.0 && shares.1 < 10.0, "{shares:?}");
    }

    #[test]
    fn a_run_and_a_child_that_begin_between_samples_are_found() {
        let first = Program::shell("sleep 1000");
        let mut sampler = Sampler::new();
        assert_eq!(sampler.sample(&[(RUN, first.key())]).unwrap().len(), 1);
        // Seen as nobody's at the first of these samples, and as a run at the second.
        let second = Program::shell("read _ </dev/null; sleep 1000 & sleep 1000 & wait");
        assert_eq!(sampler.sample(&[(RUN, first.key())]).unwrap().len(), 1);
        let runs = [(RUN, first.key()), (RunId::new(2), second.key())];
        wait_for("the children of the second run", || {
            let found = sampler.sample(&runs).unwrap();
            (found.len() == 2 && found[1].1.processes == 3).then_some(())
        });
        assert!(sampler.strangers.contains(&1), "pid 1 is not read every time");
    }

    #[test]
    fn shares_are_of_one_core_and_a_run_that_is_gone_is_left_out() {
        let stat = |pid, ppid, ticks| Stat {
            pid,
            ppid,
            pgid: 20,
            session: 20,
            state: 'S',
            ticks,
            threads: 1,
            start_time: 50,
            pages: 10,
        };
        let key = RunKey {
            pid: 20,
            start_time: 50,
            pgid: Some(20),
            mark: String::new(),
            guardian: 10,
            group: None,
        };
        let runs = [(RUN, key.clone()), (RunId::new(2), RunKey { pid: 30, pgid: None, ..key })];
        let mut sampler = Sampler::new();
        let begin = Instant::now();
        let a_second = rustix::param::clock_ticks_per_second();
        let first = Processes::new(vec![stat(20, 10, 500)]);
        assert_eq!(sampler.sample_of(&first, begin, &runs).len(), 1);
        // Half a core by the main process, and a whole one by a child that is new.
        let second = Processes::new(vec![stat(20, 10, 500 + a_second), stat(21, 20, 2 * a_second)]);
        let found = sampler.sample_of(&second, begin + Duration::from_secs(2), &runs);
        assert!((found[0].1.cpu - 150.0).abs() < 0.001, "{found:?}");
        assert_eq!(found[0].1.processes, 2);
        assert_eq!(found[0].1.memory, ByteSize::new(20 * rustix::param::page_size() as u64));
    }
}

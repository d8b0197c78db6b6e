//! Which processes belong to which run.
//!
//! A table of processes and the identities of runs go in; for each process the run it belongs to
//! comes out. A process belongs to a run when it is the run's main process, or its parent belongs
//! to it, or it is in the session or group that the main process leads, or it was orphaned (its
//! parent is now the guardian, or whoever took over) and its environment names the run.
//! Always holds: no process that is older than a run belongs to it, and a number that was given to
//! another process is not taken for the one that had it before.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::PathBuf;

use zelador_core::launch::RUN_VARIABLE;

use super::snapshot::Processes;
use super::stat::Stat;
use crate::errno;

/// How much of an environment is looked at. The kernel's limit for one variable; ours is set last
/// or among few, and an environment larger than this is rare.
const ENVIRONMENT_READ: u64 = 128 << 10;

/// How one run is recognised among all processes, also after its main process is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKey {
    /// The main process, which the guardian started.
    pub pid: i32,
    /// When that was, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
    /// The process group that the main process leads, which is also its session where it has one
    /// of its own. `None`: it shares the group of another process.
    pub pgid: Option<i32>,
    /// The value of [`RUN_VARIABLE`] in its environment; unique on the host. Empty: unknown.
    pub mark: String,
    /// The guardian, to which orphans are handed by the kernel.
    pub guardian: i32,
    /// Its control group: then nothing outside belongs to it.
    pub group: Option<PathBuf>,
}

/// Whose each process is.
pub(super) struct Owners<'a, F> {
    processes: &'a Processes,
    keys: &'a [RunKey],
    mains: HashMap<i32, usize>,
    groups: HashMap<i32, usize>,
    answers: Vec<Answer>,
    mark_of: F,
}

#[derive(Clone, Copy)]
enum Answer {
    Unknown,
    Asked,
    Owner(Option<usize>),
}

impl<'a, F: FnMut(&Stat) -> Option<String>> Owners<'a, F> {
    /// Prepares the answer for these runs; `mark_of` reads the mark in a process's environment.
    pub(super) fn new(processes: &'a Processes, keys: &'a [RunKey], mark_of: F) -> Self {
        let numbered = || keys.iter().enumerate();
        Self {
            processes,
            keys,
            mains: numbered().map(|(index, key)| (key.pid, index)).collect(),
            groups: numbered().filter_map(|(index, key)| Some((key.pgid?, index))).collect(),
            answers: vec![Answer::Unknown; processes.all().len()],
            mark_of,
        }
    }

    /// Returns for each process of the table the index of its run in `keys`.
    pub(super) fn all(mut self) -> Vec<Option<usize>> {
        (0..self.answers.len()).map(|index| self.of(index)).collect()
    }

    /// Walks up the parents until one is known, then answers for the whole way. A loop instead of
    /// recursion: a chain of parents may be thousands long.
    fn of(&mut self, index: usize) -> Option<usize> {
        let mut way = Vec::new();
        let mut at = Some(index);
        let mut owner = None;
        while let Some(index) = at {
            match self.answers[index] {
                Answer::Owner(known) => {
                    owner = known;
                    break;
                }
                // Parents in a ring: the table was read while a number was reused.
                Answer::Asked => break,
                Answer::Unknown => {}
            }
            self.answers[index] = Answer::Asked;
            way.push(index);
            let process = self.processes.all()[index];
            if self.main(&process).is_some() {
                break;
            }
            at = self.processes.index_of(process.ppid);
        }
        for index in way.into_iter().rev() {
            let process = self.processes.all()[index];
            let of_parent = owner.filter(|&run| process.start_time >= self.keys[run].start_time);
            owner = self.main(&process).or(of_parent).or_else(|| self.apart(&process));
            self.answers[index] = Answer::Owner(owner);
        }
        owner
    }

    fn main(&self, process: &Stat) -> Option<usize> {
        let run = *self.mains.get(&process.pid)?;
        (self.keys[run].start_time == process.start_time).then_some(run)
    }

    /// Whose a process is whose parent belongs to nobody.
    fn apart(&mut self, process: &Stat) -> Option<usize> {
        if let Some(&run) =
            self.groups.get(&process.session).or_else(|| self.groups.get(&process.pgid))
            && process.start_time >= self.keys[run].start_time
            && self.group_is_ours(process, run)
        {
            return Some(run);
        }
        if !self.may_be_orphan(process) {
            return None;
        }
        let mark = (self.mark_of)(process)?;
        let run = self.keys.iter().position(|key| key.mark == mark)?;
        (process.start_time >= self.keys[run].start_time).then_some(run)
    }

    /// While a process is in a group, the group's number is given to nobody else. So the group is
    /// ours when its number is still the main process's; when nobody has that number, a later
    /// process may have had it and ended, and the process itself is asked.
    fn group_is_ours(&mut self, process: &Stat, run: usize) -> bool {
        let key = &self.keys[run];
        match self.processes.get(key.pid) {
            Some(holder) => holder.start_time == key.start_time,
            None => match (self.mark_of)(process) {
                Some(mark) => mark == self.keys[run].mark,
                None => process.ppid == self.keys[run].guardian,
            },
        }
    }

    /// Orphans are children of the guardian; of pid 1 or of whoever took over the main process
    /// when a guardian was killed.
    fn may_be_orphan(&self, process: &Stat) -> bool {
        let inherited = |key: &RunKey| {
            process.ppid == 1
                || process.ppid == key.guardian
                || self.processes.get(key.pid).is_some_and(|main| {
                    main.start_time == key.start_time && main.ppid == process.ppid
                })
        };
        let young = |key: &&RunKey| process.start_time >= key.start_time;
        self.keys.iter().filter(young).any(|key| !key.mark.is_empty() && inherited(key))
    }
}

/// Returns the value of [`RUN_VARIABLE`] in a process's environment as it was at its start; `None`: it has none,
/// or nobody may read it.
///
/// # Errors
/// It could not be read just now: no descriptor is left, or no memory.
pub fn mark_of(process: &Stat) -> io::Result<Option<String>> {
    variable_of(process.pid, RUN_VARIABLE)
}

/// The same of another variable.
///
/// # Errors
/// As [`mark_of`].
pub fn variable_of(pid: i32, name: &str) -> io::Result<Option<String>> {
    let mut environment = Vec::new();
    let read = std::fs::File::open(format!("/proc/{pid}/environ"))
        .and_then(|file| file.take(ENVIRONMENT_READ).read_to_end(&mut environment));
    match read {
        Ok(_) => Ok(variable_in(&environment, name)),
        Err(error) if errno::is_want(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn variable_in(environment: &[u8], name: &str) -> Option<String> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, ppid: i32, group: i32, start_time: u64) -> Stat {
        Stat {
            pid,
            ppid,
            pgid: group,
            session: group,
            state: 'S',
            ticks: 0,
            threads: 1,
            start_time,
            pages: 1,
        }
    }

    fn key(pid: i32, start_time: u64) -> RunKey {
        RunKey {
            pid,
            start_time,
            pgid: Some(pid),
            mark: format!("{pid}@/home"),
            guardian: 10,
            group: None,
        }
    }

    fn members(processes: &[Stat], keys: &[RunKey], marks: &[(i32, &str)]) -> Vec<(i32, i32)> {
        let table = Processes::new(processes.to_vec());
        let mark_of = |process: &Stat| {
            let found = marks.iter().find(|(pid, _)| *pid == process.pid)?;
            Some(found.1.to_owned())
        };
        let owners = Owners::new(&table, keys, mark_of).all();
        let all = table.all().iter().zip(owners);
        all.filter_map(|(stat, owner)| Some((stat.pid, keys[owner?].pid))).collect()
    }

    #[test]
    fn descendants_group_and_marked_orphans_belong_to_the_run() {
        let found = members(
            &[
                process(1, 0, 1, 0),
                process(10, 1, 10, 5),
                process(20, 10, 20, 50), // main
                process(21, 20, 20, 51), // child
                process(22, 21, 22, 52), // grandchild with a session of its own
                process(23, 10, 20, 53), // orphan, still in the session
                process(24, 10, 24, 54), // orphan with a session of its own, marked
                process(25, 24, 25, 55), // child of that orphan
                process(30, 10, 30, 60), // another run
                process(40, 10, 40, 61), // the engine
                process(50, 1, 50, 62),  // somebody else
            ],
            &[key(20, 50), key(30, 60)],
            &[(24, "20@/home"), (50, "99@/home")],
        );
        assert_eq!(found, [(20, 20), (21, 20), (22, 20), (23, 20), (24, 20), (25, 20), (30, 30)]);
    }

    #[test]
    fn a_reused_number_is_not_the_run() {
        let reused = [process(20, 1, 20, 900), process(21, 20, 20, 901), process(22, 1, 20, 902)];
        assert_eq!(members(&reused, &[key(20, 50)], &[]), []);
        // The later holder of the number is gone too; what it left has no mark of ours.
        assert_eq!(members(&[process(22, 1, 20, 902)], &[key(20, 50)], &[]), []);
    }

    #[test]
    fn what_a_dead_main_process_left_in_its_group_is_found() {
        let left = [process(10, 1, 10, 5), process(21, 10, 20, 51)];
        assert_eq!(members(&left, &[key(20, 50)], &[]), [(21, 20)]);
        let of_another = members(&left, &[key(20, 50)], &[(21, "77@/home")]);
        assert_eq!(of_another, [], "its environment names another run");
    }

    #[test]
    fn nothing_older_than_the_run_belongs_to_it_and_rings_end() {
        assert_eq!(members(&[process(7, 10, 20, 49)], &[key(20, 50)], &[(7, "20@/home")]), []);
        let ring = [process(7, 8, 7, 60), process(8, 7, 8, 60)];
        assert_eq!(members(&ring, &[key(20, 50)], &[]), []);
    }

    #[test]
    fn a_mark_is_a_whole_variable() {
        let mark_in = |environment: &[u8]| variable_in(environment, RUN_VARIABLE);
        assert_eq!(mark_in(b"A=1\0ZELADOR_RUN=7@/h\0B=2\0").as_deref(), Some("7@/h"));
        assert_eq!(mark_in(b"XZELADOR_RUN=7\0ZELADOR_RUNS=8\0"), None);
    }
}

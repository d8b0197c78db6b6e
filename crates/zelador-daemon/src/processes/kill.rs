//! Ending whole process trees, and nobody else.
//!
//! The identity of a run goes in; what was killed and what could not be comes out. Always holds: a
//! signal reaches the process that was meant or nobody, because it goes through a pidfd whose
//! start time was compared after it was opened.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::time::{self, Instant};
use zelador_core::signal::Signal;

use super::cgroup;
use super::find::find;
use super::stat::stat;
use super::tree::RunKey;
use crate::errno;

/// How often the known processes of a run are looked at while it may still end by itself.
const LOOK_AGAIN_EVERY: Duration = Duration::from_millis(20);

/// How long killed processes have to disappear before the tree is read again.
const DISAPPEAR_WITHIN: Duration = Duration::from_millis(20);

/// How long killing goes on. A process that survives `SIGKILL` for longer waits for a device.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// How often the tree is read and killed at least before giving up.
const FEWEST_PASSES: u32 = 3;

/// `SIGSTOP`, which no process can catch.
const STOP: u8 = 19;

/// One process of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// Process id.
    pub pid: i32,
    /// When it was started, in clock ticks since boot.
    pub start_time: u64,
}

/// What became of a process tree.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many processes were sent `SIGKILL`; 0: all ended in time by themselves.
    pub killed: u32,
    /// What is still there: it waits for a device, or may not be signalled.
    pub survivors: Vec<Member>,
    /// Why it is not known whether anything is left: `/proc` could not be listed to the end.
    pub blind: Option<io::Error>,
}

/// Sends a signal to a process; returns false when it is gone, whoever has its number now.
///
/// # Errors
/// The process may not be signalled, no descriptor is left, or it is not known who has the number.
pub fn signal(member: Member, signal: Signal) -> io::Result<bool> {
    send(member, signal.number())
}

/// Returns the process that has this number now and lives.
///
/// # Errors
/// It is not known whether there is one.
pub fn member(pid: i32) -> io::Result<Option<Member>> {
    let living = stat(pid)?.filter(|stat| !stat.is_dead());
    Ok(living.map(|stat| Member { pid, start_time: stat.start_time }))
}

fn send(member: Member, number: u8) -> io::Result<bool> {
    let Some(pid) = Pid::from_raw(member.pid) else { return Ok(false) };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // The descriptor holds on to whoever has the number now; only then is it asked who that is.
    if !is_alive(member)? {
        return Ok(false);
    }
    // Not rustix: its signals leave out those of real-time programs.
    // SAFETY: the descriptor is open, no information is passed along, and the kernel checks the
    // number. Nothing of this process's memory is read or written.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::c_int::from(number),
            std::ptr::null::<libc::siginfo_t>(),
            0_u32,
        )
    };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(false) } else { Err(error) }
}

fn is_alive(member: Member) -> io::Result<bool> {
    let found = stat(member.pid)?;
    Ok(found.is_some_and(|stat| stat.start_time == member.start_time && !stat.is_dead()))
}

/// Whether it lives, or nobody can say.
fn may_live(member: &Member) -> bool {
    is_alive(*member).unwrap_or(true)
}

/// Waits until nothing of a run is left, and at `until` kills what is.
///
/// The signal that asks for an end is not sent here. Dropping the future ends the waiting; what
/// was killed stays killed. While there is no descriptor to look with, it goes on.
pub async fn sweep(run: &RunKey, until: Instant) -> Swept {
    let mut blind = Blind::default();
    loop {
        let found = find(run).await.map_err(|error| blind.say(run, error));
        if found.as_ref().is_ok_and(Vec::is_empty) {
            return Swept::default();
        }
        // Cheap: only those that are known. A full pass follows when they are gone.
        let known = found.unwrap_or_default();
        loop {
            let now = Instant::now();
            if now >= until {
                return kill_all(run, known, blind).await;
            }
            time::sleep_until(until.min(now + LOOK_AGAIN_EVERY)).await;
            if !known.iter().any(may_live) {
                break;
            }
        }
    }
}

/// Whether it was said that a run cannot be looked at.
#[derive(Default)]
struct Blind(bool);

impl Blind {
    fn say(&mut self, run: &RunKey, error: io::Error) {
        if !std::mem::replace(&mut self.0, true) {
            tracing::warn!(pid = run.pid, %error, "what is left of a run cannot be seen: it is looked again");
        }
    }
}

/// Kills what is known, then what turns up. Gives up after a while, but not before it has looked
/// a few times: on a host that is choked by the very tree, one look may take seconds.
async fn kill_all(run: &RunKey, known: Vec<Member>, mut blind: Blind) -> Swept {
    let give_up_at = Instant::now() + GIVE_UP_AFTER;
    let mut killed = BTreeSet::new();
    let mut left = known;
    let mut passes = 0;
    loop {
        let at_once = run.group.as_deref().is_some_and(cgroup::kill);
        for member in left.iter().filter(|_| !at_once) {
            // One that may not be signalled is among the survivors in the end.
            let _ = send(*member, Signal::KILL.number());
        }
        killed.extend(left.iter().copied());
        let patience = Instant::now() + DISAPPEAR_WITHIN;
        while left.iter().any(may_live) && Instant::now() < patience {
            time::sleep(Duration::from_millis(1)).await;
        }
        passes += 1;
        let late = passes >= FEWEST_PASSES && Instant::now() >= give_up_at;
        let count = killed.len() as u32;
        left = match find(run).await {
            Ok(left) if left.is_empty() || late => {
                return Swept { killed: count, survivors: left, blind: None };
            }
            Ok(left) if left.iter().any(|it| !killed.contains(it)) && passes > 1 => {
                freeze(run, left, give_up_at).await
            }
            Ok(left) => left,
            Err(error) if late && !errno::is_want(&error) => {
                let survivors = killed.into_iter().filter(may_live).collect();
                return Swept { killed: count, survivors, blind: Some(error) };
            }
            Err(error) => {
                blind.say(run, error);
                time::sleep(LOOK_AGAIN_EVERY).await;
                left
            }
        };
    }
}

/// Stops everything until nothing is added any more, so that a tree which forks faster than it is
/// killed stands still. Returns all of it.
async fn freeze(run: &RunKey, mut left: Vec<Member>, give_up_at: Instant) -> Vec<Member> {
    let mut stopped = BTreeSet::new();
    while Instant::now() < give_up_at {
        let added: Vec<Member> =
            left.iter().filter(|member| !stopped.contains(*member)).copied().collect();
        if added.is_empty() {
            break;
        }
        for member in added {
            let _ = send(member, STOP);
            stopped.insert(member);
        }
        left = find(run).await.unwrap_or(left);
    }
    left
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::find::tree;
    use super::super::fixture::{Program, marked, wait_for};
    use super::super::snapshot::snapshot;
    use super::*;

    fn from_now(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    /// Waits until that many processes of the program run.
    fn wait_for_members(program: &Program, count: usize) -> Vec<Member> {
        wait_for("the tree", || {
            let found = tree(&program.key()).unwrap();
            (found.len() >= count).then_some(found)
        })
    }

    #[tokio::test]
    async fn a_grandchild_with_a_session_of_its_own_is_killed_too() {
        let mut program =
            Program::shell("trap '' TERM; setsid sh -c 'sleep 1000 & wait' & sleep 1000 & wait");
        wait_for_members(&program, 4);
        let mark = program.key().mark;
        assert_eq!(marked(&mark).len(), 4);
        let swept = sweep(&program.key(), from_now(0)).await;
        assert_eq!((swept.killed, swept.survivors.as_slice()), (4, &[][..]), "{swept:?}");
        program.reap();
        assert!(marked(&mark).is_empty());
    }

    #[tokio::test]
    async fn orphans_are_found_by_their_environment_after_the_main_process_is_gone() {
        let mut program = Program::shell("setsid sleep 1000 & setsid sleep 1000 & exit 0");
        let mark = program.key().mark;
        wait_for("two orphans", || (marked(&mark).len() == 2).then_some(()));
        program.reap();
        // Orphans go to the nearest subreaper, here an ancestor of the test instead of a guardian.
        let heir = snapshot().unwrap().get(marked(&mark)[0]).map(|stat| stat.ppid).unwrap();
        let key = RunKey { guardian: heir, ..program.key() };
        let swept = sweep(&key, from_now(0)).await;
        assert_eq!((swept.killed, swept.survivors.len()), (2, 0), "{swept:?}");
        assert!(marked(&mark).is_empty());
    }

    #[tokio::test]
    async fn what_ends_by_itself_in_time_is_not_killed() {
        let folder = tempfile::tempdir().unwrap();
        let word = folder.path().join("end");
        let wait = format!("while [ ! -e {} ]; do sleep 0.01; done", word.display());
        let mut program = Program::shell(&format!("({wait}) & {wait}"));
        wait_for_members(&program, 2);
        let limit = from_now(60_000);
        let key = program.key();
        let (swept, ()) = tokio::join!(sweep(&key, limit), async {
            std::fs::write(&word, "").unwrap();
        });
        assert_eq!((swept.killed, swept.survivors.len()), (0, 0), "{swept:?}");
        assert!(Instant::now() < limit, "it returned when the tree was gone");
        program.reap();
    }

    #[tokio::test]
    async fn a_tree_that_keeps_growing_is_frozen_and_killed() {
        // The count bounds it should the sweep fail.
        let script = "n=0; while [ $n -lt 500 ]; do n=$((n+1)); setsid sleep 3 & done; wait";
        let mut program = Program::shell(script);
        wait_for_members(&program, 30);
        let swept = sweep(&program.key(), from_now(0)).await;
        assert!(swept.killed >= 30, "{} were killed", swept.killed);
        assert!(swept.survivors.is_empty(), "{} survived", swept.survivors.len());
        program.reap();
        assert!(marked(&program.key().mark).is_empty());
    }

    #[test]
    fn a_signal_for_an_earlier_holder_of_a_number_reaches_nobody() {
        let program = Program::shell("sleep 1000");
        let member = Member { pid: program.pid(), start_time: program.key().start_time };
        let earlier = Member { start_time: member.start_time - 1, ..member };
        assert!(!signal(earlier, Signal::KILL).unwrap());
        assert!(is_alive(member).unwrap());
        assert!(signal(member, Signal::TERM).unwrap());
    }

    #[test]
    fn neither_this_process_nor_the_guardian_is_part_of_a_run() {
        let own = std::process::id().cast_signed();
        let start_time = stat(own).unwrap().unwrap().start_time;
        let key = RunKey {
            pid: own,
            start_time,
            pgid: None,
            mark: String::new(),
            guardian: own,
            group: None,
        };
        assert!(tree(&key).unwrap().iter().all(|member| member.pid != own));
    }
}

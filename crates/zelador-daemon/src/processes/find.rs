//! What a run has left: the live processes of its tree.
//!
//! Where many ask at once, as after a thousand services ended with their guardian, one look at all processes answers
//! everybody who asked before it began. Always holds: nobody is answered by a look from before the question.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::cgroup;
use super::kill::Member;
use super::snapshot::{Processes, snapshot};
use super::stat::{Stat, stat};
use super::tree::{Owners, RunKey, mark_of};

/// One who asks, and where the answer goes.
type Asked = (RunKey, oneshot::Sender<io::Result<Vec<Member>>>);

/// Those who wait for the next look, and whether somebody looks.
struct Looks {
    waiting: Vec<Asked>,
    under_way: bool,
}

static LOOKS: Mutex<Looks> = Mutex::new(Looks { waiting: Vec::new(), under_way: false });

/// Returns the processes of a run that have not ended. Blocks for one pass over `/proc`.
///
/// # Errors
/// `/proc` cannot be listed, or the run's control group not be read.
pub fn tree(run: &RunKey) -> io::Result<Vec<Member>> {
    match &run.group {
        Some(group) => grouped(group),
        None => {
            let processes = snapshot()?;
            let owners = owners(&processes, std::slice::from_ref(run), mark_of)?;
            Ok(members(&processes, &owners, 0, run))
        }
    }
}

/// The same without holding up the runtime, and together with everybody else who asks. Not on the blocking pool, which
/// others may keep busy: a stop waits for it.
///
/// # Errors
/// As [`tree`], or there is no thread for it.
pub(super) async fn find(run: &RunKey) -> io::Result<Vec<Member>> {
    let (answer, found) = oneshot::channel();
    ask((run.clone(), answer))?;
    found.await.map_err(io::Error::other)?
}

fn ask(asked: Asked) -> io::Result<()> {
    let mut looks = LOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    looks.waiting.push(asked);
    if !looks.under_way {
        thread::Builder::new().name("look at all".to_owned()).spawn(look).inspect_err(|_| {
            // Whoever waits is told that nobody answers.
            looks.waiting.clear();
        })?;
        looks.under_way = true;
    }
    Ok(())
}

/// Held by the thread that looks: should it panic, whoever waits is told that nobody answers, and the next one who
/// asks begins another.
struct UnderWay<'a>(&'a Mutex<Looks>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            looks.under_way = false;
            looks.waiting.clear();
        }
    }
}

/// Looks until nobody waits.
fn look() {
    let _under_way = UnderWay(&LOOKS);
    loop {
        let asked = {
            let mut looks = LOOKS.lock().unwrap_or_else(PoisonError::into_inner);
            if looks.waiting.is_empty() {
                looks.under_way = false;
                return;
            }
            std::mem::take(&mut looks.waiting)
        };
        let (grouped, asked): (Vec<Asked>, Vec<Asked>) =
            asked.into_iter().partition(|(run, _)| run.group.is_some());
        for (run, answer) in grouped {
            _ = answer.send(tree(&run));
        }
        if asked.is_empty() {
            continue;
        }
        match snapshot() {
            Ok(processes) => answer(&processes, asked, mark_of),
            Err(error) => refuse(asked, &error),
        }
    }
}

/// Tells everybody why nobody knows.
fn refuse(asked: Vec<Asked>, error: &io::Error) {
    for (_, answer) in asked {
        let same = error.raw_os_error().map_or_else(
            || io::Error::new(error.kind(), error.to_string()),
            io::Error::from_raw_os_error,
        );
        _ = answer.send(Err(same));
    }
}

/// Whose each process is. One whose mark could not be read would be missed.
fn owners(
    processes: &Processes,
    keys: &[RunKey],
    mut mark_of: impl FnMut(&Stat) -> io::Result<Option<String>>,
) -> io::Result<Vec<Option<usize>>> {
    let mut unread = None;
    let owners = Owners::new(processes, keys, |process| {
        mark_of(process).unwrap_or_else(|error| {
            unread = Some(error);
            None
        })
    })
    .all();
    unread.map_or(Ok(owners), Err)
}

/// Tells each its processes; one run may be asked about twice.
fn answer(
    processes: &Processes,
    asked: Vec<Asked>,
    mark_of: impl FnMut(&Stat) -> io::Result<Option<String>>,
) {
    let mut keys: Vec<RunKey> = Vec::new();
    let mut known: HashMap<(i32, u64, String), usize> = HashMap::new();
    let places: Vec<usize> = asked
        .iter()
        .map(|(run, _)| {
            *known.entry((run.pid, run.start_time, run.mark.clone())).or_insert_with(|| {
                keys.push(run.clone());
                keys.len() - 1
            })
        })
        .collect();
    let owners = match owners(processes, &keys, mark_of) {
        Ok(owners) => owners,
        Err(error) => return refuse(asked, &error),
    };
    for ((run, answer), place) in asked.into_iter().zip(places) {
        _ = answer.send(Ok(members(processes, &owners, place, &run)));
    }
}

/// The processes of a control group: no other can belong to the run.
///
/// # Errors
/// `/proc` or the group cannot be read.
fn grouped(group: &Path) -> io::Result<Vec<Member>> {
    let stats: io::Result<Vec<_>> = cgroup::members(group)?.into_iter().map(stat).collect();
    let live = stats?.into_iter().flatten().filter(|stat| !stat.is_dead());
    Ok(live.map(|stat| Member { pid: stat.pid, start_time: stat.start_time }).collect())
}

/// The processes that belong to the run in this place.
fn members(
    processes: &Processes,
    owners: &[Option<usize>],
    place: usize,
    run: &RunKey,
) -> Vec<Member> {
    let own = std::process::id().cast_signed();
    let mine = processes.all().iter().zip(owners).filter(|(_, owner)| **owner == Some(place));
    // Whatever an environment says: neither this process nor the parent of all is part of a run.
    mine.filter(|(stat, _)| stat.pid > 1 && stat.pid != own && stat.pid != run.guardian)
        .filter(|(stat, _)| !stat.is_dead())
        .map(|(stat, _)| Member { pid: stat.pid, start_time: stat.start_time })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::super::fixture::Program;
    use super::*;

    fn process(pid: i32, ppid: i32, start_time: u64) -> Stat {
        let (pgid, session, state) = (pid, pid, 'S');
        Stat { pid, ppid, pgid, session, state, ticks: 0, threads: 1, start_time, pages: 1 }
    }

    #[test]
    fn a_thousand_who_ask_at_once_cost_one_look_at_each_process() {
        const GUARDIAN: i32 = 10;
        let runs = 1_000..2_000;
        // Each main process is gone; what it left was handed to the guardian.
        let left = runs.clone().map(|pid| process(pid + 10_000, GUARDIAN, 50));
        let strangers = runs.clone().map(|pid| process(pid + 20_000, GUARDIAN, 50));
        let processes = Processes::new(left.chain(strangers).collect());
        let key = |pid: i32| RunKey {
            pid,
            start_time: 50,
            pgid: Some(pid),
            mark: format!("{pid}@/home"),
            guardian: GUARDIAN,
            group: None,
        };
        let (asked, mut found): (Vec<Asked>, Vec<_>) = runs
            .clone()
            .chain([1_500])
            .map(|pid| {
                let (answer, found) = oneshot::channel();
                ((key(pid), answer), (pid, found))
            })
            .unzip();
        let environments = Cell::new(0);
        answer(&processes, asked, |process| {
            environments.set(environments.get() + 1);
            Ok((process.pid < 20_000).then(|| format!("{}@/home", process.pid - 10_000)))
        });
        assert_eq!(environments.get(), processes.all().len());
        for (pid, found) in &mut found {
            let members = found.try_recv().expect("it is answered").expect("it is known");
            assert_eq!(members, [Member { pid: *pid + 10_000, start_time: 50 }]);
        }
    }

    #[test]
    fn a_look_that_breaks_off_keeps_nobody_waiting() {
        let program = Program::shell("exec sleep 1000");
        let (answer, mut found) = oneshot::channel();
        let looks = Mutex::new(Looks { waiting: vec![(program.key(), answer)], under_way: true });
        thread::scope(|scope| {
            let broken = scope.spawn(|| {
                let _under_way = UnderWay(&looks);
                panic!("on purpose");
            });
            assert!(broken.join().is_err());
        });
        assert!(found.try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
        assert!(!looks.lock().unwrap().under_way);
    }

    #[tokio::test]
    async fn whoever_asks_while_others_are_answered_sees_what_is_there_now() {
        for _ in 0..20 {
            let mut program = Program::shell("exec sleep 1000");
            let key = program.key();
            let main = Member { pid: key.pid, start_time: key.start_time };
            let asked: Vec<_> = (0..8).map(|_| find(&key)).collect();
            for found in join_all(asked).await {
                assert_eq!(found.unwrap(), [main], "it was started before");
            }
            program.end();
            let others: Vec<_> = (0..8).map(|_| find(&key)).collect();
            for found in join_all(others).await {
                assert_eq!(found.unwrap(), [], "it ended before");
            }
        }
    }
}

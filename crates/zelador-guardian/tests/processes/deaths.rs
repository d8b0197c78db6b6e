//! How services end, and what becomes of the rest of their group.

use std::process::Command;
use std::ptr;

use zelador_guardian::message::{FromGuardian, ToGuardian, Which, Why};

use crate::processes::{exists, kill, lives, parent, start_time, wait_until};
use crate::rig::{Rig, line, shell};

pub fn a_code_and_a_signal_arrive_exactly() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    for (run, code) in [(1, 0), (2, 7), (3, 255)] {
        engine.shell(run, &format!("exit {code}"));
        let ended = engine.ended(run);
        assert_eq!((ended.status, ended.known), (code << 8, true));
        assert!(ended.at_micros > 1_700_000_000_000_000, "microseconds since 1970");
    }
    for (run, signal) in [(4, libc::SIGSEGV), (5, libc::SIGTERM), (6, libc::SIGKILL)] {
        engine.shell(run, "exec sleep 1000");
        engine.say(&ToGuardian::Signal { run, signal: signal as u8, group: false });
        let ended = engine.ended(run);
        assert!(libc::WIFSIGNALED(ended.status));
        assert_eq!((libc::WTERMSIG(ended.status), ended.known), (signal, true));
    }
}

pub fn a_death_while_no_engine_runs_is_told_to_the_next() {
    // Engines never settle, and the second in a row waits: there is a time without one.
    let rig = Rig::with_patience("60000,60000,700,200,60000,0");
    let engine = rig.engine();
    engine.greet();
    let (coded, fds) =
        engine.shell(1, "trap 'exit 33' USR1; echo up; while :; do sleep 0.01; done");
    assert_eq!(line(&fds), "up");
    let (signalled, _) = engine.shell(2, "exec sleep 1000");
    engine.kill();
    let second = rig.engine();
    let pid = second.pid;
    second.kill();
    wait_until("the second engine is gone", || !exists(pid));
    kill(coded, libc::SIGUSR1);
    kill(signalled, libc::SIGUSR2);
    wait_until("both are reaped", || !exists(coded) && !exists(signalled));
    let (_, _, kept) = rig.engine().greet();
    let ends: Vec<_> = kept.iter().map(|(kept, _)| kept.ended.expect("it ended")).collect();
    assert_eq!(ends.iter().map(|one| one.status).collect::<Vec<_>>(), [33 << 8, libc::SIGUSR2]);
    assert!(ends.iter().all(|one| one.known));
}

pub fn the_group_dies_with_its_main_process() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (_, fds) = engine.shell(1, "sleep 1000 & echo $!; exec sleep 1000");
    let other: u32 = line(&fds).parse().expect("a pid");
    assert!(lives(other));
    engine.say(&ToGuardian::Signal { run: 1, signal: libc::SIGTERM as u8, group: false });
    engine.ended(1);
    wait_until("the rest is killed and reaped", || !exists(other));
}

pub fn with_linger_the_group_outlives_its_main_process() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (_, fds) = engine.shell(1, "sleep 1000 & echo $!; exec sleep 1000");
    let other: u32 = line(&fds).parse().expect("a pid");
    engine.say(&ToGuardian::Linger { run: 1, on: true });
    engine.say(&ToGuardian::Signal { run: 1, signal: libc::SIGTERM as u8, group: false });
    engine.ended(1);
    // Whatever the guardian does at a death it has done: this answer comes after it.
    engine.shell(2, "exit 0");
    engine.ended(2);
    assert!(lives(other));
    assert_eq!(parent(other), rig.guardian.id());
    engine.say(&ToGuardian::Signal { run: 1, signal: libc::SIGKILL as u8, group: true });
    wait_until("the group can still be killed", || !exists(other));
    // Its number may belong to somebody else now.
    engine.say(&ToGuardian::Signal { run: 1, signal: libc::SIGKILL as u8, group: true });
    assert_eq!(engine.hear().0, FromGuardian::Refused { run: 1, why: Why::Gone });
}

pub fn an_orphan_in_a_session_of_its_own_is_reaped() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (_, fds) = engine.shell(1, "setsid sh -c 'echo $$; exec sleep 1000' & wait");
    let orphan: u32 = line(&fds).parse().expect("a pid");
    engine.say(&ToGuardian::Signal { run: 1, signal: libc::SIGKILL as u8, group: false });
    engine.ended(1);
    wait_until("it is the guardian's", || parent(orphan) == rig.guardian.id());
    assert!(lives(orphan));
    kill(orphan, libc::SIGKILL);
    wait_until("it is reaped", || !exists(orphan));
}

pub fn a_foreign_process_is_adopted_only_by_its_start_time() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep exists");
    let (pid, start) = (child.id(), start_time(child.id()));
    let adopt = |run, start_time| ToGuardian::Adopt {
        run,
        pid,
        start_time,
        label: b"x".into(),
        which: Which::default(),
    };
    engine.say(&adopt(1, start + 1));
    assert_eq!(engine.hear().0, FromGuardian::Refused { run: 1, why: Why::Different });
    engine.say(&adopt(2, start));
    let (FromGuardian::Kept { adopted, foreign, label, which, .. }, passed) = engine.hear() else {
        panic!("not kept");
    };
    assert!(adopted && foreign && label == b"x");
    assert_eq!(passed.len(), which.count());
    engine.say(&ToGuardian::Signal { run: 2, signal: libc::SIGUSR1 as u8, group: false });
    // Until it is reaped nobody can know its status.
    child.wait().expect("it is our child");
    let ended = engine.ended(2);
    assert!(!ended.known || ended.status == libc::SIGUSR1);
    engine.say(&ToGuardian::Release { run: 2 });
    engine.say(&adopt(3, start));
    assert_eq!(engine.hear().0, FromGuardian::Refused { run: 3, why: Why::Gone });
}

pub fn what_cannot_be_adopted_for_want_of_a_descriptor_is_not_taken_for_gone() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep exists");
    let (pid, start_time) = (child.id(), start_time(child.id()));
    let adopt = |run| ToGuardian::Adopt {
        run,
        pid,
        start_time,
        label: Vec::new(),
        which: Which::default(),
    };
    // Those that are open stay so.
    let before = open_at_most(rig.guardian.id(), 3);
    engine.say(&adopt(1));
    let FromGuardian::Refused { run: 1, why } = engine.hear().0 else { panic!("not refused") };
    assert_eq!((why, why.is_gone()), (Why::Failed(libc::EMFILE), false));
    open_at_most(rig.guardian.id(), before);
    engine.say(&adopt(1));
    assert!(matches!(engine.hear().0, FromGuardian::Kept { run: 1, .. }));
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    engine.ended(1);
}

/// How many descriptors a process may open from now on; returns how many it might before.
fn open_at_most(pid: u32, soft: u64) -> u64 {
    let mut before = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let pid = pid as libc::pid_t;
    // SAFETY: reads a limit into `before`, then sets one from `limit`.
    unsafe {
        assert_eq!(libc::prlimit64(pid, libc::RLIMIT_NOFILE, ptr::null(), &raw mut before), 0);
        let limit = libc::rlimit64 { rlim_cur: soft, ..before };
        assert_eq!(libc::prlimit64(pid, libc::RLIMIT_NOFILE, &raw const limit, ptr::null_mut()), 0);
    }
    before.rlim_cur
}

pub fn of_many_that_ended_at_once_the_first_successor_begins_while_others_are_reaped() {
    const MANY: u64 = 64;
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let pids: Vec<u32> = (0..MANY).map(|run| engine.shell(run, "exec sleep 1000").0).collect();
    // What it has to do is all there when it goes on.
    kill(rig.guardian.id(), libc::SIGSTOP);
    for pid in &pids {
        kill(*pid, libc::SIGKILL);
    }
    wait_until("all are zombies", || pids.iter().all(|pid| !lives(*pid)));
    engine.say(&ToGuardian::Spawn { run: MANY, launch: shell("exec sleep 1000") });
    kill(rig.guardian.id(), libc::SIGCONT);
    let mut reaped = Vec::new();
    loop {
        match engine.hear().0 {
            FromGuardian::Ended { run, .. } => reaped.push(run),
            FromGuardian::Spawned { run, .. } => break assert_eq!(run, MANY),
            other => panic!("{other:?}"),
        }
    }
    assert!(reaped.len() < MANY as usize, "all were reaped first");
    while reaped.len() < MANY as usize {
        match engine.hear().0 {
            FromGuardian::Ended { run, .. } => reaped.push(run),
            other => panic!("{other:?}"),
        }
    }
    reaped.sort_unstable();
    assert_eq!(reaped, (0..MANY).collect::<Vec<_>>(), "each is told once");
}

//! What the threads of a process do.

use std::fs;
use std::time::Instant;

use zelador_core::evidence::Thread;
use zelador_core::words;
use zelador_core::words::Words;

use crate::errno;
use crate::processes::Stat;

/// How many threads are kept, the busiest first.
const KEPT: usize = 16;

/// Into how many of them it is looked more closely.
const LOOKED_INTO: usize = 4;

/// How many functions of the kernel are kept.
const FRAMES: usize = 6;

/// After how many threads the clock is read.
const LOOK_AT_THE_CLOCK_EVERY: usize = 16;

/// The busiest threads, how many there are, and a note if there was no time for all.
pub(super) type Found = (Vec<Thread>, usize, Option<Words>);

/// Returns the threads of a process; with a note if there was no time for all.
pub(super) fn of(pid: i32, limit: Instant) -> Result<Found, Words> {
    let folder = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&folder).map_err(|error| errno::said_of(&folder, &error))?;
    let mut stats = Vec::new();
    let mut note = None;
    for (read, entry) in entries.enumerate() {
        // One that ends meanwhile is left out.
        let Ok(line) = entry.and_then(|entry| fs::read(entry.path().join("stat"))) else {
            continue;
        };
        stats.extend(Stat::parse(&line).map(|stat| (stat, name_in(&line))));
        if read % LOOK_AT_THE_CLOCK_EVERY == 0 && Instant::now() >= limit {
            let count = stats.len();
            note = Some(words!(
                "threads: {count} read before time ran out",
                "threads: {count} lidas antes de o tempo acabar",
            ));
            break;
        }
    }
    stats.sort_by_key(|(stat, _)| (std::cmp::Reverse(stat.ticks), stat.pid));
    let count = stats.len();
    stats.truncate(KEPT);
    let mut threads: Vec<Thread> = stats
        .into_iter()
        .map(|(stat, name)| Thread {
            tid: stat.pid,
            name,
            state: stat.state,
            waits_in: waits_in(pid, stat.pid),
            syscall: None,
            stack: Vec::new(),
            effort: None,
            cpu_millis: stat.ticks * 1000 / rustix::param::clock_ticks_per_second(),
        })
        .collect();
    for thread in threads.iter_mut().take(LOOKED_INTO) {
        thread.syscall = syscall(pid, thread.tid);
        thread.stack = stack(pid, thread.tid);
    }
    Ok((threads, count, note))
}

/// The system call that a thread is in: `futex`, `read`, `call 291`. Only who may trace it is told.
fn syscall(pid: i32, tid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    // `running`, or `-1` where it waits in none.
    let number: i64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    let known = WAITS.iter().find(|(call, _)| *call == number).map(|(_, name)| (*name).to_owned());
    (number >= 0).then(|| known.unwrap_or_else(|| format!("call {number}")))
}

/// Calls in which a thread waits, by their numbers on this processor.
const WAITS: [(i64, &str); 22] = [
    (libc::SYS_futex, "futex"),
    (libc::SYS_read, "read"),
    (libc::SYS_readv, "readv"),
    (libc::SYS_pread64, "pread"),
    (libc::SYS_write, "write"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_pwrite64, "pwrite"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_epoll_pwait, "epoll_pwait"),
    (libc::SYS_ppoll, "ppoll"),
    (libc::SYS_pselect6, "pselect"),
    (libc::SYS_nanosleep, "nanosleep"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_connect, "connect"),
    (libc::SYS_accept, "accept"),
    (libc::SYS_accept4, "accept4"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_recvmsg, "recvmsg"),
    (libc::SYS_sendto, "sendto"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_wait4, "wait4"),
];

/// The innermost functions of the kernel in which a thread is; only the superuser is told.
fn stack(pid: i32, tid: i32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stack")).unwrap_or_default();
    let frames = text.lines().filter_map(|line| line.split_once("] ").map(|(_, place)| place));
    frames.take(FRAMES).map(|place| super::line::presentable(place.trim())).collect()
}

/// The name, which stands in parentheses, without what a terminal would obey.
fn name_in(line: &[u8]) -> String {
    let begins = line.iter().position(|byte| *byte == b'(').map_or(0, |at| at + 1);
    let ends = line.iter().rposition(|byte| *byte == b')').unwrap_or(begins);
    super::line::presentable(&String::from_utf8_lossy(line.get(begins..ends).unwrap_or_default()))
}

/// The kernel says `0` for one that runs, and where this user may not know.
fn waits_in(pid: i32, tid: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/task/{tid}/wchan")).ok()?;
    (!name.is_empty() && name != "0").then_some(name)
}

//! Processes as a case looks at them, waits for them and ends them.

use std::time::{Duration, Instant};
use std::{fs, ptr, thread};

/// How long anything may take that takes milliseconds on an idle machine.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Returns what `look` finds, or `None` after `limit`.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > until {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

pub fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    assert!(within(LIMIT, || look().then_some(())).is_some(), "never came true: {what}");
}

pub fn be_subreaper() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("always allowed");
}

/// Kills everything below this process, until nothing is left.
pub fn sweep() {
    let done = within(LIMIT, || {
        for child in children(std::process::id()) {
            kill(child, libc::SIGKILL);
        }
        reap_all().then_some(())
    });
    assert!(done.is_some(), "processes are left: {:?}", children(std::process::id()));
}

pub fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists =
        tasks.flatten().filter_map(|one| fs::read_to_string(one.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().map(|one| one.parse().expect("a pid")).collect::<Vec<_>>()
        })
        .collect()
}

/// Reaps what has ended; returns whether no child is left.
pub fn reap_all() -> bool {
    loop {
        // SAFETY: stores nothing.
        let pid = unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) };
        if pid <= 0 {
            return pid < 0;
        }
    }
}

pub fn kill(pid: u32, signal: i32) {
    assert!(pid > 1);
    // SAFETY: sends a signal to a process below this one.
    unsafe { libc::kill(pid as i32, signal) };
}

/// Whether a process exists and is no zombie.
pub fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Whether it exists, be it as a zombie.
pub fn exists(pid: u32) -> bool {
    state(pid).is_some()
}

/// Whether it waits for something, and is not stopped.
pub fn sleeps(pid: u32) -> bool {
    state(pid) == Some('S')
}

fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

pub fn parent(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it exists");
    let rest = stat.rsplit(") ").next().expect("a name in parentheses");
    rest.split(' ').nth(1).expect("a parent").parse().expect("a pid")
}

pub fn start_time(pid: u32) -> u64 {
    start_time_of(pid).expect("it exists")
}

/// `None`: there is no such process any more.
pub fn start_time_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit(") ").next().expect("a name in parentheses");
    Some(rest.split(' ').nth(19).expect("a start time").parse().expect("a number"))
}

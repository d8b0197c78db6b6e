//! What the threads of a process do.

use std::fs;
use std::time::Instant;

use zelador_core::evidence::Thread;

use crate::processes::Stat;

/// How many threads are kept, the busiest first.
const KEPT: usize = 16;

/// After how many threads the clock is read.
const LOOK_AT_THE_CLOCK_EVERY: usize = 16;

/// Returns the threads of a process; with a note if there was no time for all.
pub(super) fn of(pid: i32, limit: Instant) -> Result<(Vec<Thread>, Option<String>), String> {
    let folder = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
    let mut stats = Vec::new();
    let mut note = None;
    for (read, entry) in entries.enumerate() {
        // One that ends meanwhile is left out.
        let Ok(line) = entry.and_then(|entry| fs::read(entry.path().join("stat"))) else {
            continue;
        };
        stats.extend(Stat::parse(&line).map(|stat| (stat, name_in(&line))));
        if read % LOOK_AT_THE_CLOCK_EVERY == 0 && Instant::now() >= limit {
            note = Some(format!("threads: {} read before time ran out", stats.len()));
            break;
        }
    }
    stats.sort_by_key(|(stat, _)| (std::cmp::Reverse(stat.ticks), stat.pid));
    stats.truncate(KEPT);
    let threads = stats.into_iter().map(|(stat, name)| Thread {
        tid: stat.pid,
        name,
        state: stat.state,
        waits_in: waits_in(pid, stat.pid),
        cpu_millis: stat.ticks * 1000 / rustix::param::clock_ticks_per_second(),
    });
    Ok((threads.collect(), note))
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

//! Whether one process belongs to one run, without a look at all the others.

use super::stat::stat;
use super::tree::{RunKey, mark_of};
use zelador_core::signal::Signal;

/// More parents than any tree that is not a mistake.
const MOST_PARENTS: usize = 256;

/// Returns whether a process belongs to a run; `None`: there is no such process (any more), or it cannot be seen.
pub fn is_member(key: &RunKey, pid: i32) -> Option<bool> {
    let first = stat(pid).ok()?.filter(|stat| !stat.is_dead())?;
    let mut at = first;
    for _ in 0..MOST_PARENTS {
        if at.pid == key.pid && at.start_time == key.start_time {
            return Some(true);
        }
        if at.ppid <= 1 || at.ppid == key.guardian {
            break;
        }
        let Some(parent) = stat(at.ppid).ok()? else { break };
        at = parent;
    }
    // Its parent is gone: what it was started with still names the run.
    let ours = !key.mark.is_empty() && mark_of(&first).ok()?.is_some_and(|mark| mark == key.mark);
    Some(ours && first.start_time >= key.start_time)
}

/// Whether a process handles a signal: `SigCgt` of its status has a bit for each, from 1 on.
pub fn catches(pid: i32, signal: Signal) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (u32::from(signal.number()) - 1) & 1 == 1
}

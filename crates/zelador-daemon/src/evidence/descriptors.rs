//! What a process has open.

use std::fs;
use std::time::Instant;

use zelador_core::evidence::Descriptors;
use zelador_core::words;
use zelador_core::words::Words;

use crate::errno;

/// After how many descriptors the clock is read.
const LOOK_AT_THE_CLOCK_EVERY: u32 = 64;

/// Counts the descriptors of a process by kind; with a note if there was no time for all.
pub(super) fn of(pid: i32, limit: Instant) -> Result<(Descriptors, Option<Words>), Words> {
    let folder = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&folder).map_err(|error| errno::said_of(&folder, &error))?;
    let mut found = Descriptors { limit: soft_limit(pid)?, ..Descriptors::default() };
    let mut note = None;
    for entry in entries {
        // One that is closed meanwhile is not open.
        let Ok(target) = entry.and_then(|entry| fs::read_link(entry.path())) else { continue };
        found.open += 1;
        let target = target.as_os_str().as_encoded_bytes();
        match target {
            _ if target.starts_with(b"socket:") => found.sockets += 1,
            _ if target.starts_with(b"pipe:") => found.pipes += 1,
            _ if target.starts_with(b"/") => found.files += 1,
            // Timers, event counters, poll sets, memory files: `open` alone counts them.
            _ => {}
        }
        if found.open.is_multiple_of(LOOK_AT_THE_CLOCK_EVERY) && Instant::now() >= limit {
            let open = found.open;
            note = Some(words!(
                "descriptors: counted up to {open} before time ran out",
                "descritores: contados até {open} antes de o tempo acabar",
            ));
            break;
        }
    }
    Ok((found, note))
}

/// The soft limit; `unlimited` is the largest number.
fn soft_limit(pid: i32) -> Result<u64, Words> {
    let path = format!("/proc/{pid}/limits");
    let text = fs::read_to_string(&path).map_err(|error| errno::said_of(&path, &error))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().next());
    match soft {
        Some("unlimited") => Ok(u64::MAX),
        Some(number) => number.parse().map_err(|_| {
            words!("{path}: `{number}` is no limit", "{path}: `{number}` não é um limite")
        }),
        None => {
            Err(words!("{path}: no line `Max open files`", "{path}: sem a linha `Max open files`"))
        }
    }
}

//! Real pipes, real files, real kills.

mod astray;
mod backlog;
mod flow;
mod full;
mod kill;
mod old;
mod rig;
mod rotation;
mod special;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where this process is to die, `POINT:TIMES`; set in the engines of [`kill`] only.
static CRASH: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
    let crash = std::env::var("ZELADOR_TEST_CRASH").ok()?;
    let (point, times) = crash.split_once(':')?;
    Some((point.to_owned(), times.parse().ok()?))
});

static SEEN: AtomicU32 = AtomicU32::new(0);

/// Kills this process if it is at the place where it is to die, for the last of so many times.
pub(super) fn crash_point(point: &str) {
    if let Some((wanted, times)) = &*CRASH
        && wanted == point
        && SEEN.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        // SAFETY: signals this process, and does not return.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

/// Half of it where this process is to die, so that it can die in between.
pub(super) fn crash_length(bytes: usize) -> usize {
    if CRASH.is_some() { bytes.div_ceil(2) } else { bytes }
}

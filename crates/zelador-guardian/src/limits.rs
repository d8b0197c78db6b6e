//! What the guardian changes of its own limits, and how services get the original back.

use std::{fs, io};

/// Wanted out-of-memory score of the guardian; -1000 would exempt it, -900 says "last of all".
const OOM_SCORE: i32 = -900;

/// What an engine opens for itself: 22 were counted at rest; the rest is for calls and looks.
const RESERVED: u64 = 40;

/// What an engine holds of a run at most, counted: 10 from the guardian, its channel once more, its log
/// files, what a spawn passes on the way.
pub const DESCRIPTORS_PER_RUN: u64 = 16;

/// Limits of open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nofile {
    pub soft: u64,
    pub hard: u64,
}

impl Nofile {
    /// Returns the calling process's, after raising its soft limit to the hard one.
    pub fn raise() -> io::Result<Self> {
        let mut found = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `found` is writable and of the right type.
        if unsafe { libc::prlimit64(0, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut found) } < 0
        {
            return Err(io::Error::last_os_error());
        }
        let raised = libc::rlimit64 { rlim_cur: found.rlim_max, rlim_max: found.rlim_max };
        // SAFETY: `raised` is readable. A refusal leaves the old limit, which is no failure.
        unsafe { libc::prlimit64(0, libc::RLIMIT_NOFILE, &raw const raised, std::ptr::null_mut()) };
        Ok(Self { soft: found.rlim_cur, hard: found.rlim_max })
    }

    /// Whether an engine, which has the hard limit as its soft one, can hold so many runs and stowed
    /// descriptors.
    pub fn has_room(self, runs: u64, stowed: u64) -> bool {
        has_room(self.hard, runs, stowed)
    }

    /// Returns what a service gets that asks for `wanted`.
    pub fn with(self, wanted: Option<u64>) -> Self {
        wanted.map_or(self, |soft| Self { soft, hard: self.hard.max(soft) })
    }
}

/// Whether an engine with this limit of open files can hold so many runs and stowed descriptors.
pub fn has_room(limit: u64, runs: u64, stowed: u64) -> bool {
    RESERVED + runs.saturating_mul(DESCRIPTORS_PER_RUN) + stowed.saturating_mul(2) <= limit
}

/// Asks that the guardian be the last victim when memory runs out. Returns the score that children
/// must get back; `None` when nothing changed, which is usual without privilege.
pub(crate) fn lower_oom_score() -> Option<i32> {
    const PATH: &str = "/proc/self/oom_score_adj";
    let before: i32 = fs::read_to_string(PATH).ok()?.trim().parse().ok()?;
    if before <= OOM_SCORE {
        // A service manager has done it: it meant us, and not the services.
        return Some(0);
    }
    fs::write(PATH, OOM_SCORE.to_string()).ok()?;
    Some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_limit_has_room_for_few_runs() {
        let most =
            |hard| (0..1000).take_while(|runs| Nofile { soft: 10, hard }.has_room(*runs, 0)).last();
        assert_eq!([most(64), most(1024), most(4096)], [Some(1), Some(61), Some(253)]);
        assert!(Nofile { soft: 10, hard: u64::MAX }.has_room(u64::MAX / 100, 0));
    }
}

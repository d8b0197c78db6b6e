//! One line of `/proc/PID/stat`, read without allocating.
//!
//! A process id goes in; a [`Stat`] comes out, or nothing when there is no such process. Always holds: what
//! cannot be known is an error, never a process that is gone.

use std::io;
use std::io::Write as _;
use std::os::fd::AsFd;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

/// What the kernel says about one process (or thread).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Process id.
    pub pid: i32,
    /// The parent's process id.
    pub ppid: i32,
    /// Process group.
    pub pgid: i32,
    /// Session.
    pub session: i32,
    /// `R` running, `S` sleeping, `D` waiting for a device, `T` stopped, `Z` dead and not waited
    /// for.
    pub state: char,
    /// Processor time used so far, user and system, in clock ticks.
    pub ticks: u64,
    /// Threads that are not gone yet.
    pub threads: u32,
    /// When it was started, in clock ticks since boot. With the pid: an identity that is never
    /// reused.
    pub start_time: u64,
    /// Resident memory, in pages.
    pub pages: u64,
}

impl Stat {
    /// True when nothing of it runs any more: only its parent's `wait` is missing. A dead main
    /// thread whose other threads go on does not count.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'X' | 'x') || (self.state == 'Z' && self.threads <= 1)
    }

    /// Reads the line; `None` when it is not one.
    pub fn parse(line: &[u8]) -> Option<Self> {
        // The name stands in parentheses and may contain any byte, parentheses and blanks too.
        let name_begins = line.iter().position(|byte| *byte == b'(')?;
        let name_ends = line.iter().rposition(|byte| *byte == b')')?;
        let pid = number(line.get(..name_begins)?.trim_ascii())?;
        let mut fields = line
            .get(name_ends + 1..)?
            .split(|byte| *byte == b' ')
            .filter(|field| !field.is_empty());
        // Numbers in comments are those of proc_pid_stat(5); `nth` skips what lies between.
        let state = char::from(*fields.next()?.first()?); // 3
        let ppid = number(fields.next()?)?; // 4
        let pgid = number(fields.next()?)?; // 5
        let session = number(fields.next()?)?; // 6
        let user = number(fields.nth(7)?)?; // 14
        let system = number(fields.next()?)?; // 15
        let threads = number(fields.nth(4)?)?; // 20
        let start_time = number(fields.nth(1)?)?; // 22
        let pages = number(fields.nth(1)?)?; // 24
        Some(Self {
            pid: pid as i32,
            ppid: ppid as i32,
            pgid: pgid as i32,
            session: session as i32,
            state,
            ticks: user.saturating_add(system),
            threads: threads as u32,
            start_time,
            pages,
        })
    }
}

/// A decimal number; a negative one (a process without a group has −1) counts as 0.
fn number(field: &[u8]) -> Option<u64> {
    if field.first() == Some(&b'-') {
        return Some(0);
    }
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Returns what the kernel says about a process; `None` when there is none with that number.
///
/// # Errors
/// It is not known, which is not the same as gone: no descriptor is left, or the process is hidden.
pub fn stat(pid: i32) -> io::Result<Option<Stat>> {
    let mut path = [0_u8; 24];
    let mut rest = &mut path[..];
    write!(rest, "/proc/{pid}/stat")?;
    let unused = rest.len();
    stat_at(CWD, &path[..24 - unused])
}

/// The same of the stat file at a path relative to `folder`.
pub(super) fn stat_at(folder: impl AsFd, path: &[u8]) -> io::Result<Option<Stat>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    // 52 numbers of at most 20 digits and a name of at most 64 bytes.
    let mut line = [0_u8; 1280];
    let read = openat(folder, path, flags, Mode::empty())
        .and_then(|file| rustix::io::read(&file, &mut line[..]));
    match read {
        Ok(length) => Stat::parse(&line[..length])
            .map(Some)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no line of /proc/PID/stat")),
        Err(Errno::NOENT | Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_lines_of_proc() {
        let good: [&[u8]; 2] = [
            b"12 (no) de (x) S 1 12 12 0 -1 4194560 1 0 0 0 7 3 0 0 20 0 11 0 12345 1000 200 1844 1 1",
            b"1 (systemd) Z 0 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 5 0 0",
        ];
        zelador_testbed::fuzz::fuzz("lines of /proc", &good, |line| {
            _ = Stat::parse(line).map(|stat| stat.is_dead());
        });
    }

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_move_the_fields() {
        let line = b"42 (a) S (b) D 7 8 9 0 -1 4194304 97 0 0 0 11 22 5 5 20 0 3 0 207232 3133440 \
            350 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let stat = Stat::parse(line).expect("it is a stat line");
        assert_eq!((stat.pid, stat.ppid, stat.pgid, stat.session), (42, 7, 8, 9));
        assert_eq!((stat.state, stat.ticks, stat.threads), ('D', 33, 3));
        assert_eq!((stat.start_time, stat.pages), (207_232, 350));
    }

    #[test]
    fn what_is_no_stat_line_is_refused() {
        for line in ["", "1", "1 (x", "1 (x) S 2", "x (y) S 1 1 1", ")("] {
            assert_eq!(Stat::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn this_very_process_can_be_read_and_a_missing_one_is_none() {
        let own = i32::try_from(std::process::id()).unwrap();
        let seen = stat(own).unwrap().expect("it runs");
        assert_eq!(seen.pid, own);
        assert_eq!(seen.ppid, i32::try_from(std::os::unix::process::parent_id()).unwrap());
        assert!(seen.pages > 0 && seen.threads >= 1);
        assert_eq!(stat(i32::MAX).unwrap(), None);
    }
}

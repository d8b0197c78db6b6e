//! Asking the kernel about processes: who ended, how, and whether a pid is still who it was.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{mem, ptr};

/// Linux 6.15: `struct pidfd_info` up to `exit_code`, its first version; in `linux/pidfd.h`.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// `_IOWR(0xff, 11, struct pidfd_info)`, 64 bytes; in `linux/pidfd.h`.
#[allow(clippy::cast_lossless)] // The type of a request differs between the C libraries.
const PIDFD_GET_INFO: libc::Ioctl = 0xc040_ff0b_u32 as libc::Ioctl;

/// Asks for, and says that there is, an exit code; in `linux/pidfd.h`.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// Linux 6.9: the signal goes to the group that the process leads; in `linux/pidfd.h`.
const PIDFD_SIGNAL_PROCESS_GROUP: u32 = 1 << 2;

/// Returns a child that has ended and is not reaped yet, without reaping it.
pub(crate) fn peek() -> Option<u32> {
    // SAFETY: all zero is a valid `siginfo_t`.
    let mut found: libc::siginfo_t = unsafe { mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `found` is writable. After success it is of a SIGCHLD, or zero when nobody ended.
    let pid = unsafe {
        if libc::waitid(libc::P_ALL, 0, &raw mut found, flags) < 0 {
            return None;
        }
        found.si_pid()
    };
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// Reaps an ended child; returns its raw wait status.
pub(crate) fn reap(pid: u32) -> Option<i32> {
    let mut status = 0;
    // SAFETY: `status` is writable.
    let done = unsafe { libc::waitpid(pid as libc::pid_t, &raw mut status, libc::WNOHANG) };
    (done == pid as libc::pid_t).then_some(status)
}

/// Returns whether `pid` is a child of this process, ended or not.
pub(crate) fn is_child(pid: u32) -> bool {
    // SAFETY: all zero is a valid `siginfo_t`.
    let mut found: libc::siginfo_t = unsafe { mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `found` is writable; nothing is reaped.
    unsafe { libc::waitid(libc::P_PID, pid, &raw mut found, flags) == 0 }
}

/// Field 22 (start time, in clock ticks since boot) and field 5 (process group) of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub start_time: u64,
    pub group: u32,
}

/// Room for `/proc/PID/stat`, in bytes: 52 numbers of up to 20 digits, and a name of 64 bytes.
const LONGEST_STAT: usize = 52 * 21 + 64;

/// Returns what `/proc` says of `pid`; `None` when it does not exist.
///
/// # Errors
/// It is not known: no descriptor is left, or the process is hidden.
pub(crate) fn stat(pid: u32) -> io::Result<Option<Stat>> {
    // In one read: this stands between two starts.
    let mut text = [0; LONGEST_STAT];
    let read = File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut text));
    match read {
        Ok(length) => Ok(text.get(..length).and_then(parse_stat)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    // The second field, the name in parentheses, may itself hold blanks and parentheses.
    let end = bytes.iter().rposition(|byte| *byte == b')')?;
    let fields = str::from_utf8(bytes.get(end + 2..)?).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let group = fields.nth(2)?.parse().ok()?;
    let start_time = fields.nth(16)?.parse().ok()?;
    Some(Stat { start_time, group })
}

/// Returns a pidfd of `pid`.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: makes a descriptor.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us, with CLOEXEC.
    Ok(unsafe { OwnedFd::from_raw_fd(number as i32) })
}

/// Returns the raw wait status of a process that somebody else has reaped; `Ok(None)` when it is not
/// reaped yet, or when the kernel does not keep the status (before Linux 6.15).
///
/// # Errors
/// When the kernel cannot answer at all (before Linux 6.13), or will not any more.
pub(crate) fn status_of_other(pidfd: BorrowedFd) -> io::Result<Option<i32>> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: `info` has the 64 bytes that the number of the request announces.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
}

/// Sends `signal` to the process behind `pidfd`: never to another one that got its number.
pub(crate) fn signal(pidfd: BorrowedFd, signal: i32) -> io::Result<()> {
    send(pidfd, signal, 0)
}

/// Sends `signal` to the group that `leader` led, whether or not it still lives. `reaped` says that
/// its number may have gone to another process.
pub(crate) fn signal_group(
    leader: u32,
    pidfd: Option<BorrowedFd>,
    reaped: bool,
    signal: i32,
) -> io::Result<()> {
    if let Some(pidfd) = pidfd {
        match send(pidfd, signal, PIDFD_SIGNAL_PROCESS_GROUP) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            other => return other,
        }
    }
    // An older kernel. A number stays reserved while its group has members; so when a process has the
    // number of a reaped leader, the group was empty and the number was given away.
    if reaped && fs::exists(format!("/proc/{leader}")).unwrap_or(true) {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    let Some(group) = i32::try_from(leader).ok().filter(|group| *group > 1) else {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    };
    // SAFETY: sends a signal; the group is neither ours (0) nor everybody (1).
    if unsafe { libc::kill(-group, signal) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn send(pidfd: BorrowedFd, signal: i32, flags: u32) -> io::Result<()> {
    let none = ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed, and means the same as `kill`.
    let done = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, flags)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Microseconds since the Unix epoch.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let line = b"42 (a) b) (c) S 1 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        assert_eq!(parse_stat(line), Some(Stat { start_time: 987_654, group: 40 }));
    }

    #[test]
    fn a_cut_line_is_no_answer() {
        let line = b"42 (a) S 1 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        for length in 0..line.len() - 10 {
            assert_eq!(parse_stat(&line[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_number_that_somebody_has_again_is_not_signalled_as_a_group() {
        let (us, nothing) = (std::process::id(), 0);
        let error = signal_group(us, None, true, nothing).expect_err("we are alive");
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn the_request_number_fits_the_structure() {
        assert_eq!(size_of::<PidfdInfo>(), 64);
    }
}

//! The kernel's log, as far as it tells of processes that it killed for memory.
//!
//! Its buffer has thousands of records, each read by a call of its own: milliseconds for one look. So
//! there is one reader, which stays where it is; whoever asks reads what is new, and what it told of kills
//! is remembered. Always holds: a look ends at its limit, and no more than [`REMEMBERED`] lines are kept.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::line;

/// How many lines about kills are remembered: a host that kills more at once has other worries.
const REMEMBERED: usize = 256;

/// How many of one process are told.
const TOLD: usize = 4;

/// As long as a record of the kernel may be: `PRINTK_MESSAGE_MAX` is 2 KiB, its properties follow.
const RECORD: usize = 8192;

static READER: Mutex<Option<Reader>> = Mutex::new(None);

struct Reader {
    log: Box<dyn Read + Send>,
    kills: VecDeque<(i32, String)>,
}

/// The last lines of the kernel's log about a kill of this process; `None`: it may not be read.
pub(super) fn about(pid: i32, limit: Instant) -> Option<Vec<String>> {
    let mut reader = READER.lock().unwrap_or_else(PoisonError::into_inner);
    if reader.is_none() {
        *reader = Some(Reader::of(Box::new(open().ok()?)));
    }
    let reader = reader.as_mut()?;
    reader.read_on(limit);
    Some(reader.about(pid))
}

fn open() -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")
}

impl Reader {
    fn of(log: Box<dyn Read + Send>) -> Self {
        Self { log, kills: VecDeque::new() }
    }

    /// Reads what is new, until `limit`.
    fn read_on(&mut self, limit: Instant) {
        let mut record = [0; RECORD];
        loop {
            match self.log.read(&mut record) {
                Ok(0) => break,
                Ok(length) => self.take(&String::from_utf8_lossy(&record[..length])),
                // Overwritten before it was read: the next one is the oldest that is left.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                // Nothing more.
                Err(_) => break,
            }
            if Instant::now() >= limit {
                break;
            }
        }
    }

    fn take(&mut self, record: &str) {
        let Some(pid) = killed(record) else { return };
        let said = record.split_once(';').map_or(record, |(_, said)| said);
        let Some(said) = said.lines().next() else { return };
        if self.kills.len() == REMEMBERED {
            self.kills.pop_front();
        }
        self.kills.push_back((pid, line::presentable(said)));
    }

    fn about(&self, pid: i32) -> Vec<String> {
        let of_it = self.kills.iter().filter(|(killed, _)| *killed == pid);
        let lines: Vec<String> = of_it.map(|(_, line)| line.clone()).collect();
        lines[lines.len().saturating_sub(TOLD)..].to_vec()
    }
}

/// Whom a record says was killed: `Out of memory: Killed process 7 (node) …`,
/// `Memory cgroup out of memory: Killed process 7 (node) …`.
fn killed(record: &str) -> Option<i32> {
    let (_, rest) = record.split_once("Killed process ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A log that gives one record a read, as the kernel's.
    struct Records(VecDeque<Result<&'static str, i32>>);

    impl Read for Records {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            match self.0.pop_front() {
                Some(Ok(record)) => {
                    to[..record.len()].copy_from_slice(record.as_bytes());
                    Ok(record.len())
                }
                Some(Err(errno)) => Err(io::Error::from_raw_os_error(errno)),
                None => Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[test]
    fn a_record_tells_of_one_process() {
        let said = "3,1,2,-;Memory cgroup out of memory: Killed process 71 (node) total-vm:1kB";
        assert_eq!([killed(said), killed("3,1;eth0 up")], [Some(71), None]);
    }

    #[test]
    fn what_is_new_is_read_and_what_was_read_is_remembered() {
        let first = "3,1,2,-;Out of memory: Killed process 71 (node) total-vm:1kB\n SUBSYSTEM=x";
        let second = "3,4,5,-;Out of memory: Killed process 7 (python3) total-vm:2kB";
        let log = [Ok(first), Err(libc::EAGAIN), Err(libc::EPIPE), Ok("6,5;eth0 up"), Ok(second)];
        let mut reader = Reader::of(Box::new(Records(log.into())));
        reader.read_on(soon());
        let node = vec!["Out of memory: Killed process 71 (node) total-vm:1kB".to_owned()];
        assert_eq!((reader.about(71), reader.about(7)), (node.clone(), Vec::new()));
        reader.read_on(soon());
        assert_eq!((reader.about(71), reader.about(7).len()), (node, 1));
    }

    #[test]
    fn many_kills_take_no_more_than_their_room() {
        let record = "3,1;Killed process 5 (a)";
        let log = vec![Ok(record); REMEMBERED + 10];
        let mut reader = Reader::of(Box::new(Records(log.into())));
        reader.read_on(soon());
        assert_eq!((reader.kills.len(), reader.about(5).len()), (REMEMBERED, TOLD));
    }
}

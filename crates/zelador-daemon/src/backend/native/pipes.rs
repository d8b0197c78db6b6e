//! The pipes of a run that outlived its guardian and its engine, taken back from its process.
//!
//! A service has its own end of each open for reading and writing (`lasting` in the guardian's `keep.rs`): while
//! nobody has the other end, what it writes waits in the pipe, its input does not end, and the other end can
//! be opened through its own. Always holds: what is opened is a pipe without a name that the process has open
//! both ways. Whatever a service puts in such a place harms its own log alone.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use zelador_guardian::{Capture, Descriptors};

use crate::processes::{self, Stat};

/// What could be had of the pipes of a process; of one that is another by now nothing.
pub(super) fn taken_back(process: &Stat) -> Descriptors {
    let end = |number, access| other_end(process.pid, number, access);
    let (out, err) = (end(1, OFlags::RDONLY), end(2, OFlags::RDONLY));
    // The service may have made one of both.
    let err = err.filter(|err| out.as_ref().is_none_or(|out| out.name != err.name));
    let input = end(0, OFlags::WRONLY).map(|end| end.descriptor);
    if !is_still(process) {
        return Descriptors::default();
    }
    let capture = |end: Option<End>| end.map(|end| Capture::again(end.descriptor)).transpose();
    let again = || -> io::Result<Descriptors> {
        let (out, err) = (capture(out)?, capture(err)?);
        let state = (out.is_some() || err.is_some()).then(zelador_guardian::state).transpose()?;
        Ok(Descriptors { out, err, input, state: state.map(Arc::new), ..Descriptors::default() })
    };
    again().unwrap_or_else(|error| {
        tracing::warn!(pid = process.pid, %error, "the pipes of an adopted run cannot be kept");
        Descriptors::default()
    })
}

/// Whether its number still means this very process.
pub(super) fn is_still(process: &Stat) -> bool {
    let now = processes::member(process.pid).ok().flatten();
    now.is_some_and(|now| now.start_time == process.start_time)
}

/// The other end of one of its pipes.
struct End {
    descriptor: OwnedFd,
    /// Of both ends: `pipe:[NUMBER]`.
    name: PathBuf,
}

fn other_end(pid: i32, number: i32, access: OFlags) -> Option<End> {
    let path = format!("/proc/{pid}/fd/{number}");
    // Nothing else is even looked at: it may lie on a disk that is dead.
    pipe_at(&path)?;
    if !is_both_ways(&fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?) {
        return None;
    }
    // It may have become something else, which is not to be opened in the service's place.
    let found = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let found_at = format!("/proc/self/fd/{}", found.as_raw_fd());
    let name = pipe_at(&found_at)?;
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let descriptor = rustix::fs::open(found_at, flags, Mode::empty()).ok()?;
    Some(End { descriptor, name })
}

/// The name of the pipe that a descriptor is, if it is one without a path.
fn pipe_at(path: impl AsRef<Path>) -> Option<PathBuf> {
    fs::read_link(path).ok().filter(|name| name.as_os_str().as_bytes().starts_with(b"pipe:["))
}

/// Whether a descriptor is open for reading and writing, by its `/proc/PID/fdinfo/NUMBER`.
fn is_both_ways(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & OFlags::RWMODE.bits() == OFlags::RDWR.bits())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn only_a_descriptor_that_is_open_both_ways_is_the_end_of_a_run() {
        assert!(is_both_ways("pos:\t0\nflags:\t0100002\nmnt_id:\t14\n"));
        for other in ["pos:\t0\nflags:\t0100001\n", "flags:\t00\n", "flags:\tx\n", ""] {
            assert!(!is_both_ways(other), "{other}");
        }
    }

    /// A pipe, and its end that is open both ways.
    fn lasting() -> (OwnedFd, OwnedFd) {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", write.as_raw_fd());
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        (read, rustix::fs::open(path, flags, Mode::empty()).unwrap())
    }

    /// Ends with its test.
    struct Service(Child);

    impl Drop for Service {
        fn drop(&mut self) {
            _ = self.0.kill();
            _ = self.0.wait();
        }
    }

    impl Service {
        fn with(output: impl Into<Stdio>) -> Self {
            let mut command = Command::new("sleep");
            command.arg("1000").stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
            Self(command.spawn().unwrap())
        }

        fn pipes(&self) -> Descriptors {
            taken_back(&self.stat())
        }

        fn stat(&self) -> Stat {
            processes::stat(self.0.id().cast_signed()).unwrap().unwrap()
        }
    }

    #[test]
    fn what_waits_in_a_pipe_that_nobody_reads_is_there_for_who_comes_next() {
        let (read, end) = lasting();
        rustix::io::write(&end, b"waits\n").unwrap();
        let service = Service::with(end);
        drop(read);
        let pipes = service.pipes();
        assert!(pipes.err.is_none() && pipes.input.is_none() && pipes.state.is_some());
        let mut text = [0; 16];
        let length = rustix::io::read(&pipes.out.unwrap().pipe, &mut text).unwrap();
        assert_eq!(&text[..length], b"waits\n");
    }

    #[test]
    fn what_is_no_end_of_a_run_is_not_opened() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let one_way = Service::with(write);
        let file = tempfile::tempfile().unwrap();
        for service in [one_way, Service::with(file)] {
            assert!(service.pipes().out.is_none());
        }
        drop(read);
    }

    #[test]
    fn of_a_process_that_is_another_by_now_nothing_is_taken() {
        let service = Service::with(lasting().1);
        assert!(service.pipes().out.is_some());
        let another = Stat { start_time: service.stat().start_time - 1, ..service.stat() };
        assert!(taken_back(&another).out.is_none());
    }
}

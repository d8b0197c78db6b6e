//! What is kept of a run: who it is, how it ended, and its descriptors.
//!
//! The engine holds the same values (it received duplicates of the descriptors), which is why it can
//! become a guardian itself. Always holds: descriptors travel in the order of [`Which`]'s bits.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::message::{Ended, FromGuardian, Launch, Stream, Which};

/// Size of the state memfd: one page, the unit it takes anyway.
pub const STATE_SIZE: u64 = 4096;

/// Wanted size of the pipe of an output: the default of `fs.pipe-max-size`, so no privilege is
/// needed. A chatty service then writes on for milliseconds while an engine is replaced.
const LARGE_PIPE: usize = 1024 * 1024;

/// Wanted size of the same when many are open without privilege: a user's pipes share
/// `fs.pipe-user-pages-soft` (64 MiB), and beyond it a new pipe has only two pages.
const SMALLER_PIPE: usize = 256 * 1024;

/// So many runs of an unprivileged user get [`LARGE_PIPE`]: half of the 64 MiB.
const RUNS_WITH_LARGE_PIPES: usize = 16;

/// The pipe of one output with what the engine needs to move lines exactly once. Those who keep a
/// descriptor and those who use it share it: a host allows so many to a process, and an engine has those
/// of all its services.
#[derive(Debug)]
pub struct Capture {
    /// Read end; non-blocking. The other end is the service's alone, so its end is seen.
    pub pipe: Arc<OwnedFd>,
    /// Read end of the hold pipe; non-blocking.
    pub hold_read: Arc<OwnedFd>,
    /// Write end of the hold pipe; non-blocking. The hold pipe keeps the kernel's 64 KiB: measured, a
    /// larger one moves no more lines, and 1 MiB more for each output would use up the allowance of
    /// an unprivileged user (`fs.pipe-user-pages-soft`) after a handful of services.
    pub hold_write: Arc<OwnedFd>,
}

impl Capture {
    fn of(pipe: OwnedFd, hold_read: OwnedFd, hold_write: OwnedFd) -> Self {
        let [pipe, hold_read, hold_write] = [pipe, hold_read, hold_write].map(Arc::new);
        Self { pipe, hold_read, hold_write }
    }

    fn with_other_end(size: usize) -> io::Result<(Self, OwnedFd)> {
        let (pipe, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        // Of this end alone: the service's end must block, or its writes would fail when it is fast.
        rustix::fs::fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
        // The default size only costs waiting, so a refusal is no failure.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, size);
        Ok((Self::again(pipe)?, write))
    }

    /// Returns the capture of a pipe whose hold pipe is lost, if it ever had one.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn again(pipe: OwnedFd) -> io::Result<Self> {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (hold_read, hold_write) = rustix::pipe::pipe_with(flags)?;
        Ok(Self::of(pipe, hold_read, hold_write))
    }
}

/// The descriptors of a run.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// The main process.
    pub pidfd: Option<OwnedFd>,
    /// The state memfd of [`STATE_SIZE`] bytes, zero at first.
    pub state: Option<Arc<OwnedFd>>,
    /// Standard output, when it is a pipe.
    pub out: Option<Capture>,
    /// Standard error, when it is a pipe of its own.
    pub err: Option<Capture>,
    /// Write end of standard input, when that is a pipe; non-blocking.
    pub input: Option<OwnedFd>,
    /// Our end of the channel, when there is one; non-blocking.
    pub channel: Option<OwnedFd>,
}

/// The ends that only the service gets.
#[derive(Debug)]
pub(crate) struct ServiceEnds {
    pub out: Option<OwnedFd>,
    pub err: Option<OwnedFd>,
    pub input: Option<OwnedFd>,
    pub channel: Option<OwnedFd>,
}

impl Descriptors {
    /// Returns new ones for a service, all but the pidfd; `others` runs have theirs already.
    pub(crate) fn open(launch: &Launch, others: usize) -> io::Result<(Self, ServiceEnds)> {
        let ample = rustix::process::geteuid().is_root() || others < RUNS_WITH_LARGE_PIPES;
        let size = if ample { LARGE_PIPE } else { SMALLER_PIPE };
        let capture = |stream| match stream {
            Stream::Pipe => Capture::with_other_end(size).map(Some),
            Stream::Null | Stream::SameAsOut | Stream::Inherit => Ok(None),
        };
        let state = Some(Arc::new(state()?));
        let (out, out_end) = capture(launch.out)?.unzip();
        let (err, err_end) = capture(launch.err)?.unzip();
        let (input, input_end) = launch.input.then(input).transpose()?.unzip();
        let (channel, channel_end) = launch.channel.then(channel).transpose()?.unzip();
        let ours = Self { pidfd: None, state, out, err, input, channel };
        let [out, err, input] = [out_end, err_end, input_end]
            .map(|end| end.map(|end| if launch.lasting { lasting(end) } else { end }));
        Ok((ours, ServiceEnds { out, err, input, channel: channel_end }))
    }

    /// Returns which exist.
    pub fn which(&self) -> Which {
        let bit = |exists, bits| if exists { bits } else { 0 };
        Which(
            bit(self.pidfd.is_some(), Which::PIDFD)
                | bit(self.state.is_some(), Which::STATE)
                | bit(self.out.is_some(), Which::OUT)
                | bit(self.err.is_some(), Which::ERR)
                | bit(self.input.is_some(), Which::INPUT)
                | bit(self.channel.is_some(), Which::CHANNEL),
        )
    }

    /// Returns them in the order of [`Which`].
    pub fn list(&self) -> Vec<BorrowedFd<'_>> {
        let captures = self.out.iter().chain(&self.err);
        let ends = captures.flat_map(|one| [&one.pipe, &one.hold_read, &one.hold_write]);
        let pidfd = self.pidfd.iter().map(AsFd::as_fd);
        let shared = self.state.iter().chain(ends).map(AsFd::as_fd);
        let rest = self.input.iter().chain(&self.channel).map(AsFd::as_fd);
        pidfd.chain(shared).chain(rest).collect()
    }

    /// Returns them from a received list; `None` when their number does not fit `which`.
    pub fn from_list(which: Which, list: Vec<OwnedFd>) -> Option<Self> {
        if list.len() != which.count() {
            return None;
        }
        let mut list = list.into_iter();
        let mut one = |bit| if which.has(bit) { list.next() } else { None };
        let (pidfd, state) = (one(Which::PIDFD), one(Which::STATE).map(Arc::new));
        let mut capture = |bits| {
            if !which.has(bits) {
                return None;
            }
            let (pipe, hold_read, hold_write) = (list.next()?, list.next()?, list.next()?);
            Some(Capture::of(pipe, hold_read, hold_write))
        };
        let (out, err) = (capture(Which::OUT), capture(Which::ERR));
        let mut one = |bit| if which.has(bit) { list.next() } else { None };
        let (input, channel) = (one(Which::INPUT), one(Which::CHANNEL));
        Some(Self { pidfd, state, out, err, input, channel })
    }
}

/// Returns a new state memfd.
///
/// # Errors
/// No descriptor is left.
pub fn state() -> io::Result<OwnedFd> {
    let state = rustix::fs::memfd_create(c"zelador-run", MemfdFlags::CLOEXEC)?;
    rustix::fs::ftruncate(&state, STATE_SIZE)?;
    Ok(state)
}

/// The service's end of a pipe, open for reading and writing as a terminal is: the kernel does not break
/// such a pipe while nobody has the other end, and who comes next opens that through the service's.
/// Without `/proc` it stays what it is.
fn lasting(end: OwnedFd) -> OwnedFd {
    let itself = format!("/proc/self/fd/{}", end.as_raw_fd());
    rustix::fs::open(itself, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap_or(end)
}

/// A pipe: our write end, the service's read end. It stays open as long as the run is kept, so that a
/// service which reads its input waits, as it does under PM2, and sees no end.
fn input() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&write, OFlags::NONBLOCK)?;
    // A page takes the lines that a person sends, and leaves the user's allowance to the outputs.
    let _ = rustix::pipe::fcntl_setpipe_size(&write, 4096);
    Ok((write, read))
}

/// A socket pair: our end, the service's.
fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = (AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC);
    let (ours, theirs) = rustix::net::socketpair(kind.0, kind.1, kind.2, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// A run as guardian and engine know it.
#[derive(Debug)]
pub struct Kept {
    /// Which.
    pub run: u64,
    /// Its process id.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`; 0 when it could not be read.
    pub start_time: u64,
    /// As the engine gave it.
    pub label: Vec<u8>,
    /// How it ended, when it has.
    pub ended: Option<Ended>,
    /// Whether the group outlives the main process.
    pub linger: bool,
    /// Whether somebody else started it and `Adopt` brought it here: `Shutdown` leaves it alone.
    pub foreign: bool,
    /// Whether the process leads its group, so that signals to the group mean the whole of it and
    /// nothing else.
    pub leads_group: bool,
    /// Its descriptors.
    pub descriptors: Descriptors,
}

impl Kept {
    /// Returns the run that a `Kept` message and its descriptors describe; `None` for another
    /// message, or when descriptors are missing.
    pub fn from_message(message: FromGuardian, list: Vec<OwnedFd>) -> Option<Self> {
        let FromGuardian::Kept {
            run,
            pid,
            start_time,
            label,
            ended,
            linger,
            foreign,
            leads_group,
            which,
            ..
        } = message
        else {
            return None;
        };
        let descriptors = Descriptors::from_list(which, list)?;
        Some(Self { run, pid, start_time, label, ended, linger, foreign, leads_group, descriptors })
    }

    /// Returns the message that tells an engine of this run.
    pub(crate) fn message(&self, adopted: bool) -> FromGuardian {
        FromGuardian::Kept {
            run: self.run,
            pid: self.pid,
            start_time: self.start_time,
            label: self.label.clone(),
            ended: self.ended,
            adopted,
            linger: self.linger,
            foreign: self.foreign,
            leads_group: self.leads_group,
            which: self.descriptors.which(),
        }
    }
}

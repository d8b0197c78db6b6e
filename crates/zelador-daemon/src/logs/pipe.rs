//! What is done with pipes: move, write, copy, count, size.
//!
//! Nothing here waits: a pipe that is empty or full answers at once.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags};

/// The largest pipe that Linux gives to everybody: `fs.pipe-max-size`, in bytes.
pub const LARGEST: usize = 1 << 20;

/// What came of moving bytes from one pipe to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// None: the first pipe is empty or the second is full.
    Nothing,
    /// None, and there will never be any: the first pipe is empty and nobody can write to it.
    End,
}

/// Returns a new pipe, `(read, write)`, as large as the kernel allows up to [`LARGEST`].
pub fn large() -> io::Result<(OwnedFd, OwnedFd)> {
    let ends = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    grow(&ends.1, LARGEST);
    Ok(ends)
}

/// Moves up to `at_most` bytes; the kernel moves whole buffers, so a killed process loses none.
pub fn splice(from: impl AsFd, to: impl AsFd, at_most: usize) -> io::Result<Moved> {
    loop {
        match rustix::pipe::splice(&from, None, &to, None, at_most, SpliceFlags::NONBLOCK) {
            Ok(0) => return Ok(Moved::End),
            Ok(bytes) => return Ok(Moved::Bytes(bytes)),
            Err(Errno::AGAIN) => return Ok(Moved::Nothing),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes these bytes to a pipe that has room for them.
pub fn write(pipe: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&pipe, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Copies up to `at_most` bytes from the front of one pipe and leaves them there. Returns how many.
pub fn tee(from: impl AsFd, to: impl AsFd, at_most: usize) -> io::Result<usize> {
    loop {
        match rustix::pipe::tee(&from, &to, at_most, SpliceFlags::NONBLOCK) {
            Err(Errno::AGAIN) => return Ok(0),
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// How many bytes are in a pipe; 0 if the kernel will not say.
pub fn level(pipe: impl AsFd) -> usize {
    rustix::io::ioctl_fionread(pipe).map_or(0, |bytes| bytes as usize)
}

/// Whether a pipe is empty and nobody can write to it.
pub fn has_ended(pipe: impl AsFd) -> bool {
    let mut polled = [PollFd::new(&pipe, PollFlags::IN)];
    let told = rustix::event::poll(&mut polled, Some(&Timespec::default()));
    told.is_ok() && polled[0].revents() == PollFlags::HUP
}

/// How many bytes fit into a pipe when its pages are full.
pub fn capacity(pipe: impl AsFd) -> usize {
    rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(4096)
}

/// Makes a pipe hold `bytes`, or leaves it as it is where that is not allowed (a user has 64 MiB
/// of pipes in all: `fs.pipe-user-pages-soft`). Returns whether it grew.
pub fn grow(pipe: impl AsFd, bytes: usize) -> bool {
    bytes > capacity(&pipe) && rustix::pipe::fcntl_setpipe_size(pipe, bytes).is_ok()
}

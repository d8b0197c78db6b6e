//! What the thread works with, shared by all streams: buffers, a scratch pipe, the files.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use super::Rotation;
use super::files::Files;
use super::pipe;

/// So much is written in one move where lines allow it, in bytes: it stays in the processor's
/// cache.
const PREFERRED: usize = 256 << 10;

/// Shared by all streams, used by one at a time.
pub struct Bench {
    /// All log files.
    pub files: Files,
    /// Where bytes that are not needed any more go: `/dev/null`.
    pub nowhere: File,
    /// The front of a hold pipe, as [`Bench::peek`] saw it.
    pub input: Vec<u8>,
    /// The same with dates.
    pub output: Vec<u8>,
    scratch_read: File,
    scratch_write: OwnedFd,
}

impl Bench {
    /// Returns an empty bench.
    pub fn new(rotation: Rotation) -> io::Result<Self> {
        let (scratch_read, scratch_write) = pipe::large()?;
        Ok(Self {
            files: Files::new(rotation)?,
            nowhere: File::options().write(true).open("/dev/null")?,
            input: Vec::new(),
            output: Vec::new(),
            scratch_read: scratch_read.into(),
            scratch_write,
        })
    }

    /// Reads the front of a hold pipe, which keeps it, into `input`; returns where its last line
    /// end is. Without one, `input` is all of the pipe, or as much as the scratch pipe holds.
    pub fn peek(&mut self, hold: impl AsFd, held: usize) -> Option<usize> {
        for length in [held.min(PREFERRED), held] {
            if let Err(error) = self.copy(&hold, length) {
                tracing::error!(%error, "hold pipe not read");
                self.input.clear();
            }
            let line_end = memchr::memrchr(b'\n', &self.input);
            if line_end.is_some() || self.input.len() >= held {
                return line_end;
            }
        }
        None
    }

    /// Gives back the memory that unusually long lines took.
    pub fn trim(&mut self) {
        self.input.truncate(0);
        self.input.shrink_to(2 * PREFERRED);
        self.output.truncate(0);
        self.output.shrink_to(2 * PREFERRED);
    }

    fn copy(&mut self, hold: impl AsFd, length: usize) -> io::Result<()> {
        let length = if length == 0 { 0 } else { pipe::tee(hold, &self.scratch_write, length)? };
        self.input.resize(length, 0);
        (&self.scratch_read).read_exact(&mut self.input)
    }
}

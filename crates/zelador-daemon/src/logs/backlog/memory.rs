//! Where the lines of a backlog are: a memfd.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The memory of a backlog, for the guardian to keep.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Names it among others.
    pub number: u64,
    /// The memfd.
    pub descriptor: Arc<OwnedFd>,
    /// Whether the guardian has it.
    pub(super) kept: Arc<AtomicBool>,
}

impl Memory {
    /// The guardian has it, or will never: lines may wait there.
    pub fn confirm(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Memory {}

/// Writes a text after its length.
pub(super) fn write_text(memory: &File, at: u64, text: &[u8]) -> io::Result<()> {
    memory.write_all_at(&(text.len() as u64).to_le_bytes(), at)?;
    memory.write_all_at(text, at + 8)
}

/// Returns what [`write_text`] wrote; none is longer than a path can be.
pub(super) fn read_text(memory: &File, at: u64) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    memory.read_exact_at(&mut length, at)?;
    let mut text = vec![0; u64::from_le_bytes(length).min(4096) as usize];
    memory.read_exact_at(&mut text, at + 8)?;
    Ok(text)
}

//! What a backlog says of itself, written so that a kill in between is recognised.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::super::exact::Mark;
use super::super::identity::Identity;
use super::super::sealed::{seal, unseal};

/// Written with each entry; an entry with another number is not understood.
const VERSION: u64 = 1;
/// Each entry has this much, in bytes. There are two places for them, used in turn.
const PLACE: usize = 128;

/// What is true of a backlog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Grows with each.
    pub sequence: u64,
    /// Where what waits begins in the memory, in bytes.
    pub start: u64,
    /// How many lines are missing before it.
    pub dropped: u64,
    /// A part of the first line is in the file.
    pub inside: bool,
    /// The lines are JSON.
    pub json: bool,
    /// How long the file was before that which is being written out now.
    pub writing: Option<Mark>,
}

impl Entry {
    /// Enters it after the last one.
    pub fn enter(&mut self, memory: &File) -> io::Result<()> {
        self.sequence += 1;
        memory.write_all_at(&self.encode(), self.sequence % 2 * PLACE as u64)
    }

    /// Returns the last one that is whole.
    pub fn last(memory: &File) -> Option<Self> {
        let place = |number| {
            let mut bytes = [0; PLACE];
            memory.read_exact_at(&mut bytes, number * PLACE as u64).ok()?;
            Self::decode(&bytes)
        };
        [0, 1].into_iter().filter_map(place).max_by_key(|entry| entry.sequence)
    }

    /// Words of 8 bytes: version, sequence, start, dropped, flags, four of the mark, zeros, check sum.
    fn encode(&self) -> [u8; PLACE] {
        let mut words = [0_u64; PLACE / 8];
        let Mark { file, length } = self.writing.unwrap_or_default();
        let flags = u64::from(self.inside)
            | u64::from(self.json) << 1
            | u64::from(self.writing.is_some()) << 2;
        words[..9].copy_from_slice(&[
            VERSION,
            self.sequence,
            self.start,
            self.dropped,
            flags,
            file.device,
            file.inode,
            file.born,
            length,
        ]);
        let mut bytes = [0; PLACE];
        seal(&mut words, &mut bytes);
        bytes
    }

    fn decode(bytes: &[u8; PLACE]) -> Option<Self> {
        let mut words = [0_u64; PLACE / 8];
        if !unseal(bytes, &mut words) || words[0] != VERSION {
            return None;
        }
        let [_, sequence, start, dropped, flags, device, inode, born, length, ..] = words;
        let mark = Mark { file: Identity { device, inode, born }, length };
        let writing = (flags & 4 != 0).then_some(mark);
        let (inside, json) = (flags & 1 != 0, flags & 2 != 0);
        Some(Self { sequence, start, dropped, inside, json, writing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_entry_that_was_cut_short_the_one_before_it_counts() {
        let memory = tempfile::tempfile().unwrap();
        assert_eq!(Entry::last(&memory), None);
        let file = Identity { device: 1, inode: 2, born: 3 };
        let writing = Some(Mark { file, length: 4 });
        let mut entry =
            Entry { start: 5, dropped: 6, inside: true, json: true, writing, ..Entry::default() };
        entry.enter(&memory).unwrap();
        let before = entry;
        assert_eq!(Entry::last(&memory), Some(before));
        entry.enter(&memory).unwrap();
        assert_eq!(Entry::last(&memory), Some(entry));
        memory.write_all_at(&[7; 20], 8).unwrap();
        assert_eq!(Entry::last(&memory), Some(before));
    }
}

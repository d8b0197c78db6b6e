//! The protocol by which lines reach their files exactly once, whenever the engine is killed.
//!
//! The bytes of a stream wait in its *hold pipe*, which the guardian keeps open. To write some of
//! them, the engine
//!
//! 1. enters a [`Move`] into the ledger: how many bytes the hold pipe has, how many of them are
//!    taken, and how long each file is;
//! 2. appends to the files;
//! 3. takes the bytes out of the hold pipe;
//! 4. enters that it is done.
//!
//! Bytes are only ever taken out after they are written, so whoever finds an open entry knows what
//! to do: if the hold pipe still has everything, the files are cut back to their lengths and
//! nothing has happened; if it has less, the files are complete and the rest is taken out. While
//! an entry is open nothing is added to the hold pipe. It protects against the death of the engine
//! at any instruction, not against loss of power.
//!
//! A hold pipe has so many places, and each write of a service takes one, however short it was. Where
//! they are full of few bytes these are copied into the memfd, entered, taken out and put back as one;
//! whoever finds such an entry empties the hold pipe and puts them back.
//!
//! The ledger is the stream's half of a memfd. An entry is written to one of two places in turn,
//! with a check sum, so that one that was cut short is recognised and the one before it counts.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Stream;
use super::identity::Identity;
use super::sealed::{seal, unseal};

/// Each stream has this much of the memfd, in bytes.
const HALF: u64 = 2048;
/// Each entry has this much, in bytes; a half has two places for entries.
const PLACE: usize = 512;
/// Written with each entry; an entry with another number is not understood.
const VERSION: u64 = 1;
/// Where the bytes stand that are put back: beyond both halves.
const COPIES: u64 = 2 * HALF;
/// At most so many bytes are put back as one.
pub const MOST_COPIED: usize = 64 << 10;
/// A stream has at most this many files. `(512 - 8 × 8) / 32` would fit 14.
pub const MOST_FILES: usize = 8;

/// How long a file was before a move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The file.
    pub file: Identity,
    /// Its length, in bytes.
    pub length: u64,
}

/// Bytes on their way from the hold pipe to the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// How many bytes the hold pipe had before, all in all.
    pub held: usize,
    /// How many of them are taken.
    pub taken: usize,
    /// Whether the last of those is in the middle of a line.
    pub inside: bool,
    /// The files and their lengths before.
    pub marks: Vec<Mark>,
}

/// What a killed engine has left half done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// Bytes on their way.
    Move(Move),
    /// These are to be all that is in the hold pipe.
    PutBack(Vec<u8>),
}

/// What a stream's half of the memfd says.
pub struct Ledger {
    state: Arc<OwnedFd>,
    base: u64,
    copy: u64,
    sequence: u64,
    inside: bool,
}

impl Ledger {
    /// Reads a stream's half; also returns what was not finished.
    pub fn open(state: Arc<OwnedFd>, stream: Stream) -> (Self, Option<Unfinished>) {
        let (base, copy) = match stream {
            Stream::Out => (0, COPIES),
            Stream::Err => (HALF, COPIES + MOST_COPIED as u64),
        };
        let entries = [0, 1].map(|place| read_entry(&state, base + place * PLACE as u64));
        let latest = entries.into_iter().flatten().max_by_key(|entry| entry.sequence);
        let Some(entry) = latest else {
            return (Self { state, base, copy, sequence: 0, inside: false }, None);
        };
        let unfinished = match entry.open {
            Some(Open::Move(open)) => Some(Unfinished::Move(open)),
            Some(Open::PutBack(bytes)) => read_copy(&state, copy, bytes).map(Unfinished::PutBack),
            None => None,
        };
        (Self { state, base, copy, sequence: entry.sequence, inside: entry.inside }, unfinished)
    }

    /// Whether the last byte that was written is in the middle of a line.
    pub fn inside(&self) -> bool {
        self.inside
    }

    /// Enters that `next` is about to happen.
    pub fn begin(&mut self, next: &Move) {
        self.enter(Some(Open::Move(next.clone())));
    }

    /// Enters that these bytes, all that the hold pipe has, are about to be taken out and put back.
    /// Returns false where they cannot be copied.
    pub fn begin_to_put_back(&mut self, bytes: &[u8]) -> bool {
        let copied = rustix::io::pwrite(&self.state, bytes, self.copy);
        let is_whole = copied == Ok(bytes.len());
        if is_whole {
            self.enter(Some(Open::PutBack(bytes.len())));
        }
        is_whole
    }

    /// Enters that nothing is under way, and whether the last byte written is inside a line.
    pub fn end(&mut self, inside: bool) {
        self.inside = inside;
        self.enter(None);
    }

    fn enter(&mut self, open: Option<Open>) {
        self.sequence += 1;
        let entry = Entry { sequence: self.sequence, inside: self.inside, open };
        let place = self.base + (self.sequence % 2) * PLACE as u64;
        match rustix::io::pwrite(&self.state, &entry.encode(), place) {
            Ok(PLACE) => {}
            // Without its ledger the stream is still moved, only not exactly once.
            other => tracing::error!(?other, "state of a log stream not written"),
        }
    }
}

fn read_entry(state: &OwnedFd, place: u64) -> Option<Entry> {
    let mut bytes = [0; PLACE];
    let read: io::Result<usize> = rustix::io::pread(state, &mut bytes, place).map_err(Into::into);
    (read.ok()? == PLACE).then(|| Entry::decode(&bytes))?
}

fn read_copy(state: &OwnedFd, place: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = rustix::io::pread(state, &mut bytes, place);
    let is_whole = read == Ok(length);
    if !is_whole {
        tracing::error!(?read, "bytes of a log stream cannot be put back");
    }
    is_whole.then_some(bytes)
}

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Open {
    Move(Move),
    /// So many bytes are taken out of the hold pipe and put back.
    PutBack(usize),
}

/// One entry of the ledger: what was true, and what is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    sequence: u64,
    inside: bool,
    open: Option<Open>,
}

impl Entry {
    /// Words of 8 bytes: version, sequence, flags, held (or put back), taken, four a mark, zeros, check
    /// sum.
    fn encode(&self) -> [u8; PLACE] {
        let mut words = [0_u64; PLACE / 8];
        words[0] = VERSION;
        words[1] = self.sequence;
        words[2] = u64::from(self.inside);
        if let Some(Open::PutBack(bytes)) = &self.open {
            words[2] |= 8;
            words[3] = *bytes as u64;
        }
        if let Some(Open::Move(open)) = &self.open {
            let count = open.marks.len().min(MOST_FILES);
            words[2] |= 2 | u64::from(open.inside) << 2 | (count as u64) << 8;
            words[3] = open.held as u64;
            words[4] = open.taken as u64;
            for (mark, four) in open.marks.iter().zip(words[5..5 + 4 * count].chunks_mut(4)) {
                let Identity { device, inode, born } = mark.file;
                four.copy_from_slice(&[device, inode, born, mark.length]);
            }
        }
        let mut bytes = [0; PLACE];
        seal(&mut words, &mut bytes);
        bytes
    }

    /// Returns `None` for what is not a whole entry of this version.
    fn decode(bytes: &[u8; PLACE]) -> Option<Self> {
        let mut words = [0_u64; PLACE / 8];
        if !unseal(bytes, &mut words) || words[0] != VERSION {
            return None;
        }
        let count = ((words[2] >> 8) as usize).min(MOST_FILES);
        let marks = words[5..5 + 4 * count].chunks(4).map(|four| Mark {
            file: Identity { device: four[0], inode: four[1], born: four[2] },
            length: four[3],
        });
        let held = words[3] as usize;
        let open = if words[2] & 2 != 0 {
            let (taken, inside) = (words[4] as usize, words[2] & 4 != 0);
            Some(Open::Move(Move { held, taken, inside, marks: marks.collect() }))
        } else {
            (words[2] & 8 != 0).then_some(Open::PutBack(held))
        };
        Some(Self { sequence: words[1], inside: words[2] & 1 != 0, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memfd() -> Arc<OwnedFd> {
        let state = rustix::fs::memfd_create("state", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&state, 4096).unwrap();
        Arc::new(state)
    }

    fn some_move() -> Move {
        let file = Identity { device: 1, inode: 2, born: 3 };
        let marks = (0..MOST_FILES as u64).map(|length| Mark { file, length }).collect();
        Move { held: 100, taken: 90, inside: true, marks }
    }

    #[test]
    fn what_is_entered_is_read_by_the_next_engine() {
        let state = memfd();
        let (mut ledger, open) = Ledger::open(Arc::clone(&state), Stream::Err);
        assert!(open.is_none() && !ledger.inside());
        ledger.begin(&some_move());
        let (mut next, open) = Ledger::open(Arc::clone(&state), Stream::Err);
        assert_eq!(open, Some(Unfinished::Move(some_move())));
        assert!(next.begin_to_put_back(b"few"));
        let (mut next, open) = Ledger::open(Arc::clone(&state), Stream::Err);
        assert_eq!(open, Some(Unfinished::PutBack(b"few".to_vec())));
        next.end(true);
        let (next, open) = Ledger::open(Arc::clone(&state), Stream::Err);
        assert!(open.is_none() && next.inside());
        let (other, open) = Ledger::open(state, Stream::Out);
        assert!(open.is_none() && !other.inside(), "the other stream has its own half");
    }

    #[test]
    fn an_entry_that_was_cut_short_does_not_count() {
        let state = memfd();
        let (mut ledger, _) = Ledger::open(Arc::clone(&state), Stream::Out);
        ledger.begin(&some_move());
        ledger.end(true); // sequence 2, at place 0
        rustix::io::pwrite(&state, &[7; 20], 8).unwrap();
        let (_, open) = Ledger::open(state, Stream::Out);
        assert_eq!(open, Some(Unfinished::Move(some_move())));
    }
}

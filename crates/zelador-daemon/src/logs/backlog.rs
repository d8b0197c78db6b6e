//! Lines that wait because their file cannot be written and their service must not be kept waiting.
//!
//! They are in a memfd that the guardian keeps too, so they outlive the engine. Bounded: when it is
//! full the oldest lines go, and are counted. Always holds: whenever the engine is killed, the next one
//! finds each line either here or in the file. What a stream was adding is cut off again by the ledger
//! of that stream ([`super::exact`]), what was being written out is cut off the file.
//!
//! The memfd begins with [`Entry`]s; then come the file's path, why it could not be written, and what
//! waits.

mod entry;
mod memory;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, MemfdFlags};

use self::entry::Entry;
pub use self::memory::Memory;
use self::memory::{read_text, write_text};
use super::exact::Mark;
use super::identity::Identity;
use super::style::own_json;

/// At most this much waits for one file, in bytes.
const LIMIT: u64 = 1 << 20;
/// So much is written at a time, in bytes: as much as a pipe takes.
const PIECE: u64 = 64 << 10;
/// Where the path stands in the memory, the reason, and what waits; each text after its length.
const PATH: u64 = 4096;
const REASON: u64 = 3 * 4096;
const DATA: u64 = 4 * 4096;
/// A reason is cut here, in bytes.
const LONGEST_REASON: usize = 256;

/// What waits for one file, oldest first.
#[derive(Debug)]
pub struct Backlog {
    memory: File,
    identity: Identity,
    entry: Entry,
    /// Where what waits ends: the length of the memory.
    end: u64,
    /// Whether the guardian has the memory.
    kept: Arc<AtomicBool>,
}

/// What an engine that is gone has left of a backlog.
#[derive(Debug)]
pub struct Left {
    /// Of which file it is.
    pub path: PathBuf,
    /// It.
    pub backlog: Backlog,
    /// How long the file was before what was being written out, which is to be cut off.
    pub unfinished: Option<Mark>,
}

impl Backlog {
    /// Returns an empty one for the file at `path`.
    ///
    /// # Errors
    /// There is no descriptor or memory left.
    pub fn new(path: &Path) -> io::Result<Self> {
        let memory = File::from(rustix::fs::memfd_create(c"zelador-log", MemfdFlags::CLOEXEC)?);
        write_text(&memory, PATH, path.as_os_str().as_bytes())?;
        memory.set_len(DATA)?;
        let identity = Identity::of(&memory)?;
        let mut entry = Entry { start: DATA, ..Entry::default() };
        entry.enter(&memory)?;
        Ok(Self { memory, identity, entry, end: DATA, kept: Arc::default() })
    }

    /// Takes over that of an engine that is gone.
    ///
    /// # Errors
    /// It is not understood.
    pub fn take_over(memory: OwnedFd) -> io::Result<Left> {
        let memory = File::from(memory);
        let entry = Entry::last(&memory);
        let entry = entry.ok_or_else(|| io::Error::other("it has no entry that is whole"))?;
        let path = PathBuf::from(OsString::from_vec(read_text(&memory, PATH)?));
        let (identity, end) = (Identity::of(&memory)?, memory.metadata()?.len());
        let kept = Arc::new(AtomicBool::new(true));
        let backlog = Self { memory, identity, entry, end, kept };
        Ok(Left { path, backlog, unfinished: entry.writing })
    }

    /// Its memory.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn memory(&self) -> io::Result<Memory> {
        let descriptor = Arc::new(self.memory.try_clone()?.into());
        Ok(Memory { number: self.number(), descriptor, kept: Arc::clone(&self.kept) })
    }

    /// Whether the guardian has its memory. Before that nothing is to wait here: it would be lost with the engine.
    pub fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// What names its memory among others.
    pub fn number(&self) -> u64 {
        self.identity.inode
    }

    /// How long its memory is.
    pub fn mark(&self) -> Mark {
        Mark { file: self.identity, length: self.end }
    }

    /// Cuts it to that length, if the mark is one of it; says whether it is.
    pub fn cut_back(&mut self, mark: Mark) -> bool {
        if mark.file != self.identity {
            return false;
        }
        if mark.length < self.end {
            self.shorten(mark.length);
        }
        true
    }

    /// Notes why the file cannot be written.
    pub fn set_reason(&self, reason: &str) {
        let cut = reason.floor_char_boundary(LONGEST_REASON);
        self.told(write_text(&self.memory, REASON, &reason.as_bytes()[..cut]));
    }

    /// Why the file cannot be written.
    pub fn reason(&self) -> String {
        let reason = read_text(&self.memory, REASON).unwrap_or_default();
        String::from_utf8_lossy(&reason).into_owned()
    }

    /// Notes, before anything waits, whether a part of the first line is in the file.
    pub fn begin(&mut self, inside: bool) {
        self.entry.inside = inside;
        self.enter();
    }

    /// Adds what would have been appended to the file.
    pub fn push(&mut self, bytes: &[u8], json: bool) {
        self.make_room(bytes.len() as u64);
        let (first, second) = bytes.split_at(super::crash_length(bytes.len()));
        let added = self.memory.write_all_at(first, self.end).and_then(|()| {
            super::crash_point("adding");
            self.memory.write_all_at(second, self.end + first.len() as u64)
        });
        match added {
            Ok(()) => self.end += bytes.len() as u64,
            Err(_) => {
                self.shorten(self.end);
                self.entry.dropped += lines(bytes);
            }
        }
        if added.is_err() || json != self.entry.json {
            self.entry.json = json;
            self.enter();
        }
        self.told(added);
    }

    fn make_room(&mut self, coming: u64) {
        let waiting = self.end - self.entry.start;
        let surplus = (waiting + coming).saturating_sub(LIMIT).min(waiting);
        if surplus == 0 {
            return;
        }
        let old = self.read(waiting);
        let surplus = surplus as usize;
        let line_end = memchr::memchr(b'\n', old.get(surplus - 1..).unwrap_or_default());
        let cut = line_end.map_or(surplus, |beyond| surplus + beyond);
        self.entry.dropped += lines(&old[..cut.min(old.len())]);
        self.entry.start += cut as u64;
        self.enter();
        self.give_back();
    }

    /// Whether there is nothing to write and nothing to confess.
    pub fn is_empty(&self) -> bool {
        self.entry.start >= self.end && self.entry.dropped == 0
    }

    /// Whether what is to be written next goes on in the middle of a line.
    pub fn inside(&self) -> bool {
        self.entry.inside
    }

    /// Whether the lines are JSON.
    pub fn json(&self) -> bool {
        self.entry.json
    }

    /// Returns what is to be written next: a line that says how many lines are missing (JSON where the
    /// others are), or what waits, in whole lines where they are not longer than a piece.
    pub fn piece(&self) -> Option<Vec<u8>> {
        if self.entry.dropped > 0 {
            return Some(self.note());
        }
        let mut piece = self.read((self.end - self.entry.start).min(PIECE));
        if let Some(line_end) = memchr::memrchr(b'\n', &piece) {
            piece.truncate(line_end + 1);
        }
        (!piece.is_empty()).then_some(piece)
    }

    fn note(&self) -> Vec<u8> {
        // The rest of the line that was begun is among those that are missing.
        let mut note = if self.entry.inside { vec![b'\n'] } else { Vec::new() };
        let lines = self.entry.dropped;
        let text = format!("zelador: {lines} lines dropped while this file could not be written");
        let text = format!("{text} ({})", self.reason());
        if self.entry.json {
            own_json(&text, &mut note);
        } else {
            note.extend_from_slice(text.as_bytes());
            note.push(b'\n');
        }
        note
    }

    /// Notes that a piece is about to be written to a file of that length, if it can be cut back.
    pub fn write_out(&mut self, before: Option<Mark>) {
        self.entry.writing = before;
        self.enter();
    }

    /// Notes how many bytes of this piece are in the file. Of what says how many lines are missing a
    /// part is as good as all: it is shorter than what a pipe takes whole.
    pub fn written_out(&mut self, piece: &[u8], written: usize) {
        self.entry.writing = None;
        if let Some(last) = piece[..written].last() {
            if self.entry.dropped > 0 {
                self.entry.dropped = 0;
            } else {
                self.entry.start += written as u64;
            }
            self.entry.inside = *last != b'\n';
        }
        self.enter();
        self.give_back();
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        let sequence = self.entry.sequence;
        self.entry = Entry { sequence, start: self.end, ..Entry::default() };
        self.enter();
        self.give_back();
    }

    fn enter(&mut self) {
        let entered = self.entry.enter(&self.memory);
        self.told(entered);
    }

    /// Gives the memory before what waits back to the system.
    fn give_back(&self) {
        let used = self.entry.start & !4095;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let given = match used.saturating_sub(DATA) {
            0 => Ok(()),
            bytes => rustix::fs::fallocate(&self.memory, flags, DATA, bytes),
        };
        self.told(given.map_err(Into::into));
    }

    fn shorten(&mut self, length: u64) {
        let shortened = self.memory.set_len(length);
        self.end = length;
        self.told(shortened);
    }

    /// The first bytes of what waits.
    fn read(&self, bytes: u64) -> Vec<u8> {
        let mut read = vec![0; bytes as usize];
        let done = self.memory.read_exact_at(&mut read, self.entry.start);
        if done.is_err() {
            read.clear();
        }
        self.told(done);
        read
    }

    fn told(&self, done: io::Result<()>) {
        if let Err(error) = done {
            tracing::error!(number = self.number(), %error, "lines that wait for a log not kept");
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog() -> Backlog {
        let backlog = Backlog::new(Path::new("/x/out.log")).unwrap();
        backlog.set_reason("no space");
        backlog
    }

    /// All that is to be written, in pieces.
    fn written_out(backlog: &mut Backlog) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = backlog.piece() {
            backlog.write_out(None);
            backlog.written_out(&piece, piece.len());
            all.extend(piece);
        }
        all
    }

    /// How much memory it takes, in bytes.
    fn memory_of(backlog: &Backlog) -> u64 {
        use std::os::unix::fs::MetadataExt;
        backlog.memory.metadata().unwrap().blocks() * 512
    }

    fn filled() -> Backlog {
        let mut backlog = backlog();
        for number in (0..200_000).step_by(10) {
            let lines = (number..number + 10).map(|number| format!("line {number:06}\n"));
            backlog.push(lines.collect::<String>().as_bytes(), false);
        }
        backlog
    }

    #[test]
    fn the_oldest_lines_are_dropped_whole_and_counted() {
        let mut backlog = filled();
        assert!(memory_of(&backlog) < LIMIT + (64 << 10), "{}", memory_of(&backlog));
        let dropped = backlog.entry.dropped;
        let text = String::from_utf8(written_out(&mut backlog)).unwrap();
        let (note, lines) = text.split_once('\n').unwrap();
        let (kept, length) = (lines.lines().count() as u64, lines.len() as u64);
        assert!(length <= LIMIT && length > LIMIT - 24);
        assert_eq!(kept + dropped, 200_000);
        assert!(lines.starts_with(&format!("line {dropped:06}\n")));
        assert!(note.starts_with(&format!("zelador: {dropped} lines dropped")));
        assert!(note.ends_with("(no space)") && backlog.is_empty());
        assert!(memory_of(&backlog) < 64 << 10, "{}", memory_of(&backlog));
        let mut json = filled();
        json.entry.json = true;
        let first: serde_json::Value = serde_json::from_slice(&json.piece().unwrap()).unwrap();
        assert_eq!(first["message"], note);
    }

    #[test]
    fn what_has_no_line_ends_is_bounded_too() {
        let mut backlog = backlog();
        for _ in 0..5 {
            backlog.push(&vec![b'x'; 700_000], false);
        }
        assert_eq!(written_out(&mut backlog).len() as u64, LIMIT);
    }

    #[test]
    fn what_says_how_much_is_missing_is_a_line_of_its_own() {
        let mut backlog = backlog();
        backlog.push(b"a line\n", false);
        let piece = backlog.piece().unwrap();
        backlog.written_out(&piece, 3);
        assert!(backlog.inside());
        backlog.push(&vec![b'\n'; LIMIT as usize], false);
        let note = backlog.piece().unwrap();
        assert!(note.starts_with(b"\nzelador: 1 lines dropped") && note.ends_with(b"(no space)\n"));
    }

    #[test]
    fn the_next_engine_has_all_of_it_but_what_was_not_finished() {
        let mut backlog = backlog();
        backlog.push(b"one\ntwo\n", true);
        let piece = backlog.piece().unwrap();
        backlog.written_out(&piece, 4);
        let mark = backlog.mark();
        backlog.push(b"three\n", true);
        let file = Mark { file: Identity { device: 1, inode: 2, born: 3 }, length: 9 };
        backlog.write_out(Some(file));
        let memory = Arc::into_inner(backlog.memory().unwrap().descriptor).unwrap();
        let Left { path, backlog: mut next, unfinished } = Backlog::take_over(memory).unwrap();
        assert_eq!((path.as_path(), unfinished), (Path::new("/x/out.log"), Some(file)));
        assert!(next.json() && next.number() == backlog.number());
        assert!(!next.cut_back(file) && next.cut_back(mark));
        assert_eq!(written_out(&mut next), b"two\n");
    }
}

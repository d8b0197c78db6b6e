//! The end of one log file, and what is appended to it: across rotation by rename and truncation.
//!
//! Always holds: of a file that is renamed or truncated between two looks, no line is told twice,
//! and no line of the old file is lost that was there before the new file; a line is told when its
//! end is there, or when it is longer than [`LONGEST_LINE`].

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use zelador_api::spot;

/// Bytes that are read at once.
const BLOCK: usize = 64 * 1024;

/// A longer line is told in pieces, so that a file without line ends fits into memory: 1 MiB.
const LONGEST_LINE: usize = 1 << 20;

/// So many bytes tell one place of a log from another: a date and the beginning of a line.
const SEEN: usize = 64;

/// Where lines go: without their end.
pub trait Sink: FnMut(&[u8]) -> io::Result<()> {}
impl<F: FnMut(&[u8]) -> io::Result<()>> Sink for F {}

/// A log file that is followed by its name.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    open: Option<Open>,
    /// The beginning of a line whose end is not there yet.
    begun: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    at: u64,
    /// The last bytes before that, by which a file is known that was emptied and has grown again.
    seen: Vec<u8>,
}

impl Tail {
    /// Returns a tail that has read nothing; the file need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), open: None, begun: Vec::new() }
    }

    /// Returns a tail of what stands after the first `length` bytes.
    ///
    /// # Errors
    /// The file cannot be opened. One that is not there has yet to come.
    pub fn after(path: impl Into<PathBuf>, length: u64) -> io::Result<Self> {
        let mut tail = Self::new(path);
        tail.open = Open::at(&tail.path)?;
        if let Some(open) = &mut tail.open {
            // One that is shorter was emptied since.
            open.at = if open.file.metadata()?.len() < length { 0 } else { length };
        }
        Ok(tail)
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the last `count` lines that are there, and goes to their end.
    ///
    /// # Errors
    /// The file cannot be read, or the sink fails. A file that is not there has no lines.
    pub fn last(&mut self, count: usize, sink: &mut impl Sink) -> io::Result<()> {
        let Some(mut open) = Open::at(&self.path)? else { return Ok(()) };
        open.at = start_of_last(&mut open.file, count)?;
        self.open = Some(open);
        self.read_on(sink)
    }

    /// Tells what was appended since the last call.
    ///
    /// # Errors
    /// A file cannot be read, or the sink fails.
    pub fn poll(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        if let Some(open) = &mut self.open
            && !open.goes_on()?
        {
            open.at = 0;
            open.seen.clear();
            self.begun.clear();
        }
        self.read_on(sink)?;
        let now = match std::fs::metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()),
            // Renamed, and the new one is not there yet: what is written still goes to the old.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if self.open.as_ref().is_some_and(|open| open.identity == now) {
            return Ok(());
        }
        // The new file is there, so the old one is complete: read what came between the two looks.
        self.read_on(sink)?;
        self.rest(sink)?;
        self.open = Open::at(&self.path)?;
        self.read_on(sink)
    }

    /// Tells the beginning of a line whose end is not there.
    ///
    /// # Errors
    /// The sink fails.
    pub fn rest(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        if begun.is_empty() { Ok(()) } else { sink(&begun) }
    }

    fn read_on(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.file.seek(SeekFrom::Start(open.at))?;
        let mut block = vec![0; BLOCK];
        loop {
            let read = match open.file.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            open.at += read as u64;
            open.note(&block[..read]);
            let mut rest = &block[..read];
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                if self.begun.is_empty() {
                    sink(&rest[..end])?;
                } else {
                    self.begun.extend_from_slice(&rest[..end]);
                    sink(&std::mem::take(&mut self.begun))?;
                }
                rest = &rest[end + 1..];
            }
            self.begun.extend_from_slice(rest);
            if self.begun.len() >= LONGEST_LINE {
                sink(&std::mem::take(&mut self.begun))?;
            }
        }
    }
}

impl Open {
    /// Opens the file from its beginning; `None` if it is not there.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        let file = match spot::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let found = file.metadata()?;
        if !found.is_file() {
            // Nothing is kept of what a device or a named pipe has to say.
            return Ok(None);
        }
        Ok(Some(Self { file, identity: (found.dev(), found.ino()), at: 0, seen: Vec::new() }))
    }
}

impl Open {
    /// Whether what follows is what was appended to what was read.
    fn goes_on(&self) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        if length <= self.at || self.seen.is_empty() {
            return Ok(length >= self.at);
        }
        let mut there = [0; SEEN];
        let there = &mut there[..self.seen.len()];
        match self.file.read_exact_at(there, self.at - self.seen.len() as u64) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false), // emptied just now
            read => read.map(|()| there == self.seen.as_slice()),
        }
    }

    fn note(&mut self, read: &[u8]) {
        self.seen.extend_from_slice(&read[read.len().saturating_sub(SEEN)..]);
        let beyond = self.seen.len().saturating_sub(SEEN);
        self.seen.drain(..beyond);
    }
}

/// Returns where the last `count` lines of a file begin, read from its end block by block.
fn start_of_last(file: &mut File, count: usize) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    if count == 0 {
        return Ok(end);
    }
    let length = end;
    let mut ends_seen = 0;
    let mut block = vec![0; BLOCK];
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        for at in (0..part.len()).rev() {
            // The end of the last line is none between two lines.
            if part[at] != b'\n' || start + at as u64 + 1 == length {
                continue;
            }
            ends_seen += 1;
            if ends_seen == count {
                return Ok(start + at as u64 + 1);
            }
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    fn last(tail: &mut Tail, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        tail.last(count, &mut collect(&mut lines)).unwrap();
        lines
    }

    fn poll(tail: &mut Tail) -> Vec<String> {
        let mut lines = Vec::new();
        tail.poll(&mut collect(&mut lines)).unwrap();
        lines
    }

    fn collect(lines: &mut Vec<String>) -> impl Sink + '_ {
        |line: &[u8]| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        }
    }

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn log() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api-out.log");
        (folder, path)
    }

    #[test]
    fn the_last_lines_are_found_however_long_they_are() {
        let (_folder, path) = log();
        let long = "x".repeat(3 * BLOCK);
        append(&path, &format!("first\n{long}\nlast\nhalf"));
        assert_eq!(last(&mut Tail::new(&path), 1), Vec::<String>::new(), "only a half line");
        assert_eq!(last(&mut Tail::new(&path), 2), ["last"]);
        assert_eq!(last(&mut Tail::new(&path), 3), [long.as_str(), "last"]);
        assert_eq!(last(&mut Tail::new(&path), 99).len(), 3);
        assert_eq!(last(&mut Tail::new(&path), 0), Vec::<String>::new());
        append(&path, "\n");
        assert_eq!(last(&mut Tail::new(&path), 1), ["half"]);
    }

    #[test]
    fn what_is_appended_is_told_once_its_line_ends() {
        let (_folder, path) = log();
        append(&path, "one\ntwo\n");
        let mut tail = Tail::new(&path);
        assert_eq!(last(&mut tail, 1), ["two"]);
        append(&path, "three\nfo");
        assert_eq!(poll(&mut tail), ["three"]);
        append(&path, "ur\n");
        assert_eq!(poll(&mut tail), ["four"]);
        assert_eq!(poll(&mut tail), Vec::<String>::new());
    }

    #[test]
    fn a_rotation_by_rename_costs_no_line() {
        let (folder, path) = log();
        append(&path, "one\n");
        let mut tail = Tail::new(&path);
        assert_eq!(last(&mut tail, 9), ["one"]);
        append(&path, "two\n");
        let old = folder.path().join("api-out__2023-11-14_22-13-20.log");
        fs::rename(&path, &old).unwrap();
        append(&old, "three\n");
        assert_eq!(poll(&mut tail), ["two", "three"], "the new file is not there yet");
        append(&old, "four\nhalf");
        append(&path, "five\n");
        assert_eq!(poll(&mut tail), ["four", "half", "five"]);
        append(&path, "six\n");
        assert_eq!(poll(&mut tail), ["six"]);
    }

    #[test]
    fn a_truncated_file_is_read_from_its_beginning() {
        let (_folder, path) = log();
        append(&path, "one\ntwo\nthree\n");
        let mut tail = Tail::new(&path);
        assert_eq!(last(&mut tail, 1), ["three"]);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, "new\n");
        assert_eq!(poll(&mut tail), ["new"]);
        append(&path, "and half of");
        assert_eq!(poll(&mut tail), Vec::<String>::new());
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, "longer than what was there before\nanother\n");
        assert_eq!(poll(&mut tail), ["longer than what was there before", "another"]);
    }

    #[test]
    fn a_file_may_appear_later() {
        let (_folder, path) = log();
        let mut tail = Tail::new(&path);
        assert_eq!(last(&mut tail, 9), Vec::<String>::new());
        assert_eq!(poll(&mut tail), Vec::<String>::new());
        append(&path, "one\n");
        assert_eq!(poll(&mut tail), ["one"]);
    }

    #[test]
    fn an_endless_line_is_told_in_pieces() {
        let (_folder, path) = log();
        append(&path, &"x".repeat(LONGEST_LINE + 10));
        let mut tail = Tail::new(&path);
        let lines = poll(&mut tail);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() >= LONGEST_LINE);
    }
    #[test]
    fn neither_a_named_pipe_nor_a_link_of_anybody_is_read() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (folder, path) = log();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        let (told, lines) = std::sync::mpsc::channel();
        let of = path.clone();
        std::thread::spawn(move || told.send(last(&mut Tail::new(&of), 9)));
        let lines = lines.recv_timeout(std::time::Duration::from_secs(10));
        assert_eq!(lines.expect("its writer is not waited for"), Vec::<String>::new());
        let secret = tempfile::NamedTempFile::new().unwrap();
        append(secret.path(), "secret\n");
        fs::remove_file(&path).unwrap();
        symlink(secret.path(), &path).unwrap();
        assert_eq!(last(&mut Tail::new(&path), 9), ["secret"], "a link of ours");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let read = Tail::new(&path).last(9, &mut |_: &[u8]| panic!("it is not read"));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

//! One log file: appended to by any number of streams, cut back when a move fails, put aside for
//! while it cannot be written.
//!
//! Always holds: a line of one stream is never continued by another stream's bytes; a special file
//! (`/dev/null`, a terminal) is only ever written to.

mod trouble;

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use zelador_api::spot::Spot;
use zelador_core::unit::Moment;

use self::trouble::Trouble;
use super::arrival::Arrivals;
use super::backlog::Backlog;
use super::cutting::{self, shorten};
use super::exact::Mark;
use super::identity::Identity;
use super::plan::Plan;
use super::{LogEvent, rotate};

/// Owner reads and writes, group reads: log lines may carry secrets.
const MODE: Mode = Mode::from_raw_mode(0o640);
/// How long to wait before a rotation that failed is tried again.
const ROTATE_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Names a stream, as long as this engine lives.
pub type Token = u64;

/// A log file, open or not.
pub struct Sink {
    path: PathBuf,
    open: Option<Open>,
    trouble: Option<Trouble>,
    backlog: Option<Backlog>,
    rotate_after: Option<Instant>,
    /// Its time has come by the clock: it is rotated whatever its size.
    due: bool,
    /// A module's.
    module: bool,
    /// Its lines are JSON.
    json: bool,
    arrivals: Arrivals,
}

/// How bytes are appended.
#[derive(Clone, Copy, Debug)]
pub struct Append {
    /// The stream whose bytes they are.
    pub token: Token,
    /// Whether they go on in the middle of a line.
    pub inside: bool,
    /// Whether the lines are JSON.
    pub json: bool,
}

struct Open {
    file: File,
    identity: Identity,
    regular: bool,
    /// Whether it may be renamed.
    has_name: bool,
    /// How long it is after our last append.
    length: u64,
    /// Where its last line stands, and where it stood before the move under way.
    line: Line,
    line_before: Line,
    /// Whether this engine has appended to it.
    touched: bool,
}

/// Where the last line of a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// At its end.
    Ended,
    /// In the middle; this stream wrote it.
    Of(Token),
    /// In the middle; written before this engine.
    OfSomebody,
}

/// Why not all of some bytes could be written.
#[derive(Debug)]
pub struct Failure {
    /// How many of them were.
    pub written: usize,
    /// Why not more.
    pub error: io::Error,
}

/// What can be done with a file at the beginning of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It is written, and cut back to this mark if the move fails.
    File(Mark),
    /// It is written; nothing can be taken back.
    Special,
    /// It cannot be written now; what waits for it is cut back to this mark.
    Sick(Option<Mark>),
    /// Nor can anything wait for it yet: the guardian does not have the memory.
    NotKept,
}

impl Sink {
    /// Returns a sink that opens its file when it is needed.
    pub fn new(path: PathBuf, module: bool) -> Self {
        let (open, trouble, backlog, rotate_after) = (None, None, None, None);
        let (arrivals, due, json) = (Arrivals::default(), false, false);
        Self { path, open, trouble, backlog, rotate_after, due, module, json, arrivals }
    }

    /// Returns it with what an earlier sink of the same file knew.
    pub fn with_arrivals(self, arrivals: Arrivals) -> Self {
        Self { arrivals, ..self }
    }

    /// Notes whether it is a module's.
    pub fn set_module(&mut self, module: bool) {
        self.module = module;
    }

    /// Which file it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the last bytes arrived.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The same, when the sink is not needed any more.
    pub fn into_arrivals(self) -> Arrivals {
        self.arrivals
    }

    /// Opens the file where necessary and looks how long it is.
    pub fn prepare(&mut self, events: &mut Vec<LogEvent>) -> Prepared {
        if self.trouble.as_ref().is_some_and(|trouble| !trouble.on_trial) {
            return self.sick(events);
        }
        match self.look() {
            Ok(prepared) => prepared,
            Err(error) => {
                self.fail(&error, events);
                self.sick(events)
            }
        }
    }

    fn sick(&mut self, events: &mut Vec<LogEvent>) -> Prepared {
        if self.backlog.is_none() {
            self.begin_backlog(events);
        }
        match &self.backlog {
            Some(backlog) if !backlog.is_kept() => Prepared::NotKept,
            backlog => Prepared::Sick(backlog.as_ref().map(Backlog::mark)),
        }
    }

    fn look(&mut self) -> io::Result<Prepared> {
        if let Some(open) = &mut self.open {
            let now = open.file.metadata()?;
            if !open.regular {
                return Ok(Prepared::Special);
            }
            if now.nlink() > 0 {
                if now.len() != open.length {
                    open.length = now.len();
                    open.line = last_line(&open.file, open.length);
                }
                open.line_before = open.line;
                self.arrivals.look(open.identity, open.length);
                return Ok(Prepared::File(Mark { file: open.identity, length: open.length }));
            }
            self.open = None; // somebody deleted it
        }
        let open = self.open.insert(open(&self.path)?);
        self.arrivals.look(open.identity, open.length);
        let mark = Mark { file: open.identity, length: open.length };
        Ok(if open.regular { Prepared::File(mark) } else { Prepared::Special })
    }

    /// Appends the bytes of a stream to a regular file.
    ///
    /// # Errors
    /// The file is then as long as the part that could be written; [`Self::cut_back`] follows.
    pub fn append(&mut self, how: Append, bytes: &[u8]) -> Result<(), Failure> {
        let Append { token, inside, json } = how;
        self.json = json;
        let Some(open) = &mut self.open else { return Ok(()) };
        let continues = match open.line {
            Line::Ended => true,
            Line::Of(other) => inside && other == token,
            Line::OfSomebody => inside,
        };
        open.touched = true;
        if !continues {
            write_all(&open.file, b"\n").map_err(|failure| Failure { written: 0, ..failure })?;
            open.length += 1;
        }
        let from = open.length;
        let (first, second) = bytes.split_at(super::crash_length(bytes.len()));
        write_all(&open.file, first)?;
        super::crash_point("appending");
        let beyond =
            |failure: Failure| Failure { written: first.len() + failure.written, ..failure };
        write_all(&open.file, second).map_err(beyond)?;
        open.length += bytes.len() as u64;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.arrivals.append(from, bytes.len() as u64, Moment::from_epoch(now));
        if let Some(last) = bytes.last() {
            open.line = if *last == b'\n' { Line::Ended } else { Line::Of(token) };
        }
        Ok(())
    }

    /// Writes to a special file.
    ///
    /// # Errors
    /// Not all could be written, and what was cannot be taken back.
    fn pour(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.touched = true;
        write_all(&open.file, bytes)
    }

    /// Undoes what was appended since [`Self::prepare`].
    pub fn cut_back(&mut self, before: Prepared) {
        let (Some(open), Prepared::File(mark)) = (&mut self.open, before) else { return };
        if let Err(error) = shorten(&open.file, mark.length) {
            tracing::warn!(path = %self.path.display(), %error, "log file not cut back");
        }
        open.line = open.line_before;
        open.length = mark.length;
        self.arrivals.cut(mark.length);
    }

    /// Notes that the file is to be rotated as soon as no line is torn by it.
    pub fn make_due(&mut self) {
        self.due = true;
    }

    /// Whether the file is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it is time to rotate the file.
    pub fn is_ripe(&self, rotation: &super::Rotation) -> bool {
        let Some(open) = self.open.as_ref().filter(|open| open.regular && open.has_name) else {
            return false;
        };
        if self.module && !rotation.modules {
            return false;
        }
        let limit = rotation.max_size.bytes().max(1);
        // A line is not torn over two files unless it is as long as a file itself.
        let at_line_end = open.line == Line::Ended || open.length >= limit.saturating_mul(2);
        let waiting = self.rotate_after.is_some_and(|after| Instant::now() < after);
        let ripe = open.length >= limit || (self.due && open.length > 0);
        ripe && at_line_end && !waiting
    }

    /// Renames the file; says whether that was done.
    pub fn rotate(&mut self, plan: &Plan) -> bool {
        let Some(open) = &self.open else { return false };
        let renamed = rotate::rename(&self.path, open.identity, plan);
        super::crash_point("renamed");
        match renamed {
            Ok(()) => {
                self.open = None;
                self.rotate_after = None;
                self.due = false;
                true
            }
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "log file not rotated");
                self.rotate_after = Some(Instant::now() + ROTATE_AGAIN_AFTER);
                false
            }
        }
    }

    /// Empties the file, and what waits in memory for it. A line of which a part was written goes on
    /// at the beginning.
    pub fn empty(&mut self) -> io::Result<()> {
        if let Some(backlog) = &mut self.backlog {
            backlog.clear();
        }
        // By its path too: it may have been moved away, and what a person sees is what is there.
        cutting::empty(&self.path)?;
        if let Some(open) = self.open.as_mut().filter(|open| open.regular) {
            open.file.set_len(0)?;
            open.length = 0;
            open.line = Line::Ended;
            open.line_before = Line::Ended;
        }
        Ok(())
    }

    /// Closes the file; it is opened by its path when it is needed.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Whether this is the file and this engine has already appended to it.
    pub fn touched(&self, file: Identity) -> bool {
        self.open.as_ref().is_some_and(|open| open.touched && open.identity == file)
    }
}

/// Opens for appending; makes the file and its folder where they are missing.
fn open(path: &Path) -> io::Result<Open> {
    let spot = Spot::make(path)?;
    let file = spot.open(OFlags::RDWR | OFlags::APPEND | OFlags::CREATE, MODE)?;
    let now = file.metadata()?;
    let regular = now.is_file();
    let line = if regular { last_line(&file, now.len()) } else { Line::Ended };
    let identity = Identity::of(&file)?;
    let (has_name, length) = (spot.has_name(), now.len());
    Ok(Open { file, identity, regular, has_name, length, line, line_before: line, touched: false })
}

fn write_all(mut file: &File, bytes: &[u8]) -> Result<(), Failure> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return Err(Failure { written, error: io::ErrorKind::WriteZero.into() }),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure { written, error }),
        }
    }
    Ok(())
}

fn last_line(file: &File, length: u64) -> Line {
    let mut last = [b'\n'];
    match length.checked_sub(1).map(|at| file.read_at(&mut last, at)) {
        Some(Ok(1)) if last != [b'\n'] => Line::OfSomebody,
        _ => Line::Ended,
    }
}

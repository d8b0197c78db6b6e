//! What a guardian would hold, and how long to wait for what.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use tempfile::TempDir;
use zelador_core::date::DateFormat;
use zelador_core::spec::{Keep, ROTATED_DATE};
use zelador_core::unit::ByteSize;

use super::super::names::Names;
use super::super::{Adopted, Json, LogEvent, Logs, Rotation, RunId, Source, Stream, Style};

/// The dates of the tests, and how long such a date is with its `: `.
pub const DATE: &str = "YYYY-MM-DD HH:mm:ss.SSS";
pub const DATE_LENGTH: usize = 25;

/// One stream's pipes, kept by the guardian.
pub struct Pipes {
    pub run: RunId,
    pub stream: Stream,
    pub pipe: OwnedFd,
    pub hold_read: OwnedFd,
    pub hold_write: OwnedFd,
    pub state: OwnedFd,
    pub sinks: Vec<PathBuf>,
    pub dated: bool,
    pub json: bool,
    /// The service's end; `None` once it is dead.
    pub write: Option<File>,
}

/// A folder for logs and the runs that write to it.
pub struct Rig {
    pub folder: TempDir,
    pub events: mpsc::Receiver<LogEvent>,
    sender: mpsc::Sender<LogEvent>,
}

impl Rig {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sender, events) = mpsc::channel();
        Self { folder, events, sender }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn logs(&self, max_size: u64, keep: u32, adopted: Vec<Source>) -> Logs {
        self.logs_rotated(rotation(max_size, keep), adopted)
    }

    pub fn logs_rotated(&self, rotation: Rotation, sources: Vec<Source>) -> Logs {
        self.logs_adopting(rotation, Adopted { sources, ..Adopted::default() })
    }

    pub fn logs_adopting(&self, rotation: Rotation, adopted: Adopted) -> Logs {
        self.logs_telling(rotation, adopted, |event| {
            if let LogEvent::Keep { memory } = event {
                memory.confirm();
            }
        })
    }

    /// The same with a guardian that does not take what it is to keep.
    pub fn logs_behind(&self, rotation: Rotation, adopted: Adopted) -> Logs {
        self.logs_telling(rotation, adopted, |_| ())
    }

    fn logs_telling(&self, rotation: Rotation, adopted: Adopted, hear: fn(&LogEvent)) -> Logs {
        let sender = self.sender.clone();
        let tell = move |event| {
            hear(&event);
            _ = sender.send(event);
        };
        Logs::start(rotation, None, adopted, tell).unwrap()
    }

    /// Returns the pipes of a new run, out and err.
    pub fn run(&self, run: u64, out: &[&str], err: &[&str], dated: bool) -> [Pipes; 2] {
        let state = rustix::fs::memfd_create("state", MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&state, 4096).unwrap();
        [(Stream::Out, out), (Stream::Err, err)].map(|(stream, names)| {
            let pair = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
            let ((pipe, write), (hold_read, hold_write)) = (pair(), pair());
            _ = rustix::pipe::fcntl_setpipe_size(&write, 1 << 20);
            let sinks = names.iter().map(|name| self.path(name)).collect();
            let (run, state) = (RunId::new(run), state.try_clone().unwrap());
            let write = Some(write.into());
            Pipes {
                run,
                stream,
                pipe,
                hold_read,
                hold_write,
                state,
                sinks,
                dated,
                json: false,
                write,
            }
        })
    }

    pub fn expect(&self, wanted: impl Fn(&LogEvent) -> bool) -> LogEvent {
        loop {
            let event = self.events.recv_timeout(LIMIT).expect("an event within the limit");
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Ends the runs and waits until they are drained.
    pub fn finish(&self, logs: &Logs, runs: &mut [[Pipes; 2]]) {
        for run in runs {
            for pipes in run.iter_mut() {
                pipes.write = None;
            }
            let id = run[0].run;
            logs.finish(id);
            self.expect(|event| *event == LogEvent::Drained { run: id });
        }
    }

    /// A log with all its renamed ones before it.
    pub fn read(&self, name: &str) -> Vec<u8> {
        all_of(&self.path(name))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }
}

impl Pipes {
    pub fn source(&self) -> Source {
        let copy = |fd: &OwnedFd| Arc::new(fd.as_fd().try_clone_to_owned().unwrap());
        Source {
            run: self.run,
            stream: self.stream,
            pipe: copy(&self.pipe),
            hold_read: copy(&self.hold_read),
            hold_write: copy(&self.hold_write),
            state: copy(&self.state),
            sinks: self.sinks.clone(),
            style: style(self.dated, self.json, self.stream),
            module: false,
        }
    }

    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        self.write.as_ref().unwrap().write_all(bytes.as_ref()).unwrap();
    }
}

/// How lines are written: dated, as JSON, or as they are.
pub fn style(dated: bool, json: bool, stream: Stream) -> Style {
    let date = dated.then(|| DateFormat::parse(DATE));
    if json {
        return Style::Json(Json { date, stream, id: 7, app: "api".to_owned() });
    }
    date.map_or(Style::Plain, Style::Dated)
}

pub fn rotation(max_size: u64, keep: u32) -> Rotation {
    let (max_size, keep) = (ByteSize::new(max_size), Keep::Newest(keep));
    Rotation { max_size, keep, ..Rotation::default() }
}

/// The renamed logs of a log that are not compressed, oldest first.
pub fn rotated(path: &Path) -> Vec<PathBuf> {
    let own = Names::new(ROTATED_DATE).own(path).rotated;
    own.into_iter().filter_map(|rotated| rotated.plain).collect()
}

/// No condition may take longer.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Waits until something is true.
pub fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_true() {
        assert!(Instant::now() < end, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn all_of(path: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for file in Names::new(ROTATED_DATE).own(path).rotated {
        // It may just be compressed, or deleted.
        let compressed = file.compressed.clone().or_else(|| {
            let mut name = file.plain.clone()?.into_os_string();
            name.push(".gz");
            Some(name.into())
        });
        let plain = file.plain.and_then(|plain| std::fs::read(plain).ok());
        let whole = || read_compressed(&compressed?).ok();
        all.extend(plain.or_else(whole).unwrap_or_default());
    }
    all.extend(std::fs::read(path).unwrap_or_default());
    all
}

pub fn read_compressed(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(File::open(path)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Takes the date off each line, and checks that there is one.
pub fn undated(text: &str) -> String {
    let mut bare = String::new();
    for line in text.split_inclusive('\n') {
        let (date, rest) = line.split_at(DATE_LENGTH);
        let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
        let shape: Vec<u8> = date.bytes().map(shape).collect();
        assert_eq!(shape, b"0000-00-00 00:00:00.000: ", "{line:?}");
        bare.push_str(rest);
    }
    bare
}

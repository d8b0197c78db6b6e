//! Events on their way out: to those who listen, and into a file of JSON lines.
//!
//! Always holds: whoever lags too far behind is told so by the gap in the numbers, and slows down nobody;
//! a disk that is slow or full costs lines of the file, and nothing else.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::broadcast;
use zelador_core::effect::Notice;
use zelador_core::event::{Event, Events};
use zelador_core::record::Record;
use zelador_core::unit::Moment;

/// So many events can be asked for anew by `Last-Event-ID`.
const KEPT: usize = 1_000;

/// So many may wait for a listener, or for the disk.
const WAITING: usize = 1_024;

/// At this size the file is set aside as `….1`, in the place of the one before: 10 MiB.
const LARGEST: u64 = 10 << 20;

/// How much of the file's end is read for what happened before this engine.
const READ_BACK: u64 = 256 << 10;

/// What was missed, and what comes.
pub type Listening = (Vec<Arc<Event>>, broadcast::Receiver<Arc<Event>>);

/// Numbers events and hands them on.
pub struct Outlet {
    events: Events,
    kept: VecDeque<Arc<Event>>,
    listeners: broadcast::Sender<Arc<Event>>,
    /// What was told at once is handed over at once: each time wakes a thread.
    file: SyncSender<Vec<Arc<Event>>>,
}

impl Outlet {
    /// Begins where the engine before ended: `records` is what is known.
    pub fn start(path: PathBuf, records: &[Record]) -> Self {
        let kept: VecDeque<Arc<Event>> = read_back(&path).into_iter().map(Arc::new).collect();
        let last = kept.back().map_or(0, |event| event.id);
        let (file, lines) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || {
                crate::give_way();
                write(&path, &lines);
            })
            .inspect_err(|error| tracing::warn!(%error, "events are not written to a file"))
            .ok();
        let (listeners, _) = broadcast::channel(WAITING);
        Self { events: Events::after(last, records), kept, listeners, file }
    }

    /// Tells what these records say that is new.
    pub fn records(&mut self, now: Moment, records: &[Record]) {
        let events = records.iter().filter_map(|record| self.events.of(now, record)).collect();
        self.tell(events);
    }

    /// Tells what was said in zelador's own log.
    pub fn notice(&mut self, now: Moment, notice: &Notice) {
        let event = self.events.notice(now, notice);
        self.tell(vec![event]);
    }

    /// What came after that event, as far as it is kept, and what comes; without a number only that.
    pub fn listen(&self, after: Option<u64>) -> Listening {
        let missed = self.kept.iter().filter(|event| after.is_some_and(|after| event.id > after));
        (missed.cloned().collect(), self.listeners.subscribe())
    }

    fn tell(&mut self, events: Vec<Event>) {
        let events: Vec<Arc<Event>> = events.into_iter().map(Arc::new).collect();
        for event in &events {
            if self.kept.len() >= KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(Arc::clone(event));
            // Nobody listens, or the disk is behind (below): neither holds anything up.
            _ = self.listeners.send(Arc::clone(event));
        }
        if !events.is_empty() {
            _ = self.file.try_send(events);
        }
    }
}

/// The last events of the file.
fn read_back(path: &Path) -> Vec<Event> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let length = file.metadata().map_or(0, |it| it.len());
    let from = length.saturating_sub(READ_BACK);
    if file.seek(SeekFrom::Start(from)).is_err() {
        return Vec::new();
    }
    // The first line may be cut, the last one half written.
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let mut events: Vec<Event> =
        lines.filter_map(|line| serde_json::from_slice(line.as_bytes()).ok()).collect();
    events.drain(..events.len().saturating_sub(KEPT));
    events
}

/// Writes events until nobody has any more.
fn write(path: &Path, events: &Receiver<Vec<Arc<Event>>>) {
    let mut in_trouble = false;
    let mut file: Option<File> = None;
    for event in events.iter().flatten() {
        let written = append(path, &mut file, &event);
        match written {
            Ok(()) => in_trouble = false,
            Err(error) if !in_trouble => {
                tracing::warn!(path = %path.display(), %error, "events are not written");
                (in_trouble, file) = (true, None);
            }
            Err(_) => file = None,
        }
    }
}

fn append(path: &Path, file: &mut Option<File>, event: &Event) -> std::io::Result<()> {
    if file.as_ref().is_none_or(|file| file.metadata().is_ok_and(|it| it.len() >= LARGEST)) {
        if fs::metadata(path).is_ok_and(|it| it.len() >= LARGEST) {
            let mut aside = path.as_os_str().to_owned();
            aside.push(".1");
            fs::rename(path, aside)?;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        *file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(path)?);
    }
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    match file {
        Some(file) => file.write_all(&line),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use zelador_core::effect::Severity;

    use zelador_core::words::quoted;

    use super::*;

    fn notice(text: &str) -> Notice {
        let (severity, subject) = (Severity::Info, "api".to_owned());
        Notice { severity, subject, text: quoted(text), check: None }
    }

    #[test]
    fn what_an_engine_told_is_known_to_the_next_and_can_be_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut first = Outlet::start(path.clone(), &[]);
        for number in 0..3 {
            first.notice(Moment::from_micros(100), &notice(&number.to_string()));
        }
        drop(first);
        zelador_testbed::home::until("three lines", || read_back(&path).len() == 3);
        // Half a line of an engine that was killed.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"id\":10").unwrap();
        let mut second = Outlet::start(path, &[]);
        let (missed, mut coming) = second.listen(Some(100));
        let ids: Vec<u64> = missed.iter().map(|event| event.id).collect();
        assert_eq!(ids, [101, 102]);
        second.notice(Moment::from_micros(50), &notice("new"));
        assert_eq!(coming.try_recv().unwrap().id, 103, "numbers only grow");
        assert!(second.listen(None).0.is_empty());
    }
}

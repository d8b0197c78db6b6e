//! The thread that keeps the past.
//!
//! Always holds: whoever hands something over never waits; there is one writer; what cannot be written
//! waits in memory up to a bound, and that it waits is said once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use zelador_core::history::retain::Retention;

use super::damage;
use super::host::HostMeter;
use super::item::Item;
use super::write::Writer;

/// How many things may wait for the thread: an hour of samples and a storm of events.
const QUEUE: usize = 4096;

/// How much waits in memory while the file cannot be written, in bytes; then the oldest go. What a day of a few apps
/// is, and an hour of a hundred.
const WAITING: usize = 16 << 20;

/// What comes together is written together.
const GATHERED_WITHIN: Duration = Duration::from_millis(200);

/// How soon a write that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// The way to the thread. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    queue: SyncSender<Vec<Item>>,
    state: Arc<State>,
    path: PathBuf,
}

/// What is known about the thread from outside.
#[derive(Debug, Default)]
struct State {
    in_trouble: AtomicBool,
    damaged: AtomicBool,
    lost: AtomicU64,
}

impl Archive {
    /// Starts the thread on a file that is open and up to date already.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(path: &Path) -> std::io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE);
        let state = Arc::new(State::default());
        let keeper = Keeper {
            path: path.to_owned(),
            items,
            state: Arc::clone(&state),
            writer: None,
            waiting: Vec::new(),
            meter: HostMeter::default(),
            retention: Retention::default(),
        };
        // As urgent as the thread that records: that one waits while this one writes.
        std::thread::Builder::new().name("history".to_owned()).spawn(move || keeper.run())?;
        Ok(Self { queue, state, path: path.to_owned() })
    }

    /// Hands something over; when the thread is far behind it is lost, and counted.
    pub fn keep(&self, item: Item) {
        self.keep_all(vec![item]);
    }

    /// The same for what belongs together: the thread is woken once.
    pub fn keep_all(&self, items: Vec<Item>) {
        if items.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(items)) = self.queue.try_send(items) {
            self.state.lost.fetch_add(items.len() as u64, Ordering::Relaxed);
        }
    }

    /// Waits until everything that was handed over is written, no longer than `patience`.
    pub fn finish(&self, patience: Duration) {
        let (sender, done) = sync_channel(1);
        self.keep(Item::Flush(sender));
        _ = done.recv_timeout(patience);
    }

    /// Whether the file cannot be written at the moment.
    pub fn is_in_trouble(&self) -> bool {
        self.state.in_trouble.load(Ordering::Relaxed)
    }

    /// Whether the file was found damaged since a new one was begun.
    pub fn is_damaged(&self) -> bool {
        self.state.damaged.load(Ordering::Relaxed)
    }

    /// A new file was begun: what comes goes there.
    pub fn begin_anew(&self) {
        self.state.damaged.store(false, Ordering::Relaxed);
        self.keep(Item::Anew);
    }

    /// How many things were lost.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

struct Keeper {
    path: PathBuf,
    items: Receiver<Vec<Item>>,
    state: Arc<State>,
    writer: Option<Writer>,
    waiting: Vec<Item>,
    meter: HostMeter,
    retention: Retention,
}

impl Keeper {
    fn run(mut self) {
        loop {
            let patience = if self.waiting.is_empty() { Duration::MAX } else { TRY_AGAIN };
            match self.items.recv_timeout(patience.min(Duration::from_hours(1))) {
                Ok(items) => self.gather(items),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.write();
                    return;
                }
            }
            self.write();
        }
    }

    fn gather(&mut self, first: Vec<Item>) {
        let until = Instant::now() + GATHERED_WITHIN;
        first.into_iter().for_each(|item| self.take(item));
        while let Ok(items) =
            self.items.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            items.into_iter().for_each(|item| self.take(item));
        }
        let surplus = surplus(&self.waiting, WAITING);
        self.waiting.drain(..surplus);
        self.state.lost.fetch_add(surplus as u64, Ordering::Relaxed);
    }

    fn take(&mut self, mut item: Item) {
        match &mut item {
            Item::Sample(sample) => self.meter.measure(&self.path, &mut sample.values),
            Item::Retention(retention) => {
                self.retention = *retention;
                if let Some(writer) = &mut self.writer {
                    writer.set_retention(self.retention);
                }
                return;
            }
            Item::Doubt => {
                if damage::is_damaged(&self.path) {
                    self.state.damaged.store(true, Ordering::Relaxed);
                }
                return;
            }
            Item::Anew => {
                self.writer = None;
                return;
            }
            Item::Flush(done) => {
                let done = done.clone();
                self.write();
                // Whoever asked may have gone.
                _ = done.send(());
                return;
            }
            Item::Incident(newer) => {
                // Each is all of it.
                let is_older =
                    |it: &Item| matches!(it, Item::Incident(older) if older.id == newer.id);
                self.waiting.retain(|it| !is_older(it));
            }
            _ => {}
        }
        self.waiting.push(item);
    }

    fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.try_write() {
            Ok(()) => {
                if self.state.in_trouble.swap(false, Ordering::Relaxed) {
                    tracing::info!("the history of metrics and events is written again");
                }
            }
            Err(error) => {
                // Whatever was open may be of a file that is gone.
                self.writer = None;
                if damage::is_damage(&error) {
                    self.state.damaged.store(true, Ordering::Relaxed);
                }
                if !self.state.in_trouble.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the history of metrics and events cannot be written; the latest waits in memory");
                }
            }
        }
    }

    fn try_write(&mut self) -> rusqlite::Result<()> {
        if self.writer.is_none() {
            self.writer = Some(Writer::open(&self.path, self.retention)?);
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write(&mut self.waiting)?;
        writer.tidy()
    }
}

/// How many of the oldest have to go, so that the others take no more than `room` bytes.
fn surplus(waiting: &[Item], room: usize) -> usize {
    let mut taken = 0;
    let kept = waiting.iter().rev().take_while(|item| {
        taken += item.weight();
        taken <= room
    });
    waiting.len() - kept.count()
}

#[cfg(test)]
mod tests {
    use super::super::item::Sample;
    use super::*;

    #[test]
    fn what_waits_is_bounded_by_what_it_takes_and_the_newest_stay() {
        let value = || ("app:api/0".to_owned(), zelador_core::history::Metric::Cpu, 1);
        let sample = |second: u64, values: usize| {
            let at = zelador_core::unit::Moment::from_micros(second * 1_000_000);
            Item::Sample(Sample { at, values: (0..values).map(|_| value()).collect() })
        };
        let one = sample(0, 100).weight();
        assert!(one >= 100 * size_of_val(&value()), "{one}");
        let waiting: Vec<Item> = (0..10).map(|second| sample(second, 100)).collect();
        assert_eq!(surplus(&waiting, 10 * one), 0);
        assert_eq!(surplus(&waiting, 4 * one), 6);
        assert_eq!(surplus(&waiting, one - 1), 10);
        assert_eq!(surplus(&[], 0), 0);
    }
}

//! The files of all streams, each open once, by path.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::tz::TimeZone;

use super::arrival::Arrivals;
use super::backlog::Backlog;
use super::cutting;
use super::exact::{Mark, Move};
use super::keeper::Keeper;
use super::plan::Plan;
use super::sink::{Append, Prepared, Sink};
use super::{Failed, LogEvent, Rotation, rotate};

/// Of so many files that no stream uses any more it is known when their last lines came: whoever asks does so
/// within a second of the end of a run.
const CLOSED_KEPT: usize = 256;

/// All log files in use.
pub struct Files {
    sinks: BTreeMap<PathBuf, Sink>,
    /// When one of them that could not be written is to be tried again; `None`: all could.
    retry_at: Option<Instant>,
    plan: Arc<Plan>,
    keeper: Keeper,
    zone: TimeZone,
    new: Vec<PathBuf>,
    /// When the last bytes of files arrived that no stream uses now, the latest last.
    closed: VecDeque<(PathBuf, Arrivals)>,
    /// What is to be told, in order.
    pub events: Vec<LogEvent>,
}

/// The files of one stream at the beginning of a move.
pub struct Prepare(Vec<Prepared>);

impl Prepare {
    /// What is written and can be cut back.
    pub fn marks(&self) -> Vec<Mark> {
        let mark = |prepared: &Prepared| match prepared {
            Prepared::File(mark) => Some(*mark),
            Prepared::Sick(mark) => *mark,
            Prepared::Special | Prepared::NotKept => None,
        };
        self.0.iter().filter_map(mark).collect()
    }

    /// Whether bytes would have to wait where nobody keeps them yet.
    pub fn is_early(&self) -> bool {
        self.0.contains(&Prepared::NotKept)
    }

    /// Whether there are files and none can be written.
    pub fn all_sick(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|prepared| matches!(prepared, Prepared::Sick(_)))
    }
}

impl Files {
    /// Returns an empty set.
    pub fn new(rotation: Rotation) -> io::Result<Self> {
        Ok(Self {
            sinks: BTreeMap::new(),
            retry_at: None,
            plan: Arc::new(Plan::new(rotation)),
            keeper: Keeper::start()?,
            zone: TimeZone::system(),
            new: Vec::new(),
            closed: VecDeque::new(),
            events: Vec::new(),
        })
    }

    /// Changes when logs are rotated.
    pub fn set_plan(&mut self, rotation: Rotation) {
        self.plan = Arc::new(Plan::new(rotation));
        for path in self.sinks.keys() {
            self.keeper.look(path, &self.plan);
        }
    }

    /// When logs are rotated.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Has the renamed files of a log looked after.
    pub fn look_after(&self, path: &Path) {
        self.keeper.look(path, &self.plan);
    }

    /// Has the renamed files of the logs that were taken on looked after: an engine that was killed
    /// may have left something half done. Not before its moves are put right.
    pub fn look_after_new(&mut self) {
        for path in self.new.drain(..) {
            self.keeper.look(&path, &self.plan);
        }
    }

    /// The zone that dates before lines are shown in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Takes over what waited for files in an engine that is gone. Before anything is written.
    pub fn take_over(&mut self, memories: Vec<(u64, OwnedFd)>) {
        for (number, memory) in memories {
            match Backlog::take_over(memory) {
                Ok(left) if !left.backlog.is_empty() => {
                    let sink = Sink::with_backlog(left, &mut self.events);
                    self.retry_at = soonest(self.retry_at, sink.again_at());
                    self.sinks.insert(sink.path().to_owned(), sink);
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(number, %error, "lines that waited for a log cannot be read");
                }
            }
            self.events.push(LogEvent::Forget { number });
        }
    }

    /// Takes on the files of a stream.
    pub fn take_on(&mut self, paths: &[PathBuf], module: bool) {
        for path in paths {
            if let Some(sink) = self.sinks.get_mut(path) {
                sink.set_module(module);
            } else {
                let known = self.closed.iter().position(|(closed, _)| closed == path);
                let known = known.and_then(|index| self.closed.remove(index));
                let arrivals = known.map(|(_, arrivals)| arrivals).unwrap_or_default();
                let sink = Sink::new(path.clone(), module).with_arrivals(arrivals);
                self.sinks.insert(path.clone(), sink);
                self.new.push(path.clone());
            }
        }
    }

    /// Opens the files of a stream where necessary and looks how long they are.
    pub fn prepare(&mut self, paths: &[PathBuf]) -> Prepare {
        let mut prepared = Vec::with_capacity(paths.len());
        for path in paths {
            let sink = self.sinks.entry(path.clone());
            let sink = sink.or_insert_with(|| Sink::new(path.clone(), false));
            prepared.push(sink.prepare(&mut self.events));
            self.retry_at = soonest(self.retry_at, sink.again_at());
        }
        Prepare(prepared)
    }

    /// Appends to all files that can be written, and puts aside for those that cannot. On failure
    /// none of them has been changed, the one that failed is sick, and the answer is false.
    pub fn append(
        &mut self,
        paths: &[PathBuf],
        prepare: &Prepare,
        how: Append,
        bytes: &[u8],
    ) -> bool {
        // Special files last: what they have been given cannot be taken back.
        for (path, prepared) in paths.iter().zip(&prepare.0) {
            if let (Some(sink), Prepared::File(_)) = (self.sinks.get_mut(path), prepared)
                && let Err(failure) = sink.append(how, bytes)
            {
                sink.fail(&failure.error, &mut self.events);
                self.retry_at = soonest(self.retry_at, sink.again_at());
                self.cut_back(paths, prepare);
                return false;
            }
        }
        for (path, prepared) in paths.iter().zip(&prepare.0) {
            let Some(sink) = self.sinks.get_mut(path) else { continue };
            match prepared {
                Prepared::File(_) => sink.succeed(&mut self.events),
                Prepared::Special => sink.pour_or_put_aside(how, bytes, &mut self.events),
                Prepared::Sick(_) | Prepared::NotKept => sink.put_aside(bytes, how.json),
            }
            self.retry_at = soonest(self.retry_at, sink.again_at());
        }
        true
    }

    fn cut_back(&mut self, paths: &[PathBuf], prepare: &Prepare) {
        for (path, prepared) in paths.iter().zip(&prepare.0) {
            if let Some(sink) = self.sinks.get_mut(path) {
                sink.cut_back(*prepared);
            }
        }
    }

    /// Takes back what a killed engine had appended.
    pub fn undo(&mut self, open: &Move, paths: &[PathBuf]) {
        for mark in &open.marks {
            if self.sinks.values_mut().any(|sink| sink.cut_back_waiting(*mark)) {
                continue;
            }
            if self.sinks.values().any(|sink| sink.touched(mark.file)) {
                tracing::warn!("file written to meanwhile: a few log lines may be doubled");
                continue;
            }
            match cutting::cut_back_found(*mark, paths) {
                Ok(true) => {}
                Ok(false) => tracing::info!("log file of an unfinished move is gone"),
                Err(error) => tracing::warn!(%error, "log file of an unfinished move not cut back"),
            }
        }
    }

    /// Renames the files among `paths` that have become too large, or whose time has come.
    pub fn rotate(&mut self, paths: &[PathBuf]) {
        for path in paths {
            if let Some(sink) = self.sinks.get_mut(path)
                && sink.is_ripe(&self.plan.rotation)
                && sink.rotate(&self.plan)
            {
                self.keeper.look(path, &self.plan);
            }
        }
    }

    /// Renames these files and those in use, except empty ones, whatever their size; one that
    /// stands in the middle of a line follows with the end of that line.
    pub fn rotate_all(&mut self, paths: &[PathBuf]) {
        let open: Vec<PathBuf> = self.sinks.keys().cloned().collect();
        for path in &open {
            if let Some(sink) = self.sinks.get_mut(path).filter(|sink| sink.is_open()) {
                sink.make_due();
            }
        }
        self.rotate(&open);
        for path in paths.iter().chain(&open) {
            if self.sinks.get(path).is_some_and(|sink| sink.is_open() || sink.is_sick()) {
                continue;
            }
            match rotate::rename_closed(path, &self.plan) {
                Ok(true) => self.keeper.look(path, &self.plan),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "log file not rotated");
                }
            }
        }
    }

    /// Empties files, open or not; returns those that could not be, and why.
    pub fn empty(&mut self, paths: &[PathBuf]) -> Failed {
        let mut failed = Failed::new();
        for path in paths {
            let emptied = match self.sinks.get_mut(path) {
                Some(sink) => sink.empty(),
                None => cutting::empty(path),
            };
            if let Err(error) = emptied {
                failed.push((path.clone(), error.to_string()));
            }
        }
        failed
    }

    /// When the last bytes of a file arrived; `None`: this engine has written none.
    pub fn arrivals(&self, path: &Path) -> Option<Arrivals> {
        let closed = || self.closed.iter().find(|(closed, _)| closed == path);
        let open = self.sinks.get(path).map(Sink::arrivals);
        open.or_else(|| closed().map(|(_, arrivals)| arrivals)).cloned()
    }

    /// Closes every file; it is opened anew when it is needed.
    pub fn reopen(&mut self) {
        self.sinks.values_mut().for_each(Sink::close);
    }

    /// Takes what is to be told.
    pub fn take_events(&mut self) -> Vec<LogEvent> {
        std::mem::take(&mut self.events)
    }

    /// When [`Self::retry`] is due; `None`: no file was sick when it was last looked.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether a file cannot be written at present, or could not when it was last looked.
    pub fn any_sick(&self) -> bool {
        self.retry_at.is_some()
    }

    /// Tries the sick files again whose time has come.
    pub fn retry(&mut self, now: Instant) {
        for sink in self.sinks.values_mut() {
            if sink.again_at().is_some_and(|at| at <= now) {
                sink.retry(&mut self.events);
            }
        }
        self.look_who_is_sick();
    }

    /// Tries all sick files again.
    pub fn retry_all(&mut self) {
        self.sinks.values_mut().for_each(|sink| sink.retry(&mut self.events));
    }

    fn look_who_is_sick(&mut self) {
        self.retry_at = self.sinks.values().filter_map(Sink::again_at).min();
    }

    /// Closes the files that no stream uses and that nothing waits for.
    pub fn close_unused(&mut self, used: &BTreeSet<&Path>) {
        let closed = self
            .sinks
            .extract_if(.., |path, sink| !used.contains(path.as_path()) && !sink.has_backlog());
        for (path, mut sink) in closed {
            sink.give_up_backlog(&mut self.events);
            self.closed.push_back((path, sink.into_arrivals()));
        }
        let surplus = self.closed.len().saturating_sub(CLOSED_KEPT);
        self.closed.drain(..surplus);
        self.look_who_is_sick();
    }
}

/// The sooner of two times, where there are any.
fn soonest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

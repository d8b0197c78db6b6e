//! The files of all streams, each open once, by path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::exact::{Mark, Move};
use super::sink::{self, Prepared, Sink, Token};
use super::{Failed, LogEvent, Rotation};

/// All log files in use.
pub struct Files {
    sinks: BTreeMap<PathBuf, Sink>,
    rotation: Rotation,
    zone: TimeZone,
    /// What is to be told, in order.
    pub events: Vec<LogEvent>,
}

/// The files of one stream at the beginning of a move.
pub struct Prepare(Vec<Prepared>);

impl Prepare {
    /// The files that are written and can be cut back.
    pub fn marks(&self) -> Vec<Mark> {
        let mark = |prepared: &Prepared| match prepared {
            Prepared::File(mark) => Some(*mark),
            Prepared::Special | Prepared::Sick => None,
        };
        self.0.iter().filter_map(mark).collect()
    }

    /// Whether there are files and none can be written.
    pub fn all_sick(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|prepared| *prepared == Prepared::Sick)
    }
}

impl Files {
    /// Returns an empty set.
    pub fn new(rotation: Rotation) -> Self {
        let zone = TimeZone::system();
        Self { sinks: BTreeMap::new(), rotation, zone, events: Vec::new() }
    }

    /// Changes when logs are rotated.
    pub fn set_rotation(&mut self, rotation: Rotation) {
        self.rotation = rotation;
    }

    /// When logs are rotated.
    pub fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// The zone that dates are shown in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The present, in that zone.
    pub fn now(&self) -> Zoned {
        Timestamp::now().to_zoned(self.zone.clone())
    }

    /// Opens the files of a stream where necessary and looks how long they are.
    pub fn prepare(&mut self, paths: &[PathBuf]) -> Prepare {
        let mut prepared = Vec::with_capacity(paths.len());
        for path in paths {
            let sink = self.sinks.entry(path.clone()).or_insert_with(|| Sink::new(path.clone()));
            prepared.push(sink.prepare(&mut self.events));
        }
        Prepare(prepared)
    }

    /// Appends to all files that can be written, and puts aside for those that cannot. On failure
    /// none of them has been changed, the one that failed is sick, and the answer is false.
    pub fn append(
        &mut self,
        paths: &[PathBuf],
        prepare: &Prepare,
        token: Token,
        inside: bool,
        bytes: &[u8],
    ) -> bool {
        for (index, (path, prepared)) in paths.iter().zip(&prepare.0).enumerate() {
            let Some(sink) = self.sinks.get_mut(path) else { continue };
            if *prepared == Prepared::Sick {
                continue;
            }
            if let Err(error) = sink.append(token, inside, bytes) {
                sink.fail(error, &mut self.events);
                self.cut_back(&paths[..=index], prepare);
                return false;
            }
        }
        for (path, prepared) in paths.iter().zip(&prepare.0) {
            match (self.sinks.get_mut(path), prepared) {
                (Some(sink), Prepared::Sick) => sink.put_aside(bytes),
                (Some(sink), _) => sink.succeed(&mut self.events),
                (None, _) => {}
            }
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
            if self.sinks.values().any(|sink| sink.touched(mark.file)) {
                tracing::warn!("file written to meanwhile: a few log lines may be doubled");
                continue;
            }
            match sink::cut_back_found(*mark, paths) {
                Ok(true) => {}
                Ok(false) => tracing::info!("log file of an unfinished move is gone"),
                Err(error) => tracing::warn!(%error, "log file of an unfinished move not cut back"),
            }
        }
    }

    /// Renames the files among `paths` that have become too large.
    pub fn rotate(&mut self, paths: &[PathBuf]) {
        for path in paths {
            if let Some(sink) = self.sinks.get_mut(path)
                && sink.is_large(self.rotation)
            {
                sink.rotate(self.rotation, &Timestamp::now().to_zoned(self.zone.clone()));
            }
        }
    }

    /// Empties files, open or not; returns those that could not be, and why.
    pub fn empty(&mut self, paths: &[PathBuf]) -> Failed {
        let mut failed = Failed::new();
        for path in paths {
            let emptied = match self.sinks.get_mut(path) {
                Some(sink) => sink.empty(),
                None => sink::empty(path),
            };
            if let Err(error) = emptied {
                failed.push((path.clone(), error.to_string()));
            }
        }
        failed
    }

    /// Closes every file; it is opened anew when it is needed.
    pub fn reopen(&mut self) {
        self.sinks.values_mut().for_each(Sink::close);
    }

    /// Whether a file cannot be written at present.
    pub fn any_sick(&self) -> bool {
        self.sinks.values().any(Sink::is_sick)
    }

    /// Tries the sick files again.
    pub fn retry(&mut self) {
        for sink in self.sinks.values_mut() {
            sink.retry(&mut self.events);
        }
    }

    /// Closes the files that no stream uses and that nothing waits for.
    pub fn close_unused(&mut self, used: &BTreeSet<&Path>) {
        self.sinks.retain(|path, sink| used.contains(path.as_path()) || sink.has_backlog());
    }
}

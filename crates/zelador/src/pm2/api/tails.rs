//! The lines of apps' logs, for PM2's bus: a thread that reads the files as they grow.
//!
//! Always holds: a line that stood in a file before somebody listened is not told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use zelador_api::AppView;
use zelador_api::home::Home;

use super::bus::{Frames, frame_of, now};
use crate::tail::Tail;

/// From one look at the files to the next.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Whose lines a file has, and what they are called on the bus.
#[derive(Clone, Debug)]
pub struct Source {
    topic: &'static str,
    process: Value,
    path: PathBuf,
}

impl Source {
    /// The files of these apps and zelador's own log. Instances that write to one file are told as the first
    /// of them.
    pub fn of(apps: &[AppView], home: &Home) -> Vec<Self> {
        let of_app = |app: &AppView| {
            let instance = &app.instance;
            let process = json!({
                "pm_id": instance.id, "name": instance.app, "rev": null, "namespace": instance.namespace,
            });
            let files = [("log:out", &app.out_log), ("log:err", &app.err_log)];
            files.map(|(topic, path)| {
                Some(Self { topic, process: process.clone(), path: path.clone()? })
            })
        };
        let process = json!({ "pm_id": "PM2", "name": "PM2", "rev": null });
        let own = Self { topic: "log:PM2", process, path: home.own_log() };
        apps.iter().flat_map(of_app).flatten().chain([own]).collect()
    }
}

/// Reads the files that it is told of, until nobody tells it any more.
pub fn run(told: &Receiver<Vec<Source>>, home: &Home, frames: &Frames) {
    let begun = SystemTime::now();
    let known = lengths(&home.logs());
    let mut tails: BTreeMap<PathBuf, (Source, Tail)> = BTreeMap::new();
    loop {
        match told.recv_timeout(LOOK_EVERY) {
            Ok(sources) => {
                for source in sources {
                    // The file of an app that is gone goes on being read: there may be more in it.
                    tails.entry(source.path.clone()).or_insert_with(|| {
                        let tail = tail(&source.path, &known, begun);
                        (source, tail)
                    });
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for (source, tail) in tails.values_mut() {
            let Source { topic, process, .. } = source;
            // A file that cannot be read now may be readable at the next look.
            _ = tail.poll(&mut |line: &[u8]| {
                let mut data = String::from_utf8_lossy(line).into_owned();
                data.push('\n');
                // Nobody may listen any more.
                let said = json!({ "process": process, "data": data, "at": now() });
                _ = frames.send(frame_of(topic, said));
                Ok(())
            });
        }
    }
}

/// How long the files of a folder are.
fn lengths(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|it| Some((it.path(), it.metadata().ok()?.len()))).collect()
}

/// Begins after what stood in a file when somebody began to listen.
fn tail(path: &Path, known: &BTreeMap<PathBuf, u64>, begun: SystemTime) -> Tail {
    let found = fs::metadata(path);
    let is_new = found.as_ref().is_ok_and(|it| it.created().is_ok_and(|created| created >= begun));
    let length = match known.get(path) {
        Some(length) => *length,
        None if is_new => 0,
        None => found.map_or(0, |it| it.len()),
    };
    // One that cannot be opened is tried again at the first look.
    Tail::after(path, length).unwrap_or_else(|_| Tail::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_while_somebody_listens_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let [old, other, new] =
            ["old.log", "other.log", "new.log"].map(|it| folder.path().join(it));
        fs::write(&old, "before\n").unwrap();
        let known = lengths(folder.path());
        fs::write(&other, "of another folder\n").unwrap();
        let written = fs::metadata(&other).unwrap().created().unwrap();
        let begun = written + Duration::from_nanos(1);
        let read = |path: &Path| {
            let mut lines = Vec::new();
            let mut tail = tail(path, &known, begun);
            let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
            std::io::Write::write_all(&mut file, b"after\n").unwrap();
            let mut sink = |line: &[u8]| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            };
            tail.poll(&mut sink).unwrap();
            lines
        };
        assert_eq!(read(&old), ["after"]);
        assert_eq!(read(&other), ["after"]);
        assert_eq!(read(&new), ["after"], "it is not there yet");
    }
}

//! The files that tell the main processes, for scripts and monitors: written when a process is up,
//! removed when it is gone.
//!
//! A thread of its own does it, in order, so that a dead file system under one of them keeps
//! nobody waiting. A file that cannot be written is told in the log and costs its app nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// All pid files.
pub struct PidFiles {
    sender: Option<Sender<Change>>,
}

enum Change {
    Write(PathBuf, i32),
    Remove(PathBuf),
    /// Everything before is done.
    Reached(Sender<()>),
}

impl PidFiles {
    /// Starts the thread. Without one there are no pid files, and nothing else is amiss.
    pub fn start() -> Self {
        let (sender, changes) = mpsc::channel();
        let work = move || {
            crate::give_way();
            for change in changes {
                match change {
                    Change::Write(path, pid) => told(&path, write(&path, pid)),
                    Change::Remove(path) => told(&path, remove(&path)),
                    Change::Reached(reached) => _ = reached.send(()),
                }
            }
        };
        match thread::Builder::new().name("pid-files".to_owned()).spawn(work) {
            Ok(_) => Self { sender: Some(sender) },
            Err(error) => {
                tracing::error!(%error, "no thread for pid files");
                Self { sender: None }
            }
        }
    }

    /// Has a file written.
    pub fn write(&self, path: PathBuf, pid: i32) {
        self.tell(Change::Write(path, pid));
    }

    /// Has a file removed.
    pub fn remove(&self, path: PathBuf) {
        self.tell(Change::Remove(path));
    }

    /// Waits until everything that was asked for is done, for a limited time.
    pub fn finish(&self, limit: Duration) {
        let (sender, reached) = mpsc::channel();
        self.tell(Change::Reached(sender));
        if reached.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("pid files are left behind: their file system does not answer");
        }
    }

    fn tell(&self, change: Change) {
        // A thread that has ended takes nothing more; nobody is kept waiting for it.
        _ = self.sender.as_ref().map(|sender| sender.send(change));
    }
}

fn told(path: &Path, done: io::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(path = %path.display(), %error, "pid file not kept");
    }
}

fn write(path: &Path, pid: i32) -> io::Result<()> {
    let line = pid.to_string();
    match fs::write(path, &line) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            fs::write(path, &line)
        }
        other => other,
    }
}

/// Only a plain file is removed: a path like `/dev/null` stays.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => fs::remove_file(path),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_and_removed_in_order_and_devices_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, gone) = (folder.path().join("a/b/kept.pid"), folder.path().join("gone.pid"));
        let pids = PidFiles::start();
        pids.write(kept.clone(), 1);
        pids.remove(kept.clone());
        pids.write(kept.clone(), 42);
        pids.write(gone.clone(), 7);
        pids.remove(gone.clone());
        pids.remove(gone.clone());
        pids.remove(PathBuf::from("/dev/null"));
        pids.finish(Duration::from_secs(10));
        assert_eq!(fs::read_to_string(&kept).unwrap(), "42");
        assert!(!gone.exists() && Path::new("/dev/null").exists());
    }
}

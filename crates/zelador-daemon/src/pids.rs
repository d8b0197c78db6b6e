//! The files that tell the main processes, for scripts and monitors: written when a process is up,
//! removed when it is gone.
//!
//! A thread of its own does it, in order, so that a dead file system under one of them keeps
//! nobody waiting. A file that cannot be written is told in the log and costs its app nothing.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use zelador_api::spot::{self, Spot};

/// Everybody may read which process it is.
const MODE: Mode = Mode::from_raw_mode(0o644);

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

/// Written in its place: its folder may be one in which zelador can make nothing.
fn write(path: &Path, pid: i32) -> io::Result<()> {
    let mut file = Spot::make(path)?.open(OFlags::WRONLY | OFlags::CREATE, MODE)?;
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(pid.to_string().as_bytes())
}

/// Only a plain file is removed: a path like `/dev/null` stays.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => spot::remove(path),
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
    /// In a folder that anybody may write.
    #[test]
    fn neither_a_link_nor_a_named_pipe_leads_astray_or_keeps_waiting() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
        let (target, missing) = (folder.path().join("target"), folder.path().join("missing"));
        fs::write(&target, "secret").unwrap();
        symlink(&target, shared.join("a.pid")).unwrap();
        symlink(&missing, shared.join("b.pid")).unwrap();
        mkfifoat(CWD, shared.join("c.pid"), Mode::from_raw_mode(0o666)).unwrap();
        fs::hard_link(&target, shared.join("d.pid")).unwrap();
        let pids = PidFiles::start();
        for name in ["a.pid", "b.pid", "c.pid", "d.pid", "e.pid"] {
            pids.write(shared.join(name), 42);
        }
        pids.finish(Duration::from_secs(10));
        assert_eq!(fs::read_to_string(shared.join("e.pid")).unwrap(), "42");
        assert_eq!(fs::read_to_string(&target).unwrap(), "secret");
        assert!(!missing.exists());
    }
}

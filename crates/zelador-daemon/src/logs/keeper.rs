//! What becomes of renamed logs: the oldest go, the others are compressed where that is asked for.
//!
//! A thread of its own does it, so that neither a large folder nor a slow disk holds up a line.
//! Always holds: only a log's own files are touched (see [`super::names`]); a compressed log takes
//! its name whole or not at all, and the plain one goes after it. Whoever finds both, or the part
//! of a compression that was killed, knows which is to go.

use std::collections::BTreeMap;
use std::fs::{File, FileTimes};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;
use zelador_api::spot::Spot;
use zelador_core::spec::Keep;
use zelador_core::unit::ByteSize;

use super::crash_point;
use super::names::{COMPRESSED, PART, Rotated};
use super::plan::Plan;

/// Read and compressed at a time, in bytes.
const BLOCK: usize = 64 << 10;

/// A log whose renamed files are to be looked at.
type Job = (PathBuf, Arc<Plan>);

/// The thread, as others see it. Dropped, it ends after what it is doing; a compression is given up.
pub struct Keeper {
    jobs: Option<mpsc::Sender<Job>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("old logs".to_owned()).spawn(move || {
            crate::give_way();
            run(&inbox, &told);
        })?;
        Ok(Self { jobs: Some(jobs), ending, thread: Some(thread) })
    }

    /// Has the renamed files of the log at `path` looked at. Never waits.
    pub fn look(&self, path: &Path, plan: &Arc<Plan>) {
        let jobs = self.jobs.as_ref();
        if jobs.is_some_and(|jobs| jobs.send((path.to_owned(), Arc::clone(plan))).is_err()) {
            tracing::error!(path = %path.display(), "old logs are not looked after any more");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        self.jobs = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the old logs panicked");
        }
    }
}

fn run(inbox: &mpsc::Receiver<Job>, ending: &AtomicBool) {
    while let Ok((path, plan)) = inbox.recv() {
        // Of many jobs for one log the last one counts.
        let mut waiting = BTreeMap::from([(path, plan)]);
        waiting.extend(inbox.try_iter());
        for (path, plan) in waiting {
            let _log = tracing::info_span!("old_logs", log = %path.display()).entered();
            match Spot::find(&path) {
                Ok(spot) if spot.has_name() => look_after(&spot.path(), &plan, ending),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!(%error, "old logs not looked after");
                }
                _ => {}
            }
        }
    }
}

/// Deletes what is too much, and compresses the rest one by one.
fn look_after(path: &Path, plan: &Plan, ending: &AtomicBool) {
    for part in plan.names.own(path).parts {
        remove(&part);
    }
    loop {
        let mut kept = prune(path, plan);
        for rotated in &mut kept {
            // The compressed one is whole: it has its name.
            if rotated.compressed.is_some()
                && let Some(plain) = rotated.plain.take()
            {
                remove(&plain);
            }
        }
        if !plan.rotation.compress || ending.load(Ordering::Relaxed) {
            return;
        }
        let Some(plain) = kept.into_iter().find_map(|rotated| rotated.plain) else { return };
        match compress(&plain, ending) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(name = ?plain.file_name(), %error, "old log not compressed");
                return;
            }
        }
    }
}

/// Deletes the oldest beyond what may be kept; returns those that stay.
pub fn prune(path: &Path, plan: &Plan) -> Vec<Rotated> {
    let rotated = plan.names.own(path).rotated;
    let beyond =
        beyond(&rotated, plan.rotation.keep, plan.rotation.max_total_size.map(ByteSize::bytes));
    let mut kept = rotated;
    for old in kept.drain(..beyond) {
        old.files().for_each(|file| remove(file));
    }
    kept
}

/// How many of these, oldest first, are too many or too large all together.
fn beyond(rotated: &[Rotated], keep: Keep, most_bytes: Option<u64>) -> usize {
    let mut bytes: u64 = 0;
    let fitting = rotated.iter().rev().take_while(|rotated| {
        bytes = bytes.saturating_add(rotated.bytes);
        most_bytes.is_none_or(|most| bytes <= most)
    });
    let fitting = fitting.count();
    let kept = match keep {
        Keep::All => fitting,
        Keep::Newest(count) => fitting.min(count as usize),
    };
    rotated.len() - kept
}

fn remove(file: &Path) {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(name = ?file.file_name(), %error, "old log file not deleted");
        }
        _ => {}
    }
}

/// Compresses a file and deletes it; returns false if that was given up.
fn compress(plain: &Path, ending: &AtomicBool) -> io::Result<bool> {
    let (part, whole) = (with_end(plain, PART), with_end(plain, COMPRESSED));
    let done = write_compressed(plain, &part, ending);
    if !matches!(done, Ok(true)) {
        remove(&part);
        return done;
    }
    crash_point("compressed");
    match rustix::fs::renameat_with(CWD, &part, CWD, &whole, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) if !whole.try_exists()? => std::fs::rename(&part, &whole)?,
        Err(error) => {
            remove(&part);
            return Err(error.into());
        }
        Ok(()) => {}
    }
    crash_point("named");
    std::fs::remove_file(plain)?;
    Ok(true)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Writes what is in `plain`, compressed, with its times, owner and mode, and waits for the disk.
fn write_compressed(plain: &Path, part: &Path, ending: &AtomicBool) -> io::Result<bool> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let mut from = File::options().read(true).custom_flags(flags).open(plain)?;
    let known = from.metadata()?;
    if !known.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mode = known.mode() & 0o777;
    let to = File::options().write(true).create_new(true).mode(mode).open(part)?;
    // Only root may give files away; whoever is not root owns both.
    _ = std::os::unix::fs::fchown(&to, Some(known.uid()), Some(known.gid()));
    let mut encoder = GzEncoder::new(to, Compression::default());
    let mut block = vec![0; BLOCK];
    loop {
        if ending.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match from.read(&mut block) {
            Ok(0) => break,
            Ok(read) => io::Write::write_all(&mut encoder, &block[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        crash_point("compressing");
    }
    let to = encoder.finish()?;
    if let (Ok(accessed), Ok(modified)) = (known.accessed(), known.modified()) {
        to.set_times(FileTimes::new().set_accessed(accessed).set_modified(modified))?;
    }
    to.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::names::Names;
    use super::*;

    #[test]
    fn the_oldest_go_by_number_and_by_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.log");
        for (day, bytes) in [(1, 100), (2, 50), (3, 30), (4, 20)] {
            let name = format!("api__2026-01-0{day}_00-00-00.log");
            std::fs::write(folder.path().join(name), vec![b'x'; bytes]).unwrap();
        }
        let all = Names::new("YYYY-MM-DD_HH-mm-ss").own(&path).rotated;
        for (keep, most, wanted) in [
            (Keep::All, None, 0),
            (Keep::Newest(3), None, 1),
            (Keep::Newest(0), None, 4),
            (Keep::Newest(9), Some(100), 1),
            (Keep::All, Some(99), 2),
            (Keep::All, Some(19), 4),
            (Keep::Newest(1), Some(1000), 3),
        ] {
            assert_eq!(beyond(&all, keep, most), wanted, "{keep} {most:?}");
        }
    }
}

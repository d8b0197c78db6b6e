//! The write-ahead log of the history: what it holds is moved into the file, and it stays small.
//!
//! A checkpoint that waits for nobody leaves what is written meanwhile, and the log begins anew only when
//! nothing is left: while somebody writes all the time it never does. Always holds: a log that has become
//! large is emptied at the next checkpoint, if no reader has kept its view of it for longer than
//! [`READERS_WITHIN`].

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// From this length on it has to begin anew, whatever the history may have: what a busy minute writes,
/// and a thirtieth of what it may have by default.
const LARGE: u64 = 16 << 20;

/// The part of a history that may be so large (in bytes) that is left to its log.
pub fn share(size: u64) -> u64 {
    (size / 4).min(LARGE)
}

/// So long readers are waited for. Whoever writes waits as well, and may no longer: see `PATIENCE` beside
/// the writer.
const READERS_WITHIN: Duration = Duration::from_millis(20);

/// Moves what the write-ahead log holds into the file; the history may take `size` bytes. Waits for the
/// disk: for a thread of its own.
pub fn checkpoint(path: &Path, size: u64) {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let done = Connection::open_with_flags(path, flags).and_then(|connection| {
        let checkpoint =
            |mode| connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
        checkpoint("PASSIVE")?;
        if is_large(path, size) {
            // Little is left to be moved while nobody may write.
            connection.busy_timeout(READERS_WITHIN)?;
            checkpoint("TRUNCATE")?;
        }
        Ok(())
    });
    if let Err(error) = done {
        tracing::debug!(%error, "checkpoint of the history failed");
    }
}

/// Whether the log has become so long that its checkpoint should not wait for its time.
pub fn is_large(path: &Path, size: u64) -> bool {
    std::fs::metadata(log(path)).is_ok_and(|log| log.len() > share(size))
}

/// Has the disk hold what was written until now. Waits for it: for a thread of its own.
///
/// # Errors
/// The disk does not.
pub fn sync(path: &Path) -> io::Result<()> {
    match File::open(log(path)) {
        Ok(log) => log.sync_data(),
        // All of it is in the file, which was synced when that was done.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn log(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use zelador_core::record::{Counters, Record};
    use zelador_core::unit::Moment;

    use super::super::History;
    use super::*;

    /// The last of so many records.
    const LAST: u64 = 24_000;

    /// More than its log alone may have.
    const SIZE: u64 = 512 << 20;

    #[test]
    fn the_log_of_a_history_that_is_written_without_a_pause_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let (mut history, ..) = History::open(&path, Moment::default()).unwrap();
        let done = AtomicBool::new(false);
        let longest = std::thread::scope(|scope| {
            scope.spawn(|| {
                // Each is some pages of the log: six times what it may have, all together.
                for run in 0..=LAST {
                    let counters = Counters { run, ..Counters::default() };
                    history.keep(&[Record::Counters(counters)], Moment::default());
                }
                done.store(true, Ordering::Relaxed);
            });
            let log = folder.path().join("history.db-wal");
            let length = || std::fs::metadata(&log).map_or(0, |log| log.len());
            let mut longest = 0;
            while !done.load(Ordering::Relaxed) {
                longest = longest.max(length());
                if is_large(&path, SIZE) {
                    checkpoint(&path, SIZE);
                }
                std::thread::yield_now();
            }
            longest
        });
        assert!(longest > LARGE, "it was written: {longest}");
        // Whoever empties it does not always get its turn at once.
        assert!(longest < 4 * LARGE, "{longest}");
        // What found the file locked was kept, and goes in with the next.
        history.keep(&[], Moment::default());
        assert!(!history.is_behind());
        drop(history);
        let (_, records, _) = History::open(&path, Moment::default()).unwrap();
        let last = Counters { run: LAST, ..Counters::default() };
        assert_eq!(records, [Record::Counters(last)], "nothing is lost by it");
    }
}

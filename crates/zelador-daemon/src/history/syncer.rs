//! Has the disk hold the history for those who wait for it, on a thread of its own.
//!
//! Always holds: who asks is answered by a sync that began after he asked, and however many ask, a disk that
//! hangs keeps this one thread.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::oneshot;

/// Who waits for a sync: told whether it was done, or why not.
type Asked = oneshot::Sender<Result<(), String>>;

/// Where a sync is asked for; the thread ends with it.
pub struct Syncer {
    asked: mpsc::Sender<Asked>,
    is_busy: Arc<AtomicBool>,
}

impl Syncer {
    /// Begins the thread; `sync` waits for the disk.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(sync: impl Fn() -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (asked, asks) = mpsc::channel::<Asked>();
        let is_busy = Arc::new(AtomicBool::new(false));
        let busy = Arc::clone(&is_busy);
        thread::Builder::new().name("sync".to_owned()).spawn(move || {
            while let Ok(first) = asks.recv() {
                // One answers all who have asked by now.
                let all: Vec<Asked> = [first].into_iter().chain(asks.try_iter()).collect();
                busy.store(true, Ordering::Relaxed);
                let done = sync().map_err(|error| error.to_string());
                busy.store(false, Ordering::Relaxed);
                for one in all {
                    // Who has waited long enough is gone.
                    _ = one.send(done.clone());
                }
            }
        })?;
        Ok(Self { asked, is_busy })
    }

    /// Asks for a sync; the answer comes when it is done.
    pub fn sync(&self) -> oneshot::Receiver<Result<(), String>> {
        let (asked, answer) = oneshot::channel();
        // Without the thread nobody answers, which the receiver says.
        _ = self.asked.send(asked);
        answer
    }

    /// Whether the thread waits for the disk, where no signal may end it.
    pub fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn one_sync_answers_all_who_asked_before_it_began() {
        let (begun, begins) = mpsc::channel();
        let (may_end, ends) = mpsc::channel();
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let syncer = Syncer::start(move || {
            begun.send(()).unwrap();
            ends.recv().unwrap();
            match counted.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(()),
                _ => Err(io::Error::from(io::ErrorKind::StorageFull)),
            }
        })
        .unwrap();
        let first = syncer.sync();
        begins.recv().unwrap();
        assert!(syncer.is_busy());
        let later: Vec<_> = (0..100).map(|_| syncer.sync()).collect();
        may_end.send(()).unwrap();
        assert_eq!(first.blocking_recv(), Ok(Ok(())));
        begins.recv().unwrap();
        may_end.send(()).unwrap();
        for one in later {
            assert!(one.blocking_recv().unwrap().is_err(), "not by the one that was under way");
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}

//! Closing what services handed in, on threads that nobody waits for.
//!
//! The last `close` of a file on a dead network disk, or of a connection that lingers, may take for ever. Always
//! holds: whoever hands a descriptor in goes on at once; what comes from one source waits for nothing of another;
//! what cannot wait is closed at once, so that nothing gathers behind what is slow but what may be slow itself.

use std::mem;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::Notify;
use zelador_guardian::may_wait;

/// So many descriptors of a source may wait to be closed before it has to wait itself.
const MOST: usize = 256;

/// Where descriptors of one source are handed in.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    source: Arc<Source>,
    /// How many of all sources were handed in and are not closed yet.
    all: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Source {
    handed_in: Mutex<HandedIn>,
    /// Told when one of them is closed.
    closed: Notify,
}

#[derive(Debug, Default)]
struct HandedIn {
    waiting: Vec<OwnedFd>,
    /// Those, and those that the thread has.
    open: usize,
    /// Whether there is a thread that closes them; it ends with the last.
    has_thread: bool,
}

impl Aside {
    /// The same for another source.
    pub fn of_another(&self) -> Self {
        Self { source: Arc::default(), all: Arc::clone(&self.all) }
    }

    /// Closes them some time.
    pub fn close(&self, descriptors: Vec<OwnedFd>) {
        let slow: Vec<OwnedFd> = descriptors.into_iter().filter(may_wait).collect();
        if slow.is_empty() {
            return;
        }
        self.all.fetch_add(slow.len(), Ordering::Relaxed);
        let has_thread = {
            let mut handed_in = self.source.lock();
            handed_in.open += slow.len();
            handed_in.waiting.extend(slow);
            mem::replace(&mut handed_in.has_thread, true)
        };
        if has_thread {
            return;
        }
        let aside = self.clone();
        let begun = thread::Builder::new().name("aside".to_owned()).spawn(move || {
            crate::give_way();
            aside.close_all();
        });
        if let Err(error) = begun {
            tracing::warn!(%error, "what services hand in is closed by whoever has it");
            self.close_all();
        }
    }

    fn close_all(&self) {
        loop {
            let waiting = {
                let mut handed_in = self.source.lock();
                handed_in.has_thread = !handed_in.waiting.is_empty();
                mem::take(&mut handed_in.waiting)
            };
            if waiting.is_empty() {
                return;
            }
            for one in waiting {
                drop(one);
                self.all.fetch_sub(1, Ordering::Relaxed);
                self.source.lock().open -= 1;
                self.source.closed.notify_waiters();
            }
        }
    }

    /// Returns as soon as this source may hand in more.
    pub async fn room(&self) {
        loop {
            let closed = self.source.closed.notified();
            if self.source.lock().open < MOST {
                return;
            }
            closed.await;
        }
    }

    /// Whether a thread has something to close, and perhaps waits for that where no signal ends it.
    pub fn is_busy(&self) -> bool {
        self.all.load(Ordering::Relaxed) > 0
    }
}

impl Source {
    fn lock(&self) -> MutexGuard<'_, HandedIn> {
        self.handed_in.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use rustix::net::sockopt;
    use tokio::time;

    use super::*;

    /// How long anything may take that takes microseconds on an idle machine.
    const LIMIT: Duration = Duration::from_secs(20);

    /// A connection that takes minutes to close, as long as the listener is there.
    fn lingering(listener: &TcpListener) -> OwnedFd {
        let slow = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sockopt::set_socket_linger(&slow, Some(Duration::from_mins(10))).unwrap();
        slow.set_nonblocking(true).unwrap();
        while (&slow).write(&[0; 4096]).is_ok() {}
        slow.set_nonblocking(false).unwrap();
        slow.into()
    }

    /// Something that may be slow to close, and is not; and what sees that it is closed.
    fn quick() -> (OwnedFd, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.send(b"descriptors, perhaps").unwrap();
        ours.set_nonblocking(true).unwrap();
        (theirs.into(), ours)
    }

    #[tokio::test]
    async fn what_is_slow_holds_up_its_own_source_alone_and_that_within_bounds() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let slow = Aside::default();
        let other = slow.of_another();
        slow.close(vec![lingering(&listener)]);
        slow.room().await;

        let (one, sees) = quick();
        other.close(vec![one]);
        time::timeout(LIMIT, async {
            while sees.send(b"").is_ok() {
                time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("it waits for nothing of another source");

        let (pipe, _end) = rustix::pipe::pipe().unwrap();
        slow.close((0..MOST).map(|_| pipe.try_clone().unwrap()).collect());
        slow.room().await;
        slow.close((0..MOST).map(|_| quick().0).collect());
        assert!(time::timeout(Duration::from_millis(50), slow.room()).await.is_err());
        other.room().await;
        assert!(other.is_busy(), "it answers for all sources");

        // Reset: there is nobody any more for whom to linger.
        drop(listener);
        time::timeout(LIMIT, slow.room()).await.expect("it may go on");
    }
}

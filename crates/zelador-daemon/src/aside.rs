//! Closing what services handed in, on a thread that nobody waits for.
//!
//! The last `close` of a file on a dead network disk, or of a connection that lingers, may take for ever. Always
//! holds: whoever hands a descriptor in goes on at once.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// Where descriptors are handed in; the thread ends with the last of these.
#[derive(Clone, Debug)]
pub struct Aside {
    closed: mpsc::Sender<Vec<OwnedFd>>,
    /// How many were handed in and are not closed yet.
    open: Arc<AtomicUsize>,
}

impl Aside {
    /// Begins the thread.
    pub fn new() -> Self {
        let (closed, handed_in) = mpsc::channel::<Vec<OwnedFd>>();
        let open = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&open);
        let begun = thread::Builder::new().name("aside".to_owned()).spawn(move || {
            crate::give_way();
            for one in handed_in.into_iter().flatten() {
                drop(one);
                left.fetch_sub(1, Ordering::Relaxed);
            }
        });
        if let Err(error) = begun {
            tracing::warn!(%error, "what services hand in is closed by whoever has it");
        }
        Self { closed, open }
    }

    /// Closes them some time.
    pub fn close(&self, descriptors: Vec<OwnedFd>) {
        if !descriptors.is_empty() {
            self.open.fetch_add(descriptors.len(), Ordering::Relaxed);
            // Without the thread the channel gives them back, and they are closed here.
            _ = self.closed.send(descriptors);
        }
    }

    /// Whether the thread has something to close, and perhaps waits for that where no signal ends it.
    pub fn is_busy(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }
}

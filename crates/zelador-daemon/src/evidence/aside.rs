//! Looks at file systems by threads of their own: one that hangs costs a thread, and not the evidence.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use zelador_core::words;
use zelador_core::words::{Words, quoted};

/// A look that was begun.
pub(super) struct Look<T> {
    seen: io::Result<Receiver<T>>,
}

impl<T: Send + 'static> Look<T> {
    /// Begins to look; the thread is called `name`.
    pub(super) fn begin(name: &str, look: impl FnOnce() -> T + Send + 'static) -> Self {
        let (answer, seen) = mpsc::sync_channel(1);
        let begun = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Nobody listens any more when the time ran out.
            _ = answer.send(look());
        });
        Self { seen: begun.map(|_| seen) }
    }

    /// Takes what was seen by `limit`; else says why there is nothing.
    pub(super) fn end(self, limit: Instant) -> Result<T, Words> {
        let seen = self.seen.map_err(quoted)?;
        seen.recv_timeout(limit.saturating_duration_since(Instant::now())).map_err(
            |why| match why {
                RecvTimeoutError::Timeout => words!("not read in time", "não foi lido a tempo"),
                RecvTimeoutError::Disconnected => {
                    words!("reading broke down", "a leitura falhou")
                }
            },
        )
    }
}

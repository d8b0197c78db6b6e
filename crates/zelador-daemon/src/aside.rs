//! Closing what services handed in, on a thread that nobody waits for.
//!
//! The last `close` of a file on a dead network disk, or of a connection that lingers, may take for ever. Always
//! holds: whoever hands a descriptor in goes on at once.

use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::thread;

/// Where descriptors are handed in; the thread ends with the last of these.
#[derive(Clone, Debug)]
pub struct Aside(mpsc::Sender<Vec<OwnedFd>>);

impl Aside {
    /// Begins the thread.
    pub fn new() -> Self {
        let (sender, closed) = mpsc::channel::<Vec<OwnedFd>>();
        let begun = thread::Builder::new().name("aside".to_owned()).spawn(move || {
            crate::give_way();
            closed.into_iter().for_each(drop);
        });
        if let Err(error) = begun {
            tracing::warn!(%error, "what services hand in is closed by whoever has it");
        }
        Self(sender)
    }

    /// Closes them some time.
    pub fn close(&self, descriptors: Vec<OwnedFd>) {
        if !descriptors.is_empty() {
            // Without the thread the channel gives them back, and they are closed here.
            _ = self.0.send(descriptors);
        }
    }
}

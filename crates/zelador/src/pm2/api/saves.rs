//! What PM2's library saves: it asks for the list, and writes `dump.pm2` itself (`pm2.dump()`, `npx pm2
//! save`).
//!
//! What it was told has its secrets masked, and its file is for everybody to read. Always holds: soon after
//! such a save, and before anybody's next call changes the list, it is saved as `pm2 save` does it. A file that was there
//! before anybody called is left alone: it may be PM2's own, to be taken over.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use zelador_api::home::Home;
use zelador_api::{SaveDone, SaveWish, route};

use crate::command::Context;
use crate::failure::Failure;
use crate::pm2::dump;

/// Notices that the list was saved.
#[derive(Debug)]
pub struct Saves {
    home: Home,
    /// When the file was written that is known; held while the list is saved.
    known: Mutex<Option<SystemTime>>,
}

impl Saves {
    /// Knows the file that is there.
    pub fn begin(home: Home) -> Self {
        let known = Mutex::new(written_at(&home));
        Self { home, known }
    }

    /// Whether somebody has saved the list since.
    pub fn is_due(&self) -> bool {
        let now = written_at(&self.home);
        // While it is being saved it is not due.
        now.is_some() && self.known.try_lock().is_ok_and(|known| now != *known)
    }

    /// Saves the list if somebody has; says so in zelador's log when that fails.
    pub fn follow(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if written_at(&self.home) == *known {
            return;
        }
        let saved: Result<(), Failure> = Context::new().and_then(|context| {
            if dump::is_newer(&self.home) {
                context.engine.post::<SaveDone>(route::SAVE, &SaveWish { empty: true })?;
                dump::write(&self.home)?;
            }
            Ok(())
        });
        // One that failed is not tried again and again: the next save is.
        *known = written_at(&self.home);
        if let Err(failure) = saved {
            eprintln!("the list that PM2's library has saved is not saved: {}", failure.in_words());
        }
    }
}

fn written_at(home: &Home) -> Option<SystemTime> {
    home.pm2_dump().metadata().and_then(|it| it.modified()).ok()
}

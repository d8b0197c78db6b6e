//! Changes that happened together, told together.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zelador_core::id::AppName;
use zelador_core::input::Fact;

/// What changes within this time of the first change is told with it.
const TOGETHER: Duration = Duration::from_millis(50);

/// So many paths are told by name: enough that a log among them hides no other file.
const NAMED: usize = 64;

/// Changes of one app that were not told yet.
#[derive(Debug, Default)]
pub struct Batch {
    paths: Vec<PathBuf>,
    more: u32,
    due: Option<Instant>,
}

impl Batch {
    /// Adds a change.
    pub fn add(&mut self, path: &Path) {
        self.due.get_or_insert_with(|| Instant::now() + TOGETHER);
        if self.paths.iter().any(|known| known == path) {
            return;
        }
        if self.paths.len() < NAMED {
            self.paths.push(path.to_owned());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// When to tell.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns what to tell. What is still there comes first: an editor's temporary file says
    /// little.
    pub fn take(&mut self, app: &AppName) -> Option<Fact> {
        let Self { mut paths, more, due } = std::mem::take(self);
        due?;
        paths.sort_by_key(|path| path.symlink_metadata().is_err());
        Some(Fact::FilesChanged { app: app.clone(), paths, more })
    }
}

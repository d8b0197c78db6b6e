//! Watching files: what an app declares, what the engine is asked to watch, what came of it.

use crate::notify::Language;
use crate::words::Tell;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::Moment;

/// Which changes of files restart an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSpec {
    /// Whether any do.
    pub on: bool,
    /// Folders, files or patterns as they were written; a relative one begins at the app's `cwd`.
    /// None: `cwd` itself.
    pub paths: Vec<String>,
    /// What is not watched besides what never is, as it was written.
    pub ignore: Vec<String>,
    /// How long nothing more must change before the restart.
    pub delay: Duration,
    /// Whether symbolic links to folders are followed.
    pub follow_symlinks: bool,
    /// How often to look where the kernel does not tell, as on network file systems; `None`: the
    /// kernel tells.
    pub polling: Option<Duration>,
}

impl Default for WatchSpec {
    /// Off; links are followed, as by PM2.
    fn default() -> Self {
        Self {
            on: false,
            paths: Vec::new(),
            ignore: Vec::new(),
            delay: Duration::ZERO,
            follow_symlinks: true,
            polling: None,
        }
    }
}

/// What the engine is to watch for one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchPlan {
    /// Absolute folders, files or patterns.
    pub paths: Vec<PathBuf>,
    /// The base of patterns.
    pub cwd: PathBuf,
    /// What is not watched, as it was written.
    pub ignore: Vec<String>,
    /// Folders that are never watched.
    pub never: Vec<PathBuf>,
    /// Whether symbolic links to folders are followed.
    pub follow_symlinks: bool,
    /// How often to look; `None`: the kernel tells.
    pub polling: Option<Duration>,
}

impl WatchPlan {
    /// Returns what to watch for an app in `cwd`; `None` if it does not ask for that. Nothing below
    /// `home`, where zelador itself writes, is ever watched.
    pub fn of(spec: &WatchSpec, cwd: &Path, home: &Path) -> Option<Self> {
        if !spec.on {
            return None;
        }
        let mut paths: Vec<PathBuf> = spec.paths.iter().map(|path| absolute(cwd, path)).collect();
        if paths.is_empty() {
            paths.push(cwd.to_owned());
        }
        Some(Self {
            paths,
            cwd: cwd.to_owned(),
            ignore: spec.ignore.clone(),
            never: vec![home.to_owned()],
            follow_symlinks: spec.follow_symlinks,
            polling: spec.polling,
        })
    }
}

/// How watching the files of an app goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// How many folders are watched; `None` while it is not known.
    pub folders: Option<u32>,
    /// Why nothing is watched, or not everything.
    pub trouble: Option<String>,
    /// When something changed last, and what.
    pub changed: Option<(Moment, Changed)>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The first of the files, relative to the app's `cwd` where it is below it.
    pub path: String,
    /// How many others changed at the same time.
    pub more: u32,
}

impl Tell for Changed {
    fn tell(&self, language: Language) -> String {
        match (self.more, language) {
            (0, _) => self.path.clone(),
            (more, Language::En) => format!("{} and {more} more", self.path),
            (more, Language::Pt) => format!("{} e mais {more}", self.path),
        }
    }
}

impl std::fmt::Display for Changed {
    /// `src/api.js`, or `src/api.js and 3 more`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.tell(Language::En))
    }
}

/// Returns `path` made absolute against `base`, without `.` and `..`, as node's `path.resolve`.
pub fn absolute(base: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    whole
}

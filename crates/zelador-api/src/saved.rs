//! The file that `save` writes, and the ones before it that are kept.
//!
//! Always holds: where the newest file is broken or missing, the newest whole one is taken, and
//! what was wrong is told.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Saved;

/// The layout of the file that this version writes and reads.
pub const LAYOUT: u32 = 1;

/// How many older files are kept: `.1` is the latest of them.
pub const GENERATIONS: u32 = 5;

/// What was saved, and where it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The list.
    pub saved: Saved,
    /// The file that it is in.
    pub path: PathBuf,
    /// What is wrong with each newer one.
    pub instead_of: Vec<String>,
}

/// Why there is no saved list.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Nothing was ever saved.
    #[error("no list was saved: there is no {}", .0.display())]
    Missing(PathBuf),
    /// No file is whole.
    #[error("{}", .0.join("; "))]
    Broken(Vec<String>),
}

impl SavedError {
    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Missing(_) => "`zelador save` saves the list",
            Self::Broken(_) => "start the apps from their ecosystem file, then `zelador save`",
        }
    }
}

/// Returns the path of an older file: 1 is the latest of them.
pub fn generation(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Reads what was saved; where that is broken, what was saved before it.
///
/// # Errors
/// No file is there, or none is whole.
pub fn read(path: &Path) -> Result<Found, SavedError> {
    let mut wrong = Vec::new();
    let mut missing = false;
    let older = (1..=GENERATIONS).map(|number| generation(path, number));
    for candidate in [path.to_owned()].into_iter().chain(older) {
        match read_one(&candidate) {
            Ok(saved) => {
                if missing {
                    wrong.insert(0, format!("{} is missing", path.display()));
                }
                return Ok(Found { saved, path: candidate, instead_of: wrong });
            }
            Err(None) => missing |= candidate == path,
            Err(Some(problem)) => wrong.push(problem),
        }
    }
    if wrong.is_empty() {
        return Err(SavedError::Missing(path.to_owned()));
    }
    Err(SavedError::Broken(wrong))
}

/// Reads one file; `Err(None)`: it is not there, else what is wrong with it.
fn read_one(path: &Path) -> Result<Saved, Option<String>> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => None,
        _ => Some(format!("{} cannot be read: {error}", path.display())),
    })?;
    // The layout first: a file of a later version may be anything else.
    #[derive(Deserialize)]
    struct Layout {
        version: u32,
    }
    let broken = |error| Some(format!("{} is broken: {error}", path.display()));
    let layout: Layout = serde_json::from_slice(&bytes).map_err(broken)?;
    if layout.version != LAYOUT {
        let (path, found) = (path.display(), layout.version);
        return Err(Some(format!("{path} has layout {found}, this zelador reads {LAYOUT}")));
    }
    serde_json::from_slice(&bytes).map_err(broken)
}

//! What the head of a history tells: whether this zelador can use it, without opening it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The newest layout that this zelador knows.
pub const KNOWN: u32 = zelador_daemon::HISTORY_LAYOUT;

/// What a file is that should be a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is none, or nothing is in it yet.
    None,
    /// It is no `SQLite` file.
    Other,
    /// It has this layout.
    Layout(u32),
}

/// The names of damaged histories that were set aside beside this one.
pub fn set_aside(path: &Path) -> Vec<String> {
    let begin = format!("{}.damaged-", path.file_name().unwrap_or_default().to_string_lossy());
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let names = entries.into_iter().flatten().flatten().map(|it| it.file_name());
    let mut names: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|it| it.starts_with(&begin) && !it.ends_with("-wal"))
        .collect();
    names.sort();
    names
}

/// Looks at the head of the file.
///
/// # Errors
/// It cannot be read.
pub fn look(path: &Path) -> io::Result<Kind> {
    let mut head = [0; 64];
    match File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) if head.starts_with(b"SQLite format 3\0") => {
            // `SQLite` keeps `user_version` in bytes 60 to 63.
            Ok(Kind::Layout(u32::from_be_bytes([head[60], head[61], head[62], head[63]])))
        }
        Ok(()) => Ok(Kind::Other),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => Ok(Kind::None),
            _ => Err(error),
        },
    }
}

//! Reads a history that cannot be opened where it is: on a full or read-only disk `SQLite` cannot have the
//! file that it needs beside a write-ahead log, and without that log the newest records are missing.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use zelador_core::record::Record;
use zelador_core::unit::Moment;

use super::connect::unopened;
use super::{LAYOUT, layout, load};

/// In memory, where there is one; every Linux has the first.
const PLACES: [&str; 2] = ["/dev/shm", "/tmp"];

/// A folder for the copy, for the owner's eyes only; removed when dropped.
struct Place(PathBuf);

impl Place {
    fn make() -> io::Result<Self> {
        let name = format!("zelador-{}-history", std::process::id());
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for place in PLACES {
            let path = Path::new(place).join(&name);
            // One of a killed engine with the same number.
            _ = fs::remove_dir_all(&path);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the records in the file and in its write-ahead log; none where there is no file.
pub(super) fn read(path: &Path, now: Moment) -> rusqlite::Result<Vec<Record>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let place = Place::make().map_err(|_| unopened())?;
    let to = place.0.join("history.db");
    let with = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    fs::copy(path, &to).map_err(|_| unopened())?;
    // Not there after an orderly end.
    _ = fs::copy(with(path, "-wal"), with(&to, "-wal"));
    let connection = Connection::open_with_flags(&to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if layout(&connection)? > LAYOUT {
        return Err(unopened());
    }
    load(&connection, now).map(|(records, _)| records)
}

//! What is taken away of the files of logs: everything, or what a move that failed has left.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zelador_api::spot::Spot;

use super::exact::Mark;
use super::identity::Identity;

/// Empties the file at `path`, if one is there; a device stays as it is.
pub fn empty(path: &Path) -> io::Result<()> {
    let file = match Spot::find(path).and_then(|spot| spot.open(OFlags::WRONLY, Mode::empty())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // A named pipe without a reader.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Ok(()),
        other => other?,
    };
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

/// Cuts a file to `length`; one that is shorter already stays as it is.
pub fn shorten(file: &File, length: u64) -> io::Result<()> {
    let known = file.metadata()?;
    if known.is_file() && known.len() > length { file.set_len(length) } else { Ok(()) }
}

/// Cuts back the file that a killed engine was writing: it is one of `paths`, or has been renamed
/// within its folder. Returns false if it was not found.
pub fn cut_back_found(mark: Mark, paths: &[PathBuf]) -> io::Result<bool> {
    let is_it = |spot: &Spot| -> io::Result<bool> {
        if Identity::at(spot)? != mark.file {
            return Ok(false);
        }
        shorten(&spot.open(OFlags::WRONLY, Mode::empty())?, mark.length)?;
        Ok(true)
    };
    let (mut spots, mut trouble) = (Vec::new(), None);
    for path in paths {
        let done = Spot::find(path).and_then(|spot| {
            let done = is_it(&spot);
            spots.push(spot);
            done
        });
        match done {
            Ok(true) => return Ok(true),
            Err(error) if error.kind() != io::ErrorKind::NotFound => trouble = Some(error),
            _ => {}
        }
    }
    if let Some(error) = trouble {
        return Err(error);
    }
    for spot in spots {
        let Ok(entries) = std::fs::read_dir(spot.folder()) else { continue };
        let found = entries.flatten().any(|entry| {
            let same = entry.metadata().is_ok_and(|known| known.ino() == mark.file.inode);
            same && spot.beside(&entry.file_name()).and_then(|spot| is_it(&spot)).unwrap_or(false)
        });
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

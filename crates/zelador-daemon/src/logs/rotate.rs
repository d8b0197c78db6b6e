//! Rotation: a log that is too large, or whose time has come, is renamed within its folder.
//!
//! Always holds: a renamed log stands after those before it, also when the clock was set back;
//! nothing is overwritten. What becomes of renamed logs is [`super::keeper`]'s.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::identity::Identity;
use super::names;
use super::plan::Plan;

/// Renames the log at `path`, which is `file`, so that it stands last. If another file has that
/// name by now nothing is done.
pub fn rename(path: &Path, file: Identity, plan: &Plan) -> io::Result<()> {
    match Identity::at(path) {
        Ok(there) if there == file => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(()),
    }
    let own = plan.names.own(path).rotated;
    let (date, mut number) = plan.names.next(path, &own, &plan.now());
    loop {
        let target = path.with_file_name(names::name(path, &date, number));
        match rustix::fs::renameat_with(CWD, path, CWD, &target, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) if !target.try_exists()? => {
                return std::fs::rename(path, target); // a file system without that flag
            }
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => number += 1,
            other => return Ok(other?),
        }
    }
}

/// Renames a log that nobody writes to now, if it is a file with something in it; says whether it
/// was.
pub fn rename_closed(path: &Path, plan: &Plan) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(known) if known.is_file() && known.len() > 0 => {
            rename(path, Identity::at(path)?, plan)?;
            Ok(true)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(false),
    }
}

/// Rotates zelador's own log, which this process writes through its descriptors 1 and 2, if it is
/// at least `limit` bytes long; says whether it was.
///
/// # Errors
/// The log then stays as it is.
pub fn own(path: &Path, limit: u64, plan: &Plan) -> io::Result<bool> {
    let known = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    if !known.is_file() || known.len() < limit.max(1) {
        return Ok(false);
    }
    let old = Identity::at(path)?;
    rename(path, old, plan)?;
    let new = File::options().append(true).create(true).open(path)?;
    // Only what wrote to the old file is turned to the new one: it may be a terminal instead.
    if Identity::of(io::stdout()).is_ok_and(|identity| identity == old) {
        replace(&io::stdout(), &new)?;
    }
    if Identity::of(io::stderr()).is_ok_and(|identity| identity == old) {
        replace(&io::stderr(), &new)?;
    }
    Ok(true)
}

/// Makes a standard descriptor of this process write to `new`.
fn replace(standard: &impl AsRawFd, new: &File) -> io::Result<()> {
    // SAFETY: both descriptors are open. Nobody owns a standard descriptor in the sense of
    // `OwnedFd`, so replacing what it refers to surprises no owner.
    match unsafe { libc::dup2(new.as_raw_fd(), standard.as_raw_fd()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

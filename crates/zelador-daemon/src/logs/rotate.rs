//! Rotation: a log that is too large, or whose time has come, is renamed within its folder; of a
//! link that is the folder of the file that it leads to, and the link stays.
//!
//! Always holds: a renamed log stands after those before it, also when the clock was set back;
//! nothing is overwritten. What becomes of renamed logs is [`super::keeper`]'s.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use zelador_api::spot::Spot;

use super::identity::Identity;
use super::names;
use super::plan::Plan;

/// The mode of zelador's own log: nobody else's business.
const OWN_MODE: Mode = Mode::from_raw_mode(0o600);

/// Renames the log at `path`, which is `file`, so that it stands last. If another file has that
/// name by now nothing is done.
pub fn rename(path: &Path, file: Identity, plan: &Plan) -> io::Result<()> {
    match Spot::find(path).and_then(|spot| Ok((Identity::at(&spot)?, spot))) {
        Ok((there, spot)) if there == file => rename_at(&spot, plan),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn rename_at(spot: &Spot, plan: &Plan) -> io::Result<()> {
    let path = &spot.path();
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
    let Some((spot, _)) = named(path)?.filter(|(_, length)| *length > 0) else { return Ok(false) };
    rename_at(&spot, plan)?;
    Ok(true)
}

/// The place of the regular file at `path`, if one is there that may be renamed, and how long it is.
fn named(path: &Path) -> io::Result<Option<(Spot, u64)>> {
    let found = Spot::find(path).and_then(|spot| {
        let known = spot.open(OFlags::PATH, Mode::empty())?.metadata()?;
        let is_one = spot.has_name() && known.is_file();
        Ok(is_one.then_some((spot, known.len())))
    });
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found,
    }
}

/// Rotates zelador's own log, which this process writes through its descriptors 1 and 2, if it is
/// at least `limit` bytes long; says whether it was.
///
/// # Errors
/// The log then stays as it is.
pub fn own(path: &Path, limit: u64, plan: &Plan) -> io::Result<bool> {
    let found = named(path)?.filter(|(_, length)| *length >= limit.max(1));
    let Some((spot, _)) = found else { return Ok(false) };
    let old = Identity::at(&spot)?;
    rename_at(&spot, plan)?;
    let new = spot.open(OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE, OWN_MODE)?;
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

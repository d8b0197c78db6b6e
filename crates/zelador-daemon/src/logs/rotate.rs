//! Rotation: a log that is too large is renamed within its folder, and the oldest are deleted.
//!
//! `app-out.log` becomes `app-out__2026-11-23_22-30-00.log`; a second one with the same date gets
//! `.1` before the extension, and so on. Always holds: a renamed log sorts after those before it,
//! also when the clock was set back; nothing is overwritten; only files are touched whose whole
//! name is that of this log, so `api` never meets `my-api` or `api__old`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::identity::Identity;

/// The date in a name, and which of the same second it is.
type Rank = (String, u32);

/// Renames the log at `path`, which is `file`, so that it sorts last. If another file has that
/// name by now nothing is done.
pub fn rename(path: &Path, file: Identity, now: &jiff::Zoned) -> io::Result<()> {
    match Identity::at(path) {
        Ok(there) if there == file => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(()),
    }
    let mut rank: Rank = (now.strftime("%Y-%m-%d_%H-%M-%S").to_string(), 0);
    if let Some((newest, _)) = rotated(path).pop()
        && newest >= rank
    {
        rank = (newest.0, newest.1 + 1);
    }
    loop {
        let target = path.with_file_name(name(path, &rank));
        match rustix::fs::renameat_with(CWD, path, CWD, &target, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) if !target.try_exists()? => {
                return std::fs::rename(path, target); // a file system without that flag
            }
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS) => rank.1 += 1,
            other => return Ok(other?),
        }
    }
}

/// Deletes the oldest renamed logs of `path` beyond `keep`.
pub fn prune(path: &Path, keep: u32) {
    let rotated = rotated(path);
    let beyond = rotated.len().saturating_sub(keep as usize);
    for (_, old) in rotated.into_iter().take(beyond) {
        if let Err(error) = std::fs::remove_file(&old) {
            tracing::warn!(path = %old.display(), %error, "old log file not deleted");
        }
    }
}

/// Returns the renamed logs of `path`, oldest first.
pub fn rotated(path: &Path) -> Vec<(Rank, PathBuf)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(entries) = std::fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return Vec::new();
    };
    let ranked = |entry: std::fs::DirEntry| {
        let rank = rank(path, &entry.file_name())?;
        entry.file_type().ok()?.is_file().then(|| (rank, entry.path()))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(ranked).collect();
    found.sort();
    found
}

fn name(path: &Path, (date, number): &Rank) -> OsString {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("__{date}"));
    if *number > 0 {
        name.push(format!(".{number}"));
    }
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    name
}

/// Returns `None` if `name` is not that of a renamed log of `path`.
fn rank(path: &Path, name: &OsStr) -> Option<Rank> {
    let stem = path.file_stem()?.as_bytes();
    let rest = name.as_bytes().strip_prefix(stem)?.strip_prefix(b"__")?;
    let rest = match path.extension() {
        Some(extension) => rest.strip_suffix(extension.as_bytes())?.strip_suffix(b".")?,
        None => rest,
    };
    let (date, number) = std::str::from_utf8(rest).ok()?.split_at_checked(PATTERN.len())?;
    let fits = |(byte, pattern): (u8, u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    if !date.bytes().zip(PATTERN.bytes()).all(fits) {
        return None;
    }
    if number.is_empty() {
        return Some((date.to_owned(), 0));
    }
    let digits = number.strip_prefix('.')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    Some((date.to_owned(), digits.parse().ok().filter(|_| plain)?))
}

/// A date in a name; `0` stands for any digit.
const PATTERN: &str = "0000-00-00_00-00-00";

/// Rotates zelador's own log, which this process writes through its descriptors 1 and 2.
///
/// # Errors
/// The log then stays as it is.
pub fn own(path: &Path, rotation: super::Rotation, now: &jiff::Zoned) -> io::Result<()> {
    let known = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !known.is_file() || known.len() < rotation.max_size.bytes().max(1) {
        return Ok(());
    }
    let old = Identity::at(path)?;
    rename(path, old, now)?;
    let new = File::options().append(true).create(true).open(path)?;
    // Only what wrote to the old file is turned to the new one: it may be a terminal instead.
    if Identity::of(io::stdout()).is_ok_and(|identity| identity == old) {
        replace(&io::stdout(), &new)?;
    }
    if Identity::of(io::stderr()).is_ok_and(|identity| identity == old) {
        replace(&io::stderr(), &new)?;
    }
    prune(path, rotation.keep);
    Ok(())
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

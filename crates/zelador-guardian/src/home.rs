//! The home folder: its lock, the control socket, and the guardian's lines in the log.
//!
//! Always holds: whoever holds the lock is the only guardian of this home, until it ends; only the
//! holder touches the socket file. The folder is locked besides the file: that somebody removes the file lets
//! nobody else in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Name of the lock file; it holds the guardian's pid as text.
pub const LOCK: &str = "guardian.lock";

/// Name of the control socket, which the engine serves.
pub const SOCKET: &str = "zelador.sock";

/// Name of the log of guardian and engine.
pub const LOG: &str = "zelador.log";

/// Connections that wait while an engine is replaced; 10 ms at 100,000 a second, and what
/// `net.core.somaxconn` allows on every kernel from 5.4 on (4096).
const BACKLOG: i32 = 1024;

/// How often a lock is tried again that a dying guardian may still hold.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// How long a new image waits for somebody who only looks whether the folder is locked.
const FORMER_WAIT: Duration = Duration::from_millis(100);

/// A home whose lock is held.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    log: PathBuf,
    lock: OwnedFd,
    /// Where the file system locks folders (NFS does not).
    folder: Option<OwnedFd>,
}

impl Home {
    /// Locks the home; `None` when another guardian holds it for longer than `wait`. An heir has services
    /// to keep: where nothing can be written any more, it is content with the lock.
    pub fn lock(
        path: &Path,
        log: PathBuf,
        wait: Duration,
        is_heir: bool,
    ) -> io::Result<Option<Self>> {
        let file = path.join(LOCK);
        let open = match open_lock(&file) {
            Err(_) if is_heir => File::open(&file)?,
            opened => opened?,
        };
        let until = Instant::now() + wait;
        let Ok(folder) = lock_folder(path, until) else { return Ok(None) };
        if !take(&open, until)? {
            return Ok(None);
        }
        match write_pid(&open) {
            Err(error) if !is_heir => Err(error),
            _ => Ok(Some(Self { path: path.to_owned(), log, lock: open.into(), folder })),
        }
    }

    /// Returns the home whose lock a former image of this process has left.
    pub fn locked(path: &Path, log: PathBuf, lock: OwnedFd) -> Self {
        // That image, whose lock of the folder has ended with it, kept everybody else out by the file.
        let folder = lock_folder(path, Instant::now() + FORMER_WAIT).unwrap_or(None);
        Self { path: path.to_owned(), log, lock, folder }
    }

    /// Returns the lock, for a new image of this process.
    pub fn lock_descriptor(&self) -> &OwnedFd {
        &self.lock
    }

    /// Returns what a child must not hold.
    pub fn locks(&self) -> Vec<RawFd> {
        let folder = self.folder.as_ref().map(AsRawFd::as_raw_fd);
        [self.lock.as_raw_fd()].into_iter().chain(folder).collect()
    }

    /// Makes the file of the lock anew where somebody has removed it, so that it says who holds the home.
    pub fn lock_anew(&mut self) {
        let path = self.path.join(LOCK);
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        let own = rustix::fs::fstat(&self.lock).map(|found| (found.st_dev, found.st_ino));
        if fs::metadata(&path).is_ok_and(|found| own.is_ok_and(|own| own == identity(found))) {
            return;
        }
        let made = open_lock(&path);
        if let Some(lock) = made.ok().filter(|it| take(it, Instant::now()).is_ok_and(|it| it)) {
            // A full disk takes the number later, or never: the lock itself is what counts.
            let _ = write_pid(&lock);
            self.lock = lock.into();
        }
    }

    /// Returns a listening control socket under the name, which only this user may connect to.
    pub fn bind(&self) -> io::Result<OwnedFd> {
        bind(&self.path)
    }

    /// Returns whether the name of the control socket still leads to a socket.
    pub fn has_socket(&self) -> bool {
        has_socket(&self.path)
    }

    /// Removes the control socket's name.
    pub fn remove_socket(&self) {
        let _ = fs::remove_file(self.path.join(SOCKET));
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the log, open for appending.
    pub fn open_log(&self) -> io::Result<File> {
        open_log(&self.log)
    }

    /// Appends a line to the log.
    pub fn log(&self, text: &str) {
        log(&self.log, text);
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Appends a line to a log. It is opened each time, so that it may be rotated; when the disk is full the
/// line is lost, since nothing the guardian does depends on it.
pub(crate) fn log(path: &Path, text: &str) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if let Ok(mut file) = open_log(path) {
        let _ = file.write_all(format!("{} guardian: {text}\n", since.as_secs()).as_bytes());
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Returns whether this is locked now; `false` when somebody else holds it until then.
fn take(open: impl AsFd, until: Instant) -> io::Result<bool> {
    loop {
        match rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Somebody else has locked it.
struct Held;

/// Locks the folder; returns `None` where it cannot be locked at all.
fn lock_folder(path: &Path, until: Instant) -> Result<Option<OwnedFd>, Held> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open(path, flags, Mode::empty()) else { return Ok(None) };
    match take(&folder, until) {
        Ok(true) => Ok(Some(folder)),
        Ok(false) => Err(Held),
        Err(_) => Ok(None),
    }
}

/// Over the number before it: an erased one, on a disk that is full, would be nobody's.
fn write_pid(lock: &File) -> io::Result<()> {
    let line = format!("{}\n", std::process::id());
    lock.write_all_at(line.as_bytes(), 0)?;
    lock.set_len(line.len() as u64)
}

/// As the method, for who holds the lock of this home but has not taken it over yet.
pub(crate) fn bind(home: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The file gets the mode of the socket: there is no moment in which others may connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    let path = home.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Ok(address) = SocketAddrUnix::new(path) {
        rustix::net::bind(&socket, &address)?;
    } else {
        // Longer than 108 bytes, the room in `sockaddr_un`: by a shorter name for the folder.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(home, flags, Mode::empty())?;
        let short = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
        rustix::net::bind(&socket, &SocketAddrUnix::new(short)?)?;
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// As the method.
pub(crate) fn has_socket(home: &Path) -> bool {
    fs::symlink_metadata(home.join(SOCKET)).is_ok_and(|found| found.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_over_needs_to_write_nothing() {
        let home = tempfile::tempdir().unwrap();
        // A folder stands for a file that may only be read: root may write every file.
        fs::create_dir(home.path().join(LOCK)).unwrap();
        let lock = |heir| Home::lock(home.path(), home.path().join(LOG), Duration::ZERO, heir);
        assert!(lock(false).is_err(), "a first guardian says who it is");
        let held = lock(true).unwrap().unwrap();
        assert!(lock(true).unwrap().is_none(), "it is held");
        drop(held);
        assert!(lock(true).unwrap().is_some());
    }
}

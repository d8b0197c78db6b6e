//! The home folder: its lock, the control socket, and the guardian's lines in the log.
//!
//! Always holds: whoever holds the lock is the only guardian of this home, until it ends; only the
//! holder touches the socket file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
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

/// A home whose lock is held.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    log: PathBuf,
    lock: OwnedFd,
}

impl Home {
    /// Locks the home; `None` when another guardian holds it for longer than `wait`.
    pub fn lock(path: &Path, log: PathBuf, wait: Duration) -> io::Result<Option<Self>> {
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK))?;
        let until = Instant::now() + wait;
        loop {
            match rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                    std::thread::sleep(TRY_AGAIN_AFTER);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let home = Self { path: path.to_owned(), log, lock: open.into() };
        home.write_pid()?;
        Ok(Some(home))
    }

    /// Returns the home whose lock a former image of this process has left.
    pub fn locked(path: &Path, log: PathBuf, lock: OwnedFd) -> Self {
        Self { path: path.to_owned(), log, lock }
    }

    fn write_pid(&self) -> io::Result<()> {
        let mut file = File::from(self.lock.try_clone()?);
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())
    }

    /// Returns the lock, for a new image of this process.
    pub fn lock_descriptor(&self) -> &OwnedFd {
        &self.lock
    }

    /// Returns a listening control socket under the name, which only this user may connect to.
    pub fn bind(&self) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // The file gets the mode of the socket: there is no moment in which others may connect.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        match fs::remove_file(self.socket_path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Ok(address) = SocketAddrUnix::new(self.socket_path()) {
            rustix::net::bind(&socket, &address)?;
        } else {
            // Longer than 108 bytes, the room in `sockaddr_un`: by a shorter name for the folder.
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::open(&self.path, flags, Mode::empty())?;
            let short = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
            rustix::net::bind(&socket, &SocketAddrUnix::new(short)?)?;
        }
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(socket)
    }

    /// Returns whether the name of the control socket still leads to a socket.
    pub fn has_socket(&self) -> bool {
        fs::symlink_metadata(self.socket_path()).is_ok_and(|found| found.file_type().is_socket())
    }

    /// Removes the control socket's name.
    pub fn remove_socket(&self) {
        let _ = fs::remove_file(self.socket_path());
    }

    fn socket_path(&self) -> PathBuf {
        self.path.join(SOCKET)
    }

    /// Returns the log, open for appending.
    pub fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.log)
    }

    /// Appends a line to the log. It is opened each time, so that it may be rotated; when the disk
    /// is full the line is lost, since nothing the guardian does depends on it.
    pub fn log(&self, text: &str) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Ok(mut file) = self.open_log() {
            let _ = file.write_all(format!("{} guardian: {text}\n", since.as_secs()).as_bytes());
        }
    }
}

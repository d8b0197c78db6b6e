//! Closing what others have opened, without waiting for it.
//!
//! The last `close` of a file on a dead network disk, or of a connection that lingers, may take for ever, and no
//! signal ends it. A process that shares the caller's table of descriptors does it then, and nothing else: a
//! thread would keep the caller from executing another image. Always holds: what cannot wait is closed at once.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::net::{AddressFamily, sockopt};

use crate::signals::die_with;

/// Closes them. Must be called by the only thread of the process.
pub(crate) fn close(descriptors: impl IntoIterator<Item = OwnedFd>) {
    for descriptor in descriptors {
        if !may_wait(&descriptor) {
            continue;
        }
        let number = descriptor.into_raw_fd();
        let guardian = std::process::id().cast_signed();
        let flags = libc::CLONE_FILES | libc::SIGCHLD;
        // SAFETY: as `fork` but for the table of descriptors; the child only calls the kernel. Nobody else
        // has or closes this number. Its end is reaped as that of any orphan.
        unsafe {
            match libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) {
                0 => {
                    // As long as it shares the table, the lock and the link in it are open.
                    if die_with(guardian) == 0 {
                        libc::close(number);
                    }
                    libc::_exit(0);
                }
                // No process: better here than never.
                ..0 => _ = libc::close(number),
                _ => {}
            }
        }
    }
}

/// Whether closing it may take longer than a moment. Asks the kernel alone, not whom the file belongs to:
/// that may take as long.
#[must_use]
pub fn may_wait(descriptor: &OwnedFd) -> bool {
    let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let target = std::fs::read_link(link).unwrap_or_default();
    let is = |kind: &str| OsStr::as_bytes(target.as_os_str()).starts_with(kind.as_bytes());
    if is("socket:[") {
        // It may linger itself, or hold descriptors that nobody has received.
        let lingers = sockopt::socket_linger(descriptor) != Ok(None);
        let is_local = sockopt::socket_domain(descriptor) == Ok(AddressFamily::UNIX);
        return lingers || is_local && rustix::io::ioctl_fionread(descriptor) != Ok(0);
    }
    !["pipe:[", "anon_inode:", "/memfd:", "/dev/null"].into_iter().any(is)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener};
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_may_wait_is_told_from_what_cannot() {
        let waits = |one: OwnedFd| may_wait(&one);
        let (read, write) = rustix::pipe::pipe().unwrap();
        assert!(!waits(read) && !waits(write));
        assert!(!waits(File::open("/dev/null").unwrap().into()));
        assert!(waits(File::open("/proc/self/exe").unwrap().into()));
        let memfd = rustix::fs::memfd_create(c"a", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        assert!(!waits(memfd));

        assert!(!waits(UdpSocket::bind("127.0.0.1:0").unwrap().into()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!waits(listener.try_clone().unwrap().into()));
        let address = listener.local_addr().unwrap();
        assert!(!waits(TcpStream::connect(address).unwrap().into()));
        let lingers = TcpStream::connect(address).unwrap();
        sockopt::set_socket_linger(&lingers, Some(Duration::from_secs(9))).unwrap();
        assert!(waits(lingers.into()));
        let written = TcpStream::connect(address).unwrap();
        (&written).write_all(b"to be received").unwrap();
        assert!(!waits(written.into()));

        let (ours, theirs) = UnixDatagram::pair().unwrap();
        assert!(!waits(theirs.try_clone().unwrap().into()));
        ours.send(b"something with descriptors, perhaps").unwrap();
        assert!(waits(theirs.into()));
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(waits(listener.into()), "of its callers it is not known");
    }
}

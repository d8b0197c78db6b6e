//! Waiting for descriptors: `epoll` and `signalfd`, as thin as they are.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;
use std::{io, mem};

/// Events taken at once; the rest is there at the next call.
const EVENTS: usize = 64;

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Something to read, as long as there is.
    Reading,
    /// Something to read or room to write.
    Both,
    /// A change: told once for each.
    Change,
}

impl For {
    fn flags(self) -> u32 {
        (match self {
            Self::Reading => libc::EPOLLIN,
            Self::Both => libc::EPOLLIN | libc::EPOLLOUT,
            Self::Change => libc::EPOLLIN | libc::EPOLLET,
        }) as u32
    }
}

/// A set of watched descriptors, each with a key.
#[derive(Debug)]
pub(crate) struct Poll(OwnedFd);

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: makes a descriptor.
        let number = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        own(number).map(Self)
    }

    pub fn add(&self, descriptor: BorrowedFd, key: u64, what: For) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, descriptor, key, what)
    }

    pub fn change(&self, descriptor: BorrowedFd, key: u64, what: For) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, descriptor, key, what)
    }

    /// Must be called before a descriptor is closed that the engine has a duplicate of: closing ours
    /// would not end the watch.
    pub fn remove(&self, descriptor: BorrowedFd) {
        let _ = self.control(libc::EPOLL_CTL_DEL, descriptor, 0, For::Reading);
    }

    fn control(
        &self,
        operation: i32,
        descriptor: BorrowedFd,
        key: u64,
        what: For,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events: what.flags(), u64: key };
        let (set, descriptor) = (self.0.as_raw_fd(), descriptor.as_raw_fd());
        // SAFETY: both are open, `event` is valid.
        if unsafe { libc::epoll_ctl(set, operation, descriptor, &raw mut event) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Returns the keys with news, or none after `timeout` (`None`: never).
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<u64>> {
        let timeout = timeout.map_or(-1, |span| {
            // Rounded up: a deadline must have passed when this returns.
            i32::try_from(span.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        });
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        // SAFETY: `events` has room for `EVENTS`.
        let count = unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), EVENTS as i32, timeout)
        };
        match usize::try_from(count) {
            Ok(count) => Ok(events.iter().take(count).map(|event| event.u64).collect()),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
                error => Err(error),
            },
        }
    }
}

/// The signals of the guardian, blocked and readable.
#[derive(Debug)]
pub(crate) struct Signals(OwnedFd);

impl Signals {
    /// Blocks SIGCHLD, SIGTERM, SIGINT and SIGHUP, and no other.
    pub fn block() -> io::Result<Self> {
        // SAFETY: all zero is a valid `sigset_t`, and the calls get a valid one.
        let number = unsafe {
            let mut set: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(&raw mut set, signal);
                // An inherited SIG_IGN would reap children behind our back and drop the others.
                libc::signal(signal, libc::SIG_DFL);
            }
            if libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        own(number).map(Self)
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.0)
    }

    /// Returns the signals that have come, each once.
    pub fn take(&self) -> Vec<i32> {
        let mut taken = Vec::new();
        loop {
            // SAFETY: all zero is a valid `signalfd_siginfo`.
            let mut one: libc::signalfd_siginfo = unsafe { mem::zeroed() };
            let size = size_of_val(&one);
            // SAFETY: `one` has room for `size` bytes.
            let read = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut one).cast(), size) };
            if usize::try_from(read) != Ok(size) {
                return taken;
            }
            taken.push(one.ssi_signo as i32);
        }
    }
}

fn own(number: i32) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

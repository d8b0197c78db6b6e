//! One message and its descriptors over a `SOCK_SEQPACKET` pair, for both sides.
//!
//! A message up to [`INLINE`] bytes is one datagram. A longer one travels in a sealed memfd: the
//! datagram says only how long it is, and the memfd is the first descriptor. Blocking follows the
//! socket: on a non-blocking one both calls answer [`io::ErrorKind::WouldBlock`]. Always holds: a
//! received descriptor has CLOEXEC, and none is lost silently.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::message::{Malformed, Message, VERSION};

/// The longest message, in bytes, that is sent as a datagram.
pub const INLINE: usize = 64 * 1024;

/// The longest message, in bytes, at all: twice what `execve` takes (6 MiB, 3/4 of 8 MiB, in
/// `fs/exec.c`) and some.
pub const LARGEST: usize = 16 * 1024 * 1024;

/// The most descriptors one message carries; the kernel's limit (`SCM_MAX_FD`) is 253.
pub const MOST_DESCRIPTORS: usize = 96;

/// Second byte of a datagram whose message is in the memfd; no message has this number.
const LARGE: u8 = 0xff;

/// Sends `message` with `descriptors`.
///
/// # Errors
/// `WouldBlock` when the socket is non-blocking and full. `ETOOMANYREFS` when too many descriptors are
/// in flight, for whose end no readiness is reported: try again a little later.
/// `InvalidInput` when the message exceeds [`LARGEST`] or [`MOST_DESCRIPTORS`]. `BrokenPipe` when the
/// other side is gone.
pub fn send<M: Message>(
    socket: BorrowedFd<'_>,
    message: &M,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = message.encode();
    if bytes.len() > LARGEST || descriptors.len() >= MOST_DESCRIPTORS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if bytes.len() <= INLINE {
        return send_datagram(socket, &bytes, descriptors);
    }
    let memfd = sealed(&bytes)?;
    let mut all = vec![memfd.as_fd()];
    all.extend_from_slice(descriptors);
    let mut note = vec![VERSION, LARGE];
    note.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    send_datagram(socket, &note, &all)
}

/// Receives one message and its descriptors; `None` when the other side has closed and everything
/// it had sent was received.
///
/// # Errors
/// `WouldBlock` when the socket is non-blocking and empty. `InvalidData` when the datagram is no
/// message; the next one may be. `EMFILE` when this process may open no more descriptors: the message
/// and its descriptors are lost.
pub fn receive<M: Message>(socket: BorrowedFd<'_>) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    receive_datagram(socket, RecvFlags::empty())?.map(understood).transpose()
}

/// As [`receive`], but nothing is lost: a message whose descriptors find no room stays where it is.
///
/// # Errors
/// As [`receive`]. After `EMFILE` the next call finds the same message.
pub fn receive_or_leave<M: Message>(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    let received = match receive_datagram(socket, RecvFlags::PEEK) {
        Ok(Some(received)) => Ok(received),
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
        Err(error) => return Err(error),
    };
    // The rest of the datagram goes with its first byte, and the kernel's copies of the descriptors too.
    rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut [0_u8; 1], RecvFlags::DONTWAIT))?;
    understood(received?).map(Some)
}

/// What a datagram says, and the descriptors that are not its own.
fn understood<M: Message>(
    (bytes, mut descriptors): (Vec<u8>, Vec<OwnedFd>),
) -> io::Result<(M, Vec<OwnedFd>)> {
    if bytes.get(1) != Some(&LARGE) || bytes.first() != Some(&VERSION) {
        return Ok((M::decode(&bytes).map_err(invalid)?, descriptors));
    }
    let length = bytes.get(2..).and_then(|rest| rest.try_into().ok()).map(u64::from_le_bytes);
    let length = length.and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|length| *length <= LARGEST && !descriptors.is_empty());
    let length = length.ok_or_else(|| invalid(Malformed::Body))?;
    let file = File::from(descriptors.remove(0));
    // A file is sparse, so a hostile length costs this much memory, at most `LARGEST`.
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(|_| invalid(Malformed::Body))?;
    Ok((M::decode(&bytes).map_err(invalid)?, descriptors))
}

/// Returns a memfd with `bytes` in it that nobody can change any more.
pub(crate) fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(rustix::fs::memfd_create(c"zelador-message", flags)?);
    file.write_all_at(bytes, 0)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

fn invalid(malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

fn send_datagram(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    loop {
        let sent =
            rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL);
        match sent {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

thread_local! {
    /// Room for the longest datagram. Made anew for each, it would be the allocator's topmost memory, which
    /// is given back to the kernel and fetched again each time.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn receive_datagram(
    socket: BorrowedFd<'_>,
    flags: RecvFlags,
) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    ROOM.with_borrow_mut(|room| {
        room.resize(INLINE, 0);
        receive_into(socket, flags, room)
    })
}

fn receive_into(
    socket: BorrowedFd<'_>,
    flags: RecvFlags,
    room: &mut [u8],
) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut resets = 0;
    loop {
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(room)],
            &mut control,
            flags | RecvFlags::CMSG_CLOEXEC,
        );
        let received = match received {
            Ok(received) => received,
            Err(Errno::INTR) => continue,
            // The other side ended without reading everything. The kernel says so once and before
            // what is still queued for us, so the next call gets that.
            Err(Errno::CONNRESET) if resets < 2 => {
                resets += 1;
                continue;
            }
            Err(Errno::CONNRESET) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Errno::MFILE.into());
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(invalid(Malformed::Body));
        }
        if received.bytes == 0 {
            return Ok(None);
        }
        return Ok(Some((room[..received.bytes].to_vec(), descriptors)));
    }
}

//! What a run is handed besides its streams and its channel.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, chownat};
use rustix::process::{Gid, Uid};

use super::identity;

/// The number of the first: `SD_LISTEN_FDS_START`.
pub const FIRST: u32 = 3;

/// Descriptors with their numbers in the service, and the variables that tell it of them.
#[derive(Debug, Default)]
pub struct Handed {
    /// The descriptors.
    pub descriptors: Vec<OwnedFd>,
    /// The number of each.
    pub numbers: Vec<u32>,
    /// Variables.
    pub env: Vec<(&'static str, String)>,
    /// The number of the channel, if it is not 3.
    pub channel_at: Option<u32>,
}

impl Handed {
    /// Adds a descriptor.
    pub fn pass(&mut self, descriptor: OwnedFd, number: u32) {
        self.descriptors.push(descriptor);
        self.numbers.push(number);
    }
}

/// Gives a file to the user of an app: the one that is open, which may be open by its path alone.
///
/// # Errors
/// There is no such user, or zelador has no right to.
pub fn give_file(file: impl AsFd, user: &str) -> io::Result<()> {
    let user = identity::user(user).ok_or(io::ErrorKind::NotFound)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    Ok(chownat(file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?)
}

//! Which file it is, whatever it is called by now.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Mode, OFlags, Statx, StatxFlags};
use zelador_api::spot::Spot;

/// A file, independent of its name. The time of birth is part of it because a file system uses an
/// inode again as soon as its file is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Device number, `major << 32 | minor`.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Nanoseconds since the epoch; 0 where the file system does not record it.
    pub born: u64,
}

impl Identity {
    /// Returns which file is open there.
    pub fn of(file: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, wanted())?;
        Ok(Self::from_stat(&stat))
    }

    /// Returns which file is there; it is neither read nor written.
    pub fn at(spot: &Spot) -> io::Result<Self> {
        Self::of(spot.open(OFlags::PATH, Mode::empty())?)
    }

    fn from_stat(stat: &Statx) -> Self {
        let seconds = stat.stx_btime.tv_sec.unsigned_abs();
        let born = seconds * 1_000_000_000 + u64::from(stat.stx_btime.tv_nsec);
        let known = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
        Self {
            device: u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor),
            inode: stat.stx_ino,
            born: if known { born } else { 0 },
        }
    }
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

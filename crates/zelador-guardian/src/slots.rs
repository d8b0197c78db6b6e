//! Low descriptor numbers that are kept free of our own, for what a child is to have.
//!
//! A child that gets a copy of our table pays for each of our descriptors twice: when it is copied, and
//! when the child executes and the copy is closed. Ten for each of a thousand services are most of what
//! a start costs. Such a child shares our table instead, and then takes a copy of the lowest numbers only,
//! where what it is to have stands meanwhile (`close_range` with `CLOSE_RANGE_UNSHARE`, Linux 5.9).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::{dup3, fcntl_dupfd_cloexec};

/// All numbers from here on are ours: a child of four descriptors and five sockets has room below.
const ABOVE: RawFd = 20;

/// Those numbers, each a duplicate of `/dev/null` while nobody is begun.
#[derive(Debug)]
pub(crate) struct Slots(Vec<OwnedFd>);

/// What a child is to have stands in low numbers until this is dropped.
#[derive(Debug)]
pub(crate) struct Staged<'a> {
    slots: &'a mut [OwnedFd],
    null: BorrowedFd<'a>,
}

impl Slots {
    /// Takes what is free of the low numbers; nothing, where children cannot make use of them.
    pub fn new(null: &OwnedFd) -> Self {
        let mut slots = Vec::new();
        while can_unshare() && slots.len() < ABOVE as usize {
            match fcntl_dupfd_cloexec(null, 3) {
                Ok(slot) if slot.as_raw_fd() < ABOVE => slots.push(slot),
                _ => break,
            }
        }
        Self(slots)
    }

    /// Puts these descriptors (ours, and the number that the child has for it) into low numbers that are
    /// in no other's way; the second answer is where the child's copy of our table may end. `None`: there
    /// are not enough, and nothing was changed.
    pub fn stage<'a>(
        &'a mut self,
        null: BorrowedFd<'a>,
        all: &mut [(RawFd, RawFd)],
    ) -> Option<(Staged<'a>, RawFd)> {
        let highest = all.iter().map(|(_, number)| *number).max()?;
        let first = self.0.iter().position(|slot| slot.as_raw_fd() > highest)?;
        let slots = self.0[first..].get_mut(..all.len())?;
        let mut moved = all.to_vec();
        let staged = Staged { slots, null };
        for (slot, (from, _)) in staged.slots.iter_mut().zip(&mut moved) {
            // SAFETY: it is one of the descriptors that the caller holds.
            let ours = unsafe { BorrowedFd::borrow_raw(*from) };
            dup3(ours, slot, rustix::io::DupFlags::CLOEXEC).ok()?;
            *from = slot.as_raw_fd();
        }
        all.copy_from_slice(&moved);
        Some((staged, ABOVE))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        for slot in &mut *self.slots {
            // Of two descriptors that we hold, one is put in the place of the other: nothing can fail.
            _ = dup3(self.null.as_fd(), slot, rustix::io::DupFlags::CLOEXEC);
        }
    }
}

/// Whether the kernel knows, and lets us, take a copy of a part of a table. Nobody shares ours, so
/// nothing is copied, and the numbers that it is asked about are never in use.
fn can_unshare() -> bool {
    let last = libc::c_uint::MAX;
    // SAFETY: closes descriptors that cannot exist.
    unsafe { libc::syscall(libc::SYS_close_range, last - 1, last, libc::CLOSE_RANGE_UNSHARE) == 0 }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn null() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    /// What a descriptor is open on.
    fn target(number: RawFd) -> std::path::PathBuf {
        std::fs::read_link(format!("/proc/thread-self/fd/{number}")).unwrap()
    }

    #[test]
    fn what_a_child_is_to_have_stands_low_and_in_nobodys_way_and_not_for_longer() {
        let (null, file) = (null(), File::open("/proc/self/exe").unwrap());
        let mut slots = Slots::new(&null);
        let (file, before) = (file.as_raw_fd(), target(file.as_raw_fd()));
        let mut all = [(file, 0), (file, 1), (file, 5)];
        let Some((staged, above)) = slots.stage(null.as_fd(), &mut all) else {
            assert!(!can_unshare() || slots.0.len() < 5, "low numbers are taken in this process");
            return;
        };
        for (from, _) in all {
            assert!((6..above).contains(&from), "{from}");
            assert_eq!(target(from), before);
        }
        drop(staged);
        for (from, _) in all {
            assert_eq!(target(from), std::path::Path::new("/dev/null"));
        }
    }

    #[test]
    fn more_than_there_is_room_for_is_left_as_it_is() {
        let null = null();
        let mut slots = Slots::new(&null);
        let mut all: Vec<_> = (0..ABOVE).map(|number| (null.as_raw_fd(), number)).collect();
        let before = all.clone();
        assert!(slots.stage(null.as_fd(), &mut all).is_none());
        assert_eq!(all, before);
    }
}

//! Pages of a file that are mapped one by one.
//!
//! Whoever touches a page of a file gets the fifteen around it mapped as well, so that a program whose busy
//! functions are scattered maps four times what it uses. The kernel has no advice against that, but leaves
//! it out where somebody watches writes, as is done here without ever looking. Always holds: nothing waits
//! for a watcher, since the kernel itself allows each write (asynchronous mode, Linux 6.7); where it cannot,
//! or userfaultfd is not allowed, all stays as it was.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::ioctl::{self, Updater, opcode};
use rustix::mm::{UserfaultfdFlags, userfaultfd};

/// `UFFD_API`, `UFFD_FEATURE_WP_ASYNC` and `UFFDIO_REGISTER_MODE_WP` of `linux/userfaultfd.h`.
const API: u64 = 0xAA;
const WRITES_WITHOUT_WAITING: u64 = 1 << 15;
const WATCH_WRITES: u64 = 1 << 1;

/// `UFFD_USER_MODE_ONLY`, which needs no privilege (Linux 5.11).
const OF_PROGRAMS_ONLY: UserfaultfdFlags = UserfaultfdFlags::from_bits_retain(1);

/// `UFFDIO_API` and `UFFDIO_REGISTER`.
const AGREE: ioctl::Opcode = opcode::read_write::<Agreement>(0xAA, 0x3F);
const REGISTER: ioctl::Opcode = opcode::read_write::<Registration>(0xAA, 0x00);

/// `struct uffdio_api`.
#[repr(C)]
struct Agreement {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register`.
#[repr(C)]
struct Registration {
    start: u64,
    length: u64,
    mode: u64,
    ioctls: u64,
}

/// What keeps the mappings as they are for as long as this process runs; nothing if the kernel refused.
static WATCH: OnceLock<Option<OwnedFd>> = OnceLock::new();

/// Has each page from `start`, `length` bytes, mapped when it is touched and not before.
pub(crate) fn map_one_by_one(start: usize, length: usize) {
    if let Some(watch) = WATCH.get_or_init(|| open().ok()) {
        let registration = Registration {
            start: start as u64,
            length: length as u64,
            mode: WATCH_WRITES,
            ioctls: 0,
        };
        _ = update::<REGISTER, _>(watch, registration);
    }
}

fn open() -> io::Result<OwnedFd> {
    // SAFETY: in asynchronous mode, to which it is bound below, it changes neither contents nor access.
    let watch = unsafe { userfaultfd(UserfaultfdFlags::CLOEXEC | OF_PROGRAMS_ONLY)? };
    update::<AGREE, _>(
        &watch,
        Agreement { api: API, features: WRITES_WITHOUT_WAITING, ioctls: 0 },
    )?;
    Ok(watch)
}

fn update<const CODE: ioctl::Opcode, T>(watch: &OwnedFd, mut value: T) -> io::Result<()> {
    // SAFETY: `CODE` is made of the size of `T`, which has the kernel's layout.
    unsafe { ioctl::ioctl(watch, Updater::<CODE, T>::new(&mut value)) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write as _;
    use std::ptr;

    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

    /// Far enough apart that no two share what the kernel maps around one (64 KiB).
    const STEP: usize = 128 * 1024;
    const TOUCHED: usize = 8;

    /// KiB that are mapped once a page in each step was read.
    fn resident_after_touching(map: impl Fn(usize, usize)) -> usize {
        let length = STEP * TOUCHED;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; length]).unwrap();
        // SAFETY: a new mapping, which is gone at the end of this function.
        let start = unsafe {
            mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, &file, 0).unwrap()
        };
        map(start as usize, length);
        for page in (0..length).step_by(STEP) {
            // SAFETY: within the mapping.
            assert_eq!(unsafe { start.cast::<u8>().add(page).read_volatile() }, 7);
        }
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let begins = format!("{:x}-", start as usize);
        let mut of_mapping = smaps.lines().skip_while(|it| !it.starts_with(&begins));
        let rss = of_mapping.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        // SAFETY: nothing of it is used any more.
        unsafe { munmap(start, length).unwrap() };
        rss.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn only_what_is_touched_is_mapped_where_the_kernel_can() {
        let (around, alone) =
            (resident_after_touching(|_, _| {}), resident_after_touching(map_one_by_one));
        let page = rustix::param::page_size() / 1024;
        if WATCH.get().is_some_and(Option::is_some) {
            assert_eq!(alone, TOUCHED * page, "{around} KiB without");
        } else {
            assert_eq!(alone, around);
        }
    }
}

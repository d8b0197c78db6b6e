//! All processes of the host at one moment.
//!
//! One pass over `/proc`: a directory listing and one small read a process, 5 to 15 µs each.

use std::io;
use std::mem::MaybeUninit;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};

use super::stat::{Stat, stat_at};

/// All processes of the host at one moment, by pid.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    all: Vec<Stat>,
}

impl Processes {
    /// Returns the table of these processes.
    pub fn new(mut all: Vec<Stat>) -> Self {
        all.sort_unstable_by_key(|stat| stat.pid);
        Self { all }
    }

    /// All of them, the smallest pid first.
    pub fn all(&self) -> &[Stat] {
        &self.all
    }

    /// The process with this pid.
    pub fn get(&self, pid: i32) -> Option<&Stat> {
        self.index_of(pid).map(|index| &self.all[index])
    }

    /// Where in [`Processes::all`] the process with this pid is.
    pub(super) fn index_of(&self, pid: i32) -> Option<usize> {
        self.all.binary_search_by_key(&pid, |stat| stat.pid).ok()
    }
}

/// Returns all processes that this one may see. Blocks; a process that ends meanwhile is left out.
///
/// # Errors
/// `/proc` cannot be opened or listed, or there is no descriptor for a process in it.
pub fn snapshot() -> io::Result<Processes> {
    snapshot_without(|_| false)
}

/// Returns the processes for whose pid `skip` does not say true; those cost next to nothing.
pub(super) fn snapshot_without(mut skip: impl FnMut(i32) -> bool) -> io::Result<Processes> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = openat(CWD, c"/proc", flags, Mode::empty())?;
    let mut all = Vec::with_capacity(512);
    let mut buffer = [const { MaybeUninit::uninit() }; 16 << 10];
    let mut entries = RawDir::new(&listing, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if pid_of(name).is_some_and(|pid| !skip(pid)) {
            let mut path = [0_u8; 16];
            path[..name.len()].copy_from_slice(name);
            path[name.len()..name.len() + 5].copy_from_slice(b"/stat");
            match stat_at(&listing, &path[..name.len() + 5]) {
                // Of another user, on a host that hides them (hidepid).
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                stat => all.extend(stat?),
            }
        }
    }
    Ok(Processes::new(all))
}

/// The pid that a folder of `/proc` is named for.
fn pid_of(name: &[u8]) -> Option<i32> {
    std::str::from_utf8(name).ok().filter(|name| name.len() <= 10)?.parse().ok()
}

#[cfg(test)]
mod tests {

    use super::super::fixture::Program;
    use super::*;

    #[test]
    fn a_started_process_is_in_the_next_snapshot_and_a_reaped_one_is_not() {
        let mut program = Program::shell("sleep 1000");
        let pid = program.pid();
        let found = snapshot().unwrap();
        assert_eq!(
            found.get(pid).map(|stat| stat.ppid),
            i32::try_from(std::process::id()).ok(),
            "it is a child of this test"
        );
        program.end();
        assert!(snapshot().unwrap().get(pid).is_none());
    }
}

//! A control group (cgroup v2) for every run, where the host lets us have one.
//!
//! What is in a group cannot leave it by forking twice or beginning a session, so ending a run is
//! exact and takes one write. No controller is needed. The groups stand below the guardian's own:
//! `…/zelador-HOME/RUN`, HOME a number made of the home's path. Always holds: a group that cannot be
//! made costs the run nothing but this; one is removed only when it is empty.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::time;
use zelador_core::id::RunId;

use super::controllers;

/// How long a process that was killed may take to free its memory: 64 GiB take about 10 s.
const DYING: Duration = Duration::from_secs(10);

/// How often it is looked whether it is gone.
const LOOK_AGAIN_EVERY: Duration = Duration::from_millis(10);

/// The place of all groups of this home.
#[derive(Clone, Debug)]
pub struct Groups {
    folder: PathBuf,
}

impl Groups {
    /// Returns the place below the guardian's own group; `None` without cgroup v2.
    pub fn below(guardian: i32, home: &Path) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string(format!("/proc/{guardian}/cgroup")).ok()?;
        Some(Self { folder: folder(&mounts, &own, home)? })
    }

    /// Makes the group of a run; returns its folder, where the run is born.
    ///
    /// # Errors
    /// The host does not allow it.
    pub fn make(&self, run: RunId) -> io::Result<OwnedFd> {
        let path = self.path(run);
        match File::open(&path) {
            // Usually it was made ahead.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&path)?;
                Ok(File::open(path)?.into())
            }
            folder => Ok(folder?.into()),
        }
    }

    /// Makes the groups of runs to come, which [`Self::make`] then finds; as far as the host allows.
    pub fn prepare(&self, runs: impl Iterator<Item = RunId>) {
        for run in runs {
            // Not the folder that they stand in: that is gone when zelador ends.
            if fs::create_dir(self.path(run))
                .is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists)
            {
                return;
            }
        }
    }

    /// The group of a run that an engine before has begun, if that lives, or has left anything, in it; `pid` is its
    /// main process, unless that is over. That there is a folder says nothing: it may have been made ahead, and the
    /// run have begun without.
    pub fn home_of(&self, run: RunId, pid: Option<i32>) -> Option<PathBuf> {
        let path = self.path(run);
        let own = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok());
        let is_there = match own {
            Some(own) => is_in(&own, &path),
            None => !is_empty(&path),
        };
        is_there.then_some(path)
    }

    /// The folder of a run's group, whether it exists or not.
    pub fn path(&self, run: RunId) -> PathBuf {
        self.folder.join(run.to_string())
    }

    /// Removes what former engines left: the groups of runs that nobody knows, as far as they are
    /// empty.
    pub fn tidy(&self, known: impl Fn(RunId) -> bool) {
        tidy(&self.folder, known);
    }

    /// The groups of runs that there are.
    pub fn all(&self) -> Vec<(RunId, PathBuf)> {
        let run_of = |group: &Path| group.file_name()?.to_str()?.parse().ok().map(RunId::new);
        folders(&self.folder).into_iter().filter_map(|it| Some((run_of(&it)?, it))).collect()
    }

    /// The place of all groups.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the place of all groups, for the very end; waits for processes that are dying.
    pub fn end(&self) {
        let until = Instant::now() + DYING;
        while self.folder.exists() && Instant::now() < until {
            remove(&self.folder);
            if self.folder.exists() {
                std::thread::sleep(LOOK_AGAIN_EVERY);
            }
        }
    }
}

/// Removes the groups below a place of runs that nobody knows, as far as they are empty.
pub(super) fn tidy(place: &Path, known: impl Fn(RunId) -> bool) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let run = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if run.is_some_and(|run| !known(RunId::new(run))) {
            remove(&entry.path());
        }
    }
}

/// The place of this home in the hierarchy of a controller of cgroup v1.
pub(super) fn folder_of(controller: &str, mounts: &str, own: &str, home: &Path) -> Option<PathBuf> {
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let options = kind.strip_prefix("cgroup ")?.rsplit(' ').next()?;
        options.split(',').any(|option| option == controller).then_some((root, point))
    });
    let own = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (names, path) = (fields.next()?, fields.next()?);
        names.split(',').any(|name| name == controller).then_some(path)
    });
    Some(below(mount?, own?, home))
}

/// The folder of this home below the group that `own` (`/proc/PID/cgroup`) names.
fn folder(mounts: &str, own: &str, home: &Path) -> Option<PathBuf> {
    // Fields: id, parent, device, root, mount point, options, optional fields, `-`, type, …
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        kind.starts_with("cgroup2 ").then_some((root, point))
    });
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    // Zelador may have gone one group down itself.
    let own = own.strip_suffix(controllers::SELF).map_or(own, |own| own.trim_end_matches('/'));
    Some(below(mount?, own, home))
}

/// The place of this home below a group, where its hierarchy is mounted.
fn below((root, point): (&str, &str), own: &str, home: &Path) -> PathBuf {
    // In a container the mount may show a part of the hierarchy only.
    let own = own.strip_prefix(root.trim_end_matches('/')).unwrap_or(own);
    // FNV-1a: the next engine, of whatever version, must find the same name.
    let number =
        home.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
    let name = format!("zelador-{number:016x}");
    Path::new(point).join(own.trim_start_matches('/')).join(name)
}

/// Whether a process whose `/proc/PID/cgroup` is `own` lives in the group of a run, or below it.
fn is_in(own: &str, group: &Path) -> bool {
    let Some(own) = own.lines().find_map(|line| line.strip_prefix("0::")) else { return false };
    // Where the hierarchy is mounted does not matter: no other home has this name.
    let names: Vec<_> = group.iter().rev().take(2).collect();
    let [run, place] = &names[..] else { return false };
    let own: Vec<_> = Path::new(own).iter().collect();
    own.windows(2).any(|pair| pair == [*place, *run])
}

/// Whether no process lives in a group or below it; also when the group is gone. One that cannot be read is not
/// known to be empty.
pub fn is_empty(group: &Path) -> bool {
    match fs::read_to_string(group.join("cgroup.events")) {
        Ok(events) => events.lines().any(|line| line == "populated 0"),
        Err(error) => is_gone(&error),
    }
}

/// The processes in a group and below it; none when it is gone.
///
/// # Errors
/// It cannot be read.
pub fn members(group: &Path) -> io::Result<Vec<i32>> {
    let listed = match fs::read_to_string(group.join("cgroup.procs")) {
        // A group of threads has none of its own: its processes are those of the group above it.
        Err(error) if is_gone(&error) || error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            String::new()
        }
        listed => listed?,
    };
    let mut pids: Vec<i32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    let below = match fs::read_dir(group) {
        Err(error) if is_gone(&error) => return Ok(pids),
        entries => entries?,
    };
    for entry in below {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            pids.extend(members(&entry.path())?);
        }
    }
    Ok(pids)
}

/// Whether a group is gone, or was removed while it was read.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

/// Kills everything in a group and below it, also what is being forked just now. Returns false where
/// the kernel cannot (before Linux 5.14).
pub fn kill(group: &Path) -> bool {
    let file = File::options().write(true).open(group.join("cgroup.kill"));
    file.and_then(|mut file| io::Write::write_all(&mut file, b"1")).is_ok()
}

/// Removes the group of a run that was killed, as soon as its processes are done dying: freeing much
/// memory takes its time.
pub async fn remove_when_dead(group: &Path) {
    let until = time::Instant::now() + DYING;
    remove(group);
    while group.exists() && time::Instant::now() < until {
        time::sleep(LOOK_AGAIN_EVERY).await;
        remove(group);
    }
}

/// Removes a group and what is below it, as far as they are empty.
pub fn remove(group: &Path) {
    if fs::remove_dir(group).is_ok() {
        return;
    }
    for below in folders(group) {
        remove(&below);
    }
    _ = fs::remove_dir(group);
}

fn folders(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_made_ahead_is_not_taken_for_the_group_of_a_run_that_began_without() {
        let folder = tempfile::tempdir().unwrap();
        let groups = Groups { folder: folder.path().join("zelador-00") };
        let run = RunId::new(7);
        fs::create_dir_all(groups.path(run)).unwrap();
        fs::write(groups.path(run).join("cgroup.events"), "populated 0\nfrozen 0\n").unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(groups.home_of(run, Some(own)), None, "it lives elsewhere");
        assert_eq!(groups.home_of(run, None), None, "nothing is left there");
        fs::write(groups.path(run).join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
        assert_eq!(groups.home_of(run, None), Some(groups.path(run)));
        let lives = |own: &str| is_in(own, &groups.path(run));
        assert!(lives("4:memory:/x\n0::/a.slice/zelador-00/7\n"));
        assert!(lives("0::/zelador-00/7/its-own\n"));
        assert!(!lives("0::/zelador-00/77\n") && !lives("0::/zelador-01/7\n") && !lives(""));
    }

    #[test]
    fn a_group_that_cannot_be_read_is_not_taken_for_empty() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert!(is_empty(&gone) && members(&gone).unwrap().is_empty());
        // Nobody can read these as files, whatever the right to.
        for name in ["cgroup.events", "cgroup.procs"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert!(!is_empty(folder.path()));
        assert!(members(folder.path()).is_err());
    }

    #[test]
    fn the_place_is_below_the_guardians_own_group() {
        let mounts = "24 1 0:22 / /proc rw - proc proc rw\n\
                      31 24 0:27 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        let place = |own| folder(mounts, own, Path::new("/h")).map(|it| it.display().to_string());
        let hybrid = place("4:memory:/x\n0::/user.slice/a.scope\n").unwrap();
        assert!(
            hybrid.starts_with("/sys/fs/cgroup/unified/user.slice/a.scope/zelador-"),
            "{hybrid}"
        );
        let root = place("0::/\n").unwrap();
        assert!(root.starts_with("/sys/fs/cgroup/unified/zelador-"), "{root}");
        assert_eq!(place("4:memory:/x\n"), None);
        assert_eq!(folder("24 1 0:22 / /proc rw - proc proc rw\n", "0::/", Path::new("/h")), None);
        let part = "31 24 0:27 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let inside = folder(part, "0::/docker/abc/init\n", Path::new("/h")).unwrap();
        assert!(inside.starts_with("/sys/fs/cgroup/init"), "{}", inside.display());
    }
}

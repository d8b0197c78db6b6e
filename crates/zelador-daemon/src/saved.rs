//! What `save` writes: a file that is whole at every moment, with the ones before it kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zelador_api::saved::{GENERATIONS, generation};
use zelador_core::supervisor::Saved;

/// Whose turn it is: several people may ask for it at once.
static TURN: Mutex<()> = Mutex::new(());

/// What is between its name and the pid of who writes it.
const NEW: &str = ".new-";

/// Writes the file through a temporary one that is synced and renamed over it; readable by the
/// owner only, since environments are in it.
///
/// # Errors
/// The disk is full, or the folder cannot be written; the file before is untouched then.
pub fn write(path: &Path, saved: &Saved) -> io::Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    forget_half_written(path);
    let mut temporary = path.as_os_str().to_owned();
    // The command line writes an empty list by itself.
    temporary.push(format!("{NEW}{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = serde_json::to_vec_pretty(saved)
        .map_err(io::Error::from)
        .and_then(|text| file.write_all(&text))
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        _ = fs::remove_file(&temporary);
        return Err(error);
    }
    for number in (1..GENERATIONS).rev() {
        _ = fs::rename(generation(path, number), generation(path, number + 1));
    }
    // A second name instead of a move: the file itself is there at every moment.
    let first = generation(path, 1);
    _ = fs::remove_file(&first);
    _ = fs::hard_link(path, &first);
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Removes what those left who were killed as they wrote: environments are in it.
fn forget_half_written(path: &Path) {
    let begin = format!("{}{NEW}", path.file_name().unwrap_or_default().to_string_lossy());
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(&begin)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns the apps of the list that was saved before which this one does not have.
pub fn left_out(path: &Path, saved: &Saved) -> Vec<String> {
    let Ok(before) = zelador_api::saved::read(path) else { return Vec::new() };
    let has = |name| saved.apps.iter().any(|app| app.spec.name == name);
    let names = before.saved.apps.into_iter().map(|app| app.spec.name);
    names.filter(|name| !has(name.clone())).map(|name| name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use zelador_core::unit::Moment;

    #[test]
    fn generations_are_kept_and_only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.json");
        for number in 1..=7 {
            let at = Moment::from_micros(number);
            write(&path, &Saved { version: 1, at, apps: Vec::new() }).unwrap();
        }
        let read = |path: &Path| -> u64 {
            let saved: Saved = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            saved.at.as_micros()
        };
        assert_eq!(read(&path), 7);
        let older: Vec<u64> = (1..=5).map(|n| read(&generation(&path, n))).collect();
        assert_eq!(older, [6, 5, 4, 3, 2]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn those_who_save_at_once_all_succeed_and_a_reader_never_finds_half_a_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("dump.json");
        let saved = |at| Saved { version: 1, at: Moment::from_micros(at), apps: Vec::new() };
        write(path, &saved(0)).unwrap();
        std::thread::scope(|scope| {
            for writer in 1..=4 {
                scope.spawn(move || {
                    (0..25).for_each(|turn| write(path, &saved(writer * 100 + turn)).unwrap());
                });
            }
            scope.spawn(move || {
                for _ in 0..200 {
                    serde_json::from_slice::<Saved>(&fs::read(path).unwrap()).unwrap();
                }
            });
        });
        let older = (1..=GENERATIONS).map(|number| format!("dump.json.{number}"));
        let wanted: Vec<String> = std::iter::once("dump.json".to_owned()).chain(older).collect();
        assert_eq!(names(folder.path()), wanted);
    }

    #[test]
    fn a_full_disk_leaves_what_was_saved_before() {
        use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
        let folder = tempfile::tempdir().unwrap();
        // SAFETY: the namespace of mounts is unshared, for this thread; no descriptor is.
        let unshared =
            unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) };
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        let mounted = unshared
            .and_then(|()| mount_change("/", private))
            .and_then(|()| mount("none", folder.path(), "tmpfs", MountFlags::empty(), c"size=64k"));
        if let Err(errno) = mounted {
            println!("not run: mounting is not allowed here ({errno})");
            return;
        }
        let path = folder.path().join("dump.json");
        let saved = |at| Saved { version: 1, at: Moment::from_micros(at), apps: Vec::new() };
        write(&path, &saved(1)).unwrap();
        let before = fs::read(&path).unwrap();
        _ = fs::write(folder.path().join("ballast"), vec![1; 1 << 20]);
        let error = write(&path, &saved(2)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(names(folder.path()), ["ballast", "dump.json"]);
    }

    #[test]
    fn what_killed_ones_left_half_written_goes_with_the_next_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("dump.json");
        // Above what the kernel gives away (4,194,304), and one that may be writing just now.
        let (dead, alive) = (5_000_000, std::os::unix::process::parent_id());
        for pid in [dead, alive] {
            fs::write(folder.path().join(format!("dump.json.new-{pid}")), "{").unwrap();
        }
        fs::write(folder.path().join("dump.json.new-of-somebody"), "").unwrap();
        write(path, &Saved { version: 1, at: Moment::from_micros(1), apps: Vec::new() }).unwrap();
        let wanted = [
            "dump.json".to_owned(),
            format!("dump.json.new-{alive}"),
            "dump.json.new-of-somebody".to_owned(),
        ];
        assert_eq!(names(folder.path()), wanted);
    }
}

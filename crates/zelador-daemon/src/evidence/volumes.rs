//! How full the file systems are that an app writes to.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use zelador_core::evidence::VolumeSeen;
use zelador_core::unit::Percent;

/// Returns each file system once, the fullest first; with a note if one did not answer by `limit`: it
/// costs a thread then, not more.
pub(super) fn of(folders: &[PathBuf], limit: Instant) -> (Vec<VolumeSeen>, Option<String>) {
    let (answer, seen) = mpsc::sync_channel(1);
    let asked = folders.to_vec();
    let begun = thread::Builder::new().name("volumes".to_owned()).spawn(move || {
        // Nobody listens any more when the time ran out.
        _ = answer.send(look(&asked));
    });
    if let Err(error) = begun {
        return (Vec::new(), Some(format!("volumes: {error}")));
    }
    match seen.recv_timeout(limit.saturating_duration_since(Instant::now())) {
        Ok(seen) => (seen, None),
        Err(_) => (Vec::new(), Some("volumes: a file system does not answer".to_owned())),
    }
}

fn look(folders: &[PathBuf]) -> Vec<VolumeSeen> {
    let mut devices = BTreeSet::new();
    let mut volumes: Vec<VolumeSeen> = folders
        .iter()
        .filter_map(|folder| {
            let known = fs::metadata(folder).ok()?;
            let is_new = devices.insert(known.dev());
            let stat = is_new.then(|| rustix::fs::statvfs(folder).ok())??;
            // As `df` counts: what only root may still write is no room.
            let used = stat.f_blocks.saturating_sub(stat.f_bfree);
            let share = |part: u64, whole: u64| Percent::of(part, whole).value();
            let inodes = stat.f_files.saturating_sub(stat.f_ffree);
            Some(VolumeSeen {
                path: folder.display().to_string(),
                used: share(used, used + stat.f_bavail),
                inodes: (stat.f_files > 0).then(|| share(inodes, stat.f_files)),
            })
        })
        .collect();
    volumes.sort_by(|a, b| b.fullness().total_cmp(&a.fullness()));
    volumes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_file_system_is_told_once_and_with_its_inodes() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let folders = [folder.path().to_owned(), inner, "/no/such/folder".into()];
        let (seen, note) = of(&folders, Instant::now() + Duration::from_secs(20));
        assert_eq!((seen.len(), note), (1, None), "{seen:?}");
        assert!((0.0..=100.0).contains(&seen[0].used));
    }
}

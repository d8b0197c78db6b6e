//! How full the file systems are that an app writes to.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use zelador_core::evidence::VolumeSeen;
use zelador_core::unit::Percent;

/// Returns each file system once, the fullest first.
pub(super) fn of(folders: &[PathBuf]) -> Vec<VolumeSeen> {
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

    #[test]
    fn a_file_system_is_told_once_and_with_its_inodes() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let folders = [folder.path().to_owned(), inner, "/no/such/folder".into()];
        let seen = of(&folders);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!((0.0..=100.0).contains(&seen[0].used));
    }
}

//! Room on a disk: logs that zelador has renamed, and what lies in declared cache folders. Weighed, or
//! removed; nothing else, and nothing through a link.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat, unlinkat};
use zelador_api::spot::{self, Spot};
use zelador_core::unit::ByteSize;
use zelador_core::words;
use zelador_core::words::Words;

use crate::logs;

/// How many of the largest are named.
const NAMED: usize = 5;

/// What may be removed.
pub(super) struct Mine<'a> {
    /// Log files that zelador writes: those beside them that it renamed.
    pub logs: &'a [PathBuf],
    /// Folders whose content may be removed.
    pub caches: &'a [PathBuf],
    /// Only what is on the file system of this folder.
    pub on: Option<&'a Path>,
}

impl Mine<'_> {
    fn is_there(&self, path: &Path) -> bool {
        let Some(on) = self.on else { return true };
        let device = |path: &Path| fs::symlink_metadata(path).ok().map(|known| known.dev());
        device(on).is_some_and(|on| device(path) == Some(on))
    }

    fn renamed(&self, date_format: &str) -> Vec<PathBuf> {
        let all = self.logs.iter().flat_map(|log| logs::renamed(log, date_format));
        all.filter(|path| self.is_there(path)).collect()
    }

    /// The folders, not links to some.
    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        let is_folder =
            |path: &&PathBuf| fs::symlink_metadata(path).is_ok_and(|known| known.is_dir());
        self.caches.iter().filter(is_folder).filter(|path| self.is_there(path))
    }
}

/// Says what could be removed, the largest first.
///
/// # Errors
/// There is nothing.
pub(super) fn weigh(mine: &Mine<'_>, date_format: &str) -> Result<Words, Words> {
    let size = |path: &Path| fs::symlink_metadata(path).map_or(0, |known| known.len());
    let logs = mine.renamed(date_format).into_iter().map(|path| (size(&path), path));
    let caches = mine.folders().map(|path| (under(path), path.clone()));
    let mut all: Vec<(u64, PathBuf)> = logs.chain(caches).filter(|(size, _)| *size > 0).collect();
    if all.is_empty() {
        return Err(words!(
            "there is no old log of zelador and no declared cache on it that could be removed",
            "não há nele log antigo do zelador nem cache declarado que se possa remover",
        ));
    }
    all.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let total: u64 = all.iter().map(|(size, _)| size).sum();
    let count = all.len();
    let largest: Vec<String> = all
        .iter()
        .take(NAMED)
        .map(|(size, path)| format!("{} ({})", path.display(), ByteSize::new(*size)))
        .collect();
    let largest = largest.join(", ");
    Ok(words!(
        "{count} old logs of zelador and declared caches on it hold {total}: {largest}",
        "{count} logs antigos do zelador e caches declarados nele ocupam {total}: {largest}",
        total = ByteSize::new(total),
    ))
}

fn under(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| {
        let path = entry.path();
        match fs::symlink_metadata(&path) {
            Ok(known) if known.is_dir() => under(&path),
            Ok(known) => known.len(),
            Err(_) => 0,
        }
    };
    entries.flatten().map(size).sum()
}

/// Removes it.
///
/// # Errors
/// There is nothing.
pub(super) fn free(mine: &Mine<'_>, date_format: &str) -> Result<Words, Words> {
    let mut freed = 0;
    let mut files = 0_u64;
    for path in mine.renamed(date_format) {
        if let Ok(known) = fs::symlink_metadata(&path)
            && spot::remove(&path).is_ok()
        {
            freed += known.len();
            files += 1;
        }
    }
    for cache in mine.folders() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        if let Ok(folder) = Spot::find(cache).and_then(|spot| spot.open(flags, Mode::empty())) {
            empty(&folder, &mut freed, &mut files);
        }
    }
    if files == 0 {
        return Err(words!(
            "there was no old log and no cache to remove",
            "não havia log antigo nem cache a remover",
        ));
    }
    Ok(words!(
        "removed {files} files, {size}",
        "{files} arquivos removidos, {size}",
        size = ByteSize::new(freed),
    ))
}

/// Each folder is held open while what is in it goes: whoever may write there may put a link in its place.
fn empty(folder: impl AsFd, freed: &mut u64, files: &mut u64) {
    let Ok(entries) = Dir::read_from(&folder) else { return };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if let Ok(inner) = openat(&folder, name, flags, Mode::empty()) {
            empty(inner, freed, files);
            // One that something was put into meanwhile stays.
            _ = unlinkat(&folder, name, AtFlags::REMOVEDIR);
        } else if let Ok(known) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
            && unlinkat(&folder, name, AtFlags::empty()).is_ok()
        {
            *freed += known.st_size.unsigned_abs();
            *files += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(caches: &[PathBuf]) -> Mine<'_> {
        Mine { logs: &[], caches, on: None }
    }

    #[test]
    fn only_caches_are_emptied_and_nothing_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, kept) = (folder.path().join("cache"), folder.path().join("kept"));
        for path in [cache.join("deep"), kept.clone()] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(cache.join("deep/a"), "12345").unwrap();
        fs::write(kept.join("b"), "12345").unwrap();
        std::os::unix::fs::symlink(&kept, cache.join("link")).unwrap();
        let said = free(&only(std::slice::from_ref(&cache)), "YYYY").unwrap();
        assert!(said.english().starts_with("removed 2 files"), "{said}");
        assert!(kept.join("b").exists() && cache.exists() && !cache.join("deep").exists());
        let linked = folder.path().join("linked");
        std::os::unix::fs::symlink(&kept, &linked).unwrap();
        assert!(free(&only(&[linked]), "YYYY").is_err());
        assert!(kept.join("b").exists());
    }

    #[test]
    fn a_cache_that_is_changed_for_a_link_meanwhile_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["cache", "kept"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), "12345").unwrap();
        }
        let open = fs::File::open(at("cache")).unwrap();
        fs::rename(at("cache"), at("moved")).unwrap();
        std::os::unix::fs::symlink(at("kept"), at("cache")).unwrap();
        let (mut freed, mut files) = (0, 0);
        empty(open, &mut freed, &mut files);
        assert_eq!((freed, files), (5, 1));
        assert!(at("kept/file").exists() && !at("moved/file").exists());
    }

    #[test]
    fn what_is_weighed_is_named_with_its_size_and_left_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        fs::create_dir_all(cache.join("deep")).unwrap();
        fs::write(cache.join("deep/a"), vec![0; 3 << 20]).unwrap();
        let caches = [cache.clone()];
        let here = Mine { on: Some(folder.path()), ..only(&caches) };
        let said = weigh(&here, "YYYY").unwrap();
        let told = format!("{} (3.0 MB)", cache.display());
        assert!(said.english().ends_with(&told) && cache.join("deep/a").exists(), "{said}");
        let elsewhere = Mine { on: Some(Path::new("/proc")), ..only(&caches) };
        assert!(weigh(&elsewhere, "YYYY").is_err() && free(&elsewhere, "YYYY").is_err());
        assert!(cache.join("deep/a").exists(), "it is on another file system");
    }
}

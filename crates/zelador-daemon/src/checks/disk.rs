//! The file systems that hold certain paths.
//!
//! Paths go in; one volume a file system comes out, however many of the paths lie on it. Anything
//! here may hang when the server behind a mount is gone, so it is done aside.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zelador_core::probe::{Finding, Inodes, Volume};
use zelador_core::unit::ByteSize;
use zelador_core::words;
use zelador_core::words::Words;

use super::aside::{NotDone, aside};
use super::patience::Patience;
use super::said;
use crate::errno;
use crate::mounts::{self, MOUNTS};

/// Looks at the room of the file systems that hold these paths.
pub(super) async fn look(paths: Vec<PathBuf>, patience: Patience) -> Finding {
    seen(paths, patience).await.map_or_else(|why| why, |volumes| Finding::Disks { volumes })
}

/// Looks at their inodes.
pub(super) async fn inodes(paths: Vec<PathBuf>, patience: Patience) -> Finding {
    seen(paths, patience).await.map_or_else(|why| why, |volumes| Finding::Inodes { volumes })
}

/// Returns the file systems, or why they could not be looked at.
async fn seen(mut paths: Vec<PathBuf>, patience: Patience) -> Result<Vec<Volume>, Finding> {
    paths.sort_unstable();
    paths.dedup();
    let at = Arc::new(AtomicUsize::new(0));
    let (progress, looked_at) = (Arc::clone(&at), paths.clone());
    let done = aside(format!("disk {paths:?}"), patience, move || volumes(&looked_at, &progress));
    Err(match done.await {
        Ok(Ok(volumes)) => return Ok(volumes),
        Ok(Err(detail)) | Err(NotDone::Failed(detail)) => Finding::Unavailable { detail },
        Err(NotDone::Late) => {
            let hung = paths.get(at.load(Ordering::Relaxed)).map(|path| path.display().to_string());
            let hung = hung.unwrap_or_else(|| MOUNTS.to_owned());
            Finding::TimedOut { detail: said::silent_file_system(&hung, patience) }
        }
        Err(NotDone::StillBusy) => Finding::TimedOut {
            detail: words!(
                "the last looks at the file systems have not returned yet",
                "as últimas verificações dos sistemas de arquivos ainda não voltaram",
            ),
        },
    })
}

/// Asks for each file system once; `at` is the index of the path that is being asked about. Those
/// that cannot be read are left out while there are others: a full disk must not go unseen because
/// of them.
fn volumes(paths: &[PathBuf], at: &AtomicUsize) -> Result<Vec<Volume>, Words> {
    let text = fs::read(MOUNTS).unwrap_or_default();
    let mounts: Vec<PathBuf> = mounts::parse(&text).map(|mount| mount.point).collect();
    let mut seen = BTreeSet::new();
    let mut volumes = Vec::new();
    let mut problems = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        at.store(index, Ordering::Relaxed);
        match existing(path) {
            Ok((_, device)) if !seen.insert(device) => {}
            Ok((real, _)) => match volume(&real, &mounts) {
                // Parts of one mount may be devices of their own, as subvolumes are.
                Ok(volume) => volumes.extend(volume.filter(|it| is_new(&volumes, it))),
                Err(error) => problems.push(errno::said_of(path.display(), &error)),
            },
            Err(error) => problems.push(errno::said_of(path.display(), &error)),
        }
    }
    for problem in &problems {
        tracing::debug!(%problem, "file system not read");
    }
    if volumes.is_empty() && !problems.is_empty() {
        return Err(Words::joined(&problems, "; "));
    }
    Ok(volumes)
}

fn is_new(volumes: &[Volume], found: &Volume) -> bool {
    volumes.iter().all(|known| known.mount != found.mount)
}

/// The path, or its nearest parent that exists, without symbolic links; and the device it is on.
fn existing(path: &Path) -> io::Result<(PathBuf, u64)> {
    let mut candidate = path;
    loop {
        match fs::canonicalize(candidate).and_then(|real| Ok((fs::metadata(&real)?.dev(), real))) {
            Ok((device, real)) => return Ok((real, device)),
            Err(error) => match (error.kind(), candidate.parent()) {
                (
                    io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::PermissionDenied,
                    Some(parent),
                ) => candidate = parent,
                _ => return Err(error),
            },
        }
    }
}

/// The volume that an existing path is on; `None` for one without room, as `/proc` is.
fn volume(real: &Path, mounts: &[PathBuf]) -> io::Result<Option<Volume>> {
    let room = rustix::fs::statvfs(real)?;
    if room.f_blocks == 0 {
        return Ok(None);
    }
    let bytes = |blocks: u64| ByteSize::new(blocks.saturating_mul(room.f_frsize));
    let mount = mounts
        .iter()
        .filter(|mount| real.starts_with(mount))
        .max_by_key(|mount| mount.components().count());
    Ok(Some(Volume {
        mount: mount.map_or(real, PathBuf::as_path).display().to_string(),
        used: bytes(room.f_blocks.saturating_sub(room.f_bfree)),
        available: bytes(room.f_bavail),
        // File systems that make inodes as they need them tell 0.
        inodes: (room.f_files > 0).then(|| Inodes {
            used: room.f_files.saturating_sub(room.f_ffree),
            free: room.f_ffree,
        }),
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn patience() -> Patience {
        Patience::new(Duration::from_secs(20))
    }

    #[tokio::test]
    async fn paths_of_one_file_system_are_one_volume_and_missing_ones_stand_for_their_parent() {
        let folder = tempfile::tempdir().unwrap();
        let paths = vec![
            folder.path().to_owned(),
            folder.path().join("not/yet/there.log"),
            folder.path().to_owned(),
        ];
        let Finding::Disks { volumes } = look(paths, patience()).await else { panic!("no disks") };
        let [volume] = &volumes[..] else { panic!("{volumes:?}") };
        assert!(volume.used.bytes() + volume.available.bytes() > 0);
        assert!(folder.path().canonicalize().unwrap().starts_with(&volume.mount), "{volume:?}");
    }

    #[tokio::test]
    async fn room_and_inodes_are_as_df_says() {
        // What `df` prints without a header: in bytes, and in files.
        let df = |columns: &str, folder: &Path| -> Vec<String> {
            let mut df = std::process::Command::new("df");
            let said = df.args(["-B1", &format!("--output={columns}")]).arg(folder).output();
            let text = String::from_utf8(said.unwrap().stdout).unwrap();
            text.lines().nth(1).unwrap().split_ascii_whitespace().map(str::to_owned).collect()
        };
        let folder = tempfile::tempdir().unwrap();
        let mut last = String::new();
        // Others write meanwhile: one look of many must agree.
        for _ in 0..100 {
            let said = df("used,avail,iused,iavail,target", folder.path());
            let found = inodes(vec![folder.path().to_owned()], patience()).await;
            let Finding::Inodes { volumes } = found else { panic!("{found:?}") };
            let [Volume { mount, used, available, inodes }] = &volumes[..] else { panic!() };
            // What does not count inodes is told as 0, or as nothing, by `df`.
            let (taken, free) = match inodes {
                Some(inodes) => (inodes.used.to_string(), inodes.free.to_string()),
                None => (said[2].clone(), said[3].clone()),
            };
            let own = [used.bytes().to_string(), available.bytes().to_string(), taken, free];
            if said[..4] == own && said[4] == *mount {
                return;
            }
            last = format!("{said:?} is not {own:?} of {mount}");
        }
        panic!("{last}");
    }

    #[tokio::test]
    async fn what_has_no_room_is_no_volume() {
        let found = look(vec!["/proc/self".into()], patience()).await;
        assert_eq!(found, Finding::Disks { volumes: Vec::new() });
    }
}

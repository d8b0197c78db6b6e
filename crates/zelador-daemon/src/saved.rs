//! What `save` writes: a file that is whole at every moment, with the ones before it kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zelador_core::supervisor::Saved;

/// How many older files are kept: `.1` is the latest of them.
const GENERATIONS: u32 = 5;

/// Writes the file through a temporary one that is synced and renamed over it; readable by the
/// owner only, since environments are in it.
///
/// # Errors
/// The disk is full, or the folder cannot be written; the file before is untouched then.
pub fn write(path: &Path, saved: &Saved) -> io::Result<()> {
    let temporary = numbered(path, "new");
    _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = serde_json::to_writer_pretty(&mut file, saved)
        .map_err(io::Error::from)
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        _ = fs::remove_file(&temporary);
        return Err(error);
    }
    for generation in (1..GENERATIONS).rev() {
        _ = fs::rename(
            numbered(path, &generation.to_string()),
            numbered(path, &(generation + 1).to_string()),
        );
    }
    // A second name instead of a move: the file itself is there at every moment.
    let first = numbered(path, "1");
    _ = fs::remove_file(&first);
    _ = fs::hard_link(path, &first);
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn numbered(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
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
        let older: Vec<u64> = (1..=5).map(|n| read(&numbered(&path, &n.to_string()))).collect();
        assert_eq!(older, [6, 5, 4, 3, 2]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

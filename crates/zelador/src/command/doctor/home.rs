//! The home: whose it is, who may read it, and whether what is in it can be used.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use zelador_api::home::Home;
use zelador_api::unit::ByteSize;

use super::Finding;
use crate::history_file::{self, KNOWN, Kind};

/// Below this much room a home is about to be in trouble: logs wait in memory, the history too.
const LITTLE_ROOM: u64 = 256 << 20;
/// Below this it is.
const NO_ROOM: u64 = 16 << 20;

pub(super) fn all(home: &Home, is_running: bool) -> Vec<Finding> {
    let path = home.path();
    let own = rustix::process::geteuid().as_raw();
    let Ok(found) = fs::metadata(path) else {
        let found = format!("{} is not there: the first start makes it", path.display());
        return vec![Finding::ok("home", found), room(path)];
    };
    let mut all = vec![folder(path, &found, own), room(path)];
    all.push(secrets(home));
    if is_running {
        all.push(socket(home, own));
    }
    all.push(history(&home.history()));
    all
}

fn folder(path: &Path, found: &fs::Metadata, own: u32) -> Finding {
    const NAME: &str = "home";
    let shown = path.display();
    let mode = found.mode() & 0o7777;
    if !found.is_dir() {
        return Finding::failure(
            NAME,
            format!("{shown} is not a directory"),
            "set ZELADOR_HOME to a folder",
        );
    }
    if found.uid() != own {
        let found = format!("{shown} belongs to user {}, this is user {own}", found.uid());
        return Finding::failure(NAME, found, "run this as the owner");
    }
    if mode & 0o077 != 0 {
        let found = format!("{shown} can be entered by others (mode {mode:04o})");
        return Finding::failure(NAME, found, format!("chmod 700 {shown}"));
    }
    let read_only = rustix::fs::statvfs(path)
        .is_ok_and(|it| it.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    if read_only || rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
        let found = format!("{shown} cannot be written: what happens is kept in memory only");
        return Finding::failure(NAME, found, "mount it writable, or set ZELADOR_HOME to another");
    }
    Finding::ok(NAME, format!("{shown}, for its owner only"))
}

/// The nearest folder that is there.
fn nearest(path: &Path) -> PathBuf {
    path.ancestors().find(|it| it.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn room(path: &Path) -> Finding {
    const NAME: &str = "disk";
    let Ok(found) = rustix::fs::statvfs(nearest(path)) else {
        return Finding::warning(NAME, "its room cannot be told", "look at it with `df`");
    };
    let free = found.f_frsize.saturating_mul(found.f_bavail);
    let shown = format!("{} free for the home", ByteSize::new(free));
    let help = "make room: services go on, but their logs and the history wait in memory";
    // File systems that count no inodes say 0 of 0.
    let no_inodes = found.f_files > 0 && found.f_favail == 0;
    if no_inodes {
        return Finding::failure(NAME, "no inodes are left for the home", "remove small files");
    }
    match free {
        ..NO_ROOM => Finding::failure(NAME, shown, help),
        NO_ROOM..LITTLE_ROOM => Finding::warning(NAME, shown, help),
        _ => Finding::ok(NAME, shown),
    }
}

/// What others must not read even if the folder's mode is lost: environments, the token.
fn secrets(home: &Home) -> Finding {
    const NAME: &str = "secrets";
    let beside = |path: PathBuf, end: &str| {
        let mut name = path.into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    let history = home.history();
    let files = [
        home.token(),
        home.dump(),
        home.module_conf(),
        beside(history.clone(), "-wal"),
        beside(history.clone(), "-shm"),
        history,
    ];
    let open: Vec<String> = files
        .iter()
        .filter(|file| fs::metadata(file).is_ok_and(|it| it.mode() & 0o077 != 0))
        .map(|file| file.display().to_string())
        .collect();
    if open.is_empty() {
        return Finding::ok(NAME, "history, saved list and token are for the owner only");
    }
    let help = format!("chmod 600 {}", open.join(" "));
    Finding::warning(NAME, format!("others may read {}", open.join(", ")), help)
}

fn socket(home: &Home, own: u32) -> Finding {
    const NAME: &str = "socket";
    let path = home.socket();
    let shown = path.display();
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.file_type().is_socket() => Finding::failure(
            NAME,
            format!("{shown} is no socket"),
            "remove it, then `zelador kill`",
        ),
        Ok(found) if found.uid() != own || found.mode() & 0o777 != 0o600 => {
            let mode = found.mode() & 0o777;
            let found = format!("{shown} has mode {mode:04o} and belongs to user {}", found.uid());
            // Who calls is looked at besides.
            Finding::warning(NAME, found, format!("chmod 600 {shown}"))
        }
        Ok(_) => Finding::ok(NAME, format!("{shown}, for its owner only")),
        Err(error) => Finding::failure(
            NAME,
            format!("{shown}: {error}"),
            "kill the engine: the guardian makes a new one with it",
        ),
    }
}

fn history(path: &Path) -> Finding {
    const NAME: &str = "history";
    let shown = path.display();
    let aside = history_file::set_aside(path);
    if !aside.is_empty() {
        let found = format!("a damaged one was set aside: {}", aside.join(", "));
        return Finding::warning(NAME, found, "move it away when you have looked at it");
    }
    match history_file::look(path) {
        Ok(Kind::None) => Finding::ok(NAME, "none yet"),
        Ok(Kind::Other) => Finding::failure(
            NAME,
            format!("{shown} is no SQLite file"),
            "the next engine sets it aside and begins anew",
        ),
        Ok(Kind::Layout(layout)) if layout <= KNOWN => {
            Finding::ok(NAME, format!("{shown} (layout {layout})"))
        }
        Ok(Kind::Layout(layout)) => {
            let found = format!("{shown} has layout {layout}, this zelador knows {KNOWN}");
            Finding::failure(NAME, found, "go back to the newer zelador, or move the file away")
        }
        Err(error) => Finding::failure(NAME, format!("{shown}: {error}"), "check who owns it"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Grade;
    use super::*;

    fn of(all: &[Finding], name: &str) -> (Grade, String) {
        let found = all.iter().find(|it| it.name == name).unwrap();
        (found.status, format!("{} → {}", found.found, found.help.as_deref().unwrap_or("nothing")))
    }

    #[test]
    fn a_home_that_others_can_enter_or_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        assert_eq!(of(&all(&home, false), "home").0, Grade::Ok, "it need not be there");
        fs::create_dir(home.path()).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        set(home.path(), 0o755).unwrap();
        let (grade, said) = of(&all(&home, false), "home");
        assert!(grade == Grade::Failure && said.contains("mode 0755) → chmod 700 "), "{said}");
        set(home.path(), 0o700).unwrap();
        assert_eq!(of(&all(&home, false), "home").0, Grade::Ok);
        fs::write(home.token(), "x").unwrap();
        set(&home.token(), 0o644).unwrap();
        let (grade, said) = of(&all(&home, false), "secrets");
        assert!(grade == Grade::Warning && said.contains("→ chmod 600 "), "{said}");
    }

    #[test]
    fn a_history_that_is_newer_or_no_history_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        assert_eq!(history(&path).status, Grade::Ok);
        let mut bytes = b"SQLite format 3\0".to_vec();
        bytes.resize(100, 0);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(history(&path).status, Grade::Ok);
        bytes[63] = KNOWN as u8 + 1;
        fs::write(&path, &bytes).unwrap();
        let newer = history(&path);
        assert!(newer.status == Grade::Failure && newer.found.contains("has layout"), "{newer:?}");
        fs::write(&path, vec![7; 100]).unwrap();
        assert!(history(&path).found.contains("no SQLite file"));
        fs::write(folder.path().join("history.db.damaged-7"), "").unwrap();
        assert!(history(&path).found.contains("history.db.damaged-7"));
    }
}

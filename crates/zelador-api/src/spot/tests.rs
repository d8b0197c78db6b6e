//! Links, second names and folders that change, as other users lay them.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

use super::*;

const NOBODY: Option<u32> = Some(65534);

fn write(path: &Path, text: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let mut file = Spot::make(path)?.open(flags, Mode::from_raw_mode(0o600))?;
    file.write_all(text.as_bytes())
}

/// A folder, with a file in it that says `secret`.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "secret").unwrap();
    (folder, target)
}

fn refusal(done: io::Result<()>) -> String {
    let error = done.unwrap_err();
    let refused = error.get_ref().and_then(|own| own.downcast_ref::<Refused>());
    refused.unwrap_or_else(|| panic!("{error}")).to_string()
}

#[test]
fn links_of_ones_own_are_followed_to_files_and_folders_that_are_not_there_yet() {
    let (folder, _) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    symlink(at("real"), at("short")).unwrap();
    symlink(at("real/new/../new/./b.log"), at("real/a.log")).unwrap();
    write(&at("short/../short/a.log"), "text").unwrap();
    assert_eq!(fs::read_to_string(at("real/new/b.log")).unwrap(), "text");
    let spot = Spot::find(&at("short/a.log")).unwrap();
    assert_eq!(spot.present_path().unwrap(), fs::canonicalize(at("real/new/b.log")).unwrap());
    assert_eq!(fs::read_to_string(spot.path()).unwrap(), "text");
}

#[test]
fn a_path_that_names_no_file_is_refused() {
    let (folder, target) = folder();
    let at = |name: &str| folder.path().join(name);
    symlink("loop", at("loop")).unwrap();
    let number = |path: &Path| read(path).unwrap_err().raw_os_error().map(Errno::from_raw_os_error);
    assert_eq!(number(&at("loop")), Some(Errno::LOOP));
    assert_eq!(number(&at("loop/x")), Some(Errno::LOOP));
    assert_eq!(number(&at("missing/x")), Some(Errno::NOENT));
    assert_eq!(number(&target.join("x")), Some(Errno::NOTDIR));
    for path in ["/", "..", ""] {
        assert_eq!(number(Path::new(path)), Some(Errno::ISDIR), "{path:?}");
    }
}

#[test]
fn a_link_where_others_may_write_is_not_followed_wherever_it_stands_in_a_path() {
    let (folder, target) = folder();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    symlink(&target, shared.join("file")).unwrap();
    symlink(folder.path(), shared.join("folder")).unwrap();
    symlink(shared.join("file"), folder.path().join("own")).unwrap();
    let paths = [shared.join("file"), shared.join("folder/target"), folder.path().join("own")];
    for mode in [0o777, 0o1777, 0o757] {
        fs::set_permissions(&shared, Permissions::from_mode(mode)).unwrap();
        for path in &paths {
            let said = refusal(write(path, "x"));
            assert!(said.contains("is a link of user"), "{said}");
        }
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "secret");
    fs::set_permissions(&shared, Permissions::from_mode(0o755)).unwrap();
    for path in &paths {
        write(path, "public").unwrap();
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "public");
}

#[test]
fn what_another_user_lays_or_owns_leads_root_nowhere() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can give files away");
        return;
    }
    let (folder, target) = folder();
    let at = |name: &str| folder.path().join(name);
    for name in ["theirs", "group"] {
        fs::create_dir(at(name)).unwrap();
        symlink(&target, at(name).join("link")).unwrap();
    }
    symlink(&target, at("link")).unwrap();
    lchown(at("link"), NOBODY, NOBODY).unwrap();
    chown(at("theirs"), NOBODY, NOBODY).unwrap();
    fs::set_permissions(at("group"), Permissions::from_mode(0o775)).unwrap();
    for path in ["link", "theirs/link", "group/link"] {
        assert!(refusal(write(&at(path), "x")).contains("is a link of user"), "{path}");
    }
    // Its own links to its own folders stay good, as `current` of a release is one.
    fs::create_dir_all(at("theirs/releases/5")).unwrap();
    for folder in ["theirs/releases", "theirs/releases/5"] {
        chown(at(folder), NOBODY, NOBODY).unwrap();
    }
    for (link, to) in [
        ("theirs/current", "releases/5"),
        ("theirs/log", "current/made.log"),
        ("theirs/out", ".."),
        ("theirs/new", "releases/5/../../../made"),
    ] {
        symlink(to, at(link)).unwrap();
        lchown(at(link), NOBODY, NOBODY).unwrap();
    }
    write(&at("theirs/log"), "text").unwrap();
    write(&at("theirs/current/other/log"), "text").unwrap();
    assert_eq!(fs::read_to_string(at("theirs/releases/5/made.log")).unwrap(), "text");
    for path in ["theirs/out/target", "theirs/current/../../out/target"] {
        assert!(refusal(write(&at(path), "x")).contains("is a link of user"), "{path}");
    }
    assert!(write(&at("theirs/new/log"), "x").is_err() && !at("made").exists(), "nothing is made");
    // A file of a third user, moved or named there.
    fs::write(at("theirs/third"), "secret").unwrap();
    chown(at("theirs/third"), Some(1), Some(1)).unwrap();
    assert!(refusal(write(&at("theirs/third"), "x")).contains("is of user 1"));
    fs::hard_link(&target, at("theirs/second")).unwrap();
    assert!(refusal(write(&at("theirs/second"), "x")).contains("has 2 names"));
    assert_eq!(fs::read_to_string(&target).unwrap(), "secret");
    // What zelador or the user has made there is a log as any other.
    for (name, owner) in [("made", None), ("made-by-user", NOBODY)] {
        let path = at("theirs").join(name);
        write(&path, "one").unwrap();
        chown(&path, owner, owner).unwrap();
        write(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }
}

#[test]
fn a_folder_that_is_changed_for_a_link_meanwhile_leads_nowhere_else() {
    let (folder, target) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("logs")).unwrap();
    let spot = Spot::find(&at("logs/target")).unwrap();
    fs::rename(at("logs"), at("moved")).unwrap();
    symlink(folder.path(), at("logs")).unwrap();
    spot.open(OFlags::WRONLY | OFlags::CREATE, Mode::from_raw_mode(0o600)).unwrap();
    assert!(at("moved/target").exists() && spot.path().exists());
    assert_eq!(fs::read_to_string(&target).unwrap(), "secret");
    // The file itself, too.
    fs::remove_file(at("moved/target")).unwrap();
    symlink(&target, at("moved/target")).unwrap();
    let opened = spot.open(OFlags::WRONLY | OFlags::CREATE, Mode::empty());
    assert_eq!(opened.unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    remove(&at("moved/target")).unwrap();
    assert!(target.exists());
}

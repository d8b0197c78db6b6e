use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use zelador_core::id::AppName;
use zelador_core::input::Fact;
use zelador_core::watch::WatchPlan;

use super::Watcher;

/// How long something may take on an overloaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// A watcher of one app in a folder of its own.
struct Rig {
    watcher: Watcher,
    facts: mpsc::Receiver<Fact>,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let (sender, facts) = mpsc::channel();
        let watcher = Watcher::new(move |fact| _ = sender.send(fact));
        Self { watcher, facts, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    fn plan(&self, paths: &[&str], ignore: &[&str]) -> WatchPlan {
        WatchPlan {
            paths: paths.iter().map(|path| self.path(path)).collect(),
            cwd: self.folder.path().to_owned(),
            ignore: ignore.iter().map(|&pattern| pattern.to_owned()).collect(),
            never: vec![self.path("home")],
            follow_symlinks: true,
            polling: None,
        }
    }

    /// Begins to watch; returns the number of folders.
    fn watch(&mut self, plan: WatchPlan) -> u32 {
        self.watcher.set(app(), Some(plan));
        match self.facts.recv_timeout(LIMIT).unwrap() {
            Fact::Watching { folders, .. } => folders,
            other => panic!("{other:?}"),
        }
    }

    /// What changed until the file `last` did, relative to the folder.
    fn changes(&self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let fact = self.facts.recv_timeout(LIMIT);
            let fact = fact.unwrap_or_else(|_| panic!("waited for {last}, saw {seen:?}"));
            let Fact::FilesChanged { paths, .. } = fact else { continue };
            let relative =
                |path: &PathBuf| path.strip_prefix(self.folder.path()).unwrap().to_owned();
            seen.extend(paths.iter().map(|path| relative(path).display().to_string()));
            if seen.iter().any(|path| path == last) {
                seen.sort();
                seen.dedup();
                return seen;
            }
        }
    }
}

fn app() -> AppName {
    AppName::new("api").unwrap()
}

#[test]
fn twenty_thousand_files_in_node_modules_cost_no_watch() {
    let mut rig = Rig::new();
    for package in 0..200 {
        let folder = rig.path(&format!("node_modules/p{package}/lib"));
        fs::create_dir_all(&folder).unwrap();
        (0..100).for_each(|file| fs::write(folder.join(file.to_string()), "").unwrap());
    }
    for name in ["src/a/b/c.js", ".git/objects/x", "home/y", "tmp/deep/er/z"] {
        rig.write(name);
    }
    let plan = rig.plan(&[""], &["tmp"]);
    assert_eq!(rig.watch(plan), 4, "the folder itself, src, src/a and src/a/b");
}

#[test]
fn what_is_written_moved_and_removed_is_told_and_what_is_ignored_is_not() {
    let mut rig = Rig::new();
    for name in ["src/a.js", "src/old/b.js", "node_modules/x/y.js", "app.log", "gone.js"] {
        rig.write(name);
    }
    let plan = rig.plan(&[""], &["*.css"]);
    assert_eq!(rig.watch(plan), 3);
    for ignored in
        ["node_modules/x/y.js", "node_modules/new/z.js", ".env", "app.log", "src/x.css", "home/x"]
    {
        rig.write(ignored);
    }
    rig.write("src/a.js");
    rig.write("src/new/deep/c.js");
    fs::remove_file(rig.path("gone.js")).unwrap();
    fs::rename(rig.path("src/old"), rig.path("src/renamed")).unwrap();
    fs::create_dir(rig.path("src/empty")).unwrap();
    std::os::unix::fs::symlink("a.js", rig.path("src/link.js")).unwrap();
    fs::read(rig.path("src/a.js")).unwrap();
    rig.write("last.js");
    let expected = [
        "gone.js",
        "last.js",
        "src/a.js",
        "src/link.js",
        "src/new/deep/c.js",
        "src/old",
        "src/renamed/b.js",
    ];
    assert_eq!(rig.changes("last.js"), expected);
    // What came later is watched as well, what was moved under its new name.
    rig.write("src/new/deep/d.js");
    rig.write("src/renamed/b.js");
    rig.write("last.js");
    assert_eq!(rig.changes("last.js"), ["last.js", "src/new/deep/d.js", "src/renamed/b.js"]);
}

#[test]
fn files_patterns_and_links_can_be_named() {
    let mut rig = Rig::new();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in
        ["config/a.json", "config/b.json", ".env", "src/x/a.ts", "src/x/a.txt", "node_modules/m"]
    {
        rig.write(name);
    }
    std::os::unix::fs::symlink(elsewhere.path(), rig.path("src/linked")).unwrap();
    std::os::unix::fs::symlink(rig.path("src"), rig.path("src/x/loop")).unwrap();
    let plan = rig.plan(&["config/a.json", ".env", "src/**/*.ts", "later/f"], &[]);
    // `later` is not there, which is said.
    assert_eq!(rig.watch(plan), 5, "config, the folder, src, src/x and what is linked");
    let said = rig.facts.recv_timeout(LIMIT).unwrap();
    assert!(
        matches!(&said, Fact::CannotWatch { reason, .. } if reason.english().contains("later")),
        "{said:?}"
    );
    for name in ["config/b.json", "src/x/a.txt", "other", "node_modules/m", "config/a.json", ".env"]
    {
        rig.write(name);
    }
    fs::write(elsewhere.path().join("far.ts"), "x").unwrap();
    rig.write("src/x/a.ts");
    assert_eq!(
        rig.changes("src/x/a.ts"),
        [".env", "config/a.json", "src/linked/far.ts", "src/x/a.ts"]
    );
}

#[test]
fn a_folder_that_is_replaced_is_watched_again() {
    let mut rig = Rig::new();
    rig.write("dist/a.js");
    let plan = rig.plan(&["dist"], &[]);
    assert_eq!(rig.watch(plan), 1);
    fs::rename(rig.path("dist"), rig.path("before")).unwrap();
    rig.write("dist/b.js");
    assert_eq!(rig.changes("dist/b.js"), ["dist/b.js"]);
    fs::remove_dir_all(rig.path("dist")).unwrap();
    assert_eq!(rig.changes("dist/b.js"), ["dist/b.js"]);
    rig.write("dist/c.js");
    assert_eq!(rig.changes("dist/c.js"), ["dist/c.js"]);
}

#[test]
fn one_folder_can_be_watched_for_two_apps_and_a_watch_ends() {
    let mut rig = Rig::new();
    let plan = rig.plan(&[""], &[]);
    rig.watch(plan.clone());
    let other = AppName::new("other").unwrap();
    rig.watcher.set(other.clone(), Some(plan));
    assert!(matches!(rig.facts.recv_timeout(LIMIT).unwrap(), Fact::Watching { folders: 1, .. }));
    rig.watcher.set(app(), None);
    rig.write("a.js");
    let fact = rig.facts.recv_timeout(LIMIT).unwrap();
    assert!(matches!(&fact, Fact::FilesChanged { app, .. } if *app == other), "{fact:?}");
}

#[test]
fn polling_sees_what_was_written_and_removed() {
    let mut rig = Rig::new();
    rig.write("src/a.js");
    rig.write("node_modules/b.js");
    let plan = WatchPlan { polling: Some(Duration::from_millis(50)), ..rig.plan(&[""], &[]) };
    assert_eq!(rig.watch(plan), 2);
    rig.write("node_modules/b.js");
    rig.write("src/c.js");
    assert_eq!(rig.changes("src/c.js"), ["src/c.js"]);
    fs::remove_file(rig.path("src/a.js")).unwrap();
    assert_eq!(rig.changes("src/a.js"), ["src/a.js"]);
}

#[test]
fn a_limit_that_is_reached_is_named_with_the_command_that_raises_it() {
    let said = super::thread::too_much(super::notified::Stopped::NoMoreWatches);
    assert!(said.english().contains("sysctl fs.inotify.max_user_watches="), "{said}");
    assert!(said.english().contains("it runs on without"), "{said}");
    let said = super::thread::no_inotify(rustix::io::Errno::MFILE);
    assert!(said.english().contains("sysctl fs.inotify.max_user_instances="), "{said}");
    assert!(Path::new("/proc/sys/fs/inotify/max_user_watches").exists());
}

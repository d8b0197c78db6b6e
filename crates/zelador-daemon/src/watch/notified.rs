//! The folders of one app that the kernel watches for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, WatchFlags};
use rustix::io::Errno;
use zelador_core::watch::WatchPlan;
use zelador_core::words::Words;

use super::batch::Batch;
use super::rules::{Root, Rules};
use super::tree::{Found, Walk};

/// What the kernel tells of a folder: files that were written and closed, that came and went. Not
/// that one was read or opened, which a busy server does thousands of times a second.
const EVENTS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// How many folders are watched for one app; the kernel keeps about a kilobyte for each.
pub const MOST_FOLDERS: usize = 16_384;

/// What is watched for one app.
pub struct Notified {
    pub roots: Vec<Root>,
    pub rules: Rules,
    pub follow: bool,
    /// The watched folders, and the kernel's number for each.
    pub folders: BTreeMap<PathBuf, i32>,
    /// What changed and was not told yet.
    pub batch: Batch,
    /// How many folders were told last.
    pub told: Option<usize>,
}

/// Why not everything is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The kernel has no more watches for this user.
    NoMoreWatches,
    /// More than [`MOST_FOLDERS`].
    TooMany,
}

impl Notified {
    /// Returns what a plan asks for, nothing of it watched yet, and what is wrong with the plan.
    pub fn of(plan: &WatchPlan) -> (Self, Vec<Words>) {
        let (rules, mut complaints) = Rules::of(plan);
        let mut roots = Vec::new();
        for path in &plan.paths {
            match Root::of(path) {
                Ok(root) => roots.push(root),
                Err(complaint) => complaints.push(complaint),
            }
        }
        let notified = Self {
            roots,
            rules,
            follow: plan.follow_symlinks,
            folders: BTreeMap::new(),
            batch: Batch::default(),
            told: None,
        };
        (notified, complaints)
    }

    /// Watches the folder `from` and everything below it that counts; files that are there already
    /// are changes if `is_new`. Returns the folders that were added.
    pub fn add(
        &mut self,
        inotify: &OwnedFd,
        from: &Path,
        is_new: bool,
    ) -> Result<Vec<(PathBuf, i32)>, Stopped> {
        let mut added = Vec::new();
        let Self { roots, rules, folders, batch, .. } = self;
        for root in roots.iter().filter(|root| root.base == from || root.descends(from)) {
            let walk = Walk { root, rules, follow: self.follow };
            let ended = walk.run(from, |found| match found {
                Found::Folder(path) if folders.contains_key(path) => ControlFlow::Continue(()),
                Found::Folder(_) if folders.len() >= MOST_FOLDERS => {
                    ControlFlow::Break(Stopped::TooMany)
                }
                Found::Folder(path) => match inotify::add_watch(inotify, path, EVENTS) {
                    Ok(number) => {
                        folders.insert(path.to_owned(), number);
                        added.push((path.to_owned(), number));
                        ControlFlow::Continue(())
                    }
                    Err(Errno::NOSPC | Errno::NOMEM) => ControlFlow::Break(Stopped::NoMoreWatches),
                    // It is gone again, or zelador may not read it.
                    Err(_) => ControlFlow::Continue(()),
                },
                Found::File(path, _) => {
                    if is_new {
                        batch.add(path);
                    }
                    ControlFlow::Continue(())
                }
            });
            if let ControlFlow::Break(stopped) = ended {
                return Err(stopped);
            }
        }
        Ok(added)
    }

    /// Forgets a folder and everything below it; returns the kernel's numbers.
    pub fn forget(&mut self, folder: &Path) -> Vec<(PathBuf, i32)> {
        let gone: Vec<PathBuf> =
            self.folders.keys().filter(|path| path.starts_with(folder)).cloned().collect();
        gone.into_iter().filter_map(|path| self.folders.remove_entry(&path)).collect()
    }

    /// Returns whether a change of this path counts.
    pub fn counts(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| root.covers(path) && !root.ignores(path, &self.rules))
    }

    /// Returns whether a folder that appeared is to be watched.
    pub fn wants(&self, folder: &Path) -> bool {
        self.roots.iter().any(|root| root.descends(folder) && !root.ignores(folder, &self.rules))
    }

    /// Returns whether this folder is one of those that `watch` names.
    pub fn is_base(&self, folder: &Path) -> bool {
        self.roots.iter().any(|root| root.base == folder)
    }
}

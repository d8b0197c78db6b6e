//! Which folders and files there are in a watched place.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::rules::{Root, Rules};

/// Something that was found.
pub enum Found<'a> {
    /// A folder that is watched; told before it is listed.
    Folder(&'a Path),
    /// A file that counts.
    File(&'a Path, &'a DirEntry),
}

/// How a walk is done.
pub struct Walk<'a> {
    /// The place that it belongs to.
    pub root: &'a Root,
    /// What is left out.
    pub rules: &'a Rules,
    /// Whether symbolic links to folders are followed.
    pub follow: bool,
}

impl Walk<'_> {
    /// Tells `visit` of everything from the folder `from` on down that is watched. Folders that cannot
    /// be read are left out. Every folder is visited once, whatever links lead to it.
    pub fn run<B>(
        &self,
        from: &Path,
        mut visit: impl FnMut(Found<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut seen = HashSet::new();
        let mut waiting: Vec<PathBuf> = vec![from.to_owned()];
        while let Some(folder) = waiting.pop() {
            let Ok(metadata) = fs::metadata(&folder) else { continue };
            if !seen.insert((metadata.dev(), metadata.ino())) {
                continue;
            }
            visit(Found::Folder(&folder))?;
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if self.root.ignores(&path, self.rules) {
                    continue;
                }
                let Ok(kind) = entry.file_type() else { continue };
                let leads_to_folder =
                    kind.is_symlink() && fs::metadata(&path).is_ok_and(|target| target.is_dir());
                if kind.is_dir() || (leads_to_folder && self.follow) {
                    if self.root.descends(&path) {
                        waiting.push(path);
                    }
                } else if self.root.covers(&path) {
                    visit(Found::File(&path, &entry))?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

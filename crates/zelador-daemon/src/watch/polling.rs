//! Looks at files by the clock, where the kernel does not tell: on network file systems, and in
//! folders that another machine writes.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zelador_core::id::AppName;
use zelador_core::input::Fact;
use zelador_core::watch::WatchPlan;
use zelador_core::words;
use zelador_core::words::Words;

use super::Tell;
use super::batch::Batch;
use super::rules::{Root, Rules};
use super::tree::{Found, Walk};

/// How many files are looked at; each costs a system call in every round.
const MOST_FILES: usize = 50_000;

/// A thread that looks at the files of one app; it ends soon after this is dropped.
pub struct Poller {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Poller {
    /// Begins to look.
    pub fn start(app: AppName, plan: WatchPlan, tell: Tell) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = thread::Builder::new().name("watch-polling".to_owned());
        let thread = thread.spawn(move || look(&app, &plan, &tell, &told))?;
        Ok(Self { over, thread })
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }
}

/// By what a change of a file shows.
type Mark = (i64, i64, u64, u64);

fn look(app: &AppName, plan: &WatchPlan, tell: &Tell, over: &AtomicBool) {
    let (rules, mut complaints) = Rules::of(plan);
    let mut before: Option<BTreeMap<PathBuf, Mark>> = None;
    let mut roots = Vec::new();
    for path in &plan.paths {
        match Root::of(path) {
            Ok(root) => roots.push(root),
            Err(complaint) => complaints.push(complaint),
        }
    }
    while !over.load(Ordering::Acquire) {
        let (files, folders, all) = snapshot(&roots, &rules, plan.follow_symlinks);
        if before.is_none() {
            if !all {
                complaints.push(words!(
                    "only the first {MOST_FILES} files are watched: leave some out by `ignore_watch`",
                    "só os primeiros {MOST_FILES} arquivos são vigiados: deixe alguns de fora com `ignore_watch`",
                ));
            }
            tell(Fact::Watching { app: app.clone(), folders });
            if !complaints.is_empty() {
                let reason = Words::joined(&std::mem::take(&mut complaints), "; ");
                tell(Fact::CannotWatch { app: app.clone(), reason });
            }
        }
        if let Some(before) = &before {
            let mut batch = Batch::default();
            let changed = files.iter().filter(|(path, mark)| before.get(*path) != Some(*mark));
            changed.for_each(|(path, _)| batch.add(path));
            before
                .keys()
                .filter(|path| !files.contains_key(*path))
                .for_each(|path| batch.add(path));
            if let Some(fact) = batch.take(app) {
                tell(fact);
            }
        }
        before = Some(files);
        thread::park_timeout(plan.polling.unwrap_or(Duration::from_secs(1)));
    }
}

fn snapshot(roots: &[Root], rules: &Rules, follow: bool) -> (BTreeMap<PathBuf, Mark>, u32, bool) {
    let (mut files, mut folders, mut all) = (BTreeMap::new(), 0, true);
    for root in roots {
        let walk = Walk { root, rules, follow };
        let ended = walk.run(&root.base, |found| {
            match found {
                Found::Folder(_) => folders += 1,
                Found::File(path, entry) => {
                    let Ok(it) = entry.metadata() else { return ControlFlow::Continue(()) };
                    let mark = (it.mtime(), it.mtime_nsec(), it.size(), it.ino());
                    files.insert(path.to_owned(), mark);
                }
            }
            if files.len() >= MOST_FILES {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        all &= ended.is_continue();
    }
    (files, folders, all)
}

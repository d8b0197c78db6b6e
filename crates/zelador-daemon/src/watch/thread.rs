//! The loop of the thread that waits for inotify.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags};
use rustix::io::Errno;
use zelador_core::id::AppName;
use zelador_core::input::Fact;
use zelador_core::watch::WatchPlan;
use zelador_core::words;
use zelador_core::words::Words;

use super::Tell;
use super::notified::{MOST_FOLDERS, Notified, Stopped};
use crate::errno;

/// A folder that `watch` names and that is gone is looked for this often: a deployment puts another
/// one in its place.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(1);

/// How many bytes of events are read at once: the kernel keeps 16384 events of 16 bytes and a name.
const READ: usize = 64 << 10;

/// Watch this for an app instead of what was watched before; `None`: nothing.
pub struct Command {
    pub app: AppName,
    pub plan: Option<WatchPlan>,
}

/// The thread's state.
pub struct Worker {
    inbox: Receiver<Command>,
    bell: Arc<OwnedFd>,
    tell: Tell,
    inotify: Option<OwnedFd>,
    apps: BTreeMap<AppName, Notified>,
    /// Whose folder a number of the kernel stands for; several apps may watch one.
    owners: HashMap<i32, Vec<(AppName, PathBuf)>>,
    /// Apps one of whose named folders is gone, and when it is looked for again.
    lost: BTreeMap<AppName, Instant>,
}

/// One event, out of the kernel's buffer.
struct Event {
    number: i32,
    flags: ReadFlags,
    name: Option<PathBuf>,
}

impl Worker {
    /// Returns a worker that has nothing to do yet.
    pub fn new(inbox: Receiver<Command>, bell: Arc<OwnedFd>, tell: Tell) -> Self {
        Self {
            inbox,
            bell,
            tell,
            inotify: None,
            apps: BTreeMap::new(),
            owners: HashMap::new(),
            lost: BTreeMap::new(),
        }
    }

    /// Runs until nobody can give commands any more.
    pub fn run(mut self) {
        loop {
            self.wait();
            _ = rustix::io::read(&*self.bell, &mut [0_u8; 8]);
            loop {
                match self.inbox.try_recv() {
                    Ok(Command { app, plan }) => self.set(&app, plan.as_ref()),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.read();
            self.look_again();
            self.tell_due();
        }
    }

    /// Waits for commands, the kernel, or the time to tell something.
    fn wait(&self) {
        let dues = self.apps.values().filter_map(|app| app.batch.due());
        let next = dues.chain(self.lost.values().copied()).min();
        let left = next.map(|at| at.saturating_duration_since(Instant::now()));
        // Rounded up, so that it is due after the wait.
        let left = left.map(|left| left + Duration::from_millis(1));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut waited = vec![PollFd::new(&*self.bell, PollFlags::IN)];
        if let Some(inotify) = &self.inotify {
            waited.push(PollFd::new(inotify, PollFlags::IN));
        }
        if let Err(error) = poll(&mut waited, left.as_ref())
            && error != Errno::INTR
        {
            // Nothing that this thread could do about it, except not to turn without end.
            std::thread::sleep(LOOK_AGAIN_EVERY);
        }
    }

    fn set(&mut self, app: &AppName, plan: Option<&WatchPlan>) {
        self.drop_app(app);
        let Some(plan) = plan else { return };
        if self.inotify.is_none() {
            match inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
                Ok(inotify) => self.inotify = Some(inotify),
                Err(error) => return self.complain(app, no_inotify(error)),
            }
        }
        let (notified, complaints) = Notified::of(plan);
        self.apps.insert(app.clone(), notified);
        if self.arm(app, false) {
            self.tell_folders(app);
            if !complaints.is_empty() {
                self.complain(app, Words::joined(&complaints, "; "));
            }
        }
    }

    /// Watches what a plan names; false when that was too much, and nothing is watched.
    fn arm(&mut self, app: &AppName, is_new: bool) -> bool {
        let Some(notified) = self.apps.get(app) else { return false };
        let bases: Vec<PathBuf> = notified.roots.iter().map(|root| root.base.clone()).collect();
        bases.iter().all(|base| self.add(app, base, is_new))
    }

    fn add(&mut self, app: &AppName, folder: &Path, is_new: bool) -> bool {
        let (Some(inotify), Some(notified)) = (&self.inotify, self.apps.get_mut(app)) else {
            return false;
        };
        match notified.add(inotify, folder, is_new) {
            Ok(added) => {
                for (path, number) in added {
                    self.owners.entry(number).or_default().push((app.clone(), path));
                }
                true
            }
            Err(stopped) => {
                // A part of the folders would be a trap: nobody knows which.
                let folders = std::mem::take(&mut notified.folders);
                self.disown(app, folders.into_iter().collect());
                self.drop_app(app);
                self.complain(app, too_much(stopped));
                false
            }
        }
    }

    fn drop_app(&mut self, app: &AppName) {
        self.lost.remove(app);
        if let Some(notified) = self.apps.remove(app) {
            self.disown(app, notified.folders.into_iter().collect());
        }
    }

    /// The kernel need not watch these folders any more, unless another app has them too.
    fn disown(&mut self, app: &AppName, folders: Vec<(PathBuf, i32)>) {
        for (path, number) in folders {
            let Some(owners) = self.owners.get_mut(&number) else { continue };
            owners.retain(|owner| (&owner.0, &owner.1) != (app, &path));
            if owners.is_empty() {
                self.owners.remove(&number);
                if let Some(inotify) = &self.inotify {
                    // It may have gone by itself.
                    _ = inotify::remove_watch(inotify, number);
                }
            }
        }
    }

    fn read(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        let mut buffer = vec![MaybeUninit::uninit(); READ];
        let mut events = Vec::new();
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => events.push(Event {
                    number: event.wd(),
                    flags: event.events(),
                    name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).into()),
                }),
                Err(Errno::INTR) => continue,
                Err(_) => break,
            }
            // One buffer a round: batches are told in time, whatever goes on.
            if reader.is_buffer_empty() {
                break;
            }
        }
        events.iter().for_each(|event| self.take(event));
    }

    fn take(&mut self, event: &Event) {
        if event.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            return self.overflowed();
        }
        let Some(owners) = self.owners.get(&event.number).cloned() else { return };
        if event.flags.contains(ReadFlags::IGNORED) {
            self.owners.remove(&event.number);
        }
        for (app, folder) in owners {
            match &event.name {
                Some(name) => self.entry_changed(&app, &folder.join(name), event.flags),
                None => self.folder_changed(&app, &folder, event.flags),
            }
        }
    }

    /// Something happened to a watched folder itself.
    fn folder_changed(&mut self, app: &AppName, folder: &Path, flags: ReadFlags) {
        let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED;
        let Some(notified) = self.apps.get_mut(app).filter(|_| flags.intersects(gone)) else {
            return;
        };
        let is_base = notified.is_base(folder);
        if flags.contains(ReadFlags::IGNORED) {
            notified.folders.remove(folder);
        } else if is_base {
            // What is below has left with it.
            let forgotten = notified.forget(folder);
            self.disown(app, forgotten);
        }
        if is_base {
            self.lost.entry(app.clone()).or_insert_with(|| Instant::now() + LOOK_AGAIN_EVERY);
        }
    }

    /// Something happened to an entry of a watched folder.
    fn entry_changed(&mut self, app: &AppName, path: &Path, flags: ReadFlags) {
        let Some(notified) = self.apps.get_mut(app) else { return };
        let came = flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        let leads_to_folder = || notified.follow && came && path.is_dir();
        if flags.contains(ReadFlags::ISDIR) || leads_to_folder() {
            let left = flags.intersects(ReadFlags::MOVED_FROM | ReadFlags::DELETE);
            if left && notified.folders.contains_key(path) {
                notified.batch.add(path);
                let forgotten = notified.forget(path);
                self.disown(app, forgotten);
            } else if came && notified.wants(path) {
                // What is in it already is new; an empty folder is no change.
                _ = self.add(app, path, true);
            }
            return;
        }
        // A new file is told when it was written and closed; one that is never opened, at once.
        let is_fresh = flags.contains(ReadFlags::CREATE)
            && !fs::symlink_metadata(path)
                .is_ok_and(|it| it.file_type().is_symlink() || it.nlink() > 1);
        if !is_fresh && notified.counts(path) {
            notified.batch.add(path);
        }
    }

    /// The kernel had more to tell than it could keep: everything is looked at anew.
    fn overflowed(&mut self) {
        let apps: Vec<AppName> = self.apps.keys().cloned().collect();
        for app in apps {
            if let Some(notified) = self.apps.get_mut(&app) {
                let bases: Vec<PathBuf> =
                    notified.roots.iter().map(|root| root.base.clone()).collect();
                bases.iter().for_each(|base| notified.batch.add(base));
            }
            self.arm(&app, false);
        }
    }

    /// Looks for folders that were named and are gone.
    fn look_again(&mut self) {
        let now = Instant::now();
        let due: Vec<AppName> =
            self.lost.iter().filter(|(_, at)| **at <= now).map(|(app, _)| app.clone()).collect();
        for app in due {
            self.lost.remove(&app);
            let Some(notified) = self.apps.get(&app) else { continue };
            let missing = notified.roots.iter().any(|root| !root.base.is_dir());
            if self.arm(&app, true) && missing {
                self.lost.insert(app, now + LOOK_AGAIN_EVERY);
            }
        }
    }

    fn tell_due(&mut self) {
        let now = Instant::now();
        let apps: Vec<AppName> = self.apps.keys().cloned().collect();
        for app in apps {
            self.tell_folders(&app);
            let Some(notified) = self.apps.get_mut(&app) else { continue };
            if notified.batch.due().is_some_and(|at| at <= now)
                && let Some(fact) = notified.batch.take(&app)
            {
                (self.tell)(fact);
            }
        }
    }

    /// Tells how many folders are watched, where that changed.
    fn tell_folders(&mut self, app: &AppName) {
        let Some(notified) = self.apps.get_mut(app) else { return };
        let folders = notified.folders.len();
        if notified.told.replace(folders) != Some(folders) {
            let folders = u32::try_from(folders).unwrap_or(u32::MAX);
            (self.tell)(Fact::Watching { app: app.clone(), folders });
        }
    }

    fn complain(&self, app: &AppName, reason: Words) {
        (self.tell)(Fact::CannotWatch { app: app.clone(), reason });
    }
}

pub(super) fn no_inotify(error: Errno) -> Words {
    if error == Errno::MFILE || error == Errno::NFILE {
        let of = words!("programs of this user that watch", "programas deste usuário que vigiam");
        return limit_reached("max_user_instances", &of, 1024);
    }
    words!(
        "its files are not watched, it runs on without: inotify: {said}",
        "os arquivos dele não são vigiados, ele segue sem isso: inotify: {said}",
        said = errno::said(&error.into()),
    )
}

pub(super) fn too_much(stopped: Stopped) -> Words {
    match stopped {
        Stopped::NoMoreWatches => {
            let of = words!("folders that this user watches", "pastas que este usuário vigia");
            limit_reached("max_user_watches", &of, 524_288)
        }
        Stopped::TooMany => words!(
            "its files are not watched, it runs on without: there are more than {MOST_FOLDERS} \
             folders; leave some out by `ignore_watch`, or name folders in `watch`",
            "os arquivos dele não são vigiados, ele segue sem isso: há mais de {MOST_FOLDERS} \
             pastas; deixe algumas de fora com `ignore_watch`, ou nomeie pastas em `watch`",
        ),
    }
}

/// A limit of the kernel, how high it is, and the command that raises it.
fn limit_reached(name: &str, of: &Words, proposal: u64) -> Words {
    let now = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).unwrap_or_default();
    let now = now.trim().parse::<u64>().unwrap_or_default();
    let proposal = proposal.max(now.saturating_mul(2));
    words!(
        "its files are not watched, it runs on without: the kernel's limit on {of} is reached \
         (fs.inotify.{name} is {now}); `sysctl fs.inotify.{name}={proposal}` raises it, or \
         `ignore_watch` leaves folders out",
        "os arquivos dele não são vigiados, ele segue sem isso: o limite do kernel de {of} foi \
         atingido (fs.inotify.{name} é {now}); `sysctl fs.inotify.{name}={proposal}` o aumenta, ou \
         `ignore_watch` deixa pastas de fora",
        of = of,
    )
}

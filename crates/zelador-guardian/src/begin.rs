//! How a guardian begins: first what can fail, then what was handed over is taken.
//!
//! Always holds: while something can still fail, the descriptors of the table are nobody's, and the image
//! before this one can be executed with them as they are.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::engine::Restarts;
use crate::guardian::Guardian;
use crate::home::{self, Home};
use crate::limits::{self, Nofile};
use crate::notify::Manager;
use crate::poll::{Poll, Signals};
use crate::runs::{Entry, Ground};
use crate::slots::Slots;
use crate::spawn::Stack;
use crate::table::{self, Outline};
use crate::trial::Trial;
use crate::{Error, Options};

/// How long a new guardian waits for the lock of the one it replaces, or that the service manager has
/// just killed: as long as the kernel may take to close the descriptors of a killed process.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// What a guardian needs of its own.
struct Needs {
    signals: Signals,
    poll: Poll,
    stack: Stack,
    null: OwnedFd,
    slots: Slots,
    nofile: Nofile,
    /// A new control socket, when what was handed over has none that leads anywhere.
    listener: Option<OwnedFd>,
    outline: Option<Outline>,
}

/// Returns the guardian, ready to run; `None`: another one holds the home.
pub(crate) fn guardian(options: Options) -> Result<Option<Guardian>, Error> {
    let Options { home, log, engine, table, former, patience, resurrect } = options;
    match (&table, &former) {
        // SAFETY: this process has opened nothing yet.
        (None, None) => unsafe { table::close_all() },
        _ => table::close_on_exec_all(),
    }
    let prepared = catch_unwind(|| Needs::prepare(&home, table.as_ref()));
    let panicked = |_| Err(Error::Kernel("beginning", io::Error::other("it has panicked")));
    let needs = match (prepared.unwrap_or_else(panicked), &former, &table) {
        (Err(error), Some(former), Some(table)) => {
            let text =
                format!("the new guardian cannot begin ({error}): going back to the one before");
            home::log(&log, &text);
            let refused = former.go_back(table);
            home::log(&log, &format!("the other guardian cannot be executed: {refused}"));
            return Err(error);
        }
        (prepared, ..) => prepared?,
    };

    let is_heir = needs.outline.is_some();
    let table = needs.outline.map(Outline::take).unwrap_or_default();
    let home = match table.lock {
        Some(lock) => Home::locked(&home, log, lock),
        None => {
            let wait = if is_heir || resurrect { LOCK_WAIT } else { Duration::ZERO };
            let locked = Home::lock(&home, log, wait, is_heir);
            let Some(locked) = locked.map_err(|error| Error::Home(home, error))? else {
                return Ok(None);
            };
            locked
        }
    };
    // The file may have been replaced between the two guardians; then the old socket leads nowhere.
    let listener = needs.listener.or_else(|| table.listener.filter(|_| home.has_socket()));
    let listener = match listener {
        Some(listener) => listener,
        None => home.bind().map_err(|error| Error::Socket(home.path().to_owned(), error))?,
    };
    let nofile = table.nofile.unwrap_or(needs.nofile);
    let oom = table.oom.or_else(limits::lower_oom_score);
    Ok(Some(Guardian {
        home,
        argv: engine,
        patience,
        listener,
        poll: needs.poll,
        signals: needs.signals,
        ground: Ground { stack: needs.stack, slots: needs.slots, null: needs.null, nofile, oom },
        runs: table.runs.into_iter().map(|kept| (kept.run, Entry::from_table(kept))).collect(),
        stowed: table.stowed.into_iter().collect(),
        engine: None,
        restarts: Restarts::new(Instant::now()),
        manager: Manager::from_environment(),
        resurrect: resurrect || table.resurrect,
        more_ended: false,
        terminated: false,
        terminating: None,
        finishing: None,
        upgrade: None,
        upgrade_at: None,
        trial: former.map(|former| Trial::new(former, Instant::now(), &patience)),
    }))
}

impl Needs {
    fn prepare(path: &Path, table: Option<&OwnedFd>) -> Result<Self, Error> {
        let kernel = |what| move |error| Error::Kernel(what, error);
        let outline = table.map(Outline::read).transpose().map_err(Error::Table)?;
        let signals = Signals::block().map_err(kernel("signalfd"))?;
        let poll = Poll::new().map_err(kernel("epoll_create"))?;
        let stack = Stack::new().map_err(kernel("mmap"))?;
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = null.map_err(kernel("opening /dev/null"))?.into();
        let slots = Slots::new(&null);
        let nofile = Nofile::raise().map_err(kernel("prlimit"))?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| Error::Kernel("PR_SET_CHILD_SUBREAPER", errno.into()))?;
        // Whoever has no lock yet has no right to the socket's name.
        let leads_nowhere = |it: &&Outline| !(it.has_listener() && home::has_socket(path));
        let listener = match outline.as_ref().filter(|it| it.has_lock()).filter(leads_nowhere) {
            Some(_) => {
                let bound = home::bind(path);
                Some(bound.map_err(|error| Error::Socket(path.to_owned(), error))?)
            }
            None => None,
        };
        Ok(Self { signals, poll, stack, null, slots, nofile, listener, outline })
    }
}

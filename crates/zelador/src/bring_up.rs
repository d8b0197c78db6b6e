//! Brings zelador up: the home, the guardian, and the wait until an engine answers.
//!
//! Always holds: however many commands do this at once, one guardian is left and all of them
//! succeed. A guardian that finds the home's lock taken ends with exit code 0, and its command
//! waits for the winner's engine like any other.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use zelador_api::client::ClientError;
use zelador_api::home::Home;
use zelador_api::{Pong, route};

use crate::engine::Engine;
use crate::history_file::{self, KNOWN, Kind};
use crate::roles::FOREGROUND;
use crate::{output, settings};

/// How long a new zelador has to answer. It answers within 0.1 s; the rest is for a host that has
/// just booted and starts everything at once.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// From one look for the control socket to the next.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How much of the end of zelador's log is read when the guardian died.
const LOG_READ: u64 = 4096;
/// How many lines of it are shown.
const LOG_SHOWN: usize = 10;

/// Why zelador did not come up.
#[derive(Debug, thiserror::Error)]
pub enum BringUpError {
    /// The folder cannot be made.
    #[error("the home {} cannot be made", .0.display())]
    Make(PathBuf, #[source] io::Error),
    /// Something else is there.
    #[error("the home {} is not a directory", .0.display())]
    NotAFolder(PathBuf),
    /// Whoever owns it could make zelador run anything.
    #[error("the home {} belongs to user {owner}, not to user {own}", .path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Whoever may write to it could make zelador run anything.
    #[error("the home {} can be written by others (mode {mode:04o})", .path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No engine of this version could use it.
    #[error("{} was written by a newer zelador (layout {found}, this one knows {KNOWN})", .path.display())]
    Newer {
        /// The history.
        path: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// The log cannot be written.
    #[error("the log {} cannot be opened", .0.display())]
    Log(PathBuf, #[source] io::Error),
    /// The guardian cannot be executed.
    #[error("the guardian cannot be started")]
    Spawn(#[source] io::Error),
    /// The guardian ended at once.
    #[error("the guardian ended at once ({status}){tail}")]
    Died {
        /// How.
        status: ExitStatus,
        /// The last lines of zelador's log, each on a line of its own.
        tail: String,
    },
    /// Nobody answers.
    #[error("zelador did not answer within {} s{tail}", UP_WITHIN.as_secs())]
    Silent {
        /// The last lines of zelador's log, each on a line of its own.
        tail: String,
    },
    /// There is an answer, and it is no good.
    #[error(transparent)]
    Answer(ClientError),
}

impl BringUpError {
    /// Returns the next thing to try, shown under the error as `help:`.
    pub fn help(&self) -> String {
        match self {
            Self::Make(..) | Self::NotAFolder(_) => {
                "set ZELADOR_HOME to a folder that you may write to".to_owned()
            }
            Self::Foreign { .. } => {
                "run this as the owner, or set ZELADOR_HOME to a folder of your own".to_owned()
            }
            Self::Open { path, .. } => format!("chmod 700 {}", path.display()),
            Self::Newer { .. } => "go back to the newer zelador, or move the file away".to_owned(),
            Self::Log(..) => "check who owns it, and whether the disk is full".to_owned(),
            Self::Spawn(_) => "check that the zelador executable is still where it was".to_owned(),
            Self::Died { .. } | Self::Silent { .. } => {
                "the whole log: `zelador logs --self`".to_owned()
            }
            Self::Answer(error) => error.help().unwrap_or_default(),
        }
    }
}

/// Makes sure that an engine answers: brings zelador up if nobody listens. `program` is the
/// executable that becomes the guardian.
///
/// # Errors
/// There is no home to do it in, or nobody answers in time.
pub fn bring_up(home: &Home, engine: &Engine, program: &Path) -> Result<Pong, BringUpError> {
    let (pong, brought_up) = bring_up_quietly(home, engine, program)?;
    if brought_up {
        output::remark(&format!("zelador is up (guardian pid {})", pong.guardian_pid));
        // With its services rather than not at all: what is wrong with the settings must not wait in the log.
        if let Err(complaints) = settings::read(&home.settings()) {
            complaints.lines().for_each(output::note);
            output::note("until that is corrected the defaults count");
        }
    }
    Ok(pong)
}

/// The same without a word; the second value says whether there was anything to do.
///
/// # Errors
/// As [`bring_up()`].
pub fn bring_up_quietly(
    home: &Home,
    engine: &Engine,
    program: &Path,
) -> Result<(Pong, bool), BringUpError> {
    // The lines that are there already are no news.
    let until = Instant::now() + UP_WITHIN;
    let mut guardian: Option<Child> = None;
    let mut brought_up = false;
    let log_start = fs::metadata(home.own_log()).map_or(0, |log| log.len());
    loop {
        let patience = until.saturating_duration_since(Instant::now());
        match engine.get_within::<Pong>(route::PING, patience) {
            Ok(pong) => return Ok((pong, brought_up)),
            Err(ClientError::NotRunning(_)) => {
                let ended = match &mut guardian {
                    None => {
                        make(home.path())?;
                        refuse_newer(&home.history())?;
                        true
                    }
                    Some(child) => has_ended(child, home, log_start)?,
                };
                // A guardian that lost the race ends; so does the winner if it was just about to
                // end itself. Only when nobody holds the lock there is nobody to wait for.
                if ended && lock_is_free(home) {
                    guardian = Some(spawn(home, program)?);
                    brought_up = true;
                }
            }
            // The guardian listens, and its engine is not there yet or was just replaced.
            Err(ClientError::Broken(_)) => {
                if let Some(child) = &mut guardian {
                    has_ended(child, home, log_start)?;
                }
            }
            Err(ClientError::TimedOut(_)) => {}
            Err(other) => return Err(BringUpError::Answer(other)),
        }
        if Instant::now() >= until {
            // What has not taken the lock by now is no guardian.
            if let Some(child) = guardian.as_mut().filter(|_| lock_is_free(home)) {
                _ = child.kill();
                _ = child.wait();
            }
            return Err(BringUpError::Silent { tail: tail(home, log_start) });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Better told now than in the log of an engine that ends again and again.
fn refuse_newer(path: &Path) -> Result<(), BringUpError> {
    match history_file::look(path) {
        Ok(Kind::Layout(found)) if found > KNOWN => {
            Err(BringUpError::Newer { path: path.to_owned(), found })
        }
        _ => Ok(()),
    }
}

/// Makes the home, or makes sure that the one there is nobody else's.
///
/// # Errors
/// It cannot be made, or others may write to it.
pub fn make(path: &Path) -> Result<(), BringUpError> {
    let failed = |error| BringUpError::Make(path.to_owned(), error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let found = fs::metadata(path).map_err(failed)?;
    if !found.is_dir() {
        return Err(BringUpError::NotAFolder(path.to_owned()));
    }
    // Nobody else's business, whatever the umask of whoever starts the first app.
    for folder in ["logs", "pids"] {
        // One that is there, or a full disk, is no hindrance.
        _ = DirBuilder::new().mode(0o700).create(path.join(folder));
    }
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own {
        return Err(BringUpError::Foreign { path: path.to_owned(), owner: found.uid(), own });
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(BringUpError::Open { path: path.to_owned(), mode });
    }
    if mode & 0o077 != 0 {
        // Declarations carry whole environments: for the owner's eyes only.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// Starts the guardian as a part of this process: with its outputs, an empty list, and an end when
/// this process ends. Returns its pid; whoever calls this reaps it.
///
/// # Errors
/// There is no home to do it in, or the executable cannot be started.
pub fn spawn_foreground(home: &Home, program: &Path) -> Result<Pid, BringUpError> {
    make(home.path())?;
    let mut command = Command::new(program);
    command
        .arg("guardian")
        .env("ZELADOR_HOME", home.path())
        .env(FOREGROUND, "1")
        .current_dir("/")
        .stdin(Stdio::null());
    // SAFETY: between fork and exec only bare system calls are made. A terminal's Ctrl-C is for this
    // process, which then asks the guardian.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            Ok(())
        });
    }
    let child = command.spawn().map_err(BringUpError::Spawn)?;
    Ok(Pid::from_child(&child))
}

fn spawn(home: &Home, program: &Path) -> Result<Child, BringUpError> {
    let path = home.own_log();
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    let log = open().map_err(|error| BringUpError::Log(path.clone(), error))?;
    let also = log.try_clone().map_err(|error| BringUpError::Log(path.clone(), error))?;
    let mut command = Command::new(program);
    command
        .arg("guardian")
        .env("ZELADOR_HOME", home.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(also);
    // SAFETY: between fork and exec only `setsid` is called, a bare system call. The command line
    // is small, so that the fork costs nothing here.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        });
    }
    command.spawn().map_err(BringUpError::Spawn)
}

/// Returns whether the guardian has ended because another one holds the home.
fn has_ended(child: &mut Child, home: &Home, log_start: u64) -> Result<bool, BringUpError> {
    match child.try_wait() {
        Ok(Some(status)) if !status.success() => {
            Err(BringUpError::Died { status, tail: tail(home, log_start) })
        }
        Ok(status) => Ok(status.is_some()),
        Err(error) => Err(BringUpError::Spawn(error)),
    }
}

/// Returns whether no guardian holds the home: neither its folder nor the file, which one of before locks alone.
/// The locks are held for an instant to find out; a guardian that begins just then takes them for taken, and is
/// started again.
pub fn lock_is_free(home: &Home) -> bool {
    let is_held = |path: &Path| {
        let lock = |open| rustix::fs::flock(&open, FlockOperation::NonBlockingLockShared);
        File::open(path).is_ok_and(|open: File| lock(open) == Err(Errno::WOULDBLOCK))
    };
    !is_held(home.path()) && !is_held(&home.lock())
}

/// The last lines that were added to zelador's log, each on a line of its own.
pub fn tail(home: &Home, log_start: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut log = File::open(home.own_log())?;
        let end = log.metadata()?.len();
        let from = if end < log_start { 0 } else { log_start };
        log.seek(SeekFrom::Start(from.max(end.saturating_sub(LOG_READ))))?;
        let mut bytes = Vec::new();
        log.take(LOG_READ).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LOG_SHOWN)..];
    if last.is_empty() { String::new() } else { format!(":\n{}", last.join("\n")) }
}

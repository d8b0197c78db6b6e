//! Does: the engine of zelador.
//!
//! One driver owns the pure supervisor, feeds it from one queue and carries its effects out. The
//! control loop runs on a current-thread runtime; logs have a thread of their own; what may wait
//! for a disk or a lock goes to the blocking pool.

mod advisor;
mod again;
mod answers;
mod aside;
mod backend;
mod calls;
mod checks;
mod clock;
mod driver;
mod env_files;
mod errno;
mod events;
mod evidence;
mod history;
mod https;
mod ipc;
mod logs;
mod mounts;
mod notify;
#[cfg(feature = "otlp")]
mod otlp;
mod own_log;
mod perform;
mod pids;
mod pm2;
mod processes;
mod pulse;
mod retry_after;
mod saved;
mod server;
mod watch;

use std::ffi::CString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;
use zelador_api::config::{Overlay, Switch};
use zelador_api::home::Home;
use zelador_api::module_conf::ModuleSettings;
use zelador_guardian::thrift;

use crate::driver::Driver;

pub use history::keeps_list;

/// The option by which a new guardian is told the descriptor of the table that it takes over.
pub const TABLE_FLAG: &str = "--table";

/// The option of a guardian that begins with the host, in the foreground of a service manager: it
/// brings the saved list up.
pub const RESURRECT_FLAG: &str = "--resurrect";

/// The newest layout of the history that this version understands.
pub const HISTORY_LAYOUT: u32 = history::LAYOUT as u32;

/// What an engine is given.
#[derive(Debug)]
pub struct Options {
    /// Where zelador keeps what it keeps.
    pub home: Home,
    /// The executable, for an engine that must take a killed guardian's place.
    pub program: PathBuf,
    /// The state that outlives an engine, and the history.
    pub history: PathBuf,
    /// What `zelador.toml` says.
    pub base: Overlay,
    /// What the settings of modules say.
    pub modules: ModuleSettings,
    /// Where the health endpoints listen by the environment, which wins over all settings.
    pub http: Option<Switch<SocketAddr>>,
    /// What is wrong with those files and the environment, to be logged.
    pub complaints: Vec<String>,
}

/// Why an engine could not begin, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The history cannot be opened.
    #[error(transparent)]
    History(#[from] history::HistoryError),
    /// The guardian did not answer: an engine is not started by hand.
    #[error("an engine is started by its guardian")]
    Guardian(#[source] io::Error),
    /// The operating system refused something that needs no privilege.
    #[error("{0}")]
    System(&'static str, #[source] io::Error),
}

/// Runs the engine until it is told to end.
///
/// # Errors
/// It cannot begin. The guardian starts it again.
pub fn run(mut options: Options) -> Result<(), Error> {
    let (level, wrong) = log_level(std::env::var("ZELADOR_LOG").ok().as_deref());
    options.complaints.extend(wrong);
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| own_log::OwnLog)
        // On a full disk a line is lost; the complaint about that would be a panic.
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false);
    if options.home.is_pm2() {
        log.event_format(pm2::Lines).init();
    } else {
        log.init();
    }
    // SAFETY: the guardian hands its socket over as this descriptor, and nobody else in this
    // process knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(zelador_guardian::ENGINE_SOCKET) };
    thrift::use_few_arenas();
    let argv = guardian_command(&options);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .thread_keep_alive(std::time::Duration::from_secs(3))
        .build()
        .map_err(|error| Error::System("the runtime cannot be set up", error))?;
    let ended = runtime.block_on(async {
        let driver = Box::new(Driver::begin(options, socket)?);
        // Once in the life of a process: its future lives on the heap.
        Ok::<_, Error>(Box::pin(driver.run()).await)
    })?;
    // What still runs on the blocking pool may be stuck on a dead disk: nobody waits for it.
    runtime.shutdown_background();
    match ended {
        driver::Ended::Told => Ok(()),
        driver::Ended::GuardianGone(handover, is_busy) => {
            tracing::warn!("the guardian is gone: this process takes its place");
            if is_busy && !is_twin() {
                return Ok(());
            }
            let error = zelador_guardian::become_guardian(&argv, c"--table", &handover);
            Err(Error::System("this process cannot become the guardian", error))
        }
    }
}

/// Goes on in a process with this thread alone, since an `execve` waits for all others; returns false in the
/// one before. Where there is no other process, it is this one that goes on.
fn is_twin() -> bool {
    // SAFETY: the twin calls the kernel, and allocates, which the C libraries see to; then it executes.
    unsafe { libc::fork() <= 0 }
}

/// How much zelador says of itself, and what is wrong with what was asked for.
fn log_level(asked: Option<&str>) -> (LevelFilter, Option<String>) {
    let asked = asked.filter(|text| !text.is_empty());
    match asked.map(str::parse) {
        None => (LevelFilter::INFO, None),
        Some(Ok(level)) => (level, None),
        Some(Err(_)) => {
            let text = asked.unwrap_or_default();
            let wrong = format!(
                "ZELADOR_LOG is `{text}`, allowed are `off`, `error`, `warn`, `info`, `debug`, `trace`: it is `info`"
            );
            (LevelFilter::INFO, Some(wrong))
        }
    }
}

/// Writes an empty saved list to `path`; the lists before it are kept as by `save`.
///
/// # Errors
/// The disk is full, or the folder cannot be written.
pub fn clear_saved(path: &std::path::Path, now: zelador_api::unit::Moment) -> io::Result<()> {
    saved::write(path, &zelador_api::Saved { version: 1, at: now, apps: Vec::new() })
}

/// How much less than the thread that starts services those want of a processor that write what nobody waits for:
/// events, pid files, the compression of old logs.
const GIVES_WAY: i32 = 5;

pub(crate) fn give_way() {
    // On Linux of the calling thread alone. Refused, as where it has given way already: as urgent as the rest.
    _ = rustix::process::setpriority_process(None, GIVES_WAY);
}

/// The command line of a guardian.
fn guardian_command(options: &Options) -> Vec<CString> {
    use std::os::unix::ffi::OsStrExt;
    let program = CString::new(options.program.as_os_str().as_bytes()).unwrap_or_default();
    vec![program, c"guardian".to_owned()]
}

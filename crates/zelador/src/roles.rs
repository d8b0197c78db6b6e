//! The processes that zelador starts itself in: guardian, engine, evaluator.
//!
//! They are entered before the command line is read and before any thread or runtime exists: the
//! guardian must be the only thread of its process.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zelador_api::config::{Overlay, Switch};
use zelador_api::home::Home;
use zelador_api::module_conf;
use zelador_daemon::TABLE_FLAG;
use zelador_guardian::{FORMER_FLAG, Former, Outcome, Patience};

use crate::{bring_up, ecosystem, pm2, serve_files, settings};

pub use zelador_daemon::RESURRECT_FLAG;

/// The option of a guardian that is back because the one after it was no good.
const ROLLED_BACK_FLAG: &str = "--rolled-back";

/// Exit code of such a guardian that `zelador kill` has ended: it is not to be started again.
pub const KILLED: u8 = 3;
/// Exit code of such a guardian that found the home taken by another: trying again does not help.
pub const HOME_TAKEN: u8 = 4;

/// The variable that a guardian in the foreground is given: its list is not the one of the home.
pub const FOREGROUND: &str = "ZELADOR_FOREGROUND";

/// One of those processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Parent of the engine and of every app.
    Guardian,
    /// Supervisor, checks, logs, control socket.
    Engine,
    /// Reads one ecosystem file that is a program (JavaScript).
    Evaluator,
    /// Serves static files; an app like any other.
    FileServer,
    /// Answers programs that use PM2's library.
    Pm2Api,
}

/// Returns the role that a verb names.
pub fn named(verb: &OsStr) -> Option<Role> {
    match verb.to_str()? {
        "guardian" => Some(Role::Guardian),
        "engine" => Some(Role::Engine),
        "evaluate" => Some(Role::Evaluator),
        zelador_api::FILE_SERVER_ROLE => Some(Role::FileServer),
        zelador_api::PM2_API_ROLE => Some(Role::Pm2Api),
        _ => None,
    }
}

/// Becomes that process. `rest` are the words after the verb.
pub fn enter(role: Role, rest: Vec<OsString>) -> ExitCode {
    let entered = match role {
        Role::Guardian => guardian(&rest),
        Role::Engine => engine().map(|()| ExitCode::SUCCESS),
        Role::FileServer => return serve_files::main(),
        Role::Evaluator => return ecosystem::evaluate_main(),
        Role::Pm2Api => home().and_then(pm2::api::serve).map(|()| ExitCode::SUCCESS),
    };
    match entered {
        Ok(code) => code,
        Err(error) => {
            // Standard error is zelador's own log.
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a guardian is told on its command line.
#[derive(Default)]
struct Told {
    /// Begins with the host, under a service manager.
    service: bool,
    rolled_back: bool,
    table: Option<OwnedFd>,
    former: Option<OwnedFd>,
}

impl Told {
    /// Reads as much as is understood: one that is not still tells where to go back to.
    fn read(rest: &[OsString]) -> (Self, Result<(), String>) {
        let (mut told, mut understood) = (Self::default(), Ok(()));
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            let read = match word.to_str().unwrap_or_default() {
                RESURRECT_FLAG => {
                    told.service = true;
                    Ok(())
                }
                ROLLED_BACK_FLAG => {
                    told.rolled_back = true;
                    Ok(())
                }
                TABLE_FLAG => descriptor(words.next()).map(|one| told.table = Some(one)),
                FORMER_FLAG => descriptor(words.next()).map(|one| told.former = Some(one)),
                _ => Err("a guardian is started by zelador itself".to_owned()),
            };
            understood = understood.and(read);
        }
        (told, understood)
    }
}

fn descriptor(word: Option<&OsString>) -> Result<OwnedFd, String> {
    let number = word.and_then(|word| word.to_str()?.parse().ok()).filter(|number| *number >= 3);
    let number: i32 = number.ok_or("a guardian is started by zelador itself")?;
    // SAFETY: whoever execs a guardian with these options leaves the descriptor open under this
    // number, and nobody else in this new image knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn guardian(rest: &[OsString]) -> Result<ExitCode, String> {
    let (Told { service, rolled_back, table, former }, understood) = Told::read(rest);
    let former = former.map(|program| {
        let service = service.then_some(RESURRECT_FLAG);
        let words = ["guardian", ROLLED_BACK_FLAG].into_iter().chain(service);
        let arguments = words.filter_map(|word| CString::new(word).ok()).collect();
        Former { program, arguments, table_flag: c"--table".to_owned() }
    });
    let resurrect = service && table.is_none();
    let prepared = understood.and_then(|()| prepare(resurrect, rolled_back));
    if let (Err(_), Some(former), Some(table)) = (&prepared, &former, &table) {
        eprintln!("error: the guardian before cannot be executed: {}", former.go_back(table));
    }
    let (home, engine) = prepared?;
    let options = zelador_guardian::Options {
        home: home.path().to_owned(),
        log: home.own_log(),
        engine: vec![engine, c"engine".to_owned()],
        table,
        former,
        patience: Patience::default(),
        resurrect,
    };
    match zelador_guardian::run(options) {
        Ok(Outcome::Ended) if service => Ok(ExitCode::from(KILLED)),
        Ok(Outcome::AlreadyRunning) if service => {
            let pid = std::fs::read_to_string(home.lock()).unwrap_or_default();
            eprintln!(
                "error: the home {} is taken by guardian {}, which somebody started by hand\n\
                 help: `zelador startup --now` moves its apps to this service",
                home.path().display(),
                pid.trim()
            );
            Ok(ExitCode::from(HOME_TAKEN))
        }
        Ok(Outcome::Ended | Outcome::Terminated | Outcome::AlreadyRunning) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(chain(&error)),
    }
}

/// The home, and the executable of engines.
fn prepare(resurrect: bool, rolled_back: bool) -> Result<(Home, CString), String> {
    let home = home()?;
    if resurrect {
        bring_up::make(home.path()).map_err(told)?;
        // The service of a home of PM2's shape says so, also before anything ever ran there.
        if std::env::var_os("PM2_HOME").is_some_and(|path| Path::new(&path) == home.path()) {
            pm2::files::shape(&home).map_err(told)?;
        }
    }
    Ok((home, engine_program(rolled_back)?))
}

/// The executable of engines. One that came back from an upgrade that replaced its file is found by
/// its process: under its name is the one that was no good.
fn engine_program(rolled_back: bool) -> Result<CString, String> {
    let own = std::env::current_exe().map_err(told)?;
    let replaced = own.as_os_str().as_bytes().ends_with(DELETED.as_bytes());
    let program =
        if rolled_back && replaced { PathBuf::from("/proc/self/exe") } else { program()? };
    CString::new(program.as_os_str().as_bytes()).map_err(told)
}

fn engine() -> Result<(), String> {
    let home = home()?;
    let (base, mut complaints) = base_settings(&home);
    let (modules, wrong) = module_conf::in_force(&home);
    complaints.extend(wrong);
    let http = std::env::var("ZELADOR_HTTP").ok().and_then(|text| match text.as_str() {
        "" => None,
        "off" => Some(Switch::Off),
        address => match address.parse() {
            Ok(address) => Some(Switch::On(address)),
            Err(_) => {
                complaints.push(format!(
                    "ZELADOR_HTTP is `{address}`, allowed are ADDRESS:PORT and `off`: ignored"
                ));
                None
            }
        },
    });
    let history = match std::env::var_os(FOREGROUND) {
        Some(_) => home.foreground_history(),
        None => home.history(),
    };
    let program = program()?;
    let options =
        zelador_daemon::Options { program, home, history, base, modules, http, complaints };
    zelador_daemon::run(options).map_err(|error| chain(&error))
}

/// What `zelador.toml` says; an engine with services to keep runs on without what it cannot read.
fn base_settings(home: &Home) -> (Overlay, Vec<String>) {
    match settings::read(&home.settings()) {
        Ok(overlay) => (overlay, Vec::new()),
        Err(complaint) => (Overlay::default(), complaint.lines().map(str::to_owned).collect()),
    }
}

/// The home of this process: `ZELADOR_HOME`, or `~/.zelador`.
pub fn home() -> Result<Home, String> {
    Home::from_variables(std::env::var_os("ZELADOR_HOME"), std::env::var_os("HOME")).map_err(told)
}

/// How the kernel marks a file that was replaced since.
const DELETED: &str = " (deleted)";

/// The executable that runs now, by the path it was started with: after an upgrade that is the new
/// one.
pub fn program() -> Result<PathBuf, String> {
    let path = std::env::current_exe().map_err(told)?;
    let text = path.to_string_lossy();
    let path = text.strip_suffix(DELETED).map_or(path.clone(), PathBuf::from);
    if Path::new(&path).is_absolute() { Ok(path) } else { Err("no absolute path of itself".into()) }
}

fn told(error: impl std::error::Error) -> String {
    chain(&error)
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

//! What this program is when a case starts it as a guardian, or that as an engine.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use zelador_guardian::message::FromGuardian;
use zelador_guardian::{
    FORMER_FLAG, Former, Handover, Kept, Options, Outcome, Patience, become_guardian, link, run,
};

use crate::rig;

/// Exit code of a guardian that found another.
pub const ALREADY_RUNNING: i32 = 3;

pub fn argv(role: &str, home: &Path, patience: &str) -> Vec<CString> {
    let this = std::env::current_exe().expect("a running program has a path");
    let home = home.to_str().expect("a temporary folder has a plain name");
    let words = [this.to_str().expect("it has a plain name"), role, home, patience];
    words.iter().map(|one| CString::new(*one).expect("no zero byte")).collect()
}

/// `home silence,settled,first,farewell,trial,probation [--resurrect] [--at HOME] [--former N] [--table
/// N]`, the six in milliseconds; with `--at` this image alone has another home.
pub fn guardian(arguments: &[String]) -> ExitCode {
    let home = Path::new(&arguments[0]);
    let spans: Vec<_> = arguments[1]
        .split(',')
        .map(|one| Duration::from_millis(one.parse().expect("a number")))
        .collect();
    let passed = |flag: &str| {
        let at = arguments.iter().position(|word| word == flag)?;
        let number = arguments[at + 1].parse().expect("a number");
        // SAFETY: the former image left it open for us.
        Some(unsafe { OwnedFd::from_raw_fd(number) })
    };
    let table = passed("--table");
    let former = passed(FORMER_FLAG).map(|program| {
        let words = ["role-guardian", &arguments[0], &arguments[1]];
        let arguments = words.iter().map(|word| CString::new(*word).expect("no zero byte"));
        Former { program, arguments: arguments.collect(), table_flag: c"--table".to_owned() }
    });
    let at =
        arguments.iter().position(|word| word == "--at").map(|at| Path::new(&arguments[at + 1]));
    let options = Options {
        home: at.unwrap_or(home).to_owned(),
        log: home.join(zelador_guardian::LOG),
        engine: argv("role-engine", home, &arguments[1]),
        table,
        former,
        resurrect: arguments.iter().any(|word| word == "--resurrect"),
        patience: Patience {
            silence: spans[0],
            settled: spans[1],
            first_delay: spans[2],
            farewell: spans[3],
            trial: spans[4],
            probation: spans[5],
            ..Patience::default()
        },
    };
    match run(options) {
        Ok(Outcome::Ended | Outcome::Terminated) => ExitCode::SUCCESS,
        Ok(Outcome::AlreadyRunning) => ExitCode::from(ALREADY_RUNNING as u8),
        Err(error) => {
            eprintln!("{error}: {:?}", std::error::Error::source(&error));
            ExitCode::FAILURE
        }
    }
}

/// Does what the case says over a socket: gives it its own link, or keeps to it itself.
pub fn engine(arguments: &[String]) -> ! {
    let home = Path::new(&arguments[0]);
    // SAFETY: the guardian gives it to every engine.
    let ours = unsafe { BorrowedFd::borrow_raw(zelador_guardian::ENGINE_SOCKET) };
    let case = rig::connect_to_case(home);
    loop {
        match rig::receive_byte(&case) {
            Some(b'p') => rig::send_byte(&case, b'p', &[ours]),
            Some(b'h') => hold(ours, &case, arguments),
            Some(b'l') => leave_slowly(),
            _ => std::process::exit(0),
        }
    }
}

/// Closes the link, and ends a little later with a code of its own.
fn leave_slowly() -> ! {
    // SAFETY: nobody uses it any more.
    unsafe { libc::close(zelador_guardian::ENGINE_SOCKET) };
    std::thread::sleep(Duration::from_millis(20));
    std::process::exit(7)
}

/// Keeps what the guardian hands out, and takes its place when it is gone.
fn hold(ours: BorrowedFd, case: &OwnedFd, arguments: &[String]) {
    let mut handover =
        Handover { listener: None, nofile: None, runs: Vec::new(), stowed: Vec::new() };
    let mut expected = None;
    while let Some((message, mut list)) = link::receive(ours).expect("the link works") {
        match message {
            FromGuardian::Stowed { name } => {
                handover.stowed.extend(list.pop().map(|descriptor| (name, descriptor)));
            }
            FromGuardian::Welcome { runs, stowed, nofile_soft, nofile_hard, .. } => {
                handover.listener = list.pop();
                handover.nofile = Some((nofile_soft, nofile_hard));
                expected = Some((runs + stowed) as usize);
            }
            message => handover.runs.extend(Kept::from_message(message, list)),
        }
        if expected == Some(handover.runs.len() + handover.stowed.len()) {
            rig::send_byte(case, b'k', &[]);
        }
    }
    let argv = argv("role-guardian", Path::new(&arguments[0]), &arguments[1]);
    let error = become_guardian(&argv, c"--table", &handover);
    eprintln!("{error}");
    let _ = case.as_fd();
    std::process::exit(1);
}

//! What only several lines, or lines and numbers together, say.

use super::Cause;
use super::board::Board;
use super::judge::{order, quote};
use super::rules::NO_SPACE;
use super::snapshot::Snapshot;
use super::text::{Line, says};
use crate::words;

/// What only several lines together say; `parts`: how much each of them counts.
pub(super) fn contexts(board: &mut Board, lines: &[Line], parts: &[f64], snapshot: &Snapshot) {
    let any = |words: &[&str]| lines.iter().any(|line| !line.recovered && says(&line.text, words));
    // KeyError of a name in capitals, out of the environment.
    for line in lines {
        let said = line.written.trim();
        let name = said
            .strip_prefix("KeyError: '")
            .and_then(|rest| rest.strip_suffix('\''))
            .or_else(|| said.strip_prefix("AssertionError: ").filter(|name| name.contains('_')));
        let is_capital = |name: &str| {
            name.len() > 2
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        };
        if name.is_some_and(|name| {
            is_capital(name) && (any(&["environ", "getenv", "config"]) || name.contains('_'))
        }) {
            let value = 1.1 * parts[line.number];
            board.add(Cause::MissingEnvVar, value, quote(line), order(line));
        }
    }
    keys_not_found(board, lines, parts);
    capital_names(board, lines, parts);
    undefined_names(board, lines);
    starts_of_others(board, lines);
    // Gunicorn guesses at memory whenever it ended a worker itself, which it says in the line before.
    if any(&["worker timeout"]) && snapshot.metrics.oom_kill_events.is_none_or(|kills| kills == 0.0)
    {
        board.scale(Cause::OomKilled, 0.4);
    }
    unreadable_settings(board, lines, parts, snapshot);
    endless_calls(board, lines);
    // The virtual machine of Java blames memory for whatever it could not begin with.
    if any(&["cannot create worker gc thread"]) {
        board.scale(Cause::OutOfMemoryHeap, 0.4);
    }
    // Node prints its version below what nobody caught, whatever was thrown.
    if let Some(line) = lines.iter().rfind(|line| !line.written.trim().is_empty())
        && line.written.strip_prefix("Node.js v").is_some_and(is_version)
    {
        board.add(Cause::UncaughtException, 0.45, quote(line), order(line));
    }
    // ENOSPC of a watch on a disk with room.
    let disk_is_fine = snapshot.metrics.disk_pct.is_none_or(|used| used < 95.0);
    if board.value(Cause::DiskFull) > 0.3
        && disk_is_fine
        && any(&["syscall: 'watch'", "inotify", "fswatcher", "watch '", "watchers"])
    {
        let value = board.value(Cause::DiskFull);
        board.add(
            Cause::InotifyLimit,
            value + 0.2,
            words!(
                "the disk has room, and a watch was refused",
                "o disco tem espaço, e uma vigia de arquivo foi recusada"
            ),
            0,
        );
    }
    // The disk first: what it breaks says other things.
    let cannot_write =
        any(&["ioerr", "i/o error", "input/output error", "write error", "write failed"]);
    if (board.value(Cause::DiskFull) > 0.1 || cannot_write)
        && snapshot.metrics.disk_pct.is_some_and(|used| used >= 95.0)
    {
        let used = snapshot.metrics.disk_pct.unwrap_or_default();
        board.add(
            Cause::DiskFull,
            1.3,
            words!("{used:.0} % of the disk is in use", "{used:.0} % do disco está em uso"),
            0,
        );
        if !any(&["corrupt", "malformed", "checksum"]) {
            board.scale(Cause::DataCorruption, 0.6);
        }
    }
    if snapshot.metrics.disk_pct.is_some_and(|used| used < 85.0) {
        // Small volumes and quotas are full while the disk is not: only plain words count.
        if !any(&[
            "enospc",
            "no space left",
            "space exceeded",
            "errno 28",
            "quota",
            "disk full (",
            "error 28",
            "database or disk is full",
        ]) && !any(NO_SPACE)
        {
            board.scale(Cause::DiskFull, 0.4);
        }
    }
    // Descriptors at their limit.
    let metrics = &snapshot.metrics;
    if let (Some(open), Some(limit)) = (metrics.open_fds, metrics.nofile_limit)
        && limit > 0.0
        && open >= 0.97 * limit
    {
        board.add(
            Cause::TooManyOpenFiles,
            1.2,
            words!(
                "{open:.0} of {limit:.0} descriptors are open",
                "{open:.0} de {limit:.0} descritores estão abertos"
            ),
            0,
        );
    }
    // A certificate that is not valid yet together with a clock that is off.
    if any(&["not yet valid"]) && any(&["clock", "ntp", "time sync", "1970", "skew"]) {
        board.add(
            Cause::ClockSkew,
            1.25,
            words!(
                "a certificate or token is not valid yet, and the clock is off",
                "um certificado ou token ainda não vale, e o relógio está errado"
            ),
            0,
        );
    }
    // A setting is wrong because of what it names.
    let named = [
        Cause::PermissionDenied,
        Cause::MissingFile,
        Cause::MissingModule,
        Cause::DnsFailure,
        Cause::TlsCertificate,
        Cause::MissingEnvVar,
        Cause::PortInUse,
    ];
    if named.iter().any(|cause| board.value(*cause) >= 0.9) {
        board.scale(Cause::BadConfig, 0.85);
    }
    // The bug that is left when nothing behind it is found.
    let specific: f64 = board
        .0
        .iter()
        .filter(|(cause, _)| {
            !matches!(cause, Cause::UncaughtException | Cause::PanicAssertion | Cause::ExternalKill)
        })
        .map(|(_, score)| score.value)
        .fold(0.0, f64::max);
    if specific > 0.6 {
        board.scale(Cause::UncaughtException, 0.5);
        board.scale(Cause::PanicAssertion, 0.6);
    }
}

/// `20.20.2`, and nothing else.
fn is_version(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Ruby's `key not found: "API_KEY"`: a variable where it is written as one, and any key otherwise.
fn keys_not_found(board: &mut Board, lines: &[Line], parts: &[f64]) {
    for line in lines.iter().filter(|line| !line.recovered && !line.is_frame) {
        let Some((_, rest)) = line.written.split_once("key not found: \"") else { continue };
        let name = rest.split('"').next().unwrap_or_default();
        let is_capital = name.len() > 2
            && name.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_');
        if is_capital {
            let value = 1.1 * parts[line.number];
            board.add(Cause::MissingEnvVar, value, quote(line), order(line));
        }
    }
}

/// What went wrong where the frames say that another program or a thread was to be started.
fn starts_of_others(board: &mut Board, lines: &[Line]) {
    let (mut program, mut thread) = (false, false);
    for line in lines.iter().filter(|line| !line.recovered) {
        if line.is_frame {
            program |=
                says(&line.text, &["_execute_child", "process.start(", "processbuilder.start"]);
            thread |=
                says(&line.text, &["os.fork()", "fork_exec(", "forkpty(", "start_new_thread("]);
            continue;
        }
        if program && says(&line.text, &["errno 2]", "no such file"]) {
            board.add(Cause::MissingCommand, 1.3, quote(line), order(line));
        }
        if (program || thread) && says(&line.text, &["errno 11]", "temporarily unavailable"]) {
            board.add(Cause::ThreadExhaustion, 1.3, quote(line), order(line));
        }
        // A trace ends with its message.
        if !line.written.starts_with(' ') && !line.written.is_empty() {
            (program, thread) = (false, false);
        }
    }
}

/// Names of variables, as `API_KEY`, that are said to be missing.
fn capital_names(board: &mut Board, lines: &[Line], parts: &[f64]) {
    const ABSENT: &[&str] = &[
        "not found",
        "missing",
        "undefined",
        "not set",
        "is required",
        "required",
        "must be set",
        "<unset",
        "is empty",
        "no value",
        "insecure",
        "not configured",
        "não definid",
        "no definid",
        "nicht gesetzt",
        "fehlt",
        "ausente",
        "falta ",
        "não informad",
        "please set",
    ];
    for line in lines.iter().filter(|line| !line.recovered && says(&line.text, ABSENT)) {
        let names = line.written.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if names.into_iter().any(is_variable) {
            let value = 0.75 * parts[line.number];
            board.add(Cause::MissingEnvVar, value, quote(line), order(line));
        }
    }
}

/// A validator's report of several lines: that something was undefined, and beside it the name of a variable.
fn undefined_names(board: &mut Board, lines: &[Line]) {
    let is_name = |line: &Line| {
        let text = line.written.trim().trim_end_matches(',').trim_matches('"');
        is_variable(text)
    };
    for line in lines.iter().filter(|line| says(&line.text, &["\"received\": \"undefined\""])) {
        let near = lines.iter().filter(|it| it.number.abs_diff(line.number) <= 6);
        if near.into_iter().any(is_name) {
            board.add(Cause::MissingEnvVar, 1.0, quote(line), order(line));
        }
    }
}

/// Whether a word is written as variables of the environment are, and is no code of an error.
fn is_variable(word: &str) -> bool {
    const CODES: &[&str] =
        &["ER", "ERR", "SQLITE", "SSL", "CERT", "UNABLE", "MODULE", "NODE", "LC", "E", "WT"];
    let first = word.split('_').next().unwrap_or_default();
    word.len() > 4
        && word.contains('_')
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
        && !word.ends_with("_ERROR")
        && !word.ends_with("_NOT_FOUND")
        && !CODES.contains(&first)
}

/// What a parser says of a file that holds settings.
fn unreadable_settings(board: &mut Board, lines: &[Line], parts: &[f64], snapshot: &Snapshot) {
    let parser = [
        "json.parse",
        "is not valid json",
        "in json at position",
        "jsondecodeerror",
        "unexpected token",
        "invalid literal for",
        "could not convert string",
        "invalid digit found",
        "numberformatexception",
        "expecting value",
        "unexpected end of json",
        "invalid syntax for",
        "cannot unmarshal",
        "invalid character '",
        "formatexception",
        "parseint",
    ];
    let settings = [
        "config",
        "settings",
        "conf.",
        "options.",
        "appsettings",
        ".env",
        ".yaml",
        ".yml",
        ".toml",
        ".ini",
    ];
    for line in lines.iter().filter(|line| !line.recovered && says(&line.text, &parser)) {
        let part = parts[line.number];
        let near = lines
            .iter()
            .filter(|it| it.number.abs_diff(line.number) <= 6 && it.level == line.level);
        if near.into_iter().any(|it| says(&it.text, &settings)) {
            board.add(Cause::BadConfig, 1.2 * part, quote(line), order(line));
        } else if snapshot.uptime_s.is_some_and(|seconds| seconds < STARTING)
            && !lines.iter().any(|line| says(&line.text, SERVING))
        {
            // Before it has served anybody, what it reads is its own.
            board.add(Cause::BadConfig, 0.8 * part, quote(line), order(line));
        }
    }
}

/// Frames of a trace that was made while somebody was served.
const SERVING: &[&str] = &[
    "incomingmessage",
    "parseronincoming",
    "layer.handle",
    "handlerequest",
    "dispatchrequest",
    "dispatch_request",
    "servehttp",
    "requestlistener",
    "in wsgi_app",
    "run_endpoint_function",
    "dofilter(",
    "rack/",
];

/// So young a process has read nothing but its own files, in seconds.
const STARTING: f64 = 10.0;

/// So many equal frames of a trace are no chance.
const EQUAL_FRAMES: usize = 15;

/// The end of a trace that is one function only.
fn endless_calls(board: &mut Board, lines: &[Line]) {
    let frames = lines.iter().rev().filter(|line| line.is_frame);
    let mut frames = frames.map(|line| line.text.trim());
    let Some(last) = frames.next() else { return };
    let equal = 1 + frames.take_while(|frame| *frame == last).count();
    if equal >= EQUAL_FRAMES {
        board.add(
            Cause::StackOverflow,
            1.3,
            words!(
                "{equal} equal frames end the trace",
                "{equal} quadros iguais encerram o rastro da pilha"
            ),
            0,
        );
    }
}

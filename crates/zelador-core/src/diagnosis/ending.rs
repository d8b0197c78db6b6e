//! The end of a log: what a program says after the last record of its ordinary work.
//!
//! If the end says why the program ended, what it said before and then worked on with is no cause; nor is what it has
//! worked on with for long. What fails while it stops fails because it stops.

use super::level::is_bad;
use super::rules;
use super::snapshot::Snapshot;
use super::text::{Level, Line, is_final, says};

/// What a line says that one record of ordinary work follows before the end, as a part of what it would say there.
const ONE: f64 = 0.7;

/// The same with several such records.
const SEVERAL: f64 = 0.35;

/// So many such records show that the service had got over it, also where its end says nothing.
const GOT_OVER: usize = 3;

/// What a line says then.
const LONG_AGO: f64 = 0.3;

/// What a line says that is written while the service stops for a reason that was told before.
const STOPPING: f64 = 0.3;

/// Words of a record that tells that a service stops.
const STOPS: &[&str] = &[
    "shutting down",
    "shutdown started",
    "stopping",
    "draining",
    "closing the ",
    "closing all ",
    "encerrando",
    "desligando",
    "parando",
    "cerrando",
    "apagando",
    "wird beendet",
    "beende ",
    "fährt herunter",
    "arrêt en cours",
];

/// Words of records that are calm and tell of no ordinary work: of one that tries, and of one that ends.
const NO_WORK: &[&str] = &[
    "retry",
    "attempt",
    "trying",
    "waiting",
    "shut",
    "stopp",
    "clos",
    "exit",
    "terminat",
    "drain",
    "bye",
    "tentativa",
    "tentando",
    "encerra",
    "aguardando",
    "parando",
    "reintent",
    "cerrando",
    "esperando",
    "versuch",
    "beende",
    "tentative",
    "arrêt",
];

/// Returns how much each line counts; `tells_why`: whether a line points to a cause that is more than "nobody caught it".
pub(super) fn shares(
    lines: &[Line],
    snapshot: &Snapshot,
    tells_why: impl Fn(usize) -> bool,
) -> Vec<f64> {
    let mut shares = vec![1.0; lines.len()];
    if snapshot.is_alive() || snapshot.exit_code == Some(0) {
        return shares;
    }
    let is_told = |line: &Line| {
        !line.is_frame
            && !line.recovered
            && matches!(line.level, Level::Unsaid | Level::Error)
            && (tells_why(line.number) || says(&line.text, rules::BUGS) || is_panic(line))
    };
    let last = lines.iter().rposition(is_work);
    let end = last.map_or(0, |last| last + 1);
    if let Some(stop) = lines[end..].iter().position(is_stop).map(|at| end + at)
        && lines[end..stop].iter().any(is_told)
    {
        shares[stop..].fill(STOPPING);
    }
    let Some(last) = last else { return shares };
    let tells = lines[last..].iter().any(is_told);
    let (mut work, mut sure) = (0, 0);
    for line in lines[..=last].iter().rev() {
        shares[line.number] = match work {
            0 => 1.0,
            _ if is_final(line) => 1.0,
            1 if tells => ONE,
            _ if tells => SEVERAL,
            _ if sure >= GOT_OVER => LONG_AGO,
            _ => 1.0,
        };
        work += usize::from(is_work(line));
        // What a runtime prints below an error may look like records that say no level.
        sure += usize::from(is_work(line) && line.states_level);
    }
    shares
}

/// Whether a runtime says that one of the program's own checks failed.
fn is_panic(line: &Line) -> bool {
    says(&line.text, &["panicked at", "<panic: ", "assertion"])
}

/// Whether a record tells that the service stops.
fn is_stop(line: &Line) -> bool {
    line.level == Level::Calm && says(&line.text, STOPS)
}

/// Whether a record is of the service's ordinary work.
fn is_work(line: &Line) -> bool {
    line.level == Level::Calm && !line.is_frame && !is_bad(&line.text) && !says(&line.text, NO_WORK)
}

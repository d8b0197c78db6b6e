//! The last lines of the logs, each file read by a thread of its own.
//!
//! A log may lie on a file system that hangs; then its thread is left behind and the log is
//! missing.

use std::io;
use std::path::PathBuf;
use std::time::{Instant, UNIX_EPOCH};

use zelador_core::evidence::Evidence;
use zelador_core::tail;
use zelador_core::unit::Moment;
use zelador_core::words;

use super::aside::Look;
use super::{Stream, Tail, line};
use crate::errno;
use crate::logs::Timed;

/// How many lines are kept of each stream.
const LINES: usize = 40;

/// How many are looked through for the beginning of a report that is longer: some hundred goroutines.
const LOOKED_THROUGH: usize = 2000;

/// How much of a file is read at most: 2000 lines of 128 bytes, 40 of 6 KiB.
const BYTES: usize = 256 << 10;

/// Logs that are being read.
pub(super) struct Tails {
    readers: Vec<Reader>,
}

struct Reader {
    stream: Stream,
    path: PathBuf,
    lines: Look<io::Result<(Vec<Timed>, Option<Moment>)>>,
}

/// Begins to read.
pub(super) fn begin(logs: &[(Stream, PathBuf)], tail: &Tail) -> Tails {
    let readers = logs.iter().map(|(stream, path)| {
        let (file, tail) = (path.clone(), Tail::clone(tail));
        let lines = Look::begin("tail", move || {
            let at = std::fs::metadata(&file).and_then(|known| known.modified()).ok();
            let at = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(Moment::from_epoch);
            tail(&file, LOOKED_THROUGH, BYTES).map(|lines| (lines, at))
        });
        Reader { stream: *stream, path: path.clone(), lines }
    });
    Tails { readers: readers.collect() }
}

impl Tails {
    /// Takes what was read until `limit`.
    pub(super) fn end(self, limit: Instant, evidence: &mut Evidence) {
        let (mut out_lines, mut err_lines) = (Vec::new(), Vec::new());
        for Reader { stream, path, lines } in self.readers {
            let shown = path.display();
            match lines.end(limit) {
                Ok(Ok((lines, at))) => {
                    let (out, err) = &mut evidence.spoke_at;
                    let (said, spoke_at) = match stream {
                        Stream::Out => (&mut out_lines, out),
                        Stream::Err => (&mut err_lines, err),
                    };
                    *spoke_at = at.filter(|_| !lines.is_empty()).or(*spoke_at);
                    said.extend(lines);
                }
                // A log begins with its first line.
                Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(Err(error)) => {
                    evidence.missing.push(errno::said_of(format_args!("log {shown}"), &error));
                }
                Err(why) => evidence.missing.push(words!(
                    "log {shown}: {why}",
                    "log {shown}: {why}",
                    why = why,
                )),
            }
        }
        let presentable = |lines| -> (Vec<String>, Vec<Option<Moment>>) {
            let kept = tail::kept(lines, LINES, |(line, _): &Timed| line.as_str());
            kept.iter().map(|(line, at)| (line::presentable(line), *at)).unzip()
        };
        let known = |times: Vec<Option<Moment>>| {
            if times.iter().any(Option::is_some) { times } else { Vec::new() }
        };
        let (out, out_times) = presentable(out_lines);
        let (err, err_times) = presentable(err_lines);
        (evidence.out_tail, evidence.err_tail) = (out, err);
        (evidence.out_times, evidence.err_times) = (known(out_times), known(err_times));
    }
}

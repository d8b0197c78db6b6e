//! The log files of one instance, read as they grow.
//!
//! A thread of its own. It hands on a part of what is written when more is written than anybody can
//! read: the latest lines of each look.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use zelador_api::AppView;
use zelador_api::id::InstanceId;

use super::log::{LINES_KEPT, Line};
use super::update::Event;
use crate::tail::Tail;

/// From one look at the files to the next: at once, for a person.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// So many of the last lines of each file are there at the beginning.
const LINES_BEFORE: usize = 200;

/// Of a longer line the rest is not shown, in bytes.
const LONGEST_LINE: usize = 4096;

/// Which stream of an app a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// The files of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files(pub Vec<(Stream, PathBuf)>);

impl Files {
    /// Those of this app; each once.
    pub fn of(app: &AppView) -> Self {
        let mut files: Vec<(Stream, PathBuf)> = Vec::new();
        for (stream, path) in [(Stream::Out, &app.out_log), (Stream::Err, &app.err_log)] {
            let Some(path) = path else { continue };
            if !files.iter().any(|(_, known)| known == path) {
                files.push((stream, path.clone()));
            }
        }
        Self(files)
    }
}

/// Follows what it is asked to, until nobody listens any more.
pub fn run(asked: &Receiver<(InstanceId, Files)>, events: &SyncSender<Event>) {
    let mut followed: Option<Followed> = None;
    loop {
        match asked.recv_timeout(LOOK_EVERY) {
            Ok(first) => {
                // Whoever runs down the list is shown where he arrives.
                let (of, files) = asked.try_iter().last().unwrap_or(first);
                let (new, lines, unreadable) = Followed::begin(of, files);
                followed = Some(new);
                let told = unreadable.map(|why| Event::Done(Err(why)));
                for event in [Event::Lines(of, lines)].into_iter().chain(told) {
                    if events.send(event).is_err() {
                        return;
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let Some(followed) = &mut followed else { continue };
                let lines = followed.look();
                if !lines.is_empty() && events.send(Event::Lines(followed.of, lines)).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

struct Followed {
    of: InstanceId,
    tails: Vec<(Stream, Tail)>,
}

impl Followed {
    /// Returns the files at their end, the lines before it, what was written last coming last, and
    /// which file cannot be read.
    fn begin(of: InstanceId, Files(mut files): Files) -> (Self, Vec<Line>, Option<String>) {
        files.sort_by_cached_key(|(_, path)| fs::metadata(path).and_then(|it| it.modified()).ok());
        let (mut lines, mut unreadable) = (Vec::new(), None);
        let tails = files.into_iter().map(|(stream, path)| {
            let mut tail = Tail::new(path);
            let told = tail.last(LINES_BEFORE, &mut |line: &[u8]| {
                lines.push(kept(stream, line));
                Ok(())
            });
            if let Err(error) = told {
                unreadable = Some(format!("{} cannot be read: {error}", tail.path().display()));
            }
            (stream, tail)
        });
        let tails = tails.collect();
        (Self { of, tails }, lines, unreadable)
    }

    /// The lines that were written since the last look, the latest if there are many.
    fn look(&mut self) -> Vec<Line> {
        let mut lines = std::collections::VecDeque::new();
        for (stream, tail) in &mut self.tails {
            // A file that cannot be read now may be readable at the next look.
            _ = tail.poll(&mut |line: &[u8]| {
                lines.push_back(kept(*stream, line));
                if lines.len() > LINES_KEPT {
                    lines.pop_front();
                }
                Ok(())
            });
        }
        lines.into()
    }
}

fn kept(stream: Stream, line: &[u8]) -> Line {
    let text = String::from_utf8_lossy(&line[..line.len().min(LONGEST_LINE)]).into_owned();
    let text = if line.len() > LONGEST_LINE { text + "…" } else { text };
    Line { stream, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_before_and_after_are_told_and_long_ones_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        fs::write(&path, "one\ntwo\n").unwrap();
        let files = Files(vec![(Stream::Out, path.clone())]);
        let (mut followed, lines, unreadable) = Followed::begin(InstanceId::new(0), files);
        assert_eq!((texts(&lines), unreadable), (vec!["one", "two"], None));
        let long = "x".repeat(LONGEST_LINE + 1);
        fs::write(&path, format!("one\ntwo\n{long}\n")).unwrap();
        let lines = followed.look();
        assert_eq!(texts(&lines), [format!("{}…", &long[1..])]);
        fs::write(&path, "one\n".repeat(LINES_KEPT + 5)).unwrap();
        assert_eq!(followed.look().len(), LINES_KEPT);
        assert_eq!(followed.look(), []);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        // Below a file there is none: that holds for root too.
        let below = Files(vec![(Stream::Err, folder.path().join("out.log/below"))]);
        fs::write(folder.path().join("out.log"), "").unwrap();
        let (_, lines, unreadable) = Followed::begin(InstanceId::new(0), below);
        assert_eq!(lines, []);
        assert!(unreadable.is_some_and(|why| why.contains("out.log/below cannot be read")));
    }
}

//! One stream of one run: from its pipe through its hold pipe to its files.
//!
//! What arrives is moved to the hold pipe at once; whole lines go on from there by the protocol of
//! [`super::exact`], an unfinished line waits in it. Always holds: nothing here waits; a line that
//! is longer than the hold pipe is written in pieces, with nothing added and nothing lost.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use super::bench::Bench;
use super::exact::{Ledger, MOST_COPIED, MOST_FILES, Move, Unfinished};
use super::pipe::{self, Moved};
use super::sink::{Append, Token};
use super::style::Style;
use super::{RunId, Source, crash_point};

/// A stream's descriptors and state.
pub struct Capture {
    token: Token,
    run: RunId,
    pipe: Arc<OwnedFd>,
    hold_read: Arc<OwnedFd>,
    hold_write: Arc<OwnedFd>,
    ledger: Ledger,
    sinks: Vec<PathBuf>,
    style: Style,
    /// How many bytes are in the hold pipe.
    held: usize,
    may_grow: bool,
}

/// How a stream stands after it was pumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pumped {
    /// So many bytes arrived; the pipe is to be watched.
    Arrived(usize),
    /// No file can be written and the pipe has room: to be pumped again a little later.
    Waiting,
    /// Nobody can write to the pipe any more, and everything is in the files.
    Ended,
}

/// Where what is in the hold pipe is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// After the last line end.
    Lines,
    /// Anywhere: there is no line end, and nothing more fits into the hold pipe.
    Piece,
    /// At the end, and a missing line end is added.
    Last,
}

/// What came of one move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Moved,
    /// A file turned out to be sick; nothing has changed.
    Failed,
    /// There is no whole line.
    NoLine,
    /// There is nothing at all.
    Empty,
    /// No file can be written, or the guardian does not have the memory yet where lines wait for one.
    NotYet,
}

impl Capture {
    /// Takes on a stream, and puts right what a killed engine left half done.
    pub fn new(source: Source, token: Token, bench: &mut Bench) -> Self {
        let Source { run, stream, pipe, hold_read, hold_write, state, sinks, style, module } =
            source;
        let mut once = BTreeSet::new();
        let unlike = |path: &PathBuf| once.insert(path.clone());
        let sinks: Vec<PathBuf> = sinks.into_iter().filter(unlike).take(MOST_FILES).collect();
        let (ledger, unfinished) = Ledger::open(state, stream);
        let held = pipe::level(&hold_read);
        bench.files.take_on(&sinks, module);
        let mut capture = Self {
            token,
            run,
            pipe,
            hold_read,
            hold_write,
            ledger,
            sinks,
            style,
            held,
            may_grow: true,
        };
        match unfinished {
            Some(Unfinished::Move(open)) => capture.recover(&open, bench),
            Some(Unfinished::PutBack(bytes)) => capture.put_back(&bytes, bench),
            None => {}
        }
        capture
    }

    fn recover(&mut self, open: &Move, bench: &mut Bench) {
        if self.held >= open.held {
            bench.files.undo(open, &self.sinks);
            self.ledger.end(self.ledger.inside());
        } else {
            let rest = open.held - open.taken;
            self.take_out(self.held.saturating_sub(rest), bench);
            self.ledger.end(open.inside);
        }
    }

    /// Whose it is.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// What is to be watched.
    pub fn pipe(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Its files.
    pub fn sinks(&self) -> &[PathBuf] {
        &self.sinks
    }

    /// Moves what has arrived, as far as it is whole lines.
    pub fn pump(&mut self, bench: &mut Bench) -> Pumped {
        if self.sinks.is_empty() {
            return self.discard(bench);
        }
        let mut arrived = 0;
        let mut cut = Cut::Lines;
        match self.fill(usize::MAX) {
            Moved::Bytes(bytes) => arrived += bytes,
            Moved::Nothing => {}
            Moved::End => cut = Cut::Last,
        }
        // Nearly full: a pipe of half empty pages is full at a half of its capacity.
        let pressed = || pipe::level(&self.pipe) >= pipe::capacity(&self.pipe) / 8 * 3;
        let pressed = cut == Cut::Last || (bench.files.any_sick() && pressed());
        let mut moved = false;
        loop {
            match self.step(cut, pressed, bench) {
                Step::Moved if cut == Cut::Piece => return Pumped::Arrived(arrived),
                Step::Moved => moved = true,
                Step::Failed => {}
                Step::NotYet => return Pumped::Waiting,
                Step::Empty if cut == Cut::Last => return Pumped::Ended,
                Step::Empty => return Pumped::Arrived(arrived),
                // What is left of the pipe is for the next time: other streams wait too.
                Step::NoLine if moved => return Pumped::Arrived(arrived),
                Step::NoLine => match self.fill(usize::MAX) {
                    Moved::Bytes(bytes) => arrived += bytes,
                    Moved::End => cut = Cut::Last,
                    // A hold pipe without a free place hides the end of an empty pipe from `fill`.
                    Moved::Nothing if pipe::has_ended(&self.pipe) => cut = Cut::Last,
                    Moved::Nothing if pipe::level(&self.pipe) == 0 => {
                        return Pumped::Arrived(arrived);
                    }
                    Moved::Nothing if self.make_room(bench) => {}
                    Moved::Nothing => cut = Cut::Piece,
                },
            }
        }
    }

    /// Moves everything that is in the pipe now. Unfinished lines too, and then for good, if this
    /// is the `end`. Returns false where it has to be done again a little later.
    pub fn flush(&mut self, end: bool, bench: &mut Bench) -> bool {
        if self.sinks.is_empty() {
            self.discard(bench);
            return true;
        }
        let mut left = pipe::level(&self.pipe);
        loop {
            let filled = self.fill(left);
            match filled {
                Moved::Bytes(bytes) => left = left.saturating_sub(bytes),
                Moved::Nothing => {}
                Moved::End => left = 0,
            }
            let mut cut = if left == 0 && end { Cut::Last } else { Cut::Lines };
            let mut moved = false;
            loop {
                match self.step(cut, end, bench) {
                    Step::Moved => moved = true,
                    Step::Failed => {}
                    Step::NoLine if left > 0 && filled == Moved::Nothing && !moved => {
                        if self.make_room(bench) {
                            break;
                        }
                        cut = Cut::Piece;
                    }
                    Step::NoLine | Step::Empty => break,
                    Step::NotYet => return false,
                }
            }
            if left == 0 {
                return true;
            }
        }
    }

    fn discard(&mut self, bench: &mut Bench) -> Pumped {
        self.take_out(self.held, bench);
        match pipe::splice(&self.pipe, &bench.nowhere, pipe::LARGEST) {
            Ok(Moved::Bytes(bytes)) => Pumped::Arrived(bytes),
            Ok(Moved::Nothing) => Pumped::Arrived(0),
            Ok(Moved::End) => Pumped::Ended,
            Err(error) => {
                tracing::error!(run = %self.run, %error, "log pipe not read");
                Pumped::Ended
            }
        }
    }

    /// Moves up to `at_most` bytes to the hold pipe.
    fn fill(&mut self, at_most: usize) -> Moved {
        if at_most == 0 {
            return Moved::Nothing;
        }
        match pipe::splice(&self.pipe, &self.hold_write, at_most.min(pipe::LARGEST)) {
            Ok(Moved::Bytes(bytes)) => {
                crash_point("filled");
                self.held += bytes;
                if self.may_grow && bytes >= pipe::capacity(&self.hold_write) / 2 {
                    self.grow();
                }
                Moved::Bytes(bytes)
            }
            Ok(other) => other,
            Err(error) => {
                tracing::error!(run = %self.run, %error, "log pipe not read");
                Moved::End
            }
        }
    }

    /// Makes room in a hold pipe that is full and has no line end. The bench has seen all that is in it.
    fn make_room(&mut self, bench: &Bench) -> bool {
        // Of one page nothing: a place must be left afterwards.
        let few = MOST_COPIED.min(pipe::capacity(&self.hold_write).saturating_sub(4096) / 4);
        let is_wasted = self.held <= few && bench.input.len() == self.held;
        if !is_wasted || !self.ledger.begin_to_put_back(&bench.input) {
            return self.grow();
        }
        crash_point("copied");
        self.put_back(&bench.input, bench);
        true
    }

    /// Has the hold pipe contain these bytes and nothing else, in as few pages as they need.
    fn put_back(&mut self, bytes: &[u8], bench: &Bench) {
        self.take_out(self.held, bench);
        crash_point("emptied");
        if let Err(error) = pipe::write(&self.hold_write, bytes) {
            tracing::error!(run = %self.run, %error, "hold pipe not filled again");
        }
        crash_point("put back");
        self.held = pipe::level(&self.hold_read);
        self.ledger.end(self.ledger.inside());
    }

    /// Doubles the hold pipe. Only busy streams do: a user's pipes are limited all in all.
    fn grow(&mut self) -> bool {
        let capacity = pipe::capacity(&self.hold_write);
        self.may_grow = self.may_grow
            && capacity < pipe::LARGEST
            && pipe::grow(&self.hold_write, capacity.saturating_mul(2).min(pipe::LARGEST));
        self.may_grow
    }

    /// Does one move. Without a file that can be written it is only done when `pressed`.
    fn step(&mut self, cut: Cut, pressed: bool, bench: &mut Bench) -> Step {
        let inside = self.ledger.inside();
        if self.held == 0 && !(cut == Cut::Last && inside) {
            return Step::Empty;
        }
        let line_end = bench.peek(&self.hold_read, self.held);
        let mut end = match line_end {
            Some(at) => at + 1,
            None if cut == Cut::Lines => return Step::NoLine,
            None => bench.input.len(),
        };
        if end == 0 && self.held > 0 {
            return Step::Empty; // the pipe could not be read; told by the bench
        }
        let prepare = bench.files.prepare(&self.sinks);
        if prepare.is_early() || (prepare.all_sick() && !pressed) {
            return Step::NotYet;
        }
        let mut inside_after = line_end.is_none();
        if cut == Cut::Last && inside_after && end == self.held {
            bench.input.push(b'\n');
            end += 1;
            inside_after = false;
        }
        let input = &bench.input[..end];
        let used = self.style.write(input, inside, bench.files.zone(), &mut bench.output);
        let plain = self.style == Style::Plain;
        let bytes = if plain { input } else { &bench.output };
        let taken = used.min(self.held);
        let inside_after = inside_after && used == end && self.style.continues_lines();
        let open = Move { held: self.held, taken, inside: inside_after, marks: prepare.marks() };
        self.ledger.begin(&open);
        crash_point("begun");
        let append = Append { token: self.token, inside, json: !self.style.continues_lines() };
        if !bench.files.append(&self.sinks, &prepare, append, bytes) {
            self.ledger.end(inside);
            return Step::Failed;
        }
        crash_point("written");
        self.take_out(taken, bench);
        crash_point("taken");
        self.ledger.end(inside_after);
        crash_point("ended");
        bench.files.rotate(&self.sinks);
        Step::Moved
    }

    /// Takes bytes out of the hold pipe.
    fn take_out(&mut self, bytes: usize, bench: &Bench) {
        let mut left = bytes;
        while left > 0 {
            crash_point("taking");
            match pipe::splice(&self.hold_read, &bench.nowhere, super::crash_length(left)) {
                Ok(Moved::Bytes(taken)) => left = left.saturating_sub(taken),
                Ok(Moved::Nothing | Moved::End) => break,
                Err(error) => {
                    tracing::error!(run = %self.run, %error, "hold pipe not emptied");
                    break;
                }
            }
        }
        self.held = if left == 0 { self.held - bytes } else { pipe::level(&self.hold_read) };
    }
}

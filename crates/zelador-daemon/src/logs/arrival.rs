//! When the last bytes of a log file arrived, so that a line of it has a time though none stands in it.
//!
//! Pure: what was appended when goes in, the time of a place in the file comes out. Always holds: a place that
//! somebody else wrote, or that was written before this engine, has no time; never more than [`KEPT`] times are kept.

use std::collections::VecDeque;
use std::time::Duration;

use zelador_core::unit::Moment;

use super::identity::Identity;

/// So many appends of a file have a time: evidence shows 40 lines of a stream, and several arrive with most of them.
const KEPT: usize = 64;

/// What arrived this soon after what came before it shares its time: nobody reads microseconds.
pub(super) const TOGETHER: Duration = Duration::from_millis(1);

/// When the last bytes of one file arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    file: Option<Identity>,
    /// How long the file was after the last append.
    end: u64,
    /// From which byte on which time counts; `None`: not written by this engine.
    marks: VecDeque<(u64, Option<Moment>)>,
}

impl Arrivals {
    /// It is this file, and it is that long, in bytes, before the next append.
    pub fn look(&mut self, file: Identity, length: u64) {
        if self.file != Some(file) || length < self.end {
            *self = Self { file: Some(file), end: length, marks: VecDeque::new() };
        } else if length > self.end {
            self.mark(self.end, None);
            self.end = length;
        }
    }

    /// Bytes were appended: from where, and how many.
    pub fn append(&mut self, from: u64, bytes: u64, at: Moment) {
        let together = self.marks.back().is_some_and(|(_, last)| {
            last.is_some_and(|last| last <= at && at.since(last) < TOGETHER)
        });
        if !together {
            self.mark(from, Some(at));
        }
        self.end = from + bytes;
    }

    /// What was appended from this byte on was taken back.
    pub fn cut(&mut self, length: u64) {
        while self.marks.back().is_some_and(|(from, _)| *from >= length) {
            self.marks.pop_back();
        }
        self.end = length;
    }

    /// When the byte at this place of the file arrived; `None`: that is not known.
    pub fn at(&self, file: Identity, place: u64) -> Option<Moment> {
        if self.file != Some(file) || place >= self.end {
            return None;
        }
        self.marks.iter().rev().find(|(from, _)| *from <= place).and_then(|(_, at)| *at)
    }

    fn mark(&mut self, from: u64, at: Option<Moment>) {
        if self.marks.len() >= KEPT {
            self.marks.pop_front();
        }
        self.marks.push_back((from, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zelador_core::unit::SECOND;

    const FILE: Identity = Identity { device: 1, inode: 2, born: 3 };

    fn at(second: u32) -> Moment {
        Moment::from_epoch(second * SECOND)
    }

    #[test]
    fn a_place_has_the_time_of_the_append_that_brought_it() {
        let mut arrivals = Arrivals::default();
        arrivals.look(FILE, 100);
        arrivals.append(100, 10, at(1));
        arrivals.append(110, 10, at(1));
        arrivals.append(120, 10, at(2));
        let of = |place| arrivals.at(FILE, place);
        assert_eq!(of(99), None, "it was there before");
        assert_eq!(
            (of(100), of(119), of(120), of(129)),
            (at(1).into(), at(1).into(), at(2).into(), at(2).into())
        );
        assert_eq!(of(130), None, "nothing is there");
        assert_eq!(arrivals.at(Identity { inode: 9, ..FILE }, 100), None, "another file");
    }

    #[test]
    fn what_others_wrote_and_what_was_taken_back_or_emptied_has_no_time() {
        let mut arrivals = Arrivals::default();
        arrivals.look(FILE, 0);
        arrivals.append(0, 10, at(1));
        // Somebody else appends to it.
        arrivals.look(FILE, 20);
        arrivals.append(20, 10, at(3));
        assert_eq!((arrivals.at(FILE, 5), arrivals.at(FILE, 15)), (Some(at(1)), None));
        assert_eq!(arrivals.at(FILE, 25), Some(at(3)));
        arrivals.cut(20);
        assert_eq!((arrivals.at(FILE, 25), arrivals.at(FILE, 5)), (None, Some(at(1))));
        // It is emptied, and grows again.
        arrivals.look(FILE, 4);
        assert_eq!(arrivals.at(FILE, 3), None);
    }

    #[test]
    fn of_many_appends_the_last_have_their_time() {
        let mut arrivals = Arrivals::default();
        arrivals.look(FILE, 0);
        for number in 0..200_u32 {
            arrivals.append(u64::from(number) * 10, 10, at(number));
        }
        assert_eq!(arrivals.marks.len(), KEPT);
        assert_eq!(arrivals.at(FILE, 1995), Some(at(199)));
        assert_eq!(arrivals.at(FILE, 5), None);
    }
}

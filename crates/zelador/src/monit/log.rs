//! The lines of a log that are kept, and which of them are looked at.
//!
//! Always holds: at most [`LINES_KEPT`] lines; a line has a number that never changes, so that what
//! is looked at stays where it is while lines come and go.

use std::collections::VecDeque;

use zelador_api::id::InstanceId;

use super::follow::Stream;

/// So many lines are kept.
pub const LINES_KEPT: usize = 2000;

/// The log of one instance.
#[derive(Debug, Default)]
pub struct Log {
    /// Whose.
    pub of: Option<InstanceId>,
    /// The lines, the latest last.
    lines: VecDeque<Line>,
    /// How many lines have gone, so that the first one has this number.
    gone: u64,
    /// The number after that of the last line that is shown; `None`: the latest is shown.
    end: Option<u64>,
    /// Which streams are shown.
    pub shown: Shown,
    /// Whether long lines are cut instead of broken.
    pub cut: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was written.
    pub stream: Stream,
    /// As the app wrote it, colours included; not to be shown before it was made harmless.
    pub text: String,
}

/// Which streams are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Both,
    Out,
    Err,
}

impl Shown {
    /// The next one.
    pub fn next(self) -> Self {
        match self {
            Self::Both => Self::Out,
            Self::Out => Self::Err,
            Self::Err => Self::Both,
        }
    }

    fn has(self, stream: Stream) -> bool {
        match self {
            Self::Both => true,
            Self::Out => stream == Stream::Out,
            Self::Err => stream == Stream::Err,
        }
    }
}

impl Log {
    /// Begins with the log of another instance.
    pub fn begin(&mut self, of: Option<InstanceId>) {
        *self = Self { of, shown: self.shown, cut: self.cut, ..Self::default() };
    }

    /// Takes in lines.
    pub fn extend(&mut self, lines: Vec<Line>) {
        self.lines.extend(lines);
        while self.lines.len() > LINES_KEPT {
            self.lines.pop_front();
            self.gone += 1;
        }
    }

    /// Whether the latest line is shown, and the next one will be.
    pub fn is_following(&self) -> bool {
        self.end.is_none()
    }

    /// Stays where it is, or goes to the latest line.
    pub fn toggle_following(&mut self) {
        self.end = if self.end.is_none() { Some(self.total()) } else { None };
    }

    /// Goes to the latest line, and on with the next.
    pub fn follow(&mut self) {
        self.end = None;
    }

    /// Goes up (less than 0) or down by lines that are shown, of which a page has so many; below
    /// the latest line it goes on with the next ones.
    pub fn scroll(&mut self, by: isize, page: usize) {
        let numbers = self.numbers();
        let last = numbers.len();
        let end = self.end.unwrap_or_else(|| self.total());
        let at = numbers.partition_point(|number| *number < end);
        let to = at.saturating_add_signed(by).max(page.min(last));
        self.end = if to >= last { None } else { numbers.get(to).copied() };
    }

    /// The lines that are shown, from the lowest up.
    pub fn upward(&self) -> impl Iterator<Item = &Line> {
        let end = self.end.unwrap_or_else(|| self.total());
        let count = usize::try_from(end.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        let lines = self.lines.iter().take(count.min(self.lines.len())).rev();
        lines.filter(|line| self.shown.has(line.stream))
    }

    /// How many lines are below what is shown.
    pub fn below(&self) -> usize {
        let Some(end) = self.end else { return 0 };
        self.numbers().into_iter().filter(|number| *number >= end).count()
    }

    /// The numbers of the lines of the streams that are shown.
    fn numbers(&self) -> Vec<u64> {
        let numbered = (self.gone..).zip(&self.lines);
        numbered.filter(|(_, line)| self.shown.has(line.stream)).map(|(it, _)| it).collect()
    }

    fn total(&self) -> u64 {
        self.gone + self.lines.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(range: std::ops::Range<usize>) -> Vec<Line> {
        let stream = |number| if number % 2 == 0 { Stream::Out } else { Stream::Err };
        range.map(|it| Line { stream: stream(it), text: it.to_string() }).collect()
    }

    fn lowest(log: &Log) -> &str {
        log.upward().next().map_or("", |line| line.text.as_str())
    }

    #[test]
    fn what_is_looked_at_stays_while_lines_come() {
        let mut log = Log::default();
        log.extend(lines(0..100));
        assert_eq!(lowest(&log), "99");
        log.scroll(-10, 5);
        assert_eq!((lowest(&log), log.below()), ("89", 10));
        log.extend(lines(100..150));
        assert_eq!((lowest(&log), log.below()), ("89", 60));
        log.scroll(-1000, 5);
        assert_eq!(lowest(&log), "4", "a whole page is shown at the top");
        log.scroll(1000, 5);
        assert!(log.is_following());
        log.toggle_following();
        log.extend(lines(150..160));
        assert_eq!(lowest(&log), "149");
        log.toggle_following();
        assert_eq!(lowest(&log), "159");
    }

    #[test]
    fn only_so_many_lines_are_kept_and_numbers_stay() {
        let mut log = Log::default();
        log.extend(lines(0..LINES_KEPT));
        log.scroll(-1, 5);
        log.extend(lines(LINES_KEPT..LINES_KEPT + 10));
        assert_eq!(lowest(&log), (LINES_KEPT - 2).to_string());
        assert_eq!(log.upward().count(), LINES_KEPT - 11);
        log.extend(lines(0..LINES_KEPT));
        assert_eq!(log.upward().count(), 0, "all of it has gone");
        log.scroll(-1, 5);
        assert_eq!(log.upward().count(), 5);
    }

    #[test]
    fn one_stream_is_shown_alone() {
        let mut log = Log::default();
        log.extend(lines(0..10));
        log.shown = Shown::Err;
        let shown: Vec<&str> = log.upward().map(|line| line.text.as_str()).collect();
        assert_eq!(shown, ["9", "7", "5", "3", "1"]);
        log.scroll(-1, 2);
        assert_eq!((lowest(&log), log.below()), ("7", 1));
    }
}

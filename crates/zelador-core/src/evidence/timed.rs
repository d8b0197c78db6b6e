//! The last lines of the streams with their times, for whoever shows them.

use super::Evidence;
use crate::unit::Moment;

/// Lines of a log, each with when it arrived; `None`: that is not known.
pub type TimedLines<'a> = Vec<(Option<Moment>, &'a String)>;

impl Evidence {
    /// What it said at last, that of the stream that spoke last at the end: what was overcome there is told from
    /// what it died of.
    pub fn said(&self) -> TimedLines<'_> {
        let (out, err) = (self.said_out(), self.said_err());
        let out_is_last = matches!(self.spoke_at, (Some(out), Some(err)) if out > err);
        let (mut said, last) = if out_is_last { (err, out) } else { (out, err) };
        said.extend(last);
        said
    }

    /// What it said to standard output at last, oldest first.
    pub fn said_out(&self) -> TimedLines<'_> {
        timed(&self.out_tail, &self.out_times)
    }

    /// What it said to standard error at last, oldest first.
    pub fn said_err(&self) -> TimedLines<'_> {
        timed(&self.err_tail, &self.err_times)
    }
}

fn timed<'a>(lines: &'a [String], times: &[Option<Moment>]) -> TimedLines<'a> {
    let times = times.iter().copied().chain(std::iter::repeat(None));
    times.zip(lines).collect()
}

//! Lines that wait in memory because their file cannot be written and their service must not be
//! kept waiting.
//!
//! Bounded: when it is full the oldest lines go, and are counted.

use std::collections::VecDeque;

use super::style::own_json;

/// At most this much waits for one file, in bytes.
const LIMIT: usize = 1 << 20;
/// So much is written at a time, in bytes: as much as a pipe takes.
const PIECE: usize = 64 << 10;

/// What waits for one file, oldest first.
#[derive(Debug, Default)]
pub struct Backlog {
    bytes: VecDeque<u8>,
    dropped: u64,
    /// A part of the first line is in the file.
    inside: bool,
}

impl Backlog {
    /// Notes, before anything waits, whether a part of the first line is in the file.
    pub fn begin(&mut self, inside: bool) {
        self.inside = inside;
    }

    /// Adds what would have been appended to the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        if self.bytes.len() <= LIMIT {
            return;
        }
        let least = self.bytes.len() - LIMIT;
        let line_end = self.bytes.iter().skip(least - 1).position(|byte| *byte == b'\n');
        let cut = line_end.map_or(least, |beyond| least + beyond);
        let lines = self.bytes.drain(..cut).filter(|byte| *byte == b'\n').count();
        self.dropped += lines as u64;
    }

    /// Whether there is nothing to write and nothing to confess.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.dropped == 0
    }

    /// Whether what is to be written next goes on in the middle of a line.
    pub fn inside(&self) -> bool {
        self.inside
    }

    /// Returns what is to be written next: a line that says how many lines are missing (JSON where the
    /// others are), or what waits, in whole lines where they are not longer than a piece.
    pub fn piece(&self, reason: &str, json: bool) -> Option<Vec<u8>> {
        if self.dropped > 0 {
            return Some(self.note(reason, json));
        }
        let mut piece: Vec<u8> = self.bytes.iter().take(PIECE).copied().collect();
        if let Some(line_end) = memchr::memrchr(b'\n', &piece) {
            piece.truncate(line_end + 1);
        }
        (!piece.is_empty()).then_some(piece)
    }

    fn note(&self, reason: &str, json: bool) -> Vec<u8> {
        // The rest of the line that was begun is among those that are missing.
        let mut note = if self.inside { vec![b'\n'] } else { Vec::new() };
        let lines = self.dropped;
        let text = format!("zelador: {lines} lines dropped while this file could not be written");
        let text = format!("{text} ({reason})");
        if json {
            own_json(&text, &mut note);
        } else {
            note.extend_from_slice(text.as_bytes());
            note.push(b'\n');
        }
        note
    }

    /// Notes that `written` bytes of this piece, at least one, are in the file.
    pub fn take(&mut self, piece: &[u8], written: usize) {
        if self.dropped > 0 {
            self.dropped = 0;
            piece[written..].iter().rev().for_each(|byte| self.bytes.push_front(*byte));
        } else {
            self.bytes.drain(..written);
        }
        self.inside = piece[written - 1] != b'\n';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is to be written, in pieces.
    fn written_out(backlog: &mut Backlog, reason: &str, json: bool) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = backlog.piece(reason, json) {
            backlog.take(&piece, piece.len());
            all.extend(piece);
        }
        all
    }

    fn filled() -> Backlog {
        let mut backlog = Backlog::default();
        for number in 0..200_000 {
            backlog.push(format!("line {number:06}\n").as_bytes());
        }
        backlog
    }

    #[test]
    fn the_oldest_lines_are_dropped_whole_and_counted() {
        let mut backlog = filled();
        let dropped = backlog.dropped;
        let text = String::from_utf8(written_out(&mut backlog, "no space", false)).unwrap();
        let (note, lines) = text.split_once('\n').unwrap();
        let kept = lines.lines().count() as u64;
        assert!(lines.len() <= LIMIT && lines.len() > LIMIT - 24);
        assert_eq!(kept + dropped, 200_000);
        assert!(lines.starts_with(&format!("line {dropped:06}\n")));
        assert!(note.starts_with(&format!("zelador: {dropped} lines dropped")));
        assert!(note.ends_with("(no space)") && backlog.is_empty());
        let json = filled().piece("no space", true).unwrap();
        let first: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(first["message"], note);
    }

    #[test]
    fn what_has_no_line_ends_is_bounded_too() {
        let mut backlog = Backlog::default();
        for _ in 0..5 {
            backlog.push(&vec![b'x'; 700_000]);
        }
        assert_eq!(written_out(&mut backlog, "", false).len(), LIMIT);
    }

    #[test]
    fn what_says_how_much_is_missing_is_a_line_of_its_own() {
        let mut backlog = Backlog::default();
        backlog.push(b"a line\n");
        let piece = backlog.piece("", false).unwrap();
        backlog.take(&piece, 3);
        assert!(backlog.inside());
        backlog.push(&vec![b'\n'; LIMIT]);
        let note = backlog.piece("full", false).unwrap();
        assert!(note.starts_with(b"\nzelador: 1 lines dropped") && note.ends_with(b"(full)\n"));
        backlog.take(&note, 9);
        let rest = backlog.piece("", false).unwrap();
        assert_eq!(rest[..note.len() - 9], note[9..], "the rest of it comes first");
    }
}

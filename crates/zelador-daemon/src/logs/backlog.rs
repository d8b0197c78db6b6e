//! Lines that wait in memory because their file cannot be written and their service must not be
//! kept waiting.
//!
//! Bounded: when it is full the oldest lines go, and are counted.

use std::collections::VecDeque;

use super::style::own_json;

/// At most this much waits for one file, in bytes.
const LIMIT: usize = 1 << 20;

/// What waits for one file, oldest first.
#[derive(Debug, Default)]
pub struct Backlog {
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl Backlog {
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

    /// Returns everything as one piece, after one line that says how many lines are missing; that
    /// one is JSON where the others are.
    pub fn written_out(&self, reason: &str, json: bool) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.bytes.len() + 128);
        if self.dropped > 0 {
            let lines = self.dropped;
            let note =
                format!("zelador: {lines} lines dropped while this file could not be written");
            let note = format!("{note} ({reason})");
            if json {
                own_json(&note, &mut all);
            } else {
                all.extend_from_slice(note.as_bytes());
                all.push(b'\n');
            }
        }
        all.extend(self.bytes.iter());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_are_dropped_whole_and_counted() {
        let mut backlog = Backlog::default();
        for number in 0..200_000 {
            backlog.push(format!("line {number:06}\n").as_bytes());
        }
        let text = String::from_utf8(backlog.written_out("no space", false)).unwrap();
        let (note, lines) = text.split_once('\n').unwrap();
        let kept = lines.lines().count() as u64;
        assert!(lines.len() <= LIMIT && lines.len() > LIMIT - 24);
        assert_eq!(kept + backlog.dropped, 200_000);
        assert!(lines.starts_with(&format!("line {:06}\n", backlog.dropped)));
        assert!(note.starts_with(&format!("zelador: {} lines dropped", backlog.dropped)));
        assert!(note.ends_with("(no space)"));
        let json = backlog.written_out("no space", true);
        let first: serde_json::Value =
            serde_json::from_slice(json.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
        assert_eq!(first["message"], note);
    }

    #[test]
    fn what_has_no_line_ends_is_bounded_too() {
        let mut backlog = Backlog::default();
        for _ in 0..5 {
            backlog.push(&vec![b'x'; 700_000]);
        }
        assert_eq!(backlog.written_out("", false).len(), LIMIT);
    }
}

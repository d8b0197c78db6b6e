//! What zelador says of itself, on standard error: the names, paths and messages of others in it turn no
//! line around for whoever reads the file in a terminal or an editor.

use std::borrow::Cow;
use std::io::{self, Write};

use zelador_core::unseen::is_unseen;

/// Writes whole events.
pub struct OwnLog;

impl Write for OwnLog {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(harmless(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The event with what nobody sees written out: `\u{202e}`.
fn harmless(event: &[u8]) -> Cow<'_, str> {
    let event = String::from_utf8_lossy(event);
    let harms = |c: char| is_unseen(c) || c.is_control() && !['\n', '\t'].contains(&c);
    if !event.contains(harms) {
        return event;
    }
    let mut shown = String::with_capacity(event.len());
    for c in event.chars() {
        if harms(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_written_out() {
        assert_eq!(harmless("app=ção\tx\n".as_bytes()), "app=ção\tx\n");
        let evil = "app=\u{202e}ipa\u{200b}\u{9b}2J\u{1b}\r\n";
        let shown = "app=\\u{202e}ipa\\u{200b}\\u{9b}2J\\u{1b}\\u{d}\n";
        assert_eq!(harmless(evil.as_bytes()), shown);
    }
}

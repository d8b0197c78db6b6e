//! The frames in which PM2's library speaks over a socket: AMP version 1, with axon's arguments.
//!
//! Pure. A frame is one byte (the version in its upper half, the number of arguments in its lower), then
//! each argument behind its length (32 bits, big-endian). An argument begins with `j:` (JSON) or `s:`
//! (text); anything else is bytes. Always holds: what waits for the rest of its frame takes at most
//! [`LONGEST`] bytes.

use serde_json::Value;

/// The longest frame that is understood: a declaration with a whole environment is some kilobytes.
pub const LONGEST: usize = 16 << 20;

/// The version, where it stands.
const VERSION: u8 = 1 << 4;
/// The bytes before an argument.
const LENGTH: usize = 4;

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Any JSON.
    Json(Value),
    /// Text.
    Text(String),
    /// Bytes that are neither.
    Blob(Vec<u8>),
}

/// Why a connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It never ends.
    #[error("a message is longer than {LONGEST} bytes")]
    TooLong,
    /// Somebody speaks another language.
    #[error("version {0} of a frame, allowed: 1")]
    Version(u8),
}

/// Takes bytes as they come, and gives whole messages.
#[derive(Debug, Default)]
pub struct Frames(Vec<u8>);

impl Frames {
    /// Takes bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next message; `None`: its end is still to come.
    ///
    /// # Errors
    /// What comes is no message.
    pub fn next(&mut self) -> Result<Option<Vec<Part>>, BadFrame> {
        let Some(meta) = self.0.first() else { return Ok(None) };
        if meta & 0xf0 != VERSION {
            return Err(BadFrame::Version(meta >> 4));
        }
        let mut arguments = Vec::new();
        let mut at = 1;
        for _ in 0..meta & 0x0f {
            let Some(length) = self.0.get(at..at + LENGTH) else { return Ok(None) };
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            at += LENGTH;
            if at + length > LONGEST {
                return Err(BadFrame::TooLong);
            }
            let Some(argument) = self.0.get(at..at + length) else { return Ok(None) };
            arguments.push(Part::read(argument));
            at += length;
        }
        self.0.drain(..at);
        Ok(Some(arguments))
    }
}

impl Part {
    fn read(bytes: &[u8]) -> Self {
        let json = bytes.strip_prefix(b"j:").map(serde_json::from_slice);
        let text = || String::from_utf8(bytes.strip_prefix(b"s:")?.to_vec()).ok();
        match json {
            Some(Ok(value)) => Self::Json(value),
            _ => text().map_or_else(|| Self::Blob(bytes.to_vec()), Self::Text),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Json(value) => format!("j:{value}").into_bytes(),
            Self::Text(text) => format!("s:{text}").into_bytes(),
            Self::Blob(bytes) => bytes.clone(),
        }
    }
}

/// Returns the frame of a message of at most 15 arguments.
pub fn frame(arguments: &[Part]) -> Vec<u8> {
    let mut frame = vec![VERSION | arguments.len() as u8 & 0x0f];
    for argument in arguments {
        let bytes = argument.bytes();
        frame.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        frame.extend_from_slice(&bytes);
    }
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            "[a-z:\"]{0,9}".prop_map(Part::Text),
            any::<i64>().prop_map(|number| Part::Json(json!({ "args": [number, null] }))),
            proptest::collection::vec(0_u8..32, 0..9).prop_map(Part::Blob),
        ]
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_they_are_cut(
            messages in proptest::collection::vec(proptest::collection::vec(part(), 0..4), 0..4),
            cut in 1_usize..40,
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
            let (mut frames, mut read) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(cut) {
                frames.take(piece);
                while let Some(message) = frames.next().unwrap() {
                    read.push(message);
                }
            }
            prop_assert_eq!(read, messages);
        }
    }

    #[test]
    fn what_is_no_message_is_told_and_not_kept() {
        let mut frames = Frames::default();
        frames.take(b"GET / HTTP/1.1\r\n");
        assert_eq!(frames.next(), Err(BadFrame::Version(4)));
        let mut frames = Frames::default();
        frames.take(&[VERSION | 1, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(frames.next(), Err(BadFrame::TooLong));
    }

    #[test]
    fn fuzz_frames() {
        let call = frame(&[Part::Json(json!({ "type": "methods" })), Part::Text("1:0".to_owned())]);
        let event =
            frame(&[Part::Text("log:out".to_owned()), Part::Json(json!({ "data": "x\n" }))]);
        zelador_testbed::fuzz::fuzz("frames of PM2's library", &[&call, &event], |bytes| {
            let mut frames = Frames::default();
            frames.take(bytes);
            while let Ok(Some(message)) = frames.next() {
                assert!(message.len() <= 15);
            }
        });
    }
}

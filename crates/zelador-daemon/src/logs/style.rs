//! How lines stand in their files: as they are, with a date before them, or as JSON.
//!
//! Pure: bytes and a date go in, bytes come out. Always holds: plain and dated lines keep every byte
//! of theirs; a JSON line is one whole object, whatever the bytes are.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use zelador_core::date::DateFormat;

use super::Stream;

/// How the lines of a stream stand in its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Style {
    /// As they were written.
    Plain,
    /// With a date before each, followed by `: `.
    Dated(DateFormat),
    /// Each as an object of JSON.
    Json(Json),
}

/// What a JSON line says besides the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    /// Its date; `None`: RFC 3339 in UTC.
    pub date: Option<DateFormat>,
    /// Which of the streams.
    pub stream: Stream,
    /// The number of the instance.
    pub id: u32,
    /// The app.
    pub app: String,
}

/// PM2's fields, in its order.
#[derive(Serialize)]
struct Line<'a> {
    message: &'a str,
    timestamp: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    process_id: Option<u32>,
    app_name: &'a str,
    /// The line goes on in the next object.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// At most about this much is written in one move, in bytes: dates make short lines many times
/// longer.
const LARGEST_OUTPUT: usize = 2 << 20;

impl Style {
    /// Whether a line that is written in pieces is one line in the file: a JSON line is not.
    pub fn continues_lines(&self) -> bool {
        !matches!(self, Self::Json(_))
    }

    /// Writes what is in `input` to `output`, or leaves that empty where `input` is to be written as
    /// it is. Returns how much of `input` is done.
    pub fn write(
        &self,
        input: &[u8],
        inside: bool,
        zone: &TimeZone,
        output: &mut Vec<u8>,
    ) -> usize {
        output.clear();
        match self {
            Self::Plain => input.len(),
            Self::Dated(format) => {
                let date = format.render(Timestamp::now(), zone);
                stamp(input, inside, &date, output)
            }
            Self::Json(json) => {
                let now = Timestamp::now();
                let date = json.date.as_ref().map(|date| date.render(now, zone));
                let date = date.unwrap_or_else(|| format!("{now:.3}"));
                json.write(input, &date, output)
            }
        }
    }
}

/// The line ends in `input`, each with where the line after it begins; and the end of `input` if it
/// is none.
fn ends(input: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let ends = memchr::memchr_iter(b'\n', input).map(|at| at + 1);
    ends.chain((input.last() != Some(&b'\n')).then_some(input.len()))
}

/// Puts `date` before each line that begins in `input`. Returns how much of `input` is in `output`.
fn stamp(input: &[u8], inside: bool, date: &str, output: &mut Vec<u8>) -> usize {
    let mut from = 0;
    for end in ends(input) {
        if output.len() >= LARGEST_OUTPUT {
            break;
        }
        if from > 0 || !inside {
            output.extend_from_slice(date.as_bytes());
            output.extend_from_slice(b": ");
        }
        output.extend_from_slice(&input[from..end]);
        from = end;
    }
    from
}

impl Json {
    fn write(&self, input: &[u8], date: &str, output: &mut Vec<u8>) -> usize {
        let kind = match self.stream {
            Stream::Out => "out",
            Stream::Err => "err",
        };
        let mut from = 0;
        for end in ends(input) {
            if output.len() >= LARGEST_OUTPUT {
                break;
            }
            let piece = &input[from..end];
            let (line, used, partial) = match piece.strip_suffix(b"\n") {
                Some(line) => (line, piece.len(), false),
                None => {
                    let whole = whole_characters(piece);
                    (&piece[..whole], whole, true)
                }
            };
            let message = String::from_utf8_lossy(line);
            let (process_id, app_name) = (Some(self.id), self.app.as_str());
            push(
                output,
                &Line { message: &message, timestamp: date, kind, process_id, app_name, partial },
            );
            from += used;
        }
        from
    }
}

/// A line of zelador's own in a file of JSON lines.
pub fn own_json(message: &str, output: &mut Vec<u8>) {
    let date = format!("{:.3}", Timestamp::now());
    let (process_id, app_name) = (None, "zelador");
    let (timestamp, kind, partial) = (date.as_str(), "err", false);
    push(output, &Line { message, timestamp, kind, process_id, app_name, partial });
}

fn push(output: &mut Vec<u8>, line: &Line<'_>) {
    // Writing texts and numbers to memory cannot fail.
    _ = serde_json::to_writer(&mut *output, line);
    output.push(b'\n');
}

/// How much of a piece of text may be cut off at its end without cutting a character of UTF-8;
/// never nothing.
fn whole_characters(piece: &[u8]) -> usize {
    for back in 1..=3.min(piece.len()) {
        let length = match piece[piece.len() - back] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => 1,
        };
        let whole = if length > back { piece.len() - back } else { piece.len() };
        return if whole == 0 { piece.len() } else { whole };
    }
    piece.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_output_of_services() {
        let good: [&[u8]; 3] = [
            b"one\ntwo\r\nhalf a li",
            b"\x1b[31mred\x1b[0m\n\xff\xfe\n\n",
            b"S\xc3\xa3o\n{\"a\":1}\n",
        ];
        let json = Json { date: None, stream: Stream::Err, id: 1, app: "a \"b\"".to_owned() };
        let json = Style::Json(json);
        let dated = Style::Dated(DateFormat::parse("YYYY"));
        let mut output = Vec::new();
        zelador_testbed::fuzz::fuzz("output of services", &good, |input| {
            let used = json.write(input, false, &TimeZone::UTC, &mut output);
            assert!(used <= input.len());
            for line in output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let object: serde_json::Value = serde_json::from_slice(line).unwrap();
                assert_eq!(object["app_name"], "a \"b\"");
            }
            let used = dated.write(input, true, &TimeZone::UTC, &mut output);
            let ends = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count();
            assert_eq!((used, ends(&output)), (input.len(), ends(input)));
        });
    }

    #[test]
    fn a_date_is_put_before_each_line_that_begins() {
        let stamped = |input: &str, inside| {
            let mut output = Vec::new();
            assert_eq!(stamp(input.as_bytes(), inside, "D", &mut output), input.len());
            String::from_utf8(output).unwrap()
        };
        assert_eq!(stamped("a\n\nb\n", false), "D: a\nD: \nD: b\n");
        assert_eq!(stamped("a\nb", true), "a\nD: b");
        assert_eq!(stamped("abc", true), "abc");
        assert_eq!(stamped("\n", true), "\n");
    }

    #[test]
    fn a_million_empty_lines_are_stamped_in_several_moves() {
        let input = vec![b'\n'; 1 << 20];
        let mut output = Vec::new();
        let used = stamp(&input, false, "2026-11-23 22:30:00", &mut output);
        assert!(used < input.len() && output.len() < LARGEST_OUTPUT + 64);
        assert_eq!(output.len(), used * 22);
    }

    fn json() -> Json {
        Json { date: None, stream: Stream::Err, id: 3, app: "api \"x\"".to_owned() }
    }

    #[test]
    fn every_line_becomes_one_object_whatever_its_bytes_are() {
        let mut input: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
        input.extend(b"\n\n{\"a\":1}\r\n\xe2\x82\xac\n");
        let mut output = Vec::new();
        assert_eq!(json().write(&input, "D", &mut output), input.len());
        let lines: Vec<serde_json::Value> = String::from_utf8(output)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0]["message"], String::from_utf8_lossy(&input[..255]).as_ref());
        assert_eq!(lines[1]["message"], "");
        assert_eq!(lines[2]["message"], "{\"a\":1}\r");
        let last =
            r#"{"app_name":"api \"x\"","message":"€","process_id":3,"timestamp":"D","type":"err"}"#;
        assert_eq!(lines[3].to_string(), last);
    }

    #[test]
    fn a_piece_of_a_line_is_an_object_that_says_so_and_cuts_no_character() {
        let mut output = Vec::new();
        assert_eq!(json().write("a€".as_bytes(), "D", &mut output), 4);
        assert_eq!(json().write(&"a€".as_bytes()[..3], "D", &mut output), 1);
        assert_eq!(json().write(b"\xf0\x9f", "D", &mut output), 2, "never nothing");
        assert_eq!(json().write(b"\xff\xff", "D", &mut output), 2);
        let text = String::from_utf8(output).unwrap();
        let messages: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| {
                assert_eq!(line["partial"], true);
                line["message"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(messages, ["a€", "a", "\u{fffd}", "\u{fffd}\u{fffd}"]);
    }
}

//! The last lines of a log, read from its end.
//!
//! Quick and bounded: a block at a time, backwards, until there are lines enough; then on into the
//! renamed logs before it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use zelador_api::spot::Spot;

use super::identity::Identity;
use super::names::{Names, Rotated};

/// Read at a time, in bytes.
const BLOCK: u64 = 64 << 10;
/// A longer line is cut, in bytes.
const LONGEST_LINE: usize = 4096;
/// Stands at the end of a line that was cut.
const CUT_MARK: &str = " … (cut)";

/// Returns the last `lines` lines of the log at `path`, oldest first, after looking at no more than
/// `max_bytes` bytes; renamed ones before it have dates of `date_format`. What is not UTF-8 is replaced; a line of more than 4 KiB is cut.
///
/// # Errors
/// Whatever the system says when the file cannot be read; a log that was just renamed is no error.
pub fn tail(
    path: &Path,
    lines: usize,
    max_bytes: u64,
    date_format: &str,
) -> io::Result<Vec<String>> {
    let placed = placed(path, lines, max_bytes, date_format)?;
    Ok(placed.lines.into_iter().map(|(line, _)| line).collect())
}

/// Lines, with where they begin.
pub(super) struct Placed {
    /// The file at the path, where there is one.
    pub(super) file: Option<Identity>,
    /// The lines, oldest first, each with the byte at which it begins in that file; `None`: it is of a renamed one.
    pub(super) lines: Vec<(String, Option<u64>)>,
}

/// The same as [`tail`], with where the lines begin.
pub(super) fn placed(
    path: &Path,
    lines: usize,
    max_bytes: u64,
    date_format: &str,
) -> io::Result<Placed> {
    let spot = Spot::find(path)?;
    // One that is compressed already is passed over.
    let rotated = || -> Vec<OsString> {
        let own = Names::new(date_format).own(&spot.path()).rotated;
        let plain = own.into_iter().filter_map(|Rotated { plain, .. }| plain);
        plain.filter_map(|plain| Some(plain.file_name()?.to_owned())).collect()
    };
    let mut newest_first = Vec::new();
    let mut left = max_bytes;
    let current = spot.read().and_then(|file| read(&file, lines, &mut left, &mut newest_first));
    let file = current.as_ref().ok().copied();
    let of_file = newest_first.len();
    let mut renamed = match current {
        Ok(_) if newest_first.len() >= lines || left == 0 => Vec::new(),
        Ok(_) => rotated(),
        Err(error) => {
            let renamed = rotated();
            if error.kind() != io::ErrorKind::NotFound || renamed.is_empty() {
                return Err(error);
            }
            renamed
        }
    };
    while newest_first.len() < lines
        && left > 0
        && let Some(older) = renamed.pop()
    {
        let older = spot.beside(&older).and_then(|spot| spot.read());
        match older.and_then(|file| read(&file, lines, &mut left, &mut newest_first)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let place = |index, place| (index < of_file).then_some(place);
    let newest_first = newest_first.into_iter().enumerate();
    let mut lines: Vec<_> =
        newest_first.map(|(index, (line, at))| (line, place(index, at))).collect();
    lines.reverse();
    Ok(Placed { file, lines })
}

/// Adds lines of one file, last one first, each with where it begins, until there are `lines` or `left` is used up;
/// returns which file it is.
fn read(
    file: &File,
    lines: usize,
    left: &mut u64,
    found: &mut Vec<(String, u64)>,
) -> io::Result<Identity> {
    let identity = Identity::of(file)?;
    let known = file.metadata()?;
    let mut at = if known.is_file() { known.len() } else { 0 };
    // The beginning of the oldest line seen so far is not known yet: this much of it is.
    let mut head: Vec<u8> = Vec::new();
    let mut at_end = true;
    while found.len() < lines && at > 0 && *left > 0 {
        let length = BLOCK.min(at).min(*left);
        at -= length;
        *left -= length;
        let mut block = vec![0; length as usize];
        file.read_exact_at(&mut block, at)?;
        if at_end {
            at_end = false;
            if block.last() == Some(&b'\n') {
                block.pop();
            }
        }
        while found.len() < lines
            && let Some(end) = memchr::memrchr(b'\n', &block)
        {
            let line = [&block[end + 1..], &head].concat();
            found.push((shown(&line), at + end as u64 + 1));
            head.clear();
            block.truncate(end);
        }
        // Of a line of many blocks only the beginning will be shown.
        block.extend_from_slice(&head);
        block.truncate(LONGEST_LINE + 1);
        head = block;
    }
    if found.len() < lines && !at_end {
        found.push((shown(&head), at));
    }
    Ok(identity)
}

fn shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= LONGEST_LINE {
        return String::from_utf8_lossy(line).into_owned();
    }
    let cut = String::from_utf8_lossy(&line[..LONGEST_LINE]);
    format!("{}{CUT_MARK}", cut.trim_end_matches('\u{fffd}'))
}

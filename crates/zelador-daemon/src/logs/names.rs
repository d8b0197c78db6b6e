//! What renamed logs are called, and which files are a log's own.
//!
//! `app-out.log` becomes `app-out__2026-11-23_22-30-00.log`; a second one with the same date gets
//! `.1` before the extension, and so on; a compressed one ends with `.gz` besides. Always holds:
//! a file is a log's own only if its whole name is built like that, so `api` never meets `my-api`
//! or `api__old`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Zoned;
use zelador_core::date::{DateFormat, DatePattern};
use zelador_core::spec::ROTATED_DATE;

/// The end of a compressed log's name.
pub const COMPRESSED: &str = ".gz";
/// The end of the name of a file that is being compressed.
pub const PART: &str = ".gz.part";

/// How dates stand in names: now, and as they stand if nothing is said.
#[derive(Clone, Debug)]
pub struct Names {
    format: DateFormat,
    sorts: bool,
    /// The present format's first.
    patterns: Vec<DatePattern>,
}

/// A renamed log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rotated {
    /// When it was written to last; not looked at where names tell the order.
    modified: Option<SystemTime>,
    /// The date in its name.
    pub date: String,
    /// Which of the same date it is.
    pub number: u32,
    /// Which format it has; 0 is the present one.
    pattern: usize,
    /// The file; `None` if only the compressed one is there.
    pub plain: Option<PathBuf>,
    /// The compressed file.
    pub compressed: Option<PathBuf>,
    /// How many bytes they have.
    pub bytes: u64,
}

/// What kind of file a name is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Compressed,
    Part,
}

/// All files of a log but itself.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// The renamed ones, oldest first.
    pub rotated: Vec<Rotated>,
    /// What a compression that was killed left.
    pub parts: Vec<PathBuf>,
}

impl Names {
    /// Returns the names with dates of this format.
    pub fn new(format: &str) -> Self {
        let mut formats = vec![DateFormat::parse(format)];
        if format != ROTATED_DATE {
            formats.push(DateFormat::parse(ROTATED_DATE));
        }
        let patterns = formats.iter().map(DateFormat::pattern).collect();
        let format = formats.swap_remove(0);
        Self { sorts: format.sorts_by_time(), format, patterns }
    }

    /// Returns a name for the log at `path` that is beyond all of `own`, which are its renamed
    /// ones.
    pub fn next(&self, path: &Path, own: &[Rotated], now: &Zoned) -> (String, u32) {
        let date = self.format.render(now.timestamp(), now.time_zone());
        let of_format = own.iter().filter(|rotated| rotated.pattern == 0);
        let last = if self.sorts {
            // Also when the clock was set back.
            of_format.max_by(|a, b| (&a.date, a.number).cmp(&(&b.date, b.number)))
        } else {
            let of_date = of_format.filter(|rotated| rotated.date == date);
            of_date.max_by_key(|rotated| rotated.number)
        };
        let mut next = match last {
            Some(last) if last.date >= date || !self.sorts => (last.date.clone(), last.number + 1),
            _ => (date, 0),
        };
        while is_taken(path, &next) {
            next.1 += 1;
        }
        next
    }

    /// Returns the files of the log at `path`.
    pub fn own(&self, path: &Path) -> Own {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let Ok(entries) = std::fs::read_dir(folder.unwrap_or(Path::new("."))) else {
            return Own::default();
        };
        let mut own = Own::default();
        for entry in entries.flatten() {
            let Some((kind, pattern, date, number)) = self.read(path, &entry.file_name()) else {
                continue;
            };
            let Ok(known) = entry.metadata() else { continue };
            if !known.is_file() {
                continue;
            }
            let (file, bytes) = (entry.path(), known.len());
            let (plain, compressed) = match kind {
                Kind::Plain => (Some(file), None),
                Kind::Compressed => (None, Some(file)),
                Kind::Part => {
                    own.parts.push(file);
                    continue;
                }
            };
            let modified = known.modified().ok();
            let same = |other: &&mut Rotated| {
                (&other.date, other.number, other.pattern) == (&date, number, pattern)
            };
            match own.rotated.iter_mut().find(same) {
                Some(other) => {
                    other.plain = plain.or(other.plain.take());
                    other.compressed = compressed.or(other.compressed.take());
                    other.bytes += bytes;
                }
                None => own.rotated.push(Rotated {
                    modified,
                    date,
                    number,
                    pattern,
                    plain,
                    compressed,
                    bytes,
                }),
            }
        }
        if self.sorts && own.rotated.iter().all(|rotated| rotated.pattern == 0) {
            own.rotated.iter_mut().for_each(|rotated| rotated.modified = None);
        }
        own.rotated.sort();
        own
    }

    /// Returns what kind of file `name` is for, the date and the number in it; `None` if it is not
    /// that of a renamed log of `path`.
    fn read(&self, path: &Path, name: &OsStr) -> Option<(Kind, usize, String, u32)> {
        let stem = path.file_stem()?.as_bytes();
        let rest = name.as_bytes().strip_prefix(stem)?.strip_prefix(b"__")?;
        let rest = std::str::from_utf8(rest).ok()?;
        for (end, kind) in [("", Kind::Plain), (COMPRESSED, Kind::Compressed), (PART, Kind::Part)] {
            let Some(rest) = rest.strip_suffix(end) else { continue };
            let rest = match path.extension() {
                Some(extension) => {
                    let end = extension.to_str()?;
                    let Some(rest) = rest.strip_suffix(end) else { continue };
                    let Some(rest) = rest.strip_suffix('.') else { continue };
                    rest
                }
                None => rest,
            };
            for (index, pattern) in self.patterns.iter().enumerate() {
                let dated =
                    pattern.split(rest).and_then(|(date, more)| Some((date, number(more)?)));
                if let Some((date, number)) = dated {
                    return Some((kind, index, date.to_owned(), number));
                }
            }
        }
        None
    }
}

/// Whether a compressed file has that name; the rename itself finds out about the other.
fn is_taken(path: &Path, (date, number): &(String, u32)) -> bool {
    let plain = name(path, date, *number);
    [COMPRESSED, PART].iter().any(|end| {
        let mut name = plain.clone();
        name.push(end);
        path.with_file_name(name).symlink_metadata().is_ok()
    })
}

/// What follows the date: nothing, or a number from 1 on.
fn number(text: &str) -> Option<u32> {
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.strip_prefix('.')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}

/// Returns the name of a renamed log.
pub fn name(path: &Path, date: &str, number: u32) -> OsString {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("__{date}"));
    if number > 0 {
        name.push(format!(".{number}"));
    }
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    name
}

impl Rotated {
    /// The files that are there.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.plain.iter().chain(&self.compressed)
    }
}

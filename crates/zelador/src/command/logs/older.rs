//! The lines of logs that were rotated away, compressed ones too.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use zelador_api::spot;

use super::filter::is_late;

/// The rotated files of a log that may have lines from then on, oldest first: `api-out.log` has
/// `api-out__DATE.log` and `api-out__DATE.log.gz`.
pub fn rotated(path: &Path, since: Timestamp) -> Vec<PathBuf> {
    let (Some(folder), Some(stem)) = (path.parent(), path.file_stem().and_then(|it| it.to_str()))
    else {
        return Vec::new();
    };
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let ends = [format!(".{extension}"), format!(".{extension}.gz")];
    let begin = format!("{stem}__");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let date = name.to_str().and_then(|name| name.strip_prefix(&begin));
            // A date begins with a digit; another app may be called `api-out__old`.
            date.is_some_and(|date| {
                date.starts_with(|c: char| c.is_ascii_digit())
                    && ends.iter().any(|end| date.ends_with(end.as_str()))
            })
        })
        .map(|entry| entry.path())
        .filter(|path| is_late(path, Some(since)))
        .collect();
    found.sort_by_cached_key(|path| std::fs::metadata(path).and_then(|it| it.modified()).ok());
    found
}

/// Tells every line of a file.
///
/// # Errors
/// It cannot be read, or the sink fails.
pub fn lines(path: &Path, sink: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let file = spot::read(path)?;
    let is_compressed = path.extension().is_some_and(|it| it == "gz");
    if is_compressed {
        each(BufReader::new(MultiGzDecoder::new(file)), sink)
    } else {
        each(BufReader::new(file), sink)
    }
}

fn each(
    mut reader: impl BufRead,
    sink: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        sink(line.strip_suffix(b"\n").unwrap_or(&line))?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[test]
    fn rotated_files_are_told_oldest_first_and_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let first = File::create(path("api-out__2026-11-27_00-00-00.log.gz")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(first, flate2::Compression::fast());
        packed.write_all(b"one\ntwo\n").unwrap();
        let first = packed.finish().unwrap();
        let second = File::create(path("api-out__2026-11-28_00-00-00.log")).unwrap();
        (&second).write_all(b"three\nfour").unwrap();
        for name in ["api-out.log", "api-out__old.log", "my-api-out__2026-11-28_00-00-00.log"] {
            File::create(path(name)).unwrap();
        }
        let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        first.set_modified(at(1_000)).unwrap();
        second.set_modified(at(2_000)).unwrap();
        let told = |since: i64| {
            let mut told = Vec::new();
            for file in rotated(&path("api-out.log"), Timestamp::from_second(since).unwrap()) {
                let mut sink = |line: &[u8]| {
                    told.push(String::from_utf8_lossy(line).into_owned());
                    Ok(())
                };
                lines(&file, &mut sink).unwrap();
            }
            told.join(" ")
        };
        assert_eq!(told(500), "one two three four");
        assert_eq!(told(1_500), "three four");
    }
}

//! A file that must exist, be young enough and large enough, or must not exist.

use std::path::Path;
use std::time::{Duration, SystemTime};

use zelador_core::probe::{Finding, Measure, Unit};
use zelador_core::spec::FileProbe;
use zelador_core::unit::ByteSize;
use zelador_core::words;

use super::aside::{NotDone, aside};
use super::patience::Patience;
use super::said;
use crate::errno;

/// Looks once. A file system may hang, so it is done aside.
pub(super) async fn look(probe: &FileProbe, patience: Patience) -> Finding {
    let shown = probe.path.display().to_string();
    let path = probe.path.clone();
    let work = move || std::fs::metadata(&path).map(|found| (found.len(), found.modified().ok()));
    match aside(format!("file {shown}"), patience, work).await {
        Ok(found) => judged(probe, &shown, found, SystemTime::now()),
        Err(NotDone::Failed(detail)) => Finding::Unavailable { detail },
        Err(NotDone::Late | NotDone::StillBusy) => {
            Finding::TimedOut { detail: said::silent_file_system(&shown, patience) }
        }
    }
}

fn judged(
    probe: &FileProbe,
    shown: &str,
    found: std::io::Result<(u64, Option<SystemTime>)>,
    now: SystemTime,
) -> Finding {
    let wrong = |detail| Finding::WrongAnswer { detail };
    let (size, written) = match found {
        Ok(_) if probe.absent => return wrong(words!("{shown} exists", "{shown} existe")),
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let detail = words!("{shown} does not exist", "{shown} não existe");
            return if probe.absent { Finding::Answered { detail } } else { wrong(detail) };
        }
        Err(error) => return Finding::Unavailable { detail: errno::said_of(shown, &error) },
    };
    // A file from the future is young.
    let age = written.map(|written| now.duration_since(written).unwrap_or(Duration::ZERO));
    let said = ByteSize::new(size);
    if let (Some(age), Some(limit)) = (age, probe.max_age)
        && age > limit
    {
        return wrong(words!(
            "{shown} was last written {age} ago, at most {limit} is right",
            "{shown} foi gravado pela última vez há {age}; o certo é no máximo {limit}",
            age = age,
            limit = limit,
        ));
    }
    if let Some(limit) = probe.min_size.filter(|limit| size < *limit) {
        return wrong(words!(
            "{shown} has {said}, at least {limit} is right",
            "{shown} tem {said}; o certo é no mínimo {limit}",
            said = said,
            limit = ByteSize::new(limit),
        ));
    }
    if let Some(limit) = probe.max_size.filter(|limit| size > *limit) {
        return wrong(words!(
            "{shown} has {said}, at most {limit} is right",
            "{shown} tem {said}; o certo é no máximo {limit}",
            said = said,
            limit = ByteSize::new(limit),
        ));
    }
    let written = age.map(|age| words!(", written {age} ago", ", gravado há {age}", age = age));
    let mut measures = vec![Measure::new("size", size as f64, Unit::Bytes)];
    measures.extend(age.map(|age| Measure::span("age", age)));
    let detail = words!(
        "{shown} has {said}{written}",
        "{shown} tem {said}{written}",
        said = said,
        written = written,
    );
    Finding::Measured { detail, measures }
}

/// The lines that match a pattern, since the last look.
pub(super) mod rate {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Seek, SeekFrom};
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::time::Instant;

    use zelador_api::spot;

    use super::{Finding, Measure, NotDone, Path, Patience, Unit, aside, errno, words};

    /// Where the last look at a file ended, by pattern and path. Global, because looks have nothing
    /// else in common; bounded by [`MOST`].
    static READ: Mutex<BTreeMap<(String, PathBuf), Place>> = Mutex::new(BTreeMap::new());

    /// More files than this are not followed.
    const MOST: usize = 4096;
    /// More bytes than this since the last look are skipped: the newest are read.
    const READ_AT_MOST: u64 = 16 << 20;

    #[derive(Clone, Copy)]
    struct Place {
        inode: u64,
        offset: u64,
        at: Instant,
    }

    /// Looks once; the first look at a file only remembers its end.
    pub async fn look(paths: &[PathBuf], pattern: &str, patience: Patience) -> Finding {
        let name = format!("log {}", paths.first().map_or("", |path| path.to_str().unwrap_or("")));
        let (paths, pattern) = (paths.to_vec(), pattern.to_owned());
        match aside(name, patience, move || count_all(&paths, &pattern)).await {
            Ok(finding) => finding,
            Err(NotDone::Failed(detail)) => Finding::Unavailable { detail },
            Err(NotDone::Late | NotDone::StillBusy) => Finding::Unavailable {
                detail: words!(
                    "the log was not read within {t}",
                    "o log não foi lido em {t}",
                    t = patience.timeout(),
                ),
            },
        }
    }

    fn count_all(paths: &[PathBuf], pattern: &str) -> Finding {
        let Ok(regex) = regex_lite::Regex::new(pattern) else {
            return Finding::Unavailable {
                detail: words!(
                    "`{pattern}` is no regular expression",
                    "`{pattern}` não é uma expressão regular",
                ),
            };
        };
        let (mut lines, mut span, mut last) = (0_u64, 0.0_f64, None);
        for path in paths {
            match count(path, pattern, &regex) {
                Ok(Some((found, seconds, line))) => {
                    lines += found;
                    span = span.max(seconds);
                    last = line.or(last);
                }
                Ok(None) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let detail = errno::said_of(path.display(), &error);
                    return Finding::Unavailable { detail };
                }
            }
        }
        if span <= 0.0 {
            return Finding::Answered { detail: words!("begins to count", "começa a contar") };
        }
        let rate = lines as f64 * 60.0 / span;
        let detail = match last {
            Some(line) => words!(
                "{lines} new lines match `{pattern}`, the last one: {line}",
                "{lines} linhas novas correspondem a `{pattern}`, a última: {line}",
            ),
            None => words!(
                "no new line matches `{pattern}`",
                "nenhuma linha nova corresponde a `{pattern}`",
            ),
        };
        Finding::Measured { detail, measures: vec![Measure::new("rate", rate, Unit::PerMinute)] }
    }

    type Counted = Option<(u64, f64, Option<String>)>;

    fn count(path: &Path, pattern: &str, regex: &regex_lite::Regex) -> std::io::Result<Counted> {
        let mut file = spot::read(path)?;
        let found = file.metadata()?;
        let (end, now) = (found.len(), Instant::now());
        let key = (pattern.to_owned(), path.to_owned());
        let mut all = READ.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&key) {
            return Err(std::io::Error::other(format!("more than {MOST} logs are followed")));
        }
        let place = Place { inode: found.ino(), offset: end, at: now };
        let before = all.insert(key, place);
        drop(all);
        let Some(before) = before else { return Ok(None) };
        // Rotated or emptied: what is there now is new.
        let same = before.inode == found.ino() && before.offset <= end;
        let from = if same { before.offset } else { 0 }.max(end.saturating_sub(READ_AT_MOST));
        file.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::new(std::io::Read::take(file, end - from));
        let (mut lines, mut last, mut line) = (0, None, Vec::new());
        while reader.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            if regex.is_match(text.trim_end()) {
                lines += 1;
                let short: String = text.trim().chars().take(120).collect();
                last = Some(zelador_core::redact::text(&short));
            }
            line.clear();
        }
        Ok(Some((lines, now.duration_since(before.at).as_secs_f64(), last)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::checks::rig::LONG;

    #[tokio::test]
    async fn a_file_has_to_be_there_young_and_large_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let plain = FileProbe {
            path: path.clone(),
            absent: false,
            max_age: None,
            min_size: None,
            max_size: None,
        };
        let looked = async |probe: &FileProbe| look(probe, Patience::new(LONG)).await;
        assert!(matches!(looked(&plain).await, Finding::WrongAnswer { .. }));
        let absent = FileProbe { absent: true, ..plain.clone() };
        assert!(matches!(looked(&absent).await, Finding::Answered { .. }));
        std::fs::write(&path, "ten bytes!").unwrap();
        assert!(matches!(looked(&absent).await, Finding::WrongAnswer { .. }));
        assert!(matches!(looked(&plain).await, Finding::Measured { .. }));
        for wrong in [
            FileProbe { min_size: Some(11), ..plain.clone() },
            FileProbe { max_size: Some(9), ..plain.clone() },
        ] {
            assert!(matches!(looked(&wrong).await, Finding::WrongAnswer { .. }), "{wrong:?}");
        }
        let hour_ago = SystemTime::now() - Duration::from_hours(1);
        File::options().write(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
        let young = FileProbe { max_age: Some(Duration::from_mins(30)), ..plain };
        let Finding::WrongAnswer { detail } = looked(&young).await else { panic!("too old") };
        assert!(
            detail.english().ends_with("was last written 1 h ago, at most 30 min is right"),
            "{detail}"
        );
    }

    use std::fs::File;

    #[tokio::test]
    async fn new_lines_that_match_are_counted_across_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "ERROR old\n").unwrap();
        let looked =
            async || rate::look(std::slice::from_ref(&path), "ERROR", Patience::new(LONG)).await;
        assert!(matches!(looked().await, Finding::Answered { .. }), "what was there is not new");
        let mut file = File::options().append(true).open(&path).unwrap();
        writeln!(file, "ERROR one\nfine\nERROR two").unwrap();
        let Finding::Measured { detail, .. } = looked().await else { panic!("counted") };
        assert_eq!(detail, "2 new lines match `ERROR`, the last one: ERROR two");
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        std::fs::write(&path, "ERROR three\n").unwrap();
        let Finding::Measured { detail, .. } = looked().await else { panic!("counted") };
        assert_eq!(detail, "1 new lines match `ERROR`, the last one: ERROR three");
    }
}

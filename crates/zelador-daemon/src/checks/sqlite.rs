//! Asking an `SQLite` file.
//!
//! Opened read-only, so that a missing file stays missing. `SQLite` blocks, so it is done aside.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use zelador_core::probe::{Finding, Measure};
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::aside::{NotDone, aside};
use super::patience::Patience;
use super::query::Query;
use super::said;
use crate::errno;

/// Asks once; `url` is `sqlite:///absolute/path`.
pub(super) async fn look(url: &str, query: &Query<'_>, patience: Patience) -> Finding {
    let Some(path) = path_in(url) else {
        return Finding::Unavailable { detail: said::no_such_url("sqlite:///absolute/path") };
    };
    let shown = path.display().to_string();
    let text = query.text("SELECT 1").to_owned();
    let work = move || ask(&path, &text, patience);
    match aside(format!("sqlite {shown}"), patience, work).await {
        Ok(Ok((answer, measures))) => query.judge(answer.as_deref(), measures),
        Ok(Err(finding)) => finding,
        Err(NotDone::Late) => {
            let detail = words!(
                "file {shown} did not answer within {t}",
                "o arquivo {shown} não respondeu em {t}",
                t = patience.timeout(),
            );
            Finding::TimedOut { detail }
        }
        Err(NotDone::StillBusy) => {
            let detail = words!(
                "the last looks at file {shown} have not returned yet",
                "as últimas verificações do arquivo {shown} ainda não voltaram",
            );
            Finding::TimedOut { detail }
        }
        Err(NotDone::Failed(detail)) => Finding::Unavailable { detail },
    }
}

/// The path of `sqlite:///absolute/path?options`; `%20` and the like are decoded.
fn path_in(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://")?.split(['?', '#']).next()?;
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%');
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        decoded.push(hex.unwrap_or(byte));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    let path = PathBuf::from(String::from_utf8(decoded).ok()?);
    path.is_absolute().then_some(path)
}

/// The first value of the first row, with what took how long, or why there is none.
fn ask(
    path: &Path,
    text: &str,
    patience: Patience,
) -> Result<(Option<String>, Vec<Measure>), Finding> {
    let shown = path.display();
    let of_file = |why: Words| words!("file {shown}: {why}", "arquivo {shown}: {why}", why = why);
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return Err(Finding::Refused {
                detail: words!("{shown} is a folder", "{shown} é uma pasta"),
            });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Finding::Refused {
                detail: words!("file {shown} does not exist", "o arquivo {shown} não existe"),
            });
        }
        Err(error) => {
            return Err(Finding::Refused { detail: of_file(errno::said(&error)) });
        }
    }
    // Whoever waits for a lock gives up a little before the look does, so as to say why.
    let wait = patience.left().mul_f64(0.8);
    select(path, text, wait).map_err(|error| match error {
        rusqlite::Error::SqliteFailure(failure, said) => {
            let said = said.unwrap_or_else(|| failure.to_string());
            match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Finding::TimedOut {
                    detail: words!(
                        "file {shown} was locked by another process for {wait}",
                        "o arquivo {shown} ficou travado por outro processo durante {wait}",
                        wait = wait,
                    ),
                },
                ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                    Finding::Refused { detail: of_file(quoted(said)) }
                }
                _ => Finding::WrongAnswer { detail: of_file(quoted(said)) },
            }
        }
        error => Finding::WrongAnswer { detail: of_file(quoted(error)) },
    })
}

fn select(
    path: &Path,
    text: &str,
    wait: Duration,
) -> rusqlite::Result<(Option<String>, Vec<Measure>)> {
    let begin = Instant::now();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(wait)?;
    // `SELECT 1` alone does not touch the file.
    connection.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0))?;
    let connect = Measure::span("connect", begin.elapsed());
    let asked_at = Instant::now();
    let first = connection.query_row(text, [], |row| row.get::<_, Value>(0)).optional()?;
    let query = Measure::span("query", asked_at.elapsed());
    let value = match first {
        None | Some(Value::Null) => None,
        Some(Value::Integer(number)) => Some(number.to_string()),
        Some(Value::Real(number)) => Some(number.to_string()),
        Some(Value::Text(text)) => Some(text),
        Some(Value::Blob(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
    };
    Ok((value, vec![connect, query]))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn looked(path: &Path, millis: u64) -> Finding {
        let url = format!("sqlite://{}", path.display());
        let patience = Patience::new(Duration::from_millis(millis));
        match look(&url, &Query::default(), patience).await {
            Finding::Measured { detail, .. } => Finding::Answered { detail },
            other => other,
        }
    }

    fn database(path: &Path, journal: &str) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", journal).unwrap();
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1);").unwrap();
        connection
    }

    #[tokio::test]
    async fn a_database_in_use_answers() {
        let folder = tempfile::tempdir().unwrap();
        for journal in ["DELETE", "WAL"] {
            let path = folder.path().join(format!("{journal}.db"));
            let in_use = database(&path, journal);
            let answered = Finding::Answered { detail: quoted("SELECT 1") };
            assert_eq!(looked(&path, 20_000).await, answered, "{journal}");
            let url = format!("sqlite://{}", path.display());
            let query = Query { text: Some("SELECT count(*) FROM t"), expect: Some("2") };
            let found = look(&url, &query, Patience::new(Duration::from_secs(20))).await;
            let detail = quoted("SELECT count(*) FROM t gave `1`, not `2`");
            assert_eq!(found, Finding::WrongAnswer { detail });
            drop(in_use);
            assert_eq!(looked(&path, 20_000).await, answered, "{journal}, closed");
        }
    }

    #[tokio::test]
    async fn opening_and_asking_are_measured_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slow.db");
        drop(database(&path, "DELETE"));
        let url = format!("sqlite://{}", path.display());
        // Counts to a million, which takes longer than opening a file.
        let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) \
                    SELECT count(*) FROM n";
        let query = Query { text: Some(slow), expect: Some("1000000") };
        let found = look(&url, &query, Patience::new(Duration::from_mins(1))).await;
        let Finding::Measured { measures, .. } = &found else { panic!("{found:?}") };
        let [connect, query] = measures.as_slice() else { panic!("{measures:?}") };
        assert_eq!((connect.name.as_str(), query.name.as_str()), ("connect", "query"));
        assert!(query.value > connect.value, "{measures:?}");
    }

    #[tokio::test]
    async fn a_missing_file_is_refused_and_not_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone.db");
        let detail = quoted(format!("file {} does not exist", path.display()));
        assert_eq!(looked(&path, 20_000).await, Finding::Refused { detail });
        assert!(!path.exists());
        let detail = quoted(format!("{} is a folder", folder.path().display()));
        assert_eq!(looked(folder.path(), 20_000).await, Finding::Refused { detail });
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_a_wrong_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "remember the milk\n".repeat(100)).unwrap();
        let detail = quoted(format!("file {}: file is not a database", path.display()));
        assert_eq!(looked(&path, 20_000).await, Finding::WrongAnswer { detail });
    }

    #[tokio::test]
    async fn a_locked_database_is_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locked.db");
        let holder = database(&path, "DELETE");
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let Finding::TimedOut { detail } = looked(&path, 1000).await else { panic!("not late") };
        assert!(detail.english().contains("locked"), "{detail}");
        holder.execute_batch("ROLLBACK").unwrap();
        assert!(matches!(looked(&path, 20_000).await, Finding::Answered { .. }));
    }

    #[test]
    fn urls_are_absolute_paths_with_percent_signs() {
        assert_eq!(path_in("sqlite:///a/b%20c.db?mode=ro"), Some("/a/b c.db".into()));
        assert_eq!(path_in("sqlite:///100%.db"), Some("/100%.db".into()));
        assert_eq!(path_in("sqlite://a.db"), None);
        assert_eq!(path_in("sqlite:a.db"), None);
    }
}

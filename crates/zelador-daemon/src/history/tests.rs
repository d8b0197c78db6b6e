use std::os::unix::fs::PermissionsExt;

use super::*;
use zelador_core::diagnosis::Cause;
use zelador_core::record::{Counters, Era};

fn counters(run: u64) -> Record {
    Record::Counters(Counters { run, ..Counters::default() })
}

#[test]
fn the_newest_record_of_each_key_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (mut history, records, aside) = History::open(&path, Moment::default()).unwrap();
    assert!(records.is_empty() && aside.is_none());
    history.keep(&[counters(1)], Moment::default());
    history.keep(&[counters(2)], Moment::default());
    let (_, records, _) = History::open(&path, Moment::default()).unwrap();
    assert_eq!(records, [counters(2)]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_written_is_read_and_written_when_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (mut history, ..) = History::open(&path, Moment::default()).unwrap();
    history.keep(&[counters(1)], Moment::default());
    // As after a kill: the newest records are in the write-ahead log only.
    std::mem::forget(history);
    let records = copy::read(&path, Moment::default()).unwrap();
    assert_eq!(records, [counters(1)]);
    let mut history =
        History { trouble: Some(Trouble::Lasting(Instant::now())), ..History::of(&path, None) };
    history.tried_at = Instant::now().checked_sub(TRY_AGAIN).unwrap();
    history.path = folder.path().join("not there/history.db");
    history.keep(&[counters(2)], Moment::default());
    assert!(history.is_behind());
    history.tried_at = Instant::now().checked_sub(TRY_AGAIN).unwrap();
    history.path = path.clone();
    history.keep(&[], Moment::default());
    assert!(!history.is_behind());
    assert_eq!(copy::read(&path, Moment::default()).unwrap(), [counters(2)]);
}

#[test]
fn a_record_that_is_not_understood_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (mut history, ..) = History::open(&path, Moment::default()).unwrap();
    history.keep(&[counters(1)], Moment::default());
    let connection = history.connection.as_ref().unwrap();
    connection.execute("INSERT INTO state VALUES ('app/api', '{', 0)", []).unwrap();
    drop(history);
    let (history, records, aside) = History::open(&path, Moment::default()).unwrap();
    assert_eq!((records, aside), (vec![counters(1)], None));
    assert_eq!(history.left_out(), ["app/api"]);
}

#[test]
fn what_a_clock_wrote_that_was_set_back_is_read_as_if_it_were_written_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let hours = |hours: u64| Moment::from_micros(hours * 3_600_000_000);
    let era = |ended_at| Record::Era(Era { boot: "b".to_owned(), ended_at: Some(ended_at) });
    let (mut history, ..) = History::open(&path, Moment::default()).unwrap();
    history.keep(&[era(hours(12))], hours(10));
    let read = |now| History::open(&path, now).unwrap().1;
    assert_eq!(read(hours(10)), [era(hours(12))]);
    assert_eq!(read(hours(11)), [era(hours(12))], "time went by");
    assert_eq!(read(hours(7)), [era(hours(9))]);
    assert_eq!(read(hours(10)), [era(hours(12))], "and nothing is left of that");
}

#[test]
fn an_engine_was_last_up_when_it_last_wrote_of_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (history, ..) = History::open(&path, Moment::default()).unwrap();
    assert_eq!(history.last_up(), None);
    let connection = history.connection.as_ref().unwrap();
    let write = |table: &str| connection.execute_batch(table).unwrap();
    let now = Moment::from_micros(90_000_000);
    let last_up = || History::open(&path, now).unwrap().0.last_up();
    write("INSERT INTO event (at, kind, text) VALUES (7500000, 'engine', '')");
    assert_eq!(last_up(), Some(Moment::from_micros(7_500_000)));
    write("INSERT INTO tick VALUES (30, x'')");
    assert_eq!(last_up(), Some(Moment::from_micros(30_000_000)));
    write("INSERT INTO tick VALUES (120, x'')");
    assert_eq!(last_up(), Some(now), "the clock was set back");
}

#[test]
fn a_damaged_file_is_set_aside_and_a_newer_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    std::fs::write(&path, b"this is no database at all, and long enough to be seen as such")
        .unwrap();
    let (mut history, records, aside) = History::open(&path, Moment::default()).unwrap();
    assert!(records.is_empty());
    assert!(std::fs::read(aside.unwrap()).unwrap().starts_with(b"this is"));
    history.keep(&[counters(3)], Moment::default());
    let connection = history.connection.as_ref().unwrap();
    connection.pragma_update(None, "user_version", LAYOUT + 1).unwrap();
    drop(history);
    let refused = History::open(&path, Moment::default()).err().unwrap().to_string();
    assert!(refused.contains("newer zelador"), "{refused}");
}

#[test]
fn a_list_of_incidents_tells_causes_and_passes_over_documents_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (history, ..) = History::open(&path, Moment::default()).unwrap();
    let connection = history.connection.as_ref().unwrap();
    for (id, document) in [
        (1, r#"{"diagnosis":{"cause":"port_in_use"}}"#),
        (2, r#"{"diagnosis":null}"#),
        (3, r#"{"diagnosis":{"cause":"of a later version"}}"#),
        (4, "{"),
    ] {
        let row = "INSERT INTO incident (id, app, trouble, opened_at, state, attempts, document) VALUES (?1, 'api', 'died', ?1, 'open', 0, ?2)";
        connection.execute(row, rusqlite::params![id, document]).unwrap();
    }
    let reader = Reader::open(&path).unwrap();
    let found = reader.incidents(None, Moment::default(), 9).unwrap();
    let causes: Vec<_> = found.iter().rev().map(|it| it.cause).collect();
    assert_eq!(causes, [Some(Cause::PortInUse), None, None, None]);
}

#[test]
fn an_engine_that_is_back_goes_on_with_the_history_from_before_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (mut history, ..) = History::open(&path, Moment::default()).unwrap();
    history.keep(&[counters(1)], Moment::default());
    // What a newer one does first.
    let connection = history.connection.as_ref().unwrap();
    before::keep(&path, connection, LAYOUT);
    connection.pragma_update(None, "user_version", LAYOUT + 1).unwrap();
    history.keep(&[counters(2)], Moment::default());
    drop(history);
    let now = Moment::from_micros(7_000_000);
    let (_, records, damaged) = History::open(&path, now).unwrap();
    assert_eq!((records, damaged), (vec![counters(1)], None));
    let newer = Connection::open(folder.path().join("history.db.newer-7")).unwrap();
    assert_eq!(layout(&newer).unwrap(), LAYOUT + 1, "nothing is thrown away");
    let (_, records, _) = History::open(&path, now).unwrap();
    assert_eq!(records, [counters(1)], "it went back once");
}

#[test]
fn an_older_file_is_copied_before_it_changes_until_its_engine_counts_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let connection = Connection::open(&path).unwrap();
    let first = "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID; PRAGMA user_version = 1";
    connection.execute_batch(first).unwrap();
    let value = serde_json::to_string(&counters(1)).unwrap();
    connection.execute("INSERT INTO state VALUES ('counters', ?1, 0)", [value]).unwrap();
    drop(connection);
    let (history, records, _) = History::open(&path, Moment::default()).unwrap();
    assert_eq!(records, [counters(1)]);
    let copy = folder.path().join("history.db.layout-1");
    let found = layout(&Connection::open(&copy).unwrap()).unwrap();
    assert_eq!((found, copy::read(&copy, Moment::default()).unwrap()), (1, vec![counters(1)]));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!history.is_settled(), "it is new");
    forget(&path);
    assert!(!copy.exists() && path.exists());
}

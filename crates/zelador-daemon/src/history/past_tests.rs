//! The past, written and read back: over tiers, kills, full disks, older files, and quickly.

use std::time::Duration;

use rusqlite::Connection;
use zelador_core::history::retain::Retention;
use zelador_core::history::{Event, Kind, Metric};
use zelador_core::id::{InstanceId, RunId};
use zelador_core::notify::Language;
use zelador_core::record::Counters;
use zelador_core::unit::Moment;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::archive::Archive;
use super::item::{Audit, Item, Sample};
use super::points::HOUR;
use super::query::Reader;
use super::write::Writer;
use super::*;

/// A midnight in UTC, in seconds since the Unix epoch.
pub(super) const MIDNIGHT: u64 = 1_700_006_400;

/// A day.
pub(super) const DAY: u64 = 24 * HOUR;

pub(super) fn moment(seconds: u64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

pub(super) fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    drop(History::open(&path, Moment::default()).unwrap());
    (folder, path)
}

fn sample(at: u64, value: i64) -> Item {
    let values = vec![
        ("app:api/0".to_owned(), Metric::Memory, value),
        ("app:api/0".to_owned(), Metric::Up, 1000),
        ("app:apitude/0".to_owned(), Metric::Memory, 1),
    ];
    Item::Sample(Sample { at: moment(at), values })
}

/// Writes a sample every 10 s, as an engine does.
pub(super) fn live(writer: &mut Writer, from: u64, to: u64) {
    for at in (from..to).step_by(10) {
        let mut items = vec![sample(at, (at % 3600) as i64)];
        writer.write(&mut items).unwrap();
        assert!(items.is_empty());
        if at % 900 == 0 {
            writer.tidy().unwrap();
        }
    }
}

pub(super) fn chart(path: &Path, from: u64, to: u64) -> (u64, Vec<Line>) {
    let reader = Reader::open(path).unwrap();
    let of = ["app:api".to_owned()];
    reader.chart(&of, &[Metric::Memory], (from, to)).unwrap()
}

#[test]
fn every_tier_tells_the_same_story_over_a_kill() {
    let (_folder, path) = file();
    let end = MIDNIGHT + 2 * DAY + 20 * 60;
    let mut writer = Writer::open(&path, Retention::default()).unwrap();
    live(&mut writer, MIDNIGHT, MIDNIGHT + 30 * HOUR + 7 * 60);
    // The end of a process: nothing is flushed, nothing is said.
    std::mem::forget(writer);
    let mut writer = Writer::open(&path, Retention::default()).unwrap();
    live(&mut writer, MIDNIGHT + 30 * HOUR + 7 * 60, end);
    for (from, to) in [
        (end - HOUR, end),
        (MIDNIGHT + DAY, MIDNIGHT + DAY + HOUR),
        (MIDNIGHT, end),
        (end - 20 * DAY, end),
        (end - 80 * DAY, end),
    ] {
        let (width, lines) = chart(&path, from, to);
        assert_eq!(lines.len(), 1, "another app whose name begins alike is another");
        let points = &lines[0].points;
        let inside = |at: u64| at >= from.max(MIDNIGHT) && at < to;
        let expected: Vec<u64> = (MIDNIGHT..end).step_by(10).filter(|at| inside(*at)).collect();
        let counted: u64 = points.iter().map(|(_, it)| it.count).sum();
        // Buckets that begin before the chart does are whole.
        let most = expected.len() as u64 + width / 10;
        assert!(
            (expected.len() as u64..=most).contains(&counted),
            "{from} to {to} by {width}: {counted}"
        );
        assert!(points.len() <= 1300, "{}", points.len());
        let (least, greatest) = (
            points.iter().map(|(_, it)| it.min).min().unwrap(),
            points.iter().map(|(_, it)| it.max).max().unwrap(),
        );
        assert_eq!((least, greatest), (0, 3590), "{from} to {to} by {width}");
    }
    let reader = Reader::open(&path).unwrap();
    let days = reader.days(Metric::Up, end - 90 * DAY, end).unwrap();
    let days: Vec<(u64, i64, u64)> =
        days["app:api/0"].iter().map(|(at, it)| (*at, it.mean, it.count)).collect();
    assert_eq!(
        days,
        [(MIDNIGHT, 1000, 8640), (MIDNIGHT + DAY, 1000, 8640), (MIDNIGHT + 2 * DAY, 1000, 120)]
    );
    let plain: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT max FROM rollups WHERE subject = 'app:api/0' AND metric = 'memory' AND width = 86400 ORDER BY begins LIMIT 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(plain, 3590, "anybody's sqlite3 can read it");
}

#[test]
fn what_is_too_old_or_too_much_goes_the_finest_first() {
    let (_folder, path) = file();
    let retention = Retention { age: Duration::from_secs(DAY), size: 512 << 20 };
    let mut writer = Writer::open(&path, retention).unwrap();
    let told = |at: u64| Item::Event(Event::new(moment(at), Kind::Notice, quoted("x".repeat(500))));
    writer.write(&mut (0..3000).map(|at| told(MIDNIGHT + at)).collect()).unwrap();
    live(&mut writer, MIDNIGHT, MIDNIGHT + DAY + 2 * HOUR);
    let reader = Reader::open(&path).unwrap();
    let all = reader.events(None, Moment::default(), moment(MIDNIGHT + 3 * DAY), 9999).unwrap();
    assert!(all.is_empty(), "{} events are older than a day", all.len());
    let count = |sql: &str| -> u64 {
        Connection::open(&path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let oldest = count("SELECT min(at) FROM rollup WHERE width = 900");
    assert!(oldest >= MIDNIGHT + HOUR - 900, "{oldest}");
    // Too large: raw points go before summaries do. What is too old by now has gone before.
    writer.set_retention(retention);
    writer.tidy().unwrap();
    let (blocks, quarters) = (
        count("SELECT count(*) FROM block"),
        count("SELECT count(*) FROM rollup WHERE width = 900"),
    );
    let size = writer.size().unwrap();
    // A quarter of it is left to the log.
    writer.set_retention(Retention { size: (size - 4096) * 4 / 3, ..retention });
    writer.tidy().unwrap();
    assert!(count("SELECT count(*) FROM block") < blocks);
    assert_eq!(count("SELECT count(*) FROM rollup WHERE width = 900"), quarters);
    assert!(writer.size().unwrap() <= size - 4096);
}

#[test]
fn runs_events_and_the_audit_are_read_back() {
    let (_folder, path) = file();
    let archive = Archive::start(&path).unwrap();
    let event = |at, kind, text: Words| Event {
        instance: Some(InstanceId::new(3)),
        run: Some(RunId::new(9)),
        ..Event::new(moment(at), kind, text).of("api")
    };
    for (at, kind, text) in [
        (10, Kind::Begun, words!("it was declared", "foi declarado")),
        (11, Kind::Up, quoted("pid 7")),
        (20, Kind::Died, words!("exited with code 1", "saiu com o código 1")),
    ] {
        archive.keep(Item::Event(event(at, kind, text)));
    }
    let audit = Audit {
        at: moment(12),
        who: "uid 0".into(),
        origin: "pid 5".into(),
        verb: "restart".into(),
        target: "api".into(),
        ok: true,
        result: words!("api: stopped", "api: parado"),
    };
    archive.keep(Item::Audit(audit.clone()));
    archive.finish(Duration::from_secs(20));
    let reader = Reader::open(&path).unwrap();
    let runs = reader.runs("api", 9).unwrap();
    assert_eq!(runs.len(), 1);
    let ended = runs[0].ended.as_ref().unwrap();
    for (language, cause, end) in [
        (Language::En, "it was declared", "exited with code 1"),
        (Language::Pt, "foi declarado", "saiu com o código 1"),
    ] {
        assert_eq!((runs[0].cause.told(language), ended.told(language)), (cause, end));
    }
    assert_eq!(
        (runs[0].up_at, runs[0].ended_at, runs[0].asked),
        (Some(moment(11)), Some(moment(20)), false)
    );
    let events = reader.events(Some("api"), Moment::default(), moment(99), 2).unwrap();
    assert_eq!(events.iter().map(|it| it.kind).collect::<Vec<_>>(), [Kind::Died, Kind::Up]);
    assert_eq!(reader.events(Some("other"), Moment::default(), moment(99), 2).unwrap(), []);
    assert_eq!(events[0].text.told(Language::Pt), "saiu com o código 1");
    let noted = reader.audit(9).unwrap();
    assert_eq!(noted[0].result.told(Language::Pt), "api: parado");
    assert_eq!(noted, [audit]);
}

#[test]
fn a_file_that_cannot_be_written_is_caught_up_with() {
    let (_folder, path) = file();
    let archive = Archive::start(&path).unwrap();
    // Somebody holds the file for longer than the thread waits.
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let at = |seconds| Item::Event(Event::new(moment(seconds), Kind::Notice, quoted("told")));
    archive.keep(at(1));
    let until = Instant::now() + Duration::from_secs(20);
    while !archive.is_in_trouble() {
        assert!(Instant::now() < until, "it notices");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    archive.keep(at(2));
    holder.execute_batch("ROLLBACK").unwrap();
    while archive.is_in_trouble() {
        assert!(Instant::now() < until, "it goes on");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let events =
        Reader::open(&path).unwrap().events(None, Moment::default(), moment(9), 9).unwrap();
    assert_eq!(events.iter().map(|it| it.at).collect::<Vec<_>>(), [moment(2), moment(1)]);
    assert_eq!(archive.lost(), 0);
}

#[test]
fn whoever_hands_over_never_waits() {
    let (_folder, path) = file();
    let archive = Archive::start(&path).unwrap();
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = Instant::now();
    for at in 0..20_000 {
        archive.keep(Item::Event(Event::new(moment(at), Kind::Notice, quoted("a storm"))));
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    // The other thread takes some in and cannot write them: how many before it is too much, chance decides.
    let mut more = 0;
    while archive.lost() == 0 {
        archive.keep(Item::Event(Event::new(moment(more), Kind::Notice, quoted("a storm"))));
        more += 1;
        assert!(more < 1_000_000, "what is too much is counted");
    }
}

#[test]
fn a_file_of_the_first_layout_keeps_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         INSERT INTO state VALUES ('counters', '{\"counters\":{\"instance\":4,\"run\":7,\"incident\":2}}', 1);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let (_, records, aside) = History::open(&path, Moment::default()).unwrap();
    assert!(aside.is_none());
    let counters = Counters { instance: 4, run: 7, incident: 2 };
    assert_eq!(records, [Record::Counters(counters)]);
    let mut writer = Writer::open(&path, Retention::default()).unwrap();
    writer.write(&mut vec![sample(MIDNIGHT, 5)]).unwrap();
    assert_eq!(chart(&path, MIDNIGHT - 60, MIDNIGHT + 60).1[0].points.len(), 1);
}

#[test]
fn what_was_tried_and_what_is_not_tried_is_in_tables_of_its_own() {
    use zelador_core::history::{Trial, Turn};
    use zelador_core::retry::{Attempt, AttemptOutcome, ErrorClass};
    let (_folder, path) = file();
    let mut writer = Writer::open(&path, Retention::default()).unwrap();
    let (at, target, took) = (moment(MIDNIGHT), "notify:ops".to_owned(), Duration::from_millis(7));
    let outcome = AttemptOutcome::Retrying {
        class: ErrorClass::TimedOut,
        error: quoted("no answer"),
        delay: Duration::from_secs(2),
    };
    let attempt = Attempt { at, target: target.clone(), number: 1, took, outcome };
    let turn = Turn {
        at,
        target,
        operation: "send".to_owned(),
        state: "open".to_owned(),
        trial_at: Some(moment(MIDNIGHT + 30)),
        trips: 1,
    };
    let operation = "send".to_owned();
    let trials = [Trial::Attempt { operation, attempt }, Trial::Turn(turn)];
    writer.write(&mut trials.map(Item::Trial).to_vec()).unwrap();
    let connection = Connection::open(&path).unwrap();
    let row =
        |query: &str| -> String { connection.query_row(query, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        row(
            "SELECT concat_ws('|', operation, target, number, took, outcome, class, error, delay) FROM retry"
        ),
        format!(
            "send|notify:ops|1|7000|retrying|{}|no answer|2000000",
            ErrorClass::TimedOut.said()
        )
    );
    assert_eq!(
        row(
            "SELECT concat_ws('|', target, operation, state, (trial_at - at) / 1000000, trips) FROM breaker"
        ),
        "notify:ops|send|open|30|1"
    );
    // They go with their age, like everything.
    let late = MIDNIGHT + 91 * DAY;
    writer.write(&mut vec![sample(late, 1)]).unwrap();
    writer.tidy().unwrap();
    let count: i64 = connection
        .query_row(
            "SELECT (SELECT count(*) FROM retry) + (SELECT count(*) FROM breaker)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(count, 0);
}

#[test]
fn a_file_of_the_second_layout_keeps_its_past() {
    let (_folder, path) = file();
    let mut writer = Writer::open(&path, Retention::default()).unwrap();
    writer.write(&mut vec![sample(MIDNIGHT, 5)]).unwrap();
    drop(writer);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "DROP TABLE retry; DROP TABLE breaker; ALTER TABLE event DROP COLUMN text_pt;
         ALTER TABLE run DROP COLUMN cause_pt; ALTER TABLE run DROP COLUMN ended_pt;
         ALTER TABLE audit DROP COLUMN result_pt; ALTER TABLE incident DROP COLUMN state_pt;
         INSERT INTO event (at, kind, text) VALUES (7000000, 'notice', 'told in English');
         INSERT INTO incident (id, app, trouble, opened_at, state, attempts, document)
         VALUES (1, 'api', 'crash loop', 7000000, 'healed', 1, '{}'); PRAGMA user_version = 2;",
    )
    .unwrap();
    drop(old);
    let (_, _, aside) = History::open(&path, Moment::default()).unwrap();
    assert!(aside.is_none());
    let connection = Connection::open(&path).unwrap();
    assert_eq!(layout(&connection).unwrap(), LAYOUT);
    let tables: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_master WHERE name IN ('retry', 'breaker')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 2);
    let reader = Reader::open(&path).unwrap();
    let events = reader.events(None, Moment::default(), moment(99), 9).unwrap();
    assert_eq!(events[0].text.told(Language::Pt), "told in English", "as it was written");
    let incidents = reader.incidents(None, Moment::default(), 9).unwrap();
    let told = (incidents[0].trouble.told(Language::Pt), incidents[0].state.told(Language::Pt));
    assert_eq!(told, ("quedas em série", "curado"));
    assert_eq!(chart(&path, MIDNIGHT - 60, MIDNIGHT + 60).1[0].points.len(), 1);
}

#[test]
fn a_file_that_is_damaged_while_it_is_in_use_is_set_aside_with_its_state_in_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (mut history, ..) = History::open(&path, Moment::default()).unwrap();
    let archive = Archive::start(&path).unwrap();
    let counters = |run| Record::Counters(Counters { run, ..Counters::default() });
    history.keep(&[counters(1)], Moment::default());
    archive.keep(Item::Event(Event::new(moment(1), Kind::Notice, quoted("before"))));
    archive.finish(Duration::from_secs(10));
    assert!(!archive.is_damaged());
    checkpoint(&path, Retention::default().size);
    let length = std::fs::metadata(&path).unwrap().len() as usize;
    std::fs::write(&path, vec![b'x'; length]).unwrap();
    // Whoever reads it notices first.
    archive.keep(Item::Doubt);
    archive.finish(Duration::from_secs(10));
    assert!(archive.is_damaged());
    let aside = history.begin_anew(vec![counters(2)], moment(5)).unwrap().unwrap();
    archive.begin_anew();
    assert!(!archive.is_damaged() && !history.is_behind());
    assert_eq!(std::fs::read(aside).unwrap()[0], b'x');
    archive.keep(Item::Event(Event::new(moment(6), Kind::Notice, quoted("after"))));
    archive.finish(Duration::from_secs(10));
    drop(history);
    let (_, records, aside) = History::open(&path, Moment::default()).unwrap();
    assert!(aside.is_none());
    assert_eq!(records, [counters(2)]);
    let connection = Connection::open(&path).unwrap();
    let text: String =
        connection.query_row("SELECT group_concat(text) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!(text, "after");
}

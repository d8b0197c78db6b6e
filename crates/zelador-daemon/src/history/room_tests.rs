//! What the history takes of the disk.

use zelador_core::history::retain::Retention;
use zelador_core::history::{Event, Kind};
use zelador_core::record::Counters;
use zelador_core::words::quoted;

use super::item::Item;
use super::past_tests::{MIDNIGHT, file, live, moment};
use super::write::Writer;
use super::*;

/// What the folder of the history takes, in bytes.
fn taken(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    entries.map(|it| it.unwrap().metadata().unwrap().len()).sum()
}

/// Many things that happen at one moment, some tens of megabytes in all.
fn flood(writer: &mut Writer, at: u64) {
    let told = |_| Item::Event(Event::new(moment(at), Kind::Notice, quoted("x".repeat(4000))));
    writer.write(&mut (0..6000).map(told).collect()).unwrap();
}

#[test]
fn a_storm_within_the_hour_does_not_make_it_larger_than_it_may_be() {
    let (_folder, path) = file();
    let retention = Retention { size: Retention::SMALLEST, ..Retention::default() };
    let (mut history, ..) = History::open(&path, Moment::default()).unwrap();
    let counters = Record::Counters(Counters { run: 7, ..Counters::default() });
    history.keep(std::slice::from_ref(&counters), Moment::default());
    let mut writer = Writer::open(&path, retention).unwrap();
    live(&mut writer, MIDNIGHT, MIDNIGHT + 3600);
    flood(&mut writer, MIDNIGHT + 3590);
    checkpoint(&path, retention.size);
    assert!(taken(&path) > 2 * retention.size, "{}", taken(&path));
    live(&mut writer, MIDNIGHT + 3600, MIDNIGHT + 3600 + 910);
    checkpoint(&path, retention.size);
    assert!(taken(&path) <= retention.size, "{}", taken(&path));
    // What the next engine must know does not go, nor does what comes next.
    drop((writer, history));
    let (_, records, _) = History::open(&path, Moment::default()).unwrap();
    assert_eq!(records, [counters]);
}

#[test]
fn a_damaged_file_has_its_day_then_it_counts_and_goes_before_any_number() {
    let (_folder, path) = file();
    let retention = Retention { size: Retention::SMALLEST, ..Retention::default() };
    let aside = path.with_file_name(format!("history.db.damaged-{MIDNIGHT}"));
    let other = path.with_file_name("history.db.damaged-by-hand");
    for path in [&aside, &other] {
        std::fs::write(path, vec![0; 9 << 20]).unwrap();
    }
    let mut writer = Writer::open(&path, retention).unwrap();
    live(&mut writer, MIDNIGHT + 100, MIDNIGHT + 2 * 3600);
    let rows = |sql: &str| -> u64 {
        Connection::open(&path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let minutes = "SELECT count(*) FROM rollup WHERE width = 60";
    let before = rows(minutes);
    assert!(aside.exists() && before > 0, "it was set aside an hour ago");
    live(&mut writer, MIDNIGHT + 24 * 3600, MIDNIGHT + 24 * 3600 + 910);
    assert!(!aside.exists(), "a day has passed");
    assert!(other.exists(), "that is none of ours");
    assert!(rows(minutes) >= before, "no number went for it");
}

#[test]
fn what_is_too_old_goes_in_short_transactions() {
    const ROWS: usize = 20_000;
    let (_folder, path) = file();
    let watched = Connection::open(&path).unwrap();
    let filled = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO event (at, kind, text) SELECT i, 'notice', 'x' FROM n;
         INSERT INTO series VALUES (1, 'host', 'cpu', 'millicores');
         INSERT INTO rollup SELECT 60, 1, id, 1, 1, 1, 1, 1 FROM event;"
    );
    watched.execute_batch(&filled).unwrap();
    let mut writer = Writer::open(&path, Retention::default()).unwrap();
    writer.now = MIDNIGHT;
    // As somebody else sees it: what went at once.
    let left = || {
        let count = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM rollup)";
        watched.query_row(count, [], |row| Ok([row.get(0)?, row.get(1)?])).unwrap()
    };
    let mut seen: Vec<[usize; 2]> = vec![left()];
    std::thread::scope(|scope| {
        let at_work = scope.spawn(|| writer.let_go().unwrap());
        while !at_work.is_finished() {
            seen.push(left());
        }
    });
    seen.push(left());
    assert_eq!((seen[0], left()), ([ROWS; 2], [0; 2]));
    for table in 0..2 {
        let mut steps: Vec<usize> = seen.iter().map(|it| it[table]).collect();
        steps.dedup();
        assert!(steps.len() > 10, "{steps:?}");
    }
}

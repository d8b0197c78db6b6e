//! The file of the past, and what becomes of everything else when it is spoiled.

use std::os::unix::fs::FileExt;

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, text, until};

use crate::zelador;

/// Where damaged files went.
fn aside(zelador: &Zelador) -> Vec<String> {
    let names = std::fs::read_dir(zelador.home()).unwrap().flatten();
    let names = names.map(|it| it.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("history.db.damaged-")).collect()
}

#[test]
fn a_history_that_is_spoiled_while_zelador_runs_costs_the_past_and_nothing_else() {
    let zelador = zelador();
    zelador.start("{ name: 'api', script: 'sleep', args: '1000' }");
    let before = zelador.pid("api");
    until("a report", || zelador.get("/health/report").0 == 200);
    // The newest pages are in the write-ahead log.
    for name in ["history.db", "history.db-wal"] {
        let file = std::fs::OpenOptions::new().write(true).open(zelador.home().join(name)).unwrap();
        let length = file.metadata().unwrap().len() as usize;
        file.write_all_at(&vec![b'x'; length], 0).unwrap();
    }
    // Nobody need look: but whoever does is not shown nonsense, and helps to notice it.
    until("the damage to be noticed", || {
        zelador.get("/health/report");
        !aside(&zelador).is_empty()
    });
    until("a report of the new file", || zelador.get("/health/report").0 == 200);
    assert!(text(zelador.home().join("zelador.log")).contains("the history is damaged"));
    assert_eq!(zelador.pid("api"), before, "no app notices");
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("the next engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
    until("the app to be known to it", || zelador.jlist().len() == 1);
    assert_eq!(zelador.pid("api"), before, "the state went on in the new file");
    assert_eq!(aside(&zelador).iter().filter(|name| !name.ends_with("-wal")).count(), 1);
}

#[test]
fn a_history_that_is_damaged_when_an_engine_begins_brings_the_saved_list_back() {
    let zelador = zelador();
    zelador.start("{ name: 'api', script: 'sleep', args: '1000' }");
    zelador.ok(&["save"]);
    let (before, (engine, _)) = (zelador.pid("api"), zelador.roles());
    kill(engine, Signal::STOP);
    for name in ["history.db-wal", "history.db-shm"] {
        _ = std::fs::remove_file(zelador.home().join(name));
    }
    std::fs::write(zelador.home().join("history.db"), vec![b'x'; 1 << 16]).unwrap();
    kill(engine, Signal::KILL);
    until_back(&zelador, before);
    assert!(!aside(&zelador).is_empty());
}

/// Waits until the app of the saved list runs again in the place of a process that nobody knew.
fn until_back(zelador: &Zelador, before: i32) {
    until("the app to be back", || {
        let list = zelador.run(&["jlist"]).out;
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap_or_default();
        list.iter().any(|it| it["name"] == "api" && it["pm2_env"]["status"] == "online")
    });
    assert_ne!(zelador.pid("api"), before);
    assert!(!alive(before), "there is one of it");
}

/// Removes the file and what belongs to it.
fn remove_history(zelador: &Zelador) {
    for name in ["history.db", "history.db-wal", "history.db-shm"] {
        std::fs::remove_file(zelador.home().join(name)).unwrap();
    }
}

#[test]
fn a_history_that_is_removed_while_zelador_runs_is_begun_anew_with_what_is_known() {
    let zelador = zelador();
    zelador.start("{ name: 'api', script: 'sleep', args: '1000' }");
    let (before, (engine, _)) = (zelador.pid("api"), zelador.roles());
    remove_history(&zelador);
    let log = zelador.home().join("zelador.log");
    until("that to be said", || text(&log).contains("the history was removed"));
    zelador.ok(&["restart", "api"]);
    let now = zelador.pid("api");
    assert_ne!(now, before);
    let file = zelador.home().join("history.db");
    until("the past to go on in the new file", || {
        let file = rusqlite::Connection::open(&file).unwrap();
        let told =
            file.query_row("SELECT count(*) FROM event WHERE app = 'api'", [], |row| row.get(0));
        told.is_ok_and(|told: u32| told > 0)
    });
    kill(engine, Signal::KILL);
    until("the next engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
    assert_eq!(zelador.pid("api"), now, "no app notices");
}

#[test]
fn a_history_that_is_gone_when_an_engine_begins_brings_the_saved_list_back() {
    let zelador = zelador();
    zelador.start("{ name: 'api', script: 'sleep', args: '1000' }");
    zelador.ok(&["save"]);
    let (before, (engine, _)) = (zelador.pid("api"), zelador.roles());
    kill(engine, Signal::STOP);
    remove_history(&zelador);
    kill(engine, Signal::KILL);
    until_back(&zelador, before);
}

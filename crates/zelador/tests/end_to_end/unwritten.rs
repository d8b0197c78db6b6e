//! What happens while the history cannot be written is known to the next engine all the same.

use rustix::process::Signal;
use zelador_testbed::home::{kill, text, until};

use crate::zelador;

#[test]
fn an_end_that_could_not_be_recorded_is_known_to_the_next_engine() {
    let zelador = zelador();
    zelador.write("dies.sh", "until [ -e now ]; do sleep 0.05; done; exit 7\n");
    zelador.start("{ name: 'dies', script: 'dies.sh', restart_delay: 600000 }");
    let file = zelador.home().join("history.db");
    let other = rusqlite::Connection::open(file).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    // Somebody writes to the file, and does not come to an end.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    zelador.write("now", "");
    let code = || {
        let view = zelador.view()?;
        view["instances"][0]["deaths"][0]["death"]["code"].as_i64()
    };
    until("it to end", || code() == Some(7));
    let log = || text(zelador.home().join("zelador.log"));
    until("that to be said", || log().contains("the history cannot be written"));
    let (engine, _) = zelador.roles_now().unwrap();
    kill(engine, Signal::KILL);
    other.execute_batch("ROLLBACK").unwrap();
    until("another engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
    until("it to know how that ended", || code() == Some(7));
}

#[test]
fn of_several_ends_that_could_not_be_recorded_each_is_known_to_the_next_engine() {
    let zelador = zelador();
    zelador.write(
        "dies.sh",
        "until [ -e now ]; do sleep 0.05; done; n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > n
         [ $n -gt 3 ] && exec sleep 1000; exit $((6 + n))\n",
    );
    zelador.start("{ name: 'dies', script: 'dies.sh', max_restarts: 1000 }");
    let other = rusqlite::Connection::open(zelador.home().join("history.db")).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    zelador.write("now", "");
    let known = || {
        let view = zelador.view()?;
        let it = &view["instances"][0];
        let codes = it["deaths"].as_array()?.iter().map(|past| past["death"]["code"].as_i64());
        Some((
            codes.collect::<Option<Vec<_>>>()?,
            it["restarts"].as_u64()?,
            it["phase"]["pid"].as_i64(),
        ))
    };
    let all = || known().filter(|(codes, _, pid)| *codes == [9, 8, 7] && pid.is_some());
    until("it to end three times and to stay", || all().is_some());
    let before = all();
    let (engine, _) = zelador.roles_now().unwrap();
    kill(engine, Signal::KILL);
    other.execute_batch("ROLLBACK").unwrap();
    until("another engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
    until("it to know all of it", || known().is_some_and(|it| it.2.is_some()));
    assert_eq!(known(), before, "no end, no restart, and the same process");
}

//! What happens while the history cannot be written is known to the next engine all the same.

use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, text, until, until_within};

use crate::zelador;

/// Somebody who writes to the history, and does not come to an end before `ROLLBACK`.
fn writer(zelador: &Zelador) -> Connection {
    let other = Connection::open(zelador.home().join("history.db")).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

/// Waits until it is said that the history cannot be written.
fn until_behind(zelador: &Zelador) {
    let log = zelador.home().join("zelador.log");
    until("that to be said", || text(&log).contains("the history cannot be written"));
}

/// Kills the engine, and waits for the next one.
fn replace_engine(zelador: &Zelador, between: impl FnOnce()) {
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    between();
    until("another engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
}

#[test]
fn an_end_that_could_not_be_recorded_is_known_to_the_next_engine() {
    let zelador = zelador();
    zelador.write("dies.sh", "until [ -e now ]; do sleep 0.05; done; exit 7\n");
    zelador.start("{ name: 'dies', script: 'dies.sh', restart_delay: 600000 }");
    let other = writer(&zelador);
    zelador.write("now", "");
    let code = || {
        let view = zelador.view()?;
        view["instances"][0]["deaths"][0]["death"]["code"].as_i64()
    };
    until("it to end", || code() == Some(7));
    until_behind(&zelador);
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "9", "--json", "{\"program\":\"/bin/true\"}", "--unix-socket"]);
    curl.arg(zelador.home().join("zelador.sock")).arg("http://z/v1/upgrade");
    let refused = String::from_utf8(curl.output().unwrap().stdout).unwrap();
    assert!(refused.contains("the history cannot be written at the moment"), "{refused}");
    replace_engine(&zelador, || other.execute_batch("ROLLBACK").unwrap());
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
    let other = writer(&zelador);
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
    replace_engine(&zelador, || other.execute_batch("ROLLBACK").unwrap());
    until("it to know all of it", || known().is_some_and(|it| it.2.is_some()));
    assert_eq!(known(), before, "no end, no restart, and the same process");
}

#[test]
fn what_was_answered_beside_a_locked_history_stays_done() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let other = writer(&zelador);
    let mut stop = zelador.command(&["stop", "a"]);
    let mut stop = stop.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it to be stopped", || zelador.status("a") == "stopped");
    until_behind(&zelador);
    assert!(stop.try_wait().unwrap().is_none(), "nobody is told what is not written");
    let (engine, _) = zelador.roles();
    other.execute_batch("ROLLBACK").unwrap();
    assert!(stop.wait().unwrap().success());
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
    assert_eq!(zelador.status("a"), "stopped");
}

#[test]
fn whoever_asks_beside_a_locked_history_is_answered() {
    let zelador = zelador();
    let app = |name| {
        format!("{{ name: '{name}', script: 'sleep', args: '0.04', max_restarts: 1000000 }}")
    };
    zelador.start(&["a", "b", "c"].map(app).join(", "));
    let _other = writer(&zelador);
    until_behind(&zelador);
    until_within("an answer", Duration::from_secs(10), || zelador.view().is_some());
}

#[test]
fn an_order_to_end_beside_a_locked_history_is_known_at_the_next_start() {
    let zelador = zelador();
    let app = "{ name: 'a', script: 'sleep', args: '1000' }";
    zelador.start(app);
    let guardian = zelador.roles().1;
    let other = writer(&zelador);
    kill(guardian, Signal::TERM);
    until_behind(&zelador);
    other.execute_batch("ROLLBACK").unwrap();
    until("zelador to end", || !alive(guardian));
    zelador.start(app);
    assert_eq!(zelador.restarts("a"), 0);
}

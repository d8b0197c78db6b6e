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

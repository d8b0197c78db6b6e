//! What ends with zelador, and what ends by itself.

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, text, until};

use crate::zelador;

/// What the history tells of an app, by kind.
fn told(zelador: &Zelador, app: &str, kind: &str) -> Vec<String> {
    let history = rusqlite::Connection::open(zelador.home().join("history.db")).unwrap();
    let mut asked =
        history.prepare("SELECT text FROM event WHERE app = ?1 AND kind = ?2 ORDER BY id").unwrap();
    let texts = asked.query_map([app, kind], |row| row.get(0)).unwrap();
    texts.map(Result::unwrap).collect()
}

#[test]
fn what_ended_with_zelador_is_no_death_and_its_end_is_told_once() {
    let zelador = zelador();
    let app = "{ name: 'a', script: 'sleep', args: '1000' }";
    zelador.start(app);
    let (pid, (_, guardian)) = (zelador.pid("a"), zelador.roles());
    kill(guardian, Signal::TERM);
    until("zelador ends with its services", || !alive(guardian) && !alive(pid));
    zelador.start(app);
    assert!(zelador.pid("a") != pid && zelador.restarts("a") == 0);
    let shown = zelador.ok(&["show", "a"]).out;
    assert!(shown.contains("zelador was ended and has begun again"), "{shown}");
    assert!(!shown.contains("death"), "{shown}");
    until("the next run is told of", || told(&zelador, "a", "up").len() == 2);
    assert_eq!(told(&zelador, "a", "stopped"), ["was ended by SIGINT"]);
    assert_eq!(told(&zelador, "a", "removed"), [""; 0]);

    // What nobody asked to end has died.
    let (engine, guardian) = zelador.roles();
    for process in [guardian, engine, zelador.pid("a")] {
        kill(process, Signal::KILL);
    }
    until("nobody is left", || !alive(guardian) && !alive(engine));
    zelador.start(app);
    assert_eq!(zelador.restarts("a"), 1);
    until("its death is told of", || !told(&zelador, "a", "died").is_empty());
    assert_eq!(told(&zelador, "a", "died"), ["ended while nobody was watching"]);
}

#[test]
fn an_engine_that_is_lost_while_everything_ends_begins_nothing_again() {
    let zelador = zelador();
    zelador.write("quick.sh", "echo begun >> begun; exec sleep 1000\n");
    zelador.write(
        "slow.sh",
        "[ -e enough ] && exec sleep 1000; trap '' INT TERM; while :; do sleep 0.1; done\n",
    );
    let apps = "{ name: 'quick', script: 'quick.sh' }, { name: 'slow', script: 'slow.sh', kill_timeout: 60000 }";
    zelador.start(apps);
    until("it to begin", || zelador.app().join("begun").exists());
    let (quick, slow) = (zelador.pid("quick"), zelador.pid("slow"));
    let (engine, guardian) = zelador.roles();
    kill(guardian, Signal::TERM);
    until("the quick one to be stopped", || !alive(quick));
    assert!(alive(slow));
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
    kill(slow, Signal::KILL);
    until("zelador to end", || !alive(guardian));
    let begun = || text(zelador.app().join("begun")).lines().count();
    assert_eq!(begun(), 1, "nothing is started while everything ends");
    zelador.write("enough", "");
    zelador.start(apps);
    until("it to begin again", || begun() == 2);
    for app in ["quick", "slow"] {
        assert_eq!(zelador.restarts(app), 0, "{app}");
        let shown = zelador.ok(&["show", app]).out;
        assert!(shown.contains("zelador was ended and has begun again"), "{shown}");
    }
}

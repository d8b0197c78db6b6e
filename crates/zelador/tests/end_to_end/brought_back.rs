//! A zelador that is not running has kept its list: what a person types first finds it there.

use rustix::process::Signal;
use zelador_testbed::home::{self, Said, Zelador, alive, kill, text, until};

use crate::lost::kill_both;
use crate::zelador;

/// Ends it as a service manager does: the list is kept, and nothing runs.
fn end_with_the_host(zelador: &Zelador) {
    let guardian = zelador.roles().1;
    kill(guardian, Signal::TERM);
    until("it to end", || !alive(guardian));
}

/// The same zelador in PM2's voice.
fn pm2(zelador: &Zelador, words: &[&str]) -> Said {
    let mut pm2 = zelador.command(&[&["pm2"], words].concat());
    home::said(&pm2.env("PM2_HOME", zelador.home()).output().unwrap())
}

#[test]
fn a_name_in_the_list_of_a_zelador_that_has_ended_starts_its_app() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'a', script: 'sleep', args: '1000' }, { name: 'b', script: 'sleep', args: '1001' }",
    );
    zelador.ok(&["stop", "b"]);
    for words in [&["start", "b"][..], &["start", "1"], &["start", "all"]] {
        end_with_the_host(&zelador);
        let said = zelador.ok(words);
        assert!(said.out.contains("b (id 1): started"), "{words:?}: {}", said.out);
        assert!(alive(zelador.pid("a")) && alive(zelador.pid("b")), "{words:?}");
        zelador.ok(&["stop", "b"]);
    }
    end_with_the_host(&zelador);
    let said = zelador.run(&["start", "nobody"]);
    assert!(said.code == 1 && said.err.contains("no app, file or program"), "{}", said.err);
    assert_eq!(zelador.status("a"), "online", "it was looked for in the list");

    zelador.ok(&["kill"]);
    assert_eq!(zelador.run(&["start", "nobody"]).code, 1);
    assert_eq!(zelador.run(&["resurrect"]).code, 1);
    assert_eq!(zelador.roles_now(), None, "there is no list to bring it up for");
}

/// A word means the same whether somebody answers or not: the app in the list, and no other under its name.
#[test]
fn a_name_in_the_list_of_a_zelador_that_has_ended_is_given_to_no_other_app() {
    let zelador = zelador();
    zelador.start("{ name: 'sleep', script: 'sleep', args: '1000' }");
    zelador.write("sleep.sh", "exec sleep 1001");
    end_with_the_host(&zelador);
    let said = zelador.run(&["start", "./sleep.sh"]);
    assert!(said.code == 1 && said.err.contains("is called `sleep`"), "{}", said.err);
    end_with_the_host(&zelador);
    zelador.ok(&["start", "sleep"]);
    let command = || text(format!("/proc/{}/cmdline", zelador.pid("sleep")));
    assert_eq!(command(), "sleep\x001000\0", "as it was declared");

    end_with_the_host(&zelador);
    let said = pm2(&zelador, &["start", "./sleep.sh"]);
    assert!(said.code == 1 && said.err.contains("another app is called sleep"), "{}", said.err);
    let pid = zelador.pid("sleep");
    kill_both(&zelador);
    let said = pm2(&zelador, &["list"]);
    assert!(said.out.contains("its apps may be up"), "{}{}", said.out, said.err);
    assert_eq!(pm2(&zelador, &["start", "sleep"]).code, 0);
    assert_eq!(command(), "sleep\x001000\0");
    assert_ne!(zelador.pid("sleep"), pid, "PM2 restarts what is up");
}

/// No engine of it can begin: a folder stands where the history should.
#[test]
fn a_zelador_whose_engine_cannot_begin_is_ended_all_the_same() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let (pid, (engine, guardian)) = (zelador.pid("a"), zelador.roles());
    kill(engine, Signal::STOP);
    for file in ["history.db", "history.db-wal", "history.db-shm"] {
        std::fs::remove_file(zelador.home().join(file)).unwrap();
    }
    std::fs::create_dir(zelador.home().join("history.db")).unwrap();
    kill(engine, Signal::KILL);
    let log = zelador.home().join("zelador.log");
    until("an engine that cannot begin", || text(&log).contains("cannot be opened"));
    let said = zelador.run(&["kill"]);
    assert!(said.code == 1 && said.err.contains("the list is kept"), "{}", said.err);
    assert!(!alive(pid) && !alive(guardian));
}

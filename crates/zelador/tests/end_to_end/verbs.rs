//! What the verbs do and say.

use zelador_testbed::home::{alive, until};

use crate::zelador;

#[test]
fn no_verb_but_start_brings_anything_up() {
    let zelador = zelador();
    for verb in [
        &["list"][..],
        &["jlist"],
        &["show", "x"],
        &["stop", "all"],
        &["restart", "all"],
        &["delete", "all"],
        &["save"],
        &["ping"],
        &["health"],
        &["incidents"],
        &["kill"],
        &["resurrect"],
        &["logs", "--nostream"],
        &["scale", "x", "2"],
        &["reset", "all"],
        &["sendSignal", "TERM", "x"],
        &["pid"],
        &["id", "x"],
        &["env", "x"],
        &["flush"],
        &["reloadLogs"],
        &["cleardump"],
        &["prettylist"],
        &["slist"],
        &["report"],
    ] {
        let said = zelador.run(verb);
        assert!(!zelador.home().join("zelador.sock").exists(), "{verb:?} started something");
        let json = verb == ["jlist"];
        assert!(!json || (said.out.is_empty() && said.code == 1), "an empty list would be a lie");
    }
}

#[test]
fn apps_are_named_by_name_number_and_all() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }, { name: 'b', script: 'sleep', args: '1000', instances: 2 }");
    assert_eq!(zelador.jlist().len(), 3);
    zelador.ok(&["stop", "0"]);
    assert_eq!(zelador.status("a"), "stopped");
    zelador.ok(&["start", "a"]);
    assert_eq!(zelador.status("a"), "online");
    let pid = zelador.pid("a");
    zelador.ok(&["restart", "a"]);
    assert!(zelador.pid("a") != pid && !alive(pid));
    let said = zelador.run(&["stop", "aa"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("`aa`"), "{}", said.err);
    zelador.ok(&["delete", "b"]);
    assert_eq!(zelador.jlist().len(), 1);
    zelador.ok(&["delete", "all"]);
    assert_eq!(zelador.ok(&["jlist"]).out, "[]");
}

#[test]
fn a_script_is_started_with_its_arguments_and_a_second_start_leaves_it_alone() {
    let zelador = zelador();
    zelador.write("hello.sh", "echo \"got $1\"; exec sleep 1000\n");
    zelador.ok(&["start", "./hello.sh", "--name", "hi", "--", "first"]);
    until("its line", || zelador.ok(&["logs", "hi", "--nostream"]).out.contains("got first"));
    let pid = zelador.pid("hi");
    zelador.ok(&["start", "./hello.sh", "--name", "hi", "--", "first"]);
    assert_eq!(zelador.pid("hi"), pid);
}

#[test]
fn secrets_are_masked_in_every_view() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000', env: { DB_PASSWORD: 'hunter2hunter2', PORT: 1 } }");
    for verb in [&["jlist"][..], &["show", "a"], &["list"]] {
        assert!(!zelador.ok(verb).out.contains("hunter2"), "{verb:?}");
    }
}

#[test]
fn a_list_right_after_a_start_tells_the_memory() {
    let zelador = zelador();
    zelador.start("{ name: 'sleeps', script: 'sleep', args: '1000', instances: 3 }");
    for entry in zelador.jlist() {
        assert!(entry["monit"]["memory"].as_u64().unwrap() > 0, "{}", entry["monit"]);
    }
}

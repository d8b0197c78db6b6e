//! What PM2's users suffer from, where no other test is about it; and that `docs/pm2.md` names a test
//! for each of the 49 complaints.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use zelador_testbed::home::{free_port, http_get, kill, said, text, until};

use crate::{SERVER, zelador};

#[test]
fn the_end_of_an_engine_is_told_with_its_reason() {
    let zelador = zelador();
    zelador.start("{ name: 'app', script: 'sleep', args: '1000' }");
    let engine = zelador.roles().0;
    kill(engine, Signal::ABORT);
    until("the next engine", || zelador.roles_now().is_some_and(|(other, _)| other != engine));
    let own = zelador.ok(&["logs", "--self", "--nostream", "--lines", "50"]).out;
    assert!(own.contains(&format!("engine {engine} ended by signal 6")), "{own}");
}

#[test]
fn a_look_at_a_hundred_apps_takes_less_than_node_needs_to_begin() {
    let zelador = zelador();
    let apps: Vec<String> = (0..100)
        .map(|index| format!("{{ name: 's{index}', script: 'sleep', args: '100000' }}"))
        .collect();
    zelador.start(&apps.join(", "));
    let time = |command: &mut Command| {
        let begun = Instant::now();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success());
        begun.elapsed()
    };
    // Side by side, since the machine is shared; the quickest of each.
    let (mut ours, mut nodes) = (Duration::MAX, Duration::MAX);
    for _ in 0..10 {
        ours = ours.min(time(&mut zelador.command(&["list"])));
        nodes = nodes.min(time(Command::new("node").args(["-e", "0"])));
    }
    // PM2's command line is a program for Node.
    assert!(ours < nodes, "list: {ours:?}, node -e 0: {nodes:?}");
}

#[test]
fn a_second_reload_is_refused_and_leaves_no_worker_behind() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.start(&format!(
        "{{ name: 'web', script: 'server.js', exec_mode: 'cluster', instances: 2, env: {{ PORT: {port} }} }}"
    ));
    let reload = || {
        zelador.command(&["reload", "web"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    let both = [reload().unwrap(), reload().unwrap()];
    let [one, two] = both.map(|child| said(&child.wait_with_output().unwrap()));
    let refused = if one.code == 0 { &two } else { &one };
    assert_eq!([one.code, two.code].iter().filter(|code| **code == 0).count(), 1);
    assert!(refused.err.contains("web is being reloaded"), "{}", refused.err);
    let list = zelador.jlist();
    assert_eq!(list.len(), 2);
    assert!(list.iter().all(|it| it["name"] == "web" && it["pm2_env"]["status"] == "online"));
    assert!(http_get(port, "/").is_some());
}

#[test]
fn restarts_for_memory_count_so_that_a_leak_does_not_loop_for_ever() {
    let zelador = zelador();
    zelador
        .write("leak.js", "const all = []; setInterval(() => all.push(Buffer.alloc(8e6, 1)), 20)");
    zelador.start(
        "{ name: 'leak', script: 'leak.js', max_memory_restart: '60M', min_uptime: '1h', max_restarts: 2, half_open_after: false }",
    );
    until("it to be given up", || zelador.status("leak") == "errored");
    let shown = zelador.ok(&["show", "leak"]).out;
    assert!(shown.contains("memory"), "{shown}");
    assert!(zelador.restarts("leak") <= 2);
}

/// The names of all tests in a folder.
fn tests_in(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = text(&path);
            let names = source.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_complaint_has_a_row_and_every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tests = Vec::new();
    tests_in(&root.join("crates"), &mut tests);
    let table = text(root.join("docs/pm2.md"));
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| {
            line.strip_prefix("| ")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .collect();
    // Beside the table, what has five words or more between backticks is a test, too.
    let names = table.split('`').skip(1).step_by(2).filter(|it| it.matches('_').count() >= 4);
    for name in names.filter(|it| it.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())) {
        assert!(tests.iter().any(|test| test == name), "there is no test {name}");
    }
    let numbers: Vec<usize> =
        rows.iter().filter_map(|row| row.split('|').nth(1)?.trim().parse().ok()).collect();
    assert_eq!(numbers, (1..=49).collect::<Vec<_>>());
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || last.contains("not yet"), "no test: {row}");
        for name in named {
            assert!(tests.iter().any(|test| test == name), "there is no test {name}: {row}");
        }
    }
}

//! Guardian and engine are killed together: what lives on is adopted, with its pipes and its sockets, and nothing is
//! doubled.

use std::io::Read;
use std::process::Stdio;

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, text, until};

use crate::zelador;

/// Ends both so that neither can do anything about the other.
pub fn kill_both(zelador: &Zelador) {
    let (engine, guardian) = zelador.roles();
    kill(guardian, Signal::STOP);
    kill(engine, Signal::STOP);
    kill(guardian, Signal::KILL);
    kill(engine, Signal::KILL);
    until("both to be gone", || !alive(engine) && !alive(guardian));
}

/// Keeps the history from being written for as long as it is there.
struct Held(std::process::Child);

impl Held {
    fn of(zelador: &Zelador) -> Self {
        let holds = "import sqlite3, sys\n\
                     history = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                     history.execute('BEGIN IMMEDIATE')\n\
                     print('held', flush=True)\n\
                     sys.stdin.read()";
        let mut python = std::process::Command::new("python3");
        python.args(["-c", holds]).arg(zelador.home().join("history.db"));
        let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 4];
        python.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"held");
        Self(python)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}

/// Nothing can be recorded meanwhile, as between a start and its record.
#[test]
fn what_began_ahead_of_its_record_is_taken_over_and_never_doubled() {
    let zelador = zelador();
    let declared = "{ name: 'a', script: 'sleep', args: '1000' }";
    zelador.start(declared);
    let another = |before: i32| {
        until("another run", || ![0, before].contains(&zelador.pid("a")));
        zelador.pid("a")
    };
    let first = zelador.pid("a");
    let held = Held::of(&zelador);
    kill(first, Signal::KILL);
    let second = another(first);
    let engine = zelador.roles().0;
    kill(engine, Signal::KILL);
    until("it to be gone", || !alive(engine));
    drop(held);
    until("another engine", || zelador.roles_now().is_some_and(|(it, _)| it != engine));
    until("it to run", || zelador.status("a") == "online");
    assert_eq!((zelador.pid("a"), zelador.restarts("a")), (second, 1), "the guardian knows it");

    let held = Held::of(&zelador);
    kill(second, Signal::KILL);
    let third = another(second);
    kill_both(&zelador);
    drop(held);
    zelador.start(declared);
    until("it to run", || zelador.status("a") == "online");
    assert_eq!((zelador.pid("a"), zelador.restarts("a")), (third, 2), "it says so itself");
    assert!(!alive(second));
}

/// Nothing tells of it but the group that it was born in, where the host has groups.
#[test]
fn what_was_about_to_begin_and_shows_no_mark_is_known_by_its_group() {
    let zelador = zelador();
    let declared = "{ name: 'bare', script: 'sh', args: ['-c', 'exec env -i sleep 1000'] }";
    zelador.start(declared);
    let pid = zelador.pid("bare");
    until("it to be bare", || text(format!("/proc/{pid}/environ")).is_empty());
    let is_in_group = text(format!("/proc/{pid}/cgroup")).contains("/zelador-");
    kill_both(&zelador);
    // As if both had died before the engine heard of the process.
    let history = rusqlite::Connection::open(zelador.home().join("history.db")).unwrap();
    let about_to_begin = "UPDATE state SET value = json_set(value, '$.instance.phase', json_object(
        'phase', 'starting', 'run', json_extract(value, '$.instance.phase.run'), 'give_up_at', 1))
        WHERE key = 'instance/0'";
    assert_eq!(history.execute(about_to_begin, []).unwrap(), 1);
    let used =
        "UPDATE state SET value = json_set(value, '$.counters.run', 9) WHERE key = 'counters'";
    assert_eq!(history.execute(used, []).unwrap(), 1);
    drop(history);
    zelador.start(declared);
    until("it to run", || zelador.status("bare") == "online");
    assert_eq!(zelador.pid("bare") == pid, is_in_group);
    if !is_in_group {
        kill(pid, Signal::KILL);
    }
}

#[test]
fn what_outlives_guardian_and_engine_is_adopted_and_never_doubled() {
    let zelador = zelador();
    let alone = "exec 9>$NAME.lock; flock -n 9 || echo $NAME twice >> doubled; ";
    zelador.write("quiet.sh", &format!("{alone} echo up; while :; do sleep 0.05; done"));
    // What it leaves behind is not ended with it, so that its pipe ends with who reads it: it dies of that.
    zelador.write("talks.sh", &format!("{alone} while :; do echo on; sleep 0.05; done"));
    // Its main process dies with them; what it left holds what the next run needs.
    let pids = zelador.app().join("children");
    zelador.write(
        "parent.sh",
        &format!("{alone} setsid sleep 1000 9>&- & echo $! >> {}; wait", pids.display()),
    );
    // Nothing is left of the mark in its environment.
    zelador.write("titled.js", "process.title = 't'.repeat(5000); setInterval(() => {}, 1000)");
    zelador.start(
        "{ name: 'quiet', script: 'quiet.sh', env: { NAME: 'quiet' } },
         { name: 'talks', script: 'talks.sh', env: { NAME: 'talks' }, treekill: false },
         { name: 'parent', script: 'parent.sh', env: { NAME: 'parent' } },
         { name: 'titled', script: 'titled.js' }",
    );
    until("the child", || text(&pids).lines().count() == 1);
    until("the title", || {
        text(format!("/proc/{}/cmdline", zelador.pid("titled"))).starts_with("ttt")
    });
    let names = ["quiet", "talks", "parent", "titled"];
    let [quiet, talks, parent, titled] = names.map(|name| zelador.pid(name));
    let child: i32 = text(&pids).trim().parse().unwrap();
    kill_both(&zelador);
    kill(parent, Signal::KILL);
    until("the one that talks to die of it", || !alive(talks));
    assert!(alive(quiet) && alive(titled) && alive(child));
    let list = zelador.run(&["list"]);
    assert_eq!(list.code, 1, "nobody answers");
    assert!(list.err.contains("it was killed") && list.err.contains("`zelador resurrect`"));
    let end = zelador.ok(&["kill"]);
    assert!(end.err.contains("its apps may run still"), "{}", end.err);

    // No list was saved: it is what zelador knew.
    assert!(zelador.ok(&["resurrect"]).out.contains("titled"));
    assert_eq!(
        [zelador.pid("quiet"), zelador.pid("titled")],
        [quiet, titled],
        "the same processes"
    );
    until("the others to be up again", || {
        [("talks", talks), ("parent", parent)].into_iter().all(|(name, before)| {
            zelador.status(name) == "online" && ![0, before].contains(&zelador.pid(name))
        })
    });
    until("what was left of a run to be ended", || !alive(child));
    assert_eq!(text(zelador.app().join("doubled")), "", "none runs twice");
    assert_eq!((zelador.restarts("quiet"), zelador.restarts("talks")), (0, 1));
    assert!(zelador.ok(&["show", "talks"]).out.contains("ended while nobody was watching"));
    let log = text(zelador.home().join("logs/quiet-out.log"));
    assert!(log.contains("zelador: guardian and engine were killed together"), "{log}");

    // It is supervised like any other.
    kill(titled, Signal::KILL);
    until("another run", || ![0, titled].contains(&zelador.pid("titled")));
    zelador.ok(&["restart", "quiet"]);
    assert!(!alive(quiet));
    zelador.ok(&["stop", "all"]);
    assert_eq!(text(zelador.app().join("doubled")), "");
}

/// Counts on both of its outputs; says what it has written, and what it is told.
const COUNTS: &str = "
import os, select, sys
said = 0
while True:
    said += 1
    os.write(1, b'out %d\\n' % said)
    os.write(2, b'err %d\\n' % said)
    os.pwrite(3, b'%9d' % said, 0)
    if select.select([0], [], [], 0.001)[0]:
        told = os.read(0, 4096)
        os.write(1, b'told ' + told if told else b'the input has ended\\n')
";

#[test]
fn what_is_written_while_nobody_lives_waits_and_is_in_the_log() {
    let zelador = zelador();
    zelador.write("counts.py", COUNTS);
    zelador.write("counts.sh", "exec python3 counts.py 3> said");
    let declared = "{ name: 'counts', script: 'counts.sh' }";
    zelador.start(declared);
    let said = || text(zelador.app().join("said")).trim().parse().unwrap_or(0);
    let goes_on = || {
        let before: u32 = said();
        until("it to go on", || said() > before + 200);
    };
    goes_on();
    let pid = zelador.pid("counts");
    let outlives = || {
        kill_both(&zelador);
        goes_on();
        zelador.start(declared);
        goes_on();
        assert_eq!((zelador.pid("counts"), zelador.restarts("counts")), (pid, 0));
    };
    outlives();
    zelador.ok(&["send", "counts", "first"]);
    // What was taken back is kept for the next engine, and for whoever comes after both.
    let engine = zelador.roles().0;
    kill(engine, Signal::KILL);
    goes_on();
    until("another engine", || zelador.roles_now().is_some_and(|(it, _)| it != engine));
    outlives();
    zelador.ok(&["send", "counts", "second"]);
    let log = |kind| text(zelador.home().join(format!("logs/counts-{kind}.log")));
    until("what it was told", || log("out").contains("told second\n"));
    zelador.ok(&["stop", "counts"]);
    for kind in ["out", "err"] {
        let log = log(if kind == "err" { "error" } else { kind });
        assert!(!log.contains("ended"), "its input went on: {log}");
        let gaps = log.matches("may be missing here").count();
        assert_eq!(gaps, 2);
        let numbers = |part: &str| -> Vec<u32> {
            let lines = part.lines().filter_map(|line| line.strip_prefix(kind));
            lines.filter_map(|number| number.trim().parse().ok()).collect()
        };
        // Each of the three parts is whole; between two of them is what was on its way to the file.
        let parts: Vec<_> = log.split("zelador: guardian").map(numbers).collect();
        for part in &parts {
            assert!(part.len() > 200, "{kind}: {}", part.len());
            assert!(part.windows(2).all(|two| two[1] == two[0] + 1), "{kind}: {part:?}");
        }
        for two in parts.windows(2) {
            let missing = two[1][0] - two[0].last().unwrap() - 1;
            assert!(missing < 50, "{kind}: {missing} lines");
        }
        assert_eq!(parts[0][0], 1);
        assert_eq!(parts[2].last().copied(), Some(said()), "{kind}");
    }
}

#[test]
fn what_was_in_the_list_is_started_by_its_name_although_zelador_was_killed() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let pid = zelador.pid("a");
    kill_both(&zelador);
    kill(pid, Signal::KILL);
    zelador.ok(&["start", "a"]);
    assert_eq!(zelador.status("a"), "online");
    assert!(![0, pid].contains(&zelador.pid("a")));
    zelador.ok(&["kill"]);
    let list = zelador.run(&["list"]);
    assert!(list.err.contains("`zelador start FILE`"), "it has ended in order: {}", list.err);
}

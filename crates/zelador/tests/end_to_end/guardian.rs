//! The guardian dies, alone or with its engine: nothing is doubled, and what could not be known is said.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, text, until, until_within};

use crate::zelador;

/// Ends both so that neither can do anything about the other.
fn kill_both(zelador: &Zelador) {
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
    assert_eq!(zelador.run(&["list"]).code, 1, "nobody answers");

    zelador.ok(&["start", "ecosystem.config.js"]);
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

/// Says twenty times a second that it is alive, and how often it has said so.
const ALIVE: &str = "
import os, socket, time
address = os.environ['NOTIFY_SOCKET']
address = chr(0) + address[1:] if address[0] == '@' else address
own, said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), 0
own.setblocking(False)
while True:
    said += 1
    try: own.sendto(f'READY=1\\nWATCHDOG=1\\nSTATUS={said} times'.encode(), address)
    except OSError: pass
    time.sleep(0.05)
";

/// How often that app has said so, as far as it was heard.
fn said(zelador: &Zelador) -> Option<u32> {
    let shown = zelador.ok(&["show", "alive"]).out;
    let before = shown.split(" times").next().filter(|it| it.len() < shown.len())?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Waits until it was heard for longer than twice its watchdog.
fn hear(zelador: &Zelador) {
    let mut first = None;
    until("it to be heard", || {
        first = said(zelador);
        first.is_some()
    });
    until("its watchdog to have passed twice", || said(zelador) > first.map(|it| it + 40));
}

const WATCHED: &str = "{ name: 'alive', script: 'alive.py', notify: true, watchdog: '1s' }";

#[test]
fn what_outlives_guardian_and_engine_is_heard_by_its_watchdog_again() {
    let zelador = zelador();
    zelador.write("alive.py", ALIVE);
    zelador.start(WATCHED);
    let pid = zelador.pid("alive");
    kill_both(&zelador);
    zelador.start(WATCHED);
    hear(&zelador);
    assert_eq!((zelador.pid("alive"), zelador.restarts("alive")), (pid, 0));
}

#[test]
fn who_was_stopped_does_not_take_others_for_silent() {
    let zelador = zelador();
    zelador.write("alive.py", ALIVE);
    zelador.start(WATCHED);
    let (pid, (engine, _)) = (zelador.pid("alive"), zelador.roles());
    // What was said waits to be heard; after the longer one it is seen that nobody has listened.
    for stopped in [1500, 3000] {
        hear(&zelador);
        kill(engine, Signal::STOP);
        std::thread::park_timeout(Duration::from_millis(stopped));
        kill(engine, Signal::CONT);
    }
    hear(&zelador);
    assert_eq!((zelador.pid("alive"), zelador.restarts("alive")), (pid, 0));
    assert_eq!(zelador.roles().0, engine);
}

#[test]
fn a_service_that_dies_while_guardians_change_is_started_again_once() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sh', args: ['-c', 'echo $$ >> runs; exec sleep 1000'] }");
    let runs = || text(zelador.app().join("runs")).lines().count();
    let mut expected = 1;
    for _ in 0..5 {
        until("it to run", || runs() == expected && zelador.status("a") == "online");
        let (pid, guardian) = (zelador.pid("a"), zelador.roles().1);
        kill(guardian, Signal::STOP);
        kill(pid, Signal::KILL);
        kill(guardian, Signal::KILL);
        expected += 1;
        until("another guardian and another run", || {
            zelador.roles_now().is_some_and(|(_, it)| it != guardian) && runs() >= expected
        });
    }
    until_within("it to stay so", Duration::from_secs(5), || zelador.status("a") == "online");
    assert_eq!(runs(), expected, "one run a death");
    let shown = zelador.ok(&["show", "a"]).out;
    assert!(shown.contains("SIGKILL") || shown.contains("while nobody was watching"), "{shown}");
}

#[test]
fn an_engine_that_hangs_is_replaced_by_its_guardian() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let (pid, (engine, guardian)) = (zelador.pid("a"), zelador.roles());
    kill(engine, Signal::STOP);
    // 20 s of silence, and what a busy machine needs.
    until_within("another engine", Duration::from_mins(1), || {
        !alive(engine) && zelador.roles_now().is_some_and(|(it, _)| it != engine)
    });
    assert_eq!((zelador.pid("a"), zelador.roles().1), (pid, guardian));
    assert!(text(zelador.home().join("zelador.log")).contains("says nothing: killing it"));
}

#[test]
fn a_guardian_that_stands_still_is_made_to_go_on_by_its_engine() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let (pid, roles) = (zelador.pid("a"), zelador.roles());
    kill(roles.1, Signal::STOP);
    zelador.ok(&["restart", "a"]);
    assert_ne!(zelador.pid("a"), pid);
    assert_eq!(zelador.roles(), roles);
    assert!(text(zelador.home().join("zelador.log")).contains("stood still for 10 s"));
}

#[test]
fn a_control_socket_that_somebody_removed_is_made_anew() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let (pid, guardian) = (zelador.pid("a"), zelador.roles().1);
    std::fs::remove_file(zelador.home().join("zelador.sock")).unwrap();
    until("zelador to be called again", || zelador.roles_now().is_some());
    assert_eq!((zelador.pid("a"), zelador.roles().1), (pid, guardian));
}

#[test]
fn engine_and_guardian_come_back_although_their_file_was_removed() {
    let file = tempfile::tempdir().unwrap();
    let program = file.path().join("zelador");
    std::fs::copy(env!("CARGO_BIN_EXE_zelador"), &program).unwrap();
    let zelador = zelador();
    let own = zelador.command(&["start", "sleep", "--name", "a", "--", "1000"]);
    let mut start = std::process::Command::new(&program);
    start.args(own.get_args()).current_dir(zelador.app());
    start.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(start.stdout(Stdio::null()).status().unwrap().success());
    std::fs::remove_file(&program).unwrap();
    let (pid, (engine, guardian)) = (zelador.pid("a"), zelador.roles());
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(it, _)| it != engine));
    kill(guardian, Signal::KILL);
    until("another guardian", || zelador.roles_now().is_some_and(|(_, it)| it != guardian));
    assert_eq!(zelador.pid("a"), pid);
    zelador.ok(&["restart", "a"]);
    assert!(!alive(pid));
}

#[test]
fn a_kill_that_meets_a_change_of_guardians_ends_everything_all_the_same() {
    let zelador = zelador();
    zelador.write("slow.sh", "trap 'touch asked' INT TERM; while :; do sleep 0.05; done");
    zelador.start("{ name: 'slow', script: 'slow.sh', kill_timeout: 3000 }");
    let (pid, (engine, guardian)) = (zelador.pid("slow"), zelador.roles());
    let mut ending = zelador.command(&["kill"]);
    let ending = ending.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it to be asked to stop", || zelador.app().join("asked").exists());
    kill(guardian, Signal::KILL);
    let said = zelador_testbed::home::said(&ending.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("zelador has ended"), "{}", said.out);
    assert!(!alive(engine) && !alive(pid), "it is true");
    assert_eq!(zelador.roles_now(), None);
}

#[test]
fn nothing_of_the_caller_is_held_open() {
    let zelador = zelador();
    let start = zelador.command(&["start", "sleep", "--", "1000"]);
    let mut shell = std::process::Command::new("flock");
    shell.args(["--nonblock", "lock"]).arg(start.get_program()).args(start.get_args());
    shell.envs(start.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(shell.current_dir(zelador.app()).stdout(Stdio::null()).status().unwrap().success());
    let lock = std::fs::File::open(zelador.app().join("lock")).unwrap();
    assert!(lock.try_lock().is_ok(), "it is free as soon as the command has ended");
}

//! The guardian dies, or stands still: nothing is doubled, and what could not be known is said.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, text, until, until_within};

use crate::lost::kill_both;
use crate::zelador;

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

/// Says that its child is its main process.
const REPRESENTED: &str = "
import os, socket, subprocess, time
address = os.environ['NOTIFY_SOCKET']
address = chr(0) + address[1:] if address[0] == '@' else address
child = subprocess.Popen(['sleep', '100000'])
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.sendto(f'READY=1\\nMAINPID={child.pid}'.encode(), address)
open('runs', 'a').write(f'{os.getpid()}\\n')
while True: time.sleep(1)
";

#[test]
fn what_outlives_guardian_and_engine_is_adopted_although_a_child_is_its_main_process() {
    const APP: &str = "{ name: 'a', script: 'represented.py', notify: true }";
    let zelador = zelador();
    zelador.write("represented.py", REPRESENTED);
    zelador.start(APP);
    let runs = || text(zelador.app().join("runs"));
    until("its child to be its main process", || {
        let started = runs().trim().parse().unwrap_or(0);
        started != 0 && ![0, started].contains(&zelador.pid("a"))
    });
    let (pid, first) = (zelador.pid("a"), runs());
    kill_both(&zelador);
    zelador.start(APP);
    assert_eq!((zelador.pid("a"), zelador.restarts("a"), runs()), (pid, 0, first.clone()));
    zelador.ok(&["restart", "a"]);
    assert!(!alive(first.trim().parse().unwrap()) && !alive(pid), "it is supervised as before");
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
fn a_home_without_its_lock_and_socket_lets_no_second_guardian_in() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let (pid, guardian) = (zelador.pid("a"), zelador.roles().1);
    let lock = zelador.home().join("guardian.lock");
    for file in [&lock, &zelador.home().join("zelador.sock")] {
        std::fs::remove_file(file).unwrap();
    }
    zelador.ok(&["start", "ecosystem.config.js"]);
    assert_eq!((zelador.pid("a"), zelador.roles().1), (pid, guardian), "the same as before");
    assert_eq!(text(lock).trim(), guardian.to_string(), "it says again who holds the home");
    zelador.ok(&["kill"]);
    assert!(!alive(pid) && !alive(guardian));
}

/// Somebody has put a script in its place, as an installer may.
#[test]
fn engine_and_guardian_come_back_although_their_file_is_another_now() {
    let (folder, zelador) = (tempfile::tempdir().unwrap(), zelador());
    let program = folder.path().join("zelador");
    start_from(&program, &zelador);
    let (pid, (engine, guardian)) = (zelador.pid("a"), zelador.roles());
    let other = folder.path().join("other");
    std::fs::write(&other, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&other, mode).unwrap();
    std::fs::rename(&other, &program).unwrap();
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(it, _)| it != engine));
    kill(guardian, Signal::KILL);
    until("another guardian", || zelador.roles_now().is_some_and(|(_, it)| it != guardian));
    assert_eq!(zelador.pid("a"), pid);
}

/// Starts `sleep` as `a` with a copy of zelador.
fn start_from(program: &std::path::Path, zelador: &Zelador) {
    // Open for writing in no process that another test forks just then: it could not be executed.
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg(env!("CARGO_BIN_EXE_zelador")).arg(program).status().unwrap().success());
    let own = zelador.command(&["start", "sleep", "--name", "a", "--", "1000"]);
    let mut start = std::process::Command::new(program);
    start.args(own.get_args()).current_dir(zelador.app());
    start.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(start.stdout(Stdio::null()).status().unwrap().success());
}

#[test]
fn engine_and_guardian_come_back_although_their_file_was_removed() {
    let (folder, zelador) = (tempfile::tempdir().unwrap(), zelador());
    let program = folder.path().join("zelador");
    start_from(&program, &zelador);
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

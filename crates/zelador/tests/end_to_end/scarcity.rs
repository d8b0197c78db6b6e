//! The engine is refused what it needs, or handed what it cannot get rid of: nothing is forgotten, and it goes on.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use zelador_testbed::home::{Zelador, kill, text, until};

use crate::zelador;

/// Lets a process open descriptors below this number; those that are open stay so. Returns what it was allowed.
fn let_open(pid: i32, below: Option<u64>) -> Rlimit {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: below, maximum };
    prlimit(Pid::from_raw(pid), Resource::Nofile, limit).unwrap()
}

#[test]
fn what_cannot_be_said_to_the_guardian_for_want_of_a_descriptor_is_said_later() {
    let zelador = zelador();
    // More than a datagram takes: it travels in a file, which needs a descriptor.
    let large = "v".repeat(100_000);
    zelador
        .start(&format!("{{ name: 'a', script: 'sleep', args: '1000', env: {{ V: '{large}' }} }}"));
    let (pid, (engine, _)) = (zelador.pid("a"), zelador.roles());
    let before = let_open(engine, Some(3));
    kill(pid, Signal::KILL);
    let log = zelador.home().join("zelador.log");
    until("the engine to be refused", || text(&log).contains("cannot be told now"));
    let_open(engine, before.current);
    until("another run", || {
        zelador.status("a") == "online" && ![0, pid].contains(&zelador.pid("a"))
    });
    assert_eq!(zelador.roles().0, engine);
    zelador.ok(&["restart", "a"]);
    zelador.ok(&["delete", "a"]);
}

/// A child with a session of its own, which nobody but its parent knows; both ignore signals.
const LEAVES: &str = "
import os, signal, time
for ignored in (signal.SIGINT, signal.SIGTERM): signal.signal(ignored, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    open('child', 'w').write(str(os.getpid()))
while True: time.sleep(1)
";

#[test]
fn what_cannot_be_looked_for_is_not_taken_for_gone() {
    let zelador = zelador();
    zelador.write("leaves.py", LEAVES);
    zelador.start("{ name: 'a', script: 'leaves.py', kill_timeout: '1h' }");
    let child = || text(zelador.app().join("child")).parse::<i32>();
    until("the child", || child().is_ok());
    let (child, pid, (engine, _)) = (child().unwrap(), zelador.pid("a"), zelador.roles());
    let mut restart = zelador.command(&["restart", "a"]).stdout(Stdio::null()).spawn().unwrap();
    until("it to be asked to end", || zelador.status("a") == "stopping");
    let before = let_open(engine, Some(3));
    kill(pid, Signal::KILL);
    let log = zelador.home().join("zelador.log");
    until("the engine to be refused", || text(&log).contains("cannot be seen"));
    let_open(engine, before.current);
    assert_eq!(zelador.status("a"), "stopping", "its child lives");
    kill(child, Signal::KILL);
    assert!(restart.wait().unwrap().success());
    assert_ne!(zelador.pid("a"), pid);
}

/// Sends a socket that takes a minute to close: its other end takes nothing of what it was sent.
const SLOW: &str = "
import array, os, socket, struct, time
listener = socket.create_server(('127.0.0.1', 0))
slow = socket.create_connection(listener.getsockname())
peer, _ = listener.accept()
slow.setblocking(False)
try:
    while True: slow.send(bytes(65536))
except BlockingIOError: pass
slow.setblocking(True)
slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 60))
address = os.environ['NOTIFY_SOCKET']
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.connect(chr(0) + address[1:] if address[0] == '@' else address)
own.send(b'READY=1')
while not os.path.exists('go'):
    own.send(b'WATCHDOG=1')
    time.sleep(0.02)
own.sendmsg([b'WATCHDOG=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [slow.fileno()]))])
os.close(slow.detach())
open('sent', 'w')
";

const WATCHES: &str = "
while True:
    own.send(b'WATCHDOG=1')
    time.sleep(0.1)
";

/// Sends as many files after it as are taken.
const FLOODS: &str = "
own.settimeout(2)
files = [os.open('/etc/passwd', os.O_RDONLY) for _ in range(200)]
try:
    for _ in range(400):
        own.sendmsg([b'STATUS=flooding'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', files))])
except TimeoutError: pass
open('flooded', 'w')
time.sleep(1000)
";

#[test]
fn what_a_service_hands_over_and_is_slow_to_close_holds_nobody_up() {
    let zelador = zelador();
    zelador.write("slow.py", &format!("{SLOW}{WATCHES}"));
    zelador.start("{ name: 'slow', script: 'slow.py', notify: true, watchdog: '2s' }");
    zelador.start("{ name: 'other', script: 'sleep', args: '1000' }");
    let (pid, roles) = (zelador.pid("slow"), zelador.roles());
    hand_over(&zelador);
    for _ in 0..3 {
        let before = zelador.pid("other");
        kill(before, Signal::KILL);
        until("another run", || ![0, before].contains(&zelador.pid("other")));
    }
    assert_eq!((zelador.pid("slow"), zelador.roles()), (pid, roles), "nobody was taken for hung");
    kill(roles.1, Signal::KILL);
    until("another guardian", || zelador.roles_now().is_some_and(|(_, it)| it != roles.1));
    // It waits for no thread of the engine.
    assert_ne!(zelador.roles().1, roles.0);
    assert_eq!(zelador.pid("slow"), pid);
}

/// The engine is the last that has it.
fn hand_over(zelador: &Zelador) {
    let (engine, _) = zelador.roles();
    kill(engine, Signal::STOP);
    zelador.write("go", "");
    until("it to be handed over", || zelador.app().join("sent").exists());
    kill(engine, Signal::CONT);
}

#[test]
fn what_is_handed_over_behind_something_slow_to_close_takes_no_descriptors_from_others() {
    let zelador = zelador();
    zelador.write("floods.py", &format!("{SLOW}{FLOODS}"));
    zelador.start("{ name: 'floods', script: 'floods.py', notify: true }");
    zelador.start("{ name: 'other', script: 'sleep', args: '1000', notify: 'status' }");
    let (engine, _) = zelador.roles();
    hand_over(&zelador);
    until("the flood to be over", || zelador.app().join("flooded").exists());
    let open = std::fs::read_dir(format!("/proc/{engine}/fd")).unwrap().count();
    assert!(open < 1500, "the engine has {open} descriptors");
    zelador.ok(&["restart", "other"]);
    assert_eq!(zelador.roles().0, engine);
}

/// Has as much kept as it can, then serves.
const HOARDS: &str = "
import array, os, socket, time
address = os.environ['NOTIFY_SOCKET']
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.connect(chr(0) + address[1:] if address[0] == '@' else address)
for number in range(60):
    kept = os.memfd_create('kept')
    own.sendmsg([f'FDSTORE=1\\nFDNAME={number}'.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [kept]))])
    os.close(kept)
own.send(b'READY=1')
while True: time.sleep(1)
";

#[test]
fn what_one_app_has_kept_leaves_room_for_the_others_to_be_started_again() {
    let zelador = zelador();
    zelador.write("hoards.py", HOARDS);
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'hoards', script: 'hoards.py', notify: true }, { name: 'a', script: 'sleep', args: '1000' }] }",
    );
    let start = zelador.command(&["start", "ecosystem.config.js"]);
    let mut few = Command::new("prlimit");
    few.arg("--nofile=160:160").arg(start.get_program()).args(start.get_args());
    few.envs(start.get_envs().filter_map(|(name, value)| Some((name, value?))));
    few.current_dir(zelador.app()).stdout(Stdio::null());
    assert!(few.status().unwrap().success());
    until("both to run", || ["hoards", "a"].into_iter().all(|app| zelador.status(app) == "online"));
    let pid = zelador.pid("a");
    kill(pid, Signal::KILL);
    until("another run", || {
        zelador.status("a") == "online" && ![0, pid].contains(&zelador.pid("a"))
    });
    zelador.ok(&["restart", "hoards"]);
    assert!(text(zelador.home().join("zelador.log")).contains("a descriptor is not kept"));
}

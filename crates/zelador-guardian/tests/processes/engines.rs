//! Engines and guardians that come and go.

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Resource, Rlimit};
use zelador_guardian::message::{FromGuardian, ToGuardian};
use zelador_guardian::{Descriptors, LOCK, SOCKET, link};

use crate::processes::{LIMIT, exists, kill, lives, sleeps, wait_until, within};
use crate::rig::{Rig, connect, line};
use crate::roles::ALREADY_RUNNING;

/// Which pipes and files these are, whatever their numbers.
fn inodes(descriptors: &Descriptors) -> Vec<u64> {
    // A pidfd's inode is its own only from Linux 6.9 on.
    let list = descriptors.list().into_iter().skip(1);
    list.map(|one| rustix::fs::fstat(one).expect("it is open").st_ino).collect()
}

pub fn twenty_killed_engines_change_nothing_for_services() {
    let rig = Rig::new();
    let mut engine = rig.engine();
    engine.greet();
    let script = "echo first; exec sleep 1000";
    let started: Vec<_> = (0..5).map(|run| engine.shell(run, script)).collect();
    let state = started[3].1.state.as_ref().expect("a state");
    rustix::io::pwrite(state, b"mark", 100).expect("it is a file");
    for round in 0..20 {
        let client = connect(rig.home());
        engine.kill();
        engine = rig.engine();
        let (guardian, listener, kept) = engine.greet();
        assert_eq!(guardian, rig.guardian.id());
        assert_eq!(kept.len(), 5, "round {round}");
        for ((kept, adopted), (pid, descriptors)) in kept.iter().zip(&started) {
            assert_eq!((kept.pid, *adopted, kept.ended), (*pid, false, None));
            assert_eq!(kept.label, b"label");
            assert_eq!(inodes(&kept.descriptors), inodes(descriptors));
            assert!(lives(*pid));
        }
        let mut bytes = [0; 4];
        let state = kept[3].0.descriptors.state.as_ref().expect("a state");
        assert_eq!(rustix::io::pread(state, &mut bytes, 100), Ok(4));
        assert_eq!(&bytes, b"mark");
        // The client has waited in the queue of the socket.
        rustix::net::accept(&listener).expect("it waits");
        drop(client);
    }
    let (_, descriptors) = &started[0];
    assert_eq!(line(descriptors), "first", "nothing was read meanwhile, nothing was lost");
}

pub fn a_stopped_engine_is_replaced() {
    let rig = Rig::with_patience("500,0,0,200,60000,0");
    let engine = rig.engine();
    engine.greet();
    let (service, _) = engine.shell(1, "exec sleep 1000");
    kill(engine.pid, libc::SIGSTOP);
    let next = rig.engine();
    assert_ne!(next.pid, engine.pid);
    assert!(!exists(engine.pid));
    let (_, _, kept) = next.greet();
    assert_eq!(kept[0].0.pid, service);
    assert!(lives(service));
    assert!(rig.log().contains("says nothing"));
}

pub fn a_guardian_that_was_stopped_does_not_take_its_engine_for_silent() {
    let rig = Rig::with_patience("2000,0,0,200,60000,0");
    let engine = rig.engine();
    engine.greet();
    engine.shell(1, "exit 0");
    engine.ended(1);
    kill(rig.guardian.id(), libc::SIGSTOP);
    // So long nobody listens, and nothing is said.
    std::thread::park_timeout(Duration::from_millis(3500));
    kill(rig.guardian.id(), libc::SIGCONT);
    wait_until("the guardian to have looked", || sleeps(rig.guardian.id()));
    engine.shell(2, "exit 0");
    engine.ended(2);
    assert!(!rig.log().contains("says nothing"), "{}", rig.log());
}

pub fn an_engine_that_does_not_read_is_replaced() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let request = ToGuardian::Release { run: 12 };
    let broken = (0..20_000).any(|_| link::send(engine.link.as_fd(), &request, &[]).is_err());
    assert!(broken, "it is killed before it costs more");
    let next = rig.engine();
    assert_ne!(next.pid, engine.pid);
    next.greet();
    next.shell(1, "exit 0");
    next.ended(1);
    assert!(rig.log().contains("does not read"));
}

pub fn of_racing_guardians_one_remains() {
    let rig = Rig::new();
    let mut all: Vec<_> = (0..8).map(|_| rig.start_another()).collect();
    let first = rig.engine();
    let (winner, _, _) = first.greet();
    let lock = || fs::read_to_string(rig.path(LOCK)).unwrap_or_default();
    assert_eq!(lock().trim(), winner.to_string());
    let mut refused = 0;
    for guardian in &mut all {
        if guardian.id() != winner {
            let ended = within(LIMIT, || guardian.try_wait().expect("it is our child"));
            assert_eq!(ended.expect("it ends").code(), Some(ALREADY_RUNNING));
            refused += 1;
        }
    }
    assert_eq!(refused, if winner == rig.guardian.id() { 8 } else { 7 });
    first.shell(1, "exit 0");
    first.ended(1);
}

pub fn shutdown_leaves_nothing_behind() {
    let mut rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (main, fds) = engine.shell(1, "trap '' TERM; sleep 1000 & echo $!; wait");
    let other: u32 = line(&fds).parse().expect("a pid");
    let (lingering, fds) = engine.shell(2, "sleep 1000 & echo $!; exec sleep 1000");
    let rest: u32 = line(&fds).parse().expect("a pid");
    engine.say(&ToGuardian::Linger { run: 2, on: true });
    engine.say(&ToGuardian::Signal { run: 2, signal: 15, group: false });
    engine.ended(2);
    // This engine stays when it should go, and is killed.
    engine.say(&ToGuardian::Shutdown);
    assert_eq!(rig.code(), Some(0));
    assert!(!rig.path(SOCKET).exists());
    for pid in [main, lingering, engine.pid] {
        assert!(!lives(pid));
    }
    wait_until("the groups are gone", || !lives(other) && !lives(rest));
}

pub fn a_shutdown_said_with_the_last_breath_counts() {
    let mut rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (service, _) = engine.shell(1, "exec sleep 1000");
    kill(rig.guardian.id(), libc::SIGSTOP);
    engine.say(&ToGuardian::Shutdown);
    let pid = engine.pid;
    engine.kill();
    wait_until("the engine is a zombie", || !lives(pid));
    kill(rig.guardian.id(), libc::SIGCONT);
    assert_eq!(rig.code(), Some(0));
    assert!(!lives(service));
}

pub fn asked_to_end_it_tells_the_engine_and_asked_twice_it_kills() {
    let mut rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (service, _) = engine.shell(1, "trap '' TERM; while :; do sleep 1; done");
    kill(rig.guardian.id(), libc::SIGHUP);
    kill(rig.guardian.id(), libc::SIGTERM);
    assert_eq!(engine.hear().0, FromGuardian::Terminate);
    // The next engine is told before it hears of the runs, and once more if it passes over that.
    engine.kill();
    let engine = rig.engine();
    let told: Vec<FromGuardian> = (0..4).map(|_| engine.hear().0).collect();
    let [
        FromGuardian::Welcome { runs: 2, .. },
        FromGuardian::Terminate,
        FromGuardian::Kept { .. },
        FromGuardian::Terminate,
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert!(lives(service));
    kill(rig.guardian.id(), libc::SIGINT);
    assert_eq!(rig.code(), Some(0));
    assert!(!lives(service) && !lives(engine.pid));
    assert!(!rig.path(SOCKET).exists());
}

pub fn a_killed_engine_that_does_not_go_is_replaced() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (service, _) = engine.shell(1, "exec sleep 1000");
    // Whoever is traced can be reaped by nobody else before its tracer has.
    let pid = engine.pid;
    // SAFETY: traces a process below this one.
    let traced = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid as i32, 0, 0) };
    assert_eq!(traced, 0, "{}", std::io::Error::last_os_error());
    engine.kill();
    let next = rig.engine();
    assert!(exists(pid), "the one before is there still");
    let (guardian, _, kept) = next.greet();
    assert_eq!((guardian, kept[0].0.pid), (rig.guardian.id(), service));
}

pub fn an_engine_of_which_a_message_was_lost_is_replaced() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let guardian = rustix::process::Pid::from_raw(rig.guardian.id() as i32);
    let limit = |current| {
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        rustix::process::prlimit(guardian, Resource::Nofile, Rlimit { current, maximum })
    };
    // What is open stays open.
    let before = limit(Some(3)).expect("it is our child");
    let null = fs::File::open("/dev/null").expect("it is everywhere");
    engine.pass(&ToGuardian::Stow { name: b"lost".to_vec() }, &[null.as_fd()]);
    wait_until("the engine to be killed", || !lives(engine.pid));
    limit(before.current).expect("it is our child");
    rig.engine().greet();
}

pub fn an_engine_that_closes_its_link_may_end_by_itself() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let pid = engine.pid;
    engine.leave_slowly();
    drop(engine);
    rig.engine().greet();
    let log = rig.log();
    assert!(log.contains(&format!("engine {pid} ended with code 7")), "{log}");
}

/// A socket whose last descriptor takes a minute to close: what it has sent is taken by nobody.
fn slow_to_close() -> (OwnedFd, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let slow = std::net::TcpStream::connect(listener.local_addr().expect("it is bound"));
    let slow = slow.expect("it is listened on");
    let (peer, _) = listener.accept().expect("it has called");
    slow.set_nonblocking(true).expect("always allowed");
    while (&slow).write(&[0; 4096]).is_ok() {}
    slow.set_nonblocking(false).expect("always allowed");
    let linger = Some(Duration::from_mins(1));
    rustix::net::sockopt::set_socket_linger(&slow, linger).expect("always allowed");
    (slow.into(), peer)
}

pub fn what_is_slow_to_close_holds_nobody_up() {
    let mut rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let peers = [b"replaced".to_vec(), b"discarded".to_vec()].map(|name| {
        let (slow, peer) = slow_to_close();
        engine.pass(&ToGuardian::Stow { name }, &[slow.as_fd()]);
        peer
    });
    let null = fs::File::open("/dev/null").expect("it is everywhere");
    engine.pass(&ToGuardian::Stow { name: b"replaced".to_vec() }, &[null.as_fd()]);
    engine.say(&ToGuardian::Discard { name: b"discarded".to_vec() });
    engine.shell(1, "exec sleep 1000");
    // One that comes with a message that has no use for it.
    let (slow, _peer) = slow_to_close();
    // It has the last descriptor when it goes on.
    kill(rig.guardian.id(), libc::SIGSTOP);
    engine.pass(&ToGuardian::Alive, &[slow.as_fd()]);
    drop(slow);
    kill(rig.guardian.id(), libc::SIGCONT);
    engine.shell(2, "exec sleep 1000");
    // Nor is the lock, or the link, held for the guardian that is killed meanwhile.
    engine.inherit();
    rig.guardian.kill().expect("it lives");
    rig.guardian.wait().expect("it is our child");
    rig.engine().greet();
    drop(peers);
}

//! One guardian image takes the place of another.

use std::os::fd::AsFd;

use zelador_guardian::message::{FromGuardian, Launch, ToGuardian};
use zelador_guardian::{LOCK, SOCKET};

use crate::processes::{
    LIMIT, children, exists, kill, lives, reap_all, sleeps, wait_until, within,
};
use crate::rig::{Engine, Rig, connect, receive_byte, send_byte, shell};

pub fn an_engine_takes_the_place_of_a_killed_guardian() {
    let mut rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let pids: Vec<_> = (0..3).map(|run| engine.shell(run, "exec sleep 1000").0).collect();
    engine.shell(3, "exit 5");
    engine.ended(3);
    let kept = rustix::fs::memfd_create(c"stowed", rustix::fs::MemfdFlags::CLOEXEC).expect("room");
    rustix::io::write(&kept, b"port").expect("it is empty");
    engine.pass(&ToGuardian::Stow { name: b"web".to_vec() }, &[kept.as_fd()]);
    engine.pass(&ToGuardian::Stow { name: b"gone".to_vec() }, &[kept.as_fd()]);
    engine.say(&ToGuardian::Discard { name: b"gone".to_vec() });
    engine.kill();
    let (case, heir) = rig.next_process();
    send_byte(&case, b'h', &[]);
    assert_eq!(receive_byte(&case), Some(b'k'), "it has everything");
    let client = connect(rig.home());
    rig.guardian.kill().expect("it lives");
    rig.guardian.wait().expect("it is our child");

    let engine = rig.engine();
    let (guardian, listener, kept) = engine.greet();
    assert_eq!(guardian, heir);
    rustix::net::accept(&listener).expect("the client waits still");
    drop(client);
    assert_eq!(kept.iter().map(|(kept, _)| kept.run).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for ((kept, adopted), pid) in kept.iter().zip(&pids) {
        assert_eq!((kept.pid, *adopted, kept.ended), (*pid, true, None));
        assert!(lives(*pid));
        assert_eq!(kept.descriptors.list().len(), 5);
    }
    assert_eq!(kept[3].0.ended.expect("it ended before").status, 5 << 8);
    let (message, passed) = engine.hear();
    assert_eq!(message, FromGuardian::Stowed { name: b"web".to_vec() }, "through two engines");
    let mut text = [0; 9];
    assert_eq!(rustix::io::pread(&passed[0], &mut text, 0), Ok(4));
    assert_eq!(&text[..4], b"port");

    kill(pids[1], libc::SIGUSR1);
    wait_until("it has ended", || !lives(pids[1]));
    reap_all();
    let ended = engine.ended(1);
    // Linux 6.15 and later keep the status for the holder of a pidfd.
    assert!(!ended.known || ended.status == libc::SIGUSR1, "{ended:?}");
    println!("status of an adopted run is known: {}", ended.known);
    // New services are its children as ever.
    engine.shell(7, "exit 9");
    assert_eq!(engine.ended(7).status, 9 << 8);
    engine.say(&ToGuardian::Shutdown);
    let _ = case.as_fd();
    wait_until("nothing is left", || {
        reap_all();
        !exists(heir) && pids.iter().all(|pid| !exists(*pid))
    });
    assert!(!rig.path(SOCKET).exists());
}

pub fn a_guardian_replaces_itself() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (service, _) = engine.shell(1, "exec sleep 1000");
    engine.say(&ToGuardian::Linger { run: 1, on: true });
    let client = connect(rig.home());
    let (argv, table_flag) = (rig.guardian_argv(), b"--table".to_vec());
    engine.say(&ToGuardian::Upgrade { argv, table_flag });
    engine.leave();
    let engine = rig.engine();
    let (guardian, listener, kept) = engine.greet();
    assert_eq!(guardian, rig.guardian.id());
    rustix::net::accept(&listener).expect("the client waits still");
    drop(client);
    let (kept, adopted) = &kept[0];
    assert_eq!((kept.pid, *adopted, kept.linger), (service, false, true));
    kill(service, libc::SIGUSR1);
    assert_eq!(engine.ended(1).status, libc::SIGUSR1);
    // It holds the lock still.
    let mut another = rig.start_another();
    assert_eq!(another.wait().expect("it is our child").code(), Some(3));
    // A new image that cannot be executed changes nothing.
    let (argv, table_flag) = (vec![b"/does/not/exist".to_vec()], b"--table".to_vec());
    engine.say(&ToGuardian::Upgrade { argv, table_flag });
    engine.leave();
    let engine = rig.engine();
    let (guardian, _, kept) = engine.greet();
    assert_eq!((guardian, kept.len()), (rig.guardian.id(), 1));
    engine.shell(2, "exit 4");
    assert_eq!(engine.ended(2).status, 4 << 8);
}

/// The command line of the guardian.
fn words(rig: &Rig) -> String {
    let words = std::fs::read(format!("/proc/{}/cmdline", rig.guardian.id())).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

pub fn a_new_guardian_whose_engine_is_no_good_goes_back() {
    let rig = Rig::with_patience("60000,0,0,200,1000,60000");
    let engine = rig.engine();
    engine.greet();
    let (service, _) = engine.shell(1, "exec sleep 1000");
    engine.say(&ToGuardian::Linger { run: 1, on: true });
    let upgrade = |engine: Engine| {
        let (argv, table_flag) = (rig.guardian_argv(), b"--table".to_vec());
        engine.say(&ToGuardian::Upgrade { argv, table_flag });
        engine.leave();
    };
    // One dies before it has said anything, one says nothing, one dies when it has come up.
    upgrade(engine);
    let (_, pid) = rig.next_process();
    assert!(words(&rig).contains("--former"));
    kill(pid, libc::SIGKILL);
    let engine = rig.engine();
    assert!(words(&rig).starts_with("/proc/self/fd/"), "it is the former one: {}", words(&rig));
    engine.greet();
    upgrade(engine);
    let _mute = rig.next_process();
    let engine = rig.engine();
    assert!(words(&rig).starts_with("/proc/self/fd/"));
    engine.greet();
    upgrade(engine);
    let engine = rig.engine();
    engine.greet();
    assert!(words(&rig).contains("--former"));
    engine.leave();
    let engine = rig.engine();
    assert!(words(&rig).starts_with("/proc/self/fd/"));
    // What it keeps went there and back three times.
    let (guardian, _, kept) = engine.greet();
    assert_eq!((guardian, kept.len()), (rig.guardian.id(), 1));
    assert_eq!((kept[0].0.pid, kept[0].0.linger), (service, true));
    kill(service, libc::SIGUSR1);
    assert_eq!(engine.ended(1).status, libc::SIGUSR1);
}

pub fn a_new_image_that_cannot_begin_goes_back() {
    let rig = Rig::with_patience("60000,0,0,200,60000,0");
    let engine = rig.engine();
    engine.greet();
    let (service, _) = engine.shell(1, "exec sleep 1000");
    let mut argv = rig.guardian_argv();
    // No control socket can be made there.
    argv.extend([b"--at".to_vec(), b"/does/not/exist".to_vec()]);
    engine.say(&ToGuardian::Upgrade { argv, table_flag: b"--table".to_vec() });
    engine.leave();
    let engine = rig.engine();
    assert!(words(&rig).starts_with("/proc/self/fd/"), "it is the former one: {}", words(&rig));
    let (guardian, _, kept) = engine.greet();
    assert_eq!((guardian, kept.len()), (rig.guardian.id(), 1));
    assert_eq!(kept[0].0.descriptors.list().len(), 5);
    kill(service, libc::SIGUSR1);
    assert_eq!(engine.ended(1).status, libc::SIGUSR1);
    let mut another = rig.start_another();
    assert_eq!(another.wait().expect("it is our child").code(), Some(3), "it holds the lock still");
}

pub fn asked_to_end_during_an_upgrade_it_ends() {
    let mut rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let (argv, table_flag) = (rig.guardian_argv(), b"--table".to_vec());
    engine.say(&ToGuardian::Upgrade { argv, table_flag });
    kill(rig.guardian.id(), libc::SIGTERM);
    assert_eq!(engine.hear().0, FromGuardian::Terminate);
    engine.leave();
    let engine = rig.engine();
    assert!(engine.greet_the_end(), "the next one is asked too");
    // Nor does it become another image once it was asked.
    let (argv, table_flag) = (vec![b"/bin/false".to_vec()], b"--table".to_vec());
    engine.say(&ToGuardian::Upgrade { argv, table_flag });
    engine.leave();
    let engine = rig.engine();
    assert!(engine.greet_the_end());
    engine.say(&ToGuardian::Shutdown);
    engine.leave();
    assert_eq!(rig.code(), Some(0));
}

pub fn a_list_that_is_still_to_be_brought_up_is_asked_for_by_the_next_image_too() {
    let rig = Rig::resurrecting();
    let upgrade = |engine: Engine| {
        engine.greet();
        let asked = engine.hear().0 == FromGuardian::Resurrect;
        let (argv, table_flag) = (rig.guardian_argv(), b"--table".to_vec());
        engine.say(&ToGuardian::Upgrade { argv, table_flag });
        (engine, asked)
    };
    let (engine, asked) = upgrade(rig.engine());
    assert!(asked);
    engine.leave();
    let (engine, asked) = upgrade(rig.engine());
    assert!(asked, "nobody has said that it is up");
    engine.say(&ToGuardian::Ready { status: b"up".to_vec() });
    engine.leave();
    let engine = rig.engine();
    engine.greet();
    engine.shell(1, "exec sleep 1000");
}

pub fn a_child_that_is_slow_to_execute_does_not_outlive_its_guardian() {
    let mut rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    // A group whose `cgroup.procs` is a pipe that nobody reads: opening it for writing waits.
    let group = rig.path("group");
    std::fs::create_dir(&group).expect("the home is new");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, group.join("cgroup.procs"), mode).expect("it is new");
    let folder = std::fs::File::open(&group).expect("it is there");
    let executed = rig.path("executed");
    let script = format!("touch {}", executed.display());
    let launch = Launch { cgroup: true, ..shell(&script) };
    engine.pass(&ToGuardian::Spawn { run: 1, launch }, &[folder.as_fd()]);
    let guardian = rig.guardian.id();
    let slow = within(LIMIT, || children(guardian).into_iter().find(|pid| *pid != engine.pid));
    let slow = slow.expect("the child");
    wait_until("it to wait for a reader", || sleeps(slow));
    let open = std::fs::read_dir(format!("/proc/{slow}/fd")).expect("it lives");
    let open = open.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
    assert!(!open.into_iter().any(|file| file.ends_with(LOCK)), "it holds the lock of the home");
    engine.inherit();
    rig.guardian.kill().expect("it lives");
    rig.guardian.wait().expect("it is our child");
    let next = rig.engine();
    assert_eq!(next.greet().0, engine.pid, "it has taken the guardian's place");
    wait_until("the child is gone", || {
        reap_all();
        !lives(slow)
    });
    assert!(!executed.exists());
}

//! A host that misbehaves: each thing has a message and a defined end, and what runs goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::Signal;
use zelador_testbed::home::{Said, Zelador, alive, kill, said, text, until, until_within};

use crate::zelador;

/// A command of zelador behind a line of shell.
fn after(zelador: &Zelador, line: &str, words: &[&str]) -> Command {
    let own = zelador.command(words);
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("{line}; exec \"$0\" \"$@\"")).arg(own.get_program());
    command.args(own.get_args()).current_dir(zelador.app()).stdin(Stdio::null());
    for (name, value) in own.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

#[test]
fn without_descriptors_what_runs_goes_on_and_the_rest_says_why_not() {
    let zelador = zelador();
    let apps: Vec<String> = (0..8)
        .map(|index| format!("{{ name: 's{index}', script: 'sleep', args: '1000' }}"))
        .collect();
    zelador.write("eco.config.js", &format!("module.exports = {{ apps: [{}] }}", apps.join(", ")));
    let started = after(&zelador, "ulimit -n 104", &["start", "eco.config.js"]).output().unwrap();
    let started = said(&started);
    assert_eq!(started.code, 1);
    assert!(started.err.contains("zelador may not open more files"), "{}", started.err);
    let up: Vec<i32> =
        (0..8).map(|index| zelador.pid(&format!("s{index}"))).filter(|it| *it > 0).collect();
    assert_eq!(up.len(), 4, "as many as there is room for: {}", started.out);
    let engine = zelador.roles().0;
    // Room that is given back is used: by whoever asks first, so the others that wait do not.
    zelador.ok(&["stop", "s4", "s5", "s6"]);
    zelador.ok(&["delete", "s0"]);
    zelador.ok(&["start", "s7"]);
    assert_eq!(zelador.roles().0, engine, "it did not even notice");
    assert!(up[1..].iter().all(|pid| alive(*pid)));
}

#[test]
fn a_home_that_cannot_be_written_is_told_before_anything_is_started() {
    let zelador = zelador();
    let mut command = zelador.command(&["start", "sleep", "--", "1000"]);
    let refused = said(&command.env("ZELADOR_HOME", "/proc/zelador").output().unwrap());
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("the home /proc/zelador cannot be made"), "{}", refused.err);
    assert!(refused.err.contains("set ZELADOR_HOME to a folder that you may write to"));
}

#[test]
fn a_user_without_any_privilege_has_everything_but_other_users() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: every other test is that of a user without privilege");
        return;
    }
    const NOBODY: u32 = 65534;
    let zelador = zelador();
    zelador.give_to(NOBODY);
    let as_nobody =
        |words: &[&str]| said(&zelador.command(words).uid(NOBODY).gid(NOBODY).output().unwrap());
    zelador.write("tree.sh", "sleep 1000 & echo up; wait");
    let started = as_nobody(&["start", "tree.sh"]);
    assert_eq!(started.code, 0, "{}{}", started.out, started.err);
    until("it to be up", || text(zelador.home().join("logs/tree-out.log")) == "up\n");
    let pid: i32 = as_nobody(&["pid", "tree"]).out.trim().parse().unwrap();
    let children = text(format!("/proc/{pid}/task/{pid}/children"));
    let child: i32 = children.trim().parse().unwrap();
    assert_eq!(as_nobody(&["restart", "tree"]).code, 0);
    assert!(!alive(pid) && !alive(child), "its whole tree is ended without a control group");
    let other = as_nobody(&["start", "sleep", "--name", "x", "--user", "root", "--", "1"]);
    assert!(other.code == 1 && other.err.contains("root"), "{}", other.err);
    assert_eq!(as_nobody(&["kill"]).code, 0);
}

/// A user of its own; `None` where only root could become one.
struct Own<'a> {
    zelador: &'a Zelador,
    user: u32,
}

impl<'a> Own<'a> {
    fn new(zelador: &'a Zelador, user: u32) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("not run: only root can have a user of its own for it");
            return None;
        }
        zelador.give_to(user);
        Some(Self { zelador, user })
    }

    fn run(&self, words: &[&str]) -> Said {
        self.behind("true", words)
    }

    /// Behind a line of shell.
    fn behind(&self, line: &str, words: &[&str]) -> Said {
        let mut command = after(self.zelador, line, words);
        said(&command.uid(self.user).gid(self.user).output().unwrap())
    }

    fn pid(&self, name: &str) -> i32 {
        self.run(&["pid", name]).out.trim().parse().unwrap_or_default()
    }

    fn engine(&self) -> i32 {
        let said = self.run(&["ping"]).out;
        let rest = said.split("engine pid ").nth(1).unwrap_or_default();
        rest.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap_or_default()
    }
}

#[test]
fn a_fork_that_fails_is_told_and_tried_again() {
    let zelador = zelador();
    // Nobody else on this host: processes are counted by user.
    let Some(own) = Own::new(&zelador, 61_235) else { return };
    // Guardian, engine and its threads, and not many more.
    let apps: Vec<String> = (0..40)
        .map(|index| format!("{{ name: 's{index}', script: 'sleep', args: '1000', restart_delay: 100, max_restarts: 100000 }}"))
        .collect();
    zelador.write("eco.config.js", &format!("module.exports = {{ apps: [{}] }}", apps.join(", ")));
    let started = own.behind("ulimit -u 40", &["start", "eco.config.js"]);
    assert_eq!(started.code, 1, "{}", started.out);
    let said = format!("{}{}", started.out, started.err);
    assert!(said.contains("the system has no room for its process"), "{said}");
    assert!(said.contains("resource temporarily unavailable"), "{said}");
    let up = || (0..40).filter(|index| own.pid(&format!("s{index}")) > 0).collect::<Vec<_>>();
    let first = up();
    assert!((1..40).contains(&first.len()), "{first:?}");
    let engine = own.engine();
    let room: Vec<String> = first.iter().take(3).map(|index| format!("s{index}")).collect();
    let words: Vec<&str> = ["delete"].into_iter().chain(room.iter().map(String::as_str)).collect();
    assert_eq!(own.run(&words).code, 0);
    until("others to take their place", || {
        up().iter().any(|index| !first.contains(index)) || own.run(&["start", "all"]).code == 0
    });
    assert_eq!(own.engine(), engine, "the engine has not noticed");
    assert_eq!(own.run(&["kill"]).code, 0);
}

#[test]
fn a_program_that_is_being_replaced_is_started_as_soon_as_it_is_there() {
    let zelador = zelador();
    let program = zelador.app().join("svc");
    let copy = zelador.app().join("svc.new");
    fs::copy("/bin/sleep", &program).unwrap();
    zelador.start("{ name: 'svc', script: './svc', interpreter: 'none', args: '1000' }");
    // The kernel executes nothing that somebody writes to.
    fs::copy("/bin/sleep", &copy).unwrap();
    let written = fs::OpenOptions::new().append(true).open(&copy).unwrap();
    fs::rename(&copy, &program).unwrap();
    let before = zelador.pid("svc");
    kill(before, Signal::KILL);
    until("it to be refused", || {
        zelador.ok(&["show", "svc"]).out.contains("is being replaced: text file busy")
    });
    assert_ne!(zelador.status("svc"), "errored", "it is tried again");
    drop(written);
    until("it to run", || ![0, before].contains(&zelador.pid("svc")));
    assert_eq!(zelador.status("svc"), "online");
}

#[test]
fn a_home_that_becomes_read_only_costs_no_supervision() {
    let zelador = zelador();
    let Some(own) = Own::new(&zelador, 61_236) else { return };
    let started = own.run(&["start", "sleep", "--name", "a", "--", "1000"]);
    assert_eq!(started.code, 0, "{}{}", started.out, started.err);
    let (first, engine) = (own.pid("a"), own.engine());
    let set = |mode: u32, folder: u32| {
        for entry in fs::read_dir(zelador.home()).unwrap().flatten() {
            if entry.file_type().unwrap().is_file() {
                fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        fs::set_permissions(zelador.home(), fs::Permissions::from_mode(folder)).unwrap();
    };
    set(0o400, 0o500);
    kill(engine, Signal::KILL);
    until("another engine", || ![0, engine].contains(&own.engine()));
    assert_eq!(own.pid("a"), first, "it knows what it has");
    kill(first, Signal::KILL);
    until("another run", || ![0, first].contains(&own.pid("a")));
    assert_eq!(own.run(&["stop", "a"]).code, 0);
    assert_eq!(own.run(&["start", "a"]).code, 0);
    let doctor = own.run(&["doctor"]).out;
    assert!(doctor.contains("✗ home") && doctor.contains("cannot be written"), "{doctor}");
    set(0o600, 0o700);
    // What was kept in memory is written: the next engine knows it.
    let now = own.pid("a");
    let file = zelador.home().join("history.db-wal");
    let said = format!("\"pid\":{now}");
    let is_there = |bytes: Vec<u8>| bytes.windows(said.len()).any(|it| it == said.as_bytes());
    until("the state to be written", || fs::read(&file).is_ok_and(is_there));
    let engine = own.engine();
    kill(engine, Signal::KILL);
    until("another engine", || ![0, engine].contains(&own.engine()));
    assert_eq!(own.pid("a"), now);
    assert_eq!(own.run(&["kill"]).code, 0);
}

#[test]
fn a_home_on_a_full_disk_costs_no_supervision_and_the_history_comes_last() {
    let zelador = zelador();
    let options = c"size=2m,mode=700";
    if let Err(error) = mount("tmpfs", zelador.home(), "tmpfs", MountFlags::empty(), Some(options))
    {
        println!("not run: a tmpfs cannot be mounted here: {error}");
        return;
    }
    let _mounted = Mounted(zelador.home());
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let ballast = zelador.home().join("ballast");
    // To the last byte, also of the page that zelador's own log ends in.
    for path in [&ballast, &zelador.home().join("zelador.log")] {
        _ = Command::new("sh").arg("-c").arg("cat /dev/zero >> \"$0\"").arg(path).output();
    }
    let a = zelador.pid("a");
    kill(a, Signal::KILL);
    until("another run", || ![0, a].contains(&zelador.pid("a")));
    for _ in 0..3 {
        zelador.ok(&["restart", "a"]);
    }
    let (engine, a) = (zelador.roles().0, zelador.pid("a"));
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(it, _)| it != engine));
    // What could not be written, the guardian knows: which runs there are, and of what.
    until("it to run", || zelador.status("a") == "online");
    assert_eq!(zelador.pid("a"), a, "it is the run that was there");
    // Where the guardian is lost too, the processes themselves say it.
    let (engine, guardian) = zelador.roles();
    kill(engine, Signal::STOP);
    kill(guardian, Signal::KILL);
    kill(engine, Signal::KILL);
    until("both to be gone", || !alive(engine) && !alive(guardian));
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    until("it to run", || zelador.status("a") == "online");
    assert_eq!(zelador.pid("a"), a, "it is adopted, and not doubled");
    fs::remove_file(&ballast).unwrap();
    zelador.ok(&["restart", "a"]);
    zelador.ok(&["stop", "a"]);
    let engine = zelador.roles().0;
    until("the history to be written", || {
        fs::metadata(zelador.home().join("history.db-wal")).is_ok_and(|it| it.len() > 0)
    });
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(it, _)| it != engine));
    assert_eq!(zelador.status("a"), "stopped");
    zelador.ok(&["kill"]);
}

/// A mount that is taken away again.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_host_that_hides_processes_of_others_is_no_hindrance() {
    let zelador = zelador();
    let Some(_own) = Own::new(&zelador, 61_237) else { return };
    zelador.write("tree.sh", "sleep 1000 & setsid sleep 1001 & echo up; wait");
    let own = zelador.command(&[]);
    let script = format!(
        "mount -t proc -o hidepid=2 proc /proc || exit 77
         exec setpriv --reuid 61237 --regid 61237 --clear-groups sh -c '
           test -e /proc/1/stat && exit 77
           z={0}; $z start tree.sh || exit 1; $z restart tree || exit 2; $z doctor | grep hidepid || exit 3
           $z list; $z stop tree || exit 4; $z kill || exit 5'",
        own.get_program().to_string_lossy()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "sh", "-c", &script]).current_dir(zelador.app());
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let done = said(&command.output().unwrap());
    if done.code == 77 || done.err.contains("unshare:") {
        println!("not run: processes cannot be hidden here: {}", done.err);
        return;
    }
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
}

#[test]
fn a_clock_that_jumps_by_hours_and_a_host_that_sleeps_restart_nothing() {
    let zelador = zelador();
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    ];
    let library = library.into_iter().find(|path| fs::metadata(path).is_ok());
    let library = library.expect("./test installs faketime");
    let clock = zelador.write("clock", "+0\n");
    let mut start = zelador.command(&["start", "eco.config.js"]);
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [
          { name: 'idle', script: 'sleep', args: '100000' },
          { name: 'hourly', script: 'sleep', args: '100000', cron_restart: '0 * * * *' },
          { name: 'dies', script: 'sh', args: ['-c', 'sleep 0.3; exit 1'], restart_delay: 100, max_restarts: 100000 }] }",
    );
    start.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
    start.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let started = said(&start.output().unwrap());
    assert_eq!(started.code, 0, "{}{}", started.out, started.err);
    let (engine, guardian) = zelador.roles();
    let idle = zelador.pid("idle");
    let log = || text(zelador.home().join("zelador.log"));
    for (jump, seen) in [("+7h", 1), ("-9h", 2), ("+0", 3)] {
        fs::write(&clock, format!("{jump}\n")).unwrap();
        until("the jump to be noticed", || log().matches("the wall clock was set").count() >= seen);
        let deaths = zelador.restarts("dies");
        // One is enough: starts after deaths in a row come later each time.
        until_within("a death to be dealt with as before", Duration::from_secs(40), || {
            zelador.restarts("dies") > deaths
        });
        assert_eq!((zelador.pid("idle"), zelador.restarts("idle")), (idle, 0), "{jump}");
        // An hour that was jumped over is no reason to restart again and again.
        assert!(
            zelador.restarts("hourly") <= seen as u64,
            "{jump}: {}",
            zelador.restarts("hourly")
        );
    }
    // The whole host stands still, and goes on.
    let all = [guardian, engine, idle];
    all.iter().for_each(|pid| kill(*pid, Signal::STOP));
    std::thread::park_timeout(Duration::from_secs(3));
    all.iter().for_each(|pid| kill(*pid, Signal::CONT));
    until("it to answer", || zelador.roles_now().is_some());
    assert_eq!((zelador.roles(), zelador.pid("idle")), ((engine, guardian), idle));
}

//! What a service is started with, and what is said when it cannot be.

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zelador_guardian::message::{FromGuardian, Launch, Stage, Stream, ToGuardian, Why};

use crate::processes::wait_until;
use crate::rig::{Rig, line, shell};

pub fn failures_name_their_stage() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let text = rig.path("text");
    fs::write(&text, "no program\n").expect("the home is writable");
    let program = |path: &[u8]| Launch { program: path.to_vec(), ..shell("") };
    let fail = |launch: Launch| {
        engine.say(&ToGuardian::Spawn { run: 9, launch });
        match engine.hear().0 {
            FromGuardian::SpawnFailed { run: 9, stage, errno } => (stage, errno),
            other => panic!("not failed but {other:?}"),
        }
    };
    assert_eq!(fail(program(b"/does/not/exist")), (Stage::Exec, libc::ENOENT));
    let plain = text.as_os_str().as_bytes();
    assert_eq!(fail(program(plain)), (Stage::Exec, libc::EACCES));
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).expect("it is ours");
    assert_eq!(fail(program(plain)), (Stage::Exec, libc::ENOEXEC));
    let cwd = Launch { cwd: b"/does/not/exist".into(), ..shell("") };
    assert_eq!(fail(cwd), (Stage::Directory, libc::ENOENT));
    let cwd = Launch { cwd: plain.into(), ..shell("") };
    assert_eq!(fail(cwd), (Stage::Directory, libc::ENOTDIR));
    assert_eq!(fail(shell("zero \0 byte")), (Stage::Exec, libc::EINVAL));
    let out = Launch { out: Stream::SameAsOut, ..shell("") };
    assert_eq!(fail(out), (Stage::Pipes, libc::EINVAL));
    assert_eq!(fail(Launch { cgroup: true, ..shell("") }), (Stage::Cgroup, libc::EBADF));
    let nofile = Launch { nofile: Some(1 << 62), ..shell("") };
    assert_eq!(fail(nofile), (Stage::Limits, libc::EPERM));
    // A failed run does not exist: the number is free.
    engine.shell(9, "exit 0");
    engine.ended(9);
}

pub fn requests_about_the_wrong_run_are_refused() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let refused = |message: &ToGuardian| {
        engine.say(message);
        match engine.hear().0 {
            FromGuardian::Refused { why, .. } => why,
            other => panic!("not refused but {other:?}"),
        }
    };
    engine.shell(1, "exec sleep 1000");
    assert_eq!(refused(&ToGuardian::Spawn { run: 1, launch: shell("") }), Why::Taken);
    assert_eq!(refused(&ToGuardian::Spawn { run: u64::MAX, launch: shell("") }), Why::Taken);
    assert_eq!(refused(&ToGuardian::Release { run: 1 }), Why::Living);
    assert_eq!(refused(&ToGuardian::Release { run: 2 }), Why::Unknown);
    assert_eq!(refused(&ToGuardian::Linger { run: 2, on: true }), Why::Unknown);
    let signal = ToGuardian::Signal { run: 1, signal: 200, group: false };
    assert_eq!(refused(&signal), Why::Failed(libc::EINVAL));
    engine.say(&ToGuardian::Signal { run: 1, signal: 9, group: true });
    engine.ended(1);
    assert_eq!(refused(&ToGuardian::Signal { run: 1, signal: 9, group: false }), Why::Gone);
    engine.say(&ToGuardian::Release { run: 1 });
    assert_eq!(refused(&ToGuardian::Release { run: 1 }), Why::Unknown);
}

pub fn a_large_environment_arrives() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let mut launch = shell("echo ${#A} ${#B} ${#C}");
    for (name, length) in [("A", 100_000), ("B", 100_001), ("C", 100_002)] {
        launch.env.push(format!("{name}={}", "x".repeat(length)).into());
    }
    engine.say(&ToGuardian::Spawn { run: 1, launch });
    let (_, fds) = engine.spawned(1);
    assert_eq!(line(&fds), "100000 100001 100002");
}

pub fn a_service_gets_a_clean_state() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let script = "grep -E '^(Sig(Blk|Ign)|Cpus_allowed):' /proc/self/status; ls /proc/self/fd | tr '\\n' ' '; \
                  echo; ps -o pid=,sid=,pgid= $$ || echo $$ $$ $$; readlink /proc/self/fd/0; \
                  ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; echo $PATH; env | wc -l";
    let (pid, fds) = engine.shell(1, script);
    let clean = "0000000000000000";
    assert_eq!(line(&fds), format!("SigBlk:\t{clean}"));
    assert_eq!(line(&fds), format!("SigIgn:\t{clean}"));
    let status = fs::read_to_string("/proc/self/status").expect("always there");
    let own = status.lines().find(|line| line.starts_with("Cpus_allowed:"));
    assert_eq!(Some(line(&fds).as_str()), own, "it may run wherever the guardian may");
    // The fourth is the directory that `ls` reads.
    assert_eq!(line(&fds), "0 1 2 3 ");
    let ids: Vec<_> = line(&fds).split_whitespace().map(str::to_owned).collect();
    assert_eq!(ids, vec![pid.to_string(); 3]);
    assert_eq!(line(&fds), "/dev/null");
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    unsafe { libc::prlimit64(0, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit) };
    let shown = |value: u64| if value == u64::MAX { "unlimited".into() } else { value.to_string() };
    assert_eq!(line(&fds), shown(limit.rlim_cur), "the guardian's parent has the original limit");
    assert_eq!(line(&fds), shown(limit.rlim_max));
    let score = fs::read_to_string("/proc/self/oom_score_adj").expect("always there");
    assert_eq!(line(&fds), score.trim());
    assert_eq!(line(&fds), "/usr/bin:/bin");
    // PATH, and PWD, OLDPWD or SHLVL that the shell adds: nothing of ours.
    assert!(line(&fds).trim().parse::<u32>().expect("a number") <= 4);
}

pub fn a_service_gets_its_user_directory_limit_and_cgroup() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    // No real group, in which nobody can be born: it is entered.
    fs::write(rig.path("cgroup.procs"), "").expect("the home is writable");
    let group = fs::File::open(rig.path("")).expect("it is there");
    let root = rustix::process::geteuid().is_root();
    let launch = Launch {
        cwd: b"/usr".into(),
        nofile: Some(77),
        uid: root.then_some(65_534),
        gid: root.then_some(65_533),
        cgroup: true,
        extras: Box::default(),
        ..shell("pwd; ulimit -Sn; id -u; id -g; id -G")
    };
    engine.pass(&ToGuardian::Spawn { run: 1, launch: launch.clone() }, &[group.as_fd()]);
    let (_, fds) = engine.spawned(1);
    assert_eq!(fs::read(rig.path("cgroup.procs")).expect("it exists"), b"0");
    assert_eq!(line(&fds), "/usr");
    assert_eq!(line(&fds), "77");
    engine.ended(1);
    if root {
        let ids: Vec<_> = (0..3).map(|_| line(&fds)).collect();
        assert_eq!(ids, ["65534", "65533", "65533"], "root's groups are dropped");
        let launch = Launch { groups: Some(vec![5, 6]), cgroup: false, ..launch };
        engine.say(&ToGuardian::Spawn { run: 2, launch });
        let (_, fds) = engine.spawned(2);
        let lines: Vec<_> = (0..5).map(|_| line(&fds)).collect();
        assert_eq!(lines[4], "65533 5 6");
    }
}

pub fn a_service_is_born_in_its_group() {
    let Some(group) = Group::new() else {
        eprintln!("this host lets us have no group in cgroup v2: nothing to see");
        return;
    };
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let launch = Launch { cgroup: true, ..shell("grep '^0:' /proc/self/cgroup") };
    let folder = fs::File::open(&group.0).expect("it was made");
    engine.pass(&ToGuardian::Spawn { run: 1, launch }, &[folder.as_fd()]);
    let (_, fds) = engine.spawned(1);
    let name = group.0.file_name().and_then(|name| name.to_str()).expect("it is ours");
    assert!(line(&fds).ends_with(&format!("/{name}")));
    engine.ended(1);
}

/// A group of cgroup v2 next to everything else, removed in the end.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let name = format!("zelador-test-{}", std::process::id());
        let folder = Path::new(mount).join(own).join(name);
        fs::create_dir(&folder).ok().map(|()| Self(folder))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        _ = fs::remove_dir(&self.0);
    }
}

pub fn pipes_block_for_the_service_and_not_for_us() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    // More than the pipe holds: with a non-blocking end `head` would fail.
    let script = "head -c 3000000 /dev/zero && echo done";
    let launch = Launch { err: Stream::Pipe, ..shell(script) };
    engine.say(&ToGuardian::Spawn { run: 1, launch });
    let (_, fds) = engine.spawned(1);
    for capture in fds.out.iter().chain(&fds.err) {
        for end in [&capture.pipe, &capture.hold_read, &capture.hold_write] {
            let flags = rustix::fs::fcntl_getfl(end).expect("it is open");
            assert!(flags.contains(OFlags::NONBLOCK));
            let flags = rustix::io::fcntl_getfd(end).expect("it is open");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
        let mut hold = fs::File::from(capture.hold_write.try_clone().expect("some are left"));
        hold.write_all(b"held").expect("it is empty");
        let mut bytes = [0; 9];
        assert_eq!(rustix::io::read(&capture.hold_read, &mut bytes), Ok(4));
    }
    let text = line(&fds);
    assert_eq!(text.len(), 3_000_000 + "done".len());
    assert_eq!(engine.ended(1).status, 0);
    let mut byte = [0];
    let out = fds.out.expect("a pipe").pipe;
    assert_eq!(rustix::io::read(&out, &mut byte), Ok(0), "the end is seen: nobody else writes");
    let state = rustix::fs::fstat(fds.state.expect("a state")).expect("it is open");
    assert_eq!(state.st_size as u64, zelador_guardian::STATE_SIZE);
}

pub fn a_service_reads_its_input_and_speaks_over_its_channel() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let script = "read said; echo \"$said\"; echo from here >&3; read heard <&3; echo \"$heard\"; read end || echo closed";
    let launch = Launch { input: true, channel: true, ..shell(script) };
    engine.say(&ToGuardian::Spawn { run: 1, launch });
    let (_, mut fds) = engine.spawned(1);
    let (input, channel) = (fds.input.take().expect("asked for"), fds.channel.take().expect("too"));
    for ours in [&input, &channel] {
        let flags = rustix::fs::fcntl_getfl(ours).expect("it is open");
        assert!(flags.contains(OFlags::NONBLOCK));
    }
    rustix::io::write(&input, b"a line\n").expect("it is empty");
    assert_eq!(line(&fds), "a line");
    let mut bytes = [0; 64];
    wait_until("it has spoken", || rustix::io::read(&channel, &mut bytes) == Ok(10));
    assert_eq!(&bytes[..10], b"from here\n");
    rustix::io::write(&channel, b"an answer\n").expect("it is empty");
    assert_eq!(line(&fds), "an answer");
    // The guardian keeps both ends of ours: losing the engine's copies is no end for the service.
    drop((input, channel));
    engine.kill();
    let engine = rig.engine();
    let (_, _, mut kept) = engine.greet();
    let (again, _) = kept.pop().expect("it lives");
    rustix::io::write(again.descriptors.input.expect("kept"), b"end\n").expect("it is read");
    assert_eq!(engine.ended(1).status, 0);
}

//! A host that misbehaves: each thing has a message and a defined end, and what runs goes on.

use std::process::{Command, Stdio};

use zelador_testbed::home::{Zelador, alive, said, text, until};

use crate::zelador;

/// A command of zelador behind a line of shell.
fn after(zelador: &Zelador, line: &str, words: &[&str]) -> Command {
    let own = zelador.command(words);
    let mut command = Command::new("sh");
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
    let started = after(&zelador, "ulimit -n 136", &["start", "eco.config.js"]).output().unwrap();
    let started = said(&started);
    assert_eq!(started.code, 1);
    assert!(started.err.contains("zelador may not open more files"), "{}", started.err);
    let up: Vec<i32> =
        (0..8).map(|index| zelador.pid(&format!("s{index}"))).filter(|it| *it > 0).collect();
    assert_eq!(up.len(), 4, "as many as there is room for: {}", started.out);
    let engine = zelador.roles().0;
    // Room that is given back is used.
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
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        println!("not run: every other test is that of a user without privilege");
        return;
    }
    const NOBODY: u32 = 65534;
    let zelador = zelador();
    let folder = zelador.home().parent().unwrap().to_owned();
    for path in [&folder, &zelador.app()] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
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

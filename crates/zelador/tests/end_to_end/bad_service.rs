//! Services that misbehave: each is ended whole, and zelador's own memory stays bounded.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, said, text, until, until_within};

use crate::zelador;

/// What engine and guardian may use together, whatever services do, in KiB (PSS): the claim of
/// docs/guarantees.md, for a build without optimization.
const BOUND: u64 = 64 << 10;

fn assert_bounded(zelador: &Zelador) {
    let used = zelador.own_memory();
    println!("zelador uses {used} KiB");
    assert!((1..BOUND).contains(&used), "zelador uses {used} KiB, {BOUND} are claimed");
}

#[test]
fn a_gigabyte_without_a_line_end_is_written_and_not_kept() {
    let zelador = zelador();
    let megabytes = env::var("ZELADOR_FLOOD").unwrap_or_else(|_| "1000".to_owned());
    let bytes: u64 = megabytes.parse::<u64>().unwrap() * 1_000_000;
    zelador.ok(&["set", "pm2-logrotate:retain", "3"]);
    zelador.start(&format!(
        "{{ name: 'flood', script: 'sh', args: ['-c', 'head -c {bytes} /dev/zero | tr \"\\\\0\" x; touch done; exec sleep 1000'] }}"
    ));
    let mut most = 0;
    until_within("all of it", Duration::from_secs(200), || {
        most = most.max(zelador.own_memory());
        zelador.app().join("done").exists()
    });
    println!("zelador used {most} KiB at the most");
    assert!(most < BOUND, "zelador used {most} KiB, {BOUND} are claimed");
    assert_eq!((zelador.status("flood").as_str(), zelador.restarts("flood")), ("online", 0));
}

#[test]
fn what_exits_at_once_thousands_of_times_costs_no_memory() {
    let zelador = zelador();
    let times: u64 = env::var("ZELADOR_EXITS").ok().and_then(|it| it.parse().ok()).unwrap_or(2000);
    zelador.start("{ name: 'quick', script: '/bin/true', interpreter: 'none', max_restarts: 100000000, min_uptime: 100 }");
    let begun = Instant::now();
    until_within("some to warm up", Duration::from_mins(1), || zelador.restarts("quick") > 200);
    let before = zelador.own_heap();
    until_within("so many", Duration::from_mins(3), || zelador.restarts("quick") >= times);
    let after = zelador.own_heap();
    println!("{times} exits in {:?}: {before} KiB, then {after} KiB", begun.elapsed());
    assert!(after < before + 8 * 1024, "{before} KiB, then {after} KiB");
    assert_bounded(&zelador);
    zelador.ok(&["stop", "quick"]);
    assert_eq!(zelador.status("quick"), "stopped");
}

#[test]
fn binary_and_closed_output_harm_nothing() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'binary', script: 'sh', args: ['-c', 'head -c 3000000 /dev/urandom; echo; head -c 1000 /dev/urandom >&2; touch done; exec sleep 1000'] },
         { name: 'closed', script: 'sh', args: ['-c', 'exec >&- 2>&- <&-; exec sleep 1000'] }",
    );
    until("all of it", || zelador.app().join("done").exists());
    let log = zelador.home().join("logs/binary-out.log");
    until("its log", || fs::metadata(&log).is_ok_and(|it| it.len() == 3_000_001));
    assert_eq!(zelador.run(&["logs", "binary", "--nostream", "--lines", "5"]).code, 0);
    assert_eq!([zelador.status("binary"), zelador.status("closed")], ["online", "online"]);
    assert_bounded(&zelador);
    let pid = zelador.pid("closed");
    zelador.ok(&["restart", "closed"]);
    assert!(!alive(pid));
}

#[test]
fn what_sleeps_uninterruptibly_is_killed_as_soon_as_the_kernel_lets_it_go() {
    let zelador = zelador();
    // A parent in `vfork` waits in state D until its child lets go; a signal does not reach it.
    zelador.write(
        "deaf.c",
        "#define _GNU_SOURCE\n#include <unistd.h>\n#include <signal.h>\n#include <stdio.h>\n
         int main(void) { signal(SIGINT, SIG_IGN); signal(SIGTERM, SIG_IGN);
         if (vfork() == 0) { for (;;) pause(); } return 0; }",
    );
    let mut compiler = Command::new("cc");
    compiler.args(["-w", "-o", "deaf", "deaf.c"]).current_dir(zelador.app());
    assert!(compiler.status().unwrap().success());
    zelador.start("{ name: 'deaf', script: './deaf', interpreter: 'none', kill_timeout: 300 }");
    let pid = zelador.pid("deaf");
    let state = || {
        let stat = text(format!("/proc/{pid}/stat"));
        stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next()
    };
    until("it to wait", || state() == Some('D'));
    let begun = Instant::now();
    zelador.ok(&["stop", "deaf"]);
    assert!(!alive(pid) && begun.elapsed() < Duration::from_secs(15));
    assert_eq!(zelador.status("deaf"), "stopped");
}

#[test]
fn memory_that_is_taken_at_once_is_noticed_and_costs_zelador_nothing() {
    let zelador = zelador();
    zelador.write("hog.js", "const b = Buffer.alloc(250 << 20, 1); setInterval(() => b[0], 1000)");
    zelador
        .start("{ name: 'hog', script: 'hog.js', max_memory_restart: '100M', max_restarts: 50 }");
    until("it to be restarted", || zelador.restarts("hog") >= 2);
    assert_bounded(&zelador);
}

#[test]
fn a_fork_bomb_is_ended_whole() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can have a user of its own for it");
        return;
    }
    // Nobody else on this host: its processes are counted by user.
    const BOMBER: u32 = 61_234;
    let zelador = zelador();
    zelador.give_to(BOMBER);
    let own = |words: &[&str]| {
        let mut command = zelador.command(words);
        said(&command.uid(BOMBER).gid(BOMBER).output().unwrap())
    };
    zelador.write(
        "bomb.sh",
        "ulimit -u 150\nbomb() { bomb | bomb & }\nbomb 2>/dev/null\nexec sleep 1000\n",
    );
    let started = own(&["start", "bomb.sh", "--max-restarts", "3"]);
    assert_eq!(started.code, 0, "{}{}", started.out, started.err);
    let processes = || -> Vec<i32> {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let mine = all.filter(|it| {
            let status = text(it.path().join("status"));
            status.lines().any(|line| line.starts_with(&format!("Uid:\t{BOMBER}\t")))
        });
        mine.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
    };
    until("it to go off", || processes().len() > 30);
    let deleted = own(&["delete", "bomb"]);
    assert_eq!(deleted.code, 0, "{}{}", deleted.out, deleted.err);
    until_within("only zelador to be left", Duration::from_mins(1), || processes().len() <= 2);
    let list = own(&["jlist"]);
    assert_eq!(list.out.trim(), "[]");
    assert_eq!(own(&["kill"]).code, 0);
    processes().into_iter().for_each(|pid| kill(pid, Signal::KILL));
}

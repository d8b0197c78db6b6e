//! Deaths, delays, limits, stops.

use rustix::process::Signal;
use zelador_testbed::home::{alive, free_port, http_get, kill, text, until};

use crate::{SERVER, zelador};

#[test]
fn the_sample_file_runs_as_it_is() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{{ name: 'servidor-automacao', script: 'server.js', instances: 1, exec_mode: 'fork',
  autorestart: true, max_restarts: 10, min_uptime: '10s', restart_delay: 4000, max_memory_restart: '500M',
  error_file: './logs/pm2-error.log', out_file: './logs/pm2-out.log', log_date_format: 'YYYY-MM-DD HH:mm:ss Z', merge_logs: true,
  env: {{ NODE_ENV: 'production', PORT: {port} }}, watch: false, ignore_watch: ['node_modules', 'logs', '.git'],
  exp_backoff_restart_delay: 100, kill_timeout: 5000, listen_timeout: 3000, cron_restart: '0 3 * * *' }}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("the server to answer", || http_get(port, "/").is_some_and(|(code, _)| code == 200));
    let entry = zelador.entry("servidor-automacao");
    assert_eq!(entry["pm2_env"]["status"], "online");
    assert_eq!(entry["pm2_env"]["max_memory_restart"], 500 << 20);
    assert_eq!(entry["pm2_env"]["NODE_ENV"], "production");
    assert_eq!(entry["pm2_env"]["exec_mode"], "fork_mode");
    let log = zelador.app().join("logs/pm2-out.log");
    until("the line to be logged", || text(&log).contains("listening"));
    let line = text(&log).lines().next().unwrap().to_owned();
    let date = line.split(": ").next().unwrap();
    assert!(date.len() == "2026-01-01 00:00:00 +00:00".len(), "a date stands before: {line}");
}

#[test]
fn a_death_is_followed_by_a_start_and_its_exact_status_is_shown() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.start(&format!("{{ name: 'web', script: 'server.js', env: {{ PORT: {port} }} }}"));
    until("it to answer", || http_get(port, "/").is_some());
    let before = zelador.pid("web");
    _ = http_get(port, "/crash");
    until("another process", || ![0, before].contains(&zelador.pid("web")));
    until("it to answer again", || http_get(port, "/").is_some());
    assert_eq!(zelador.restarts("web"), 1);
    assert!(zelador.ok(&["show", "web"]).out.contains("exited with code 7"));
    kill(zelador.pid("web"), Signal::SEGV);
    until("the second start", || zelador.restarts("web") == 2);
    assert!(zelador.ok(&["show", "web"]).out.contains("SIGSEGV"));
}

#[test]
fn what_keeps_dying_is_given_up_and_tried_again_later() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'bad', script: 'sh', args: ['-c', 'echo try; exit 1'], max_restarts: 3, half_open_after: '2s' }",
    );
    until("it to be given up", || zelador.status("bad") == "errored");
    assert_eq!(zelador.restarts("bad"), 2, "three runs are two restarts");
    assert_eq!(zelador.incidents()[0]["trouble"], "crash-loop");
    until("a trial", || zelador.restarts("bad") >= 3);
    until("it to be given up again", || zelador.status("bad") == "errored");
}

#[test]
fn the_delay_grows_by_half_each_time() {
    let zelador = zelador();
    let log = zelador.app().join("times");
    zelador.start(&format!(
        "{{ name: 'slow', script: 'sh', args: ['-c', 'date +%s%N >> {}; exit 1'], exp_backoff_restart_delay: 200, max_restarts: 6 }}",
        log.display()
    ));
    until("six runs", || text(&log).lines().count() == 6);
    let times: Vec<i64> = text(&log).lines().map(|line| line.parse().unwrap()).collect();
    let gaps: Vec<i64> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect();
    for (gap, least) in gaps.iter().zip([200, 300, 450, 675, 1012]) {
        assert!(*gap >= least, "{gaps:?}: PM2's series is 200, 300, 450, 675, 1012");
    }
}

#[test]
fn the_memory_of_the_whole_tree_counts() {
    let zelador = zelador();
    let child = "const b = Buffer.alloc(150<<20, 1); setInterval(()=>b[0], 1e3)";
    zelador.write(
        "tree.js",
        &format!("require('child_process').spawn(process.execPath, ['-e', '{child}'], {{stdio:'inherit'}}); setInterval(()=>{{}}, 1e3)"),
    );
    zelador
        .start("{ name: 'tree', script: 'tree.js', max_memory_restart: '120M', max_restarts: 50 }");
    until("it to be restarted", || zelador.restarts("tree") >= 1);
}

#[test]
fn what_ignores_every_signal_is_killed_with_all_its_children() {
    let zelador = zelador();
    let pids = zelador.app().join("pids");
    zelador.write(
        "deaf.sh",
        &format!(
            "trap '' INT TERM\necho $$ > {0}\n(trap '' INT TERM; while :; do sleep 1000; done) & echo $! >> {0}\n\
             setsid sh -c 'trap \"\" INT TERM; echo $$ >> {0}; while :; do sleep 1000; done' &\nwhile :; do sleep 1000; done\n",
            pids.display()
        ),
    );
    zelador.start("{ name: 'deaf', script: 'deaf.sh', kill_timeout: 500 }");
    until("three processes", || text(&pids).lines().count() == 3);
    let all: Vec<i32> = text(&pids).lines().map(|line| line.parse().unwrap()).collect();
    assert!(all.iter().all(|pid| alive(*pid)));
    zelador.ok(&["stop", "deaf"]);
    assert_eq!(zelador.status("deaf"), "stopped");
    until("all of them to be gone", || !all.iter().any(|pid| alive(*pid)));
}

/// What it leaves holds a port and a good deal of memory, and out for the whole grace.
const HOLDER: &str = "
import os, signal, socket, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
held = bytearray(b'x' * (400 << 20))
port = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
print('held', flush=True)
os.closerange(0, 3)
time.sleep(1000)
";

#[test]
fn the_next_run_begins_when_nothing_is_left_of_the_one_before() {
    let zelador = zelador();
    zelador.write("holder.py", HOLDER);
    zelador.write(
        "app.sh",
        "(exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null && echo taken
         setsid python3 holder.py &
         exec sleep 1000",
    );
    let port = free_port();
    zelador.start(&format!(
        "{{ name: 'a', script: 'app.sh', kill_timeout: 200, env: {{ PORT: {port} }} }}"
    ));
    let log = || text(zelador.home().join("logs/a-out.log"));
    for runs in 1..=4 {
        until("the port to be held", || log().matches("held").count() == runs);
        zelador.ok(&["restart", "a"]);
    }
    until("the port to be held", || log().matches("held").count() == 5);
    assert!(!log().contains("taken"), "{}", log());
}

#[test]
fn what_left_the_group_is_asked_to_end_although_its_parent_is_gone_at_once() {
    let zelador = zelador();
    let heard = zelador.app().join("heard");
    zelador.write(
        "child.py",
        "import signal\nsignal.signal(signal.SIGINT, lambda *_: exit(print('asked', file=open('heard', 'a'))))\n\
         print('begun', file=open('begun', 'a'))\nsignal.pause()",
    );
    zelador.write("app.sh", "setsid python3 child.py &\nexec sleep 1000");
    zelador.start("{ name: 'a', script: 'app.sh', kill_timeout: 5000 }");
    for runs in 1..=10 {
        until("its child", || text(zelador.app().join("begun")).lines().count() == runs);
        zelador.ok(&["restart", "a"]);
        assert_eq!(text(&heard).lines().count(), runs);
    }
}

#[test]
fn what_forks_away_is_swept_and_named() {
    let zelador = zelador();
    let pids = zelador.app().join("pids");
    zelador.start(&format!(
        "{{ name: 'away', script: 'sh', args: ['-c', 'setsid sh -c \"echo \\\\$\\\\$ >> {}; sleep 1000\" & sleep 0.2'], max_restarts: 2 }}",
        pids.display()
    ));
    until("it to be given up", || zelador.status("away") == "errored");
    let all: Vec<i32> = text(&pids).lines().filter_map(|line| line.parse().ok()).collect();
    assert!(!all.is_empty());
    until("what forked away to be gone", || !all.iter().any(|pid| alive(*pid)));
}

#[test]
fn a_run_has_a_control_group_that_nothing_leaves_and_that_goes_with_it() {
    let zelador = zelador();
    let pids = zelador.app().join("pids");
    // Nothing tells whose child this is but the group: no mark, no parent, no session.
    let orphan =
        format!("env -i setsid sh -c 'echo $$ >> {}; sleep 1000' & sleep 0.3", pids.display());
    zelador.write("away.sh", &orphan);
    zelador.start("{ name: 'stays', script: 'sleep', args: '1000' }, { name: 'away', script: 'away.sh', max_restarts: 2 }");
    let own = text(format!("/proc/{}/cgroup", zelador.pid("stays")));
    let group =
        own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned();
    if !group.contains("zelador-") {
        // This host allows none, and zelador has said so.
        let said = text(zelador.home().join("zelador.log"));
        let none = !text("/proc/self/mountinfo").contains(" - cgroup2 ");
        assert!(none || said.contains("no control groups here"), "{own}{said}");
        return;
    }
    until("it to be given up", || zelador.status("away") == "errored");
    let all: Vec<i32> = text(&pids).lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(all.len(), 2);
    until("what forked away to be gone", || !all.iter().any(|pid| alive(*pid)));
    let mounts = text("/proc/self/mountinfo");
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).unwrap();
    let folder = format!("{}{group}", mount.split(' ').nth(4).unwrap());
    assert!(std::path::Path::new(&folder).is_dir(), "{folder}");
    zelador.ok(&["kill"]);
    until("its group to be gone", || !std::path::Path::new(&folder).parent().unwrap().exists());
}

#[test]
fn cron_restarts_what_is_up_and_nothing_that_a_person_stopped() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'up', script: 'sleep', args: '1000', cron_restart: '* * * * * *' },
         { name: 'down', script: 'sleep', args: '1000', cron_restart: '* * * * * *' }",
    );
    zelador.ok(&["stop", "down"]);
    let before = zelador.restarts("down");
    until("two restarts by the clock", || zelador.restarts("up") >= 2);
    assert_eq!((zelador.status("down").as_str(), zelador.restarts("down")), ("stopped", before));
}

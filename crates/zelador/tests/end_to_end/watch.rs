//! Restarts because files changed, with real files.

use std::fs;

use std::process::Command;

use zelador_testbed::home::{Zelador, said, text, until};

use crate::zelador;

#[test]
fn a_change_restarts_the_app_and_the_file_is_named() {
    let zelador = zelador();
    fs::create_dir(zelador.app().join("src")).unwrap();
    zelador.write("src/x.js", "1");
    zelador.start("{ name: 'api', script: 'sleep', args: '1000', watch: true, instances: 2, exec_mode: 'fork' }");
    let folders = || zelador.ok(&["show", "api"]).out;
    until("its folders to be watched", || folders().contains("folders: 2"));
    zelador.write("src/x.js", "2");
    until("a restart of both", || {
        zelador
            .jlist()
            .iter()
            .all(|it| it["pm2_env"]["restart_time"] == 1 && it["pm2_env"]["status"] == "online")
    });
    let shown = zelador.ok(&["show", "api"]).out;
    assert!(shown.contains("last change: src/x.js"), "{shown}");
    assert!(own_log(&zelador).contains("src/x.js changed"), "why");
    assert!(!shown.contains("last deaths"), "it is no death: {shown}");
    assert_eq!(zelador.entry("api")["pm2_env"]["watch"], true);
    // Stopped is stopped, and the next start watches again.
    zelador.ok(&["stop", "api"]);
    zelador.write("src/x.js", "3");
    assert!(zelador.ok(&["show", "api"]).out.contains("when it is started"));
    zelador.ok(&["start", "api"]);
    until("its folders to be watched", || folders().contains("folders: 2"));
    let before = zelador.restarts("api");
    zelador.write("src/x.js", "4");
    until("a restart", || zelador.restarts("api") == before + 1);
}

#[test]
fn logs_and_pid_files_below_the_watched_folder_restart_nothing() {
    let zelador = zelador();
    // In its home, below the watched folder too, zelador itself writes all the time.
    zelador.write(
        "app.js",
        "let n = 0; setInterval(() => { console.log('line', n); console.error(n++) }, 5)",
    );
    zelador.start(
        "{ name: 'api', script: 'app.js', watch: ['.', '..'], out_file: 'out/all.txt', error_file: 'out/all.txt',
           pid_file: 'run/api', ignore_watch: ['data'] }",
    );
    until("its folders to be watched", || zelador.ok(&["show", "api"]).out.contains("folders: "));
    let log = zelador.app().join("out/all.txt");
    until("many lines", || text(&log).lines().count() > 200);
    fs::create_dir(zelador.app().join("data")).unwrap();
    fs::write(zelador.app().join("data/x"), "x").unwrap();
    zelador.ok(&["save"]);
    zelador.write("other.js", "");
    until("the restart that was meant", || zelador.restarts("api") > 0);
    let lines = text(&log).lines().count();
    until("many lines more", || text(&log).lines().count() > lines + 200);
    assert_eq!(zelador.restarts("api"), 1);
    assert!(zelador.ok(&["show", "api"]).out.contains("last change: other.js"));
}

#[test]
fn options_of_start_are_those_of_a_file() {
    let zelador = zelador();
    zelador.write("hello.sh", "sleep 1000\n");
    zelador.ok(&[
        "start",
        "--watch",
        "hello.sh",
        "--ignore-watch",
        "tmp *.css",
        "--watch-delay",
        "0.2",
    ]);
    until("it to be watched", || zelador.ok(&["show", "hello"]).out.contains("folders: 1"));
    zelador.write("a.css", "");
    zelador.write("a.js", "");
    until("a restart", || zelador.restarts("hello") == 1);
    assert!(zelador.ok(&["show", "hello"]).out.contains("last change: a.js"));
}

#[test]
fn at_the_kernels_limit_the_app_runs_on_unwatched_and_the_limit_is_named() {
    let zelador = zelador();
    (0..5).for_each(|n| fs::create_dir(zelador.app().join(format!("d{n}"))).unwrap());
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'api', script: 'sleep', args: '1000', watch: true }] }",
    );
    // In a user namespace of its own the limit is low.
    let start = zelador.command(&["start", "ecosystem.config.js"]);
    let mut limited = Command::new("unshare");
    limited.args([
        "-Ur",
        "sh",
        "-c",
        "echo 3 > /proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"",
    ]);
    limited.arg(start.get_program()).args(start.get_args()).current_dir(zelador.app());
    limited.envs(start.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let started = said(&limited.output().expect("util-linux is there"));
    assert_eq!(started.code, 0, "{}{}", started.out, started.err);
    until("the limit to be named", || {
        own_log(&zelador).contains("sysctl fs.inotify.max_user_watches=")
    });
    assert_eq!(zelador.status("api"), "online");
    let shown = zelador.ok(&["show", "api"]).out;
    assert!(shown.contains("it runs on without"), "{shown}");
}

fn own_log(zelador: &Zelador) -> String {
    let log = zelador.home().join("zelador.log");
    text(&log)
}

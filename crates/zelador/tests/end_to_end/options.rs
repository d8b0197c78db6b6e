//! The options of PM2's `start`: each reaches the app.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use zelador_testbed::home::said;

use crate::pm2_voice::{command, pm2};
use crate::zelador;

#[test]
fn every_option_of_a_start_reaches_the_app() {
    let zelador = zelador();
    let idle = "setInterval(() => {}, 1000)";
    zelador.write("one.js", idle);
    std::fs::create_dir(zelador.app().join("sub")).unwrap();
    zelador.write("sub/two.js", idle);
    let at = |path: &str| json!(zelador.app().join(path));
    // What is typed after `start`, and which field of the list is what then.
    let cron = "0 3 * * *";
    let table: Vec<(Vec<&str>, &str, Value)> = vec![
        (vec!["--node-args", "--no-warnings"], "node_args", json!(["--no-warnings"])),
        (vec!["--interpreter-args", "--no-warnings"], "node_args", json!(["--no-warnings"])),
        (vec!["--output", "o.log"], "pm_out_log_path", at("o.log")),
        (vec!["--error", "e.log"], "pm_err_log_path", at("e.log")),
        (vec!["--log", "all.log"], "pm_log_path", at("all.log")),
        (vec!["--log-date-format", "YYYY"], "log_date_format", json!("YYYY")),
        (vec!["--time"], "log_date_format", json!("YYYY-MM-DDTHH:mm:ss")),
        (vec!["--log-type", "json"], "log_type", json!("json")),
        (vec!["--disable-logs"], "pm_out_log_path", json!("/dev/null")),
        (vec!["--instances", "2"], "exec_mode", json!("cluster_mode")),
        (vec!["-i", "2", "--execute-command"], "exec_mode", json!("fork_mode")),
        (vec!["-i", "2", "--merge-logs"], "merge_logs", json!(true)),
        (vec!["--shutdown-with-message"], "shutdown_with_message", json!(true)),
        (vec!["--kill-timeout", "700"], "kill_timeout", json!(700)),
        (vec!["--wait-ready", "--listen-timeout", "300"], "listen_timeout", json!(300)),
        (vec!["--wait-ready", "--listen-timeout", "301"], "wait_ready", json!(true)),
        (vec!["--restart-delay", "250"], "restart_delay", json!(250)),
        (vec!["--exp-backoff-restart-delay", "90"], "exp_backoff_restart_delay", json!(90)),
        (vec!["--max-restarts", "3"], "max_restarts", json!(3)),
        (vec!["--max-memory-restart", "90M"], "max_memory_restart", json!(90 << 20)),
        (vec!["--namespace", "shop"], "namespace", json!("shop")),
        (vec!["--cwd", "sub"], "pm_cwd", at("sub")),
        (vec!["--cron-restart", cron], "cron_restart", json!(cron)),
        (vec!["--cron", cron], "cron_restart", json!(cron)),
        (vec!["--watch", "--watch-delay", "2"], "watch_delay", json!(2000)),
        (vec!["--watch", "--ignore-watch", "tmp"], "ignore_watch", json!(["tmp"])),
        (vec!["--stop-exit-codes", "3,7"], "stop_exit_codes", json!([3, 7])),
        (vec!["--no-treekill"], "treekill", json!(false)),
        (vec!["--no-autorestart"], "autorestart", json!(false)),
        (vec!["--no-autostart"], "status", json!("stopped")),
        (vec!["--interpreter", "none", "--no-autostart"], "exec_interpreter", json!("none")),
        (vec!["--uid", "nobody", "--no-autostart"], "uid", json!("nobody")),
        (vec!["--user", "nobody", "--no-autostart"], "uid", json!("nobody")),
        (vec!["--gid", "nogroup", "--no-autostart"], "gid", json!("nogroup")),
        (vec!["--filter-env", "SECRET"], "SECRET_WORD", Value::Null),
        // What means nothing here is taken in silence.
        (vec!["--no-vizion", "--no-pmx", "--no-automation"], "status", json!("online")),
        (vec!["--source-map-support", "--parallel", "3"], "status", json!("online")),
        (vec!["--disable-source-map-support", "--hp", "/x"], "status", json!("online")),
        (vec!["--service-name", "x", "--wait-ip"], "status", json!("online")),
    ];
    for (options, field, expected) in table {
        let script = if options.contains(&"sub") { "two.js" } else { "one.js" };
        let words = [&["start", script, "--name", "it"], options.as_slice()].concat();
        let mut start = command(&zelador, &words);
        let said = said(&start.env("SECRET_WORD", "hush").output().unwrap());
        assert_eq!((said.code, &*said.err), (0, ""), "{words:?}: {}", said.out);
        let env = zelador.entry("it")["pm2_env"].take();
        assert_eq!(env[field], expected, "{words:?}");
        assert_eq!(pm2(&zelador, "delete it").code, 0);
    }
    // By its pid file, and by what of the folder is watched.
    assert_eq!(pm2(&zelador, "start one.js --pid it.pid --watch --ext js,json").code, 0);
    let env = zelador.entry("one")["pm2_env"].take();
    assert_eq!(env["pm_pid_path"], at(&format!("it-{}.pid", env["pm_id"])));
    assert!(env["watch"][0].as_str().unwrap().ends_with("**/*.{js,json}"), "{}", env["watch"]);
    // What does not happen, and may be missed, is said.
    let said = pm2(&zelador, "start one.js --name other --trace --deep-monitoring");
    for option in ["--trace", "--deep-monitoring"] {
        let told = format!("{}{}", said.out, said.err);
        assert!(told.contains(&format!("{option} has no effect")), "{told}");
    }
}

#[test]
fn attach_follows_what_was_started() {
    let zelador = zelador();
    zelador.write("one.js", "let n = 0; setInterval(() => console.log('tick ' + n++), 50)");
    let mut start = command(&zelador, &["start", "one.js", "--name", "it", "--attach"]);
    let mut child = start.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ticks =
        lines.map_while(Result::ok).filter(|line| line.contains("0|it") && line.contains("tick"));
    assert_eq!(ticks.take(3).count(), 3);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(zelador.status("it"), "online", "only the following has ended");
}

//! Fields of an ecosystem file that no other test is about: what each does to a real app.

use std::fs;

use serde_json::json;
use zelador_testbed::home::{alive, text, until};

use crate::zelador;

#[test]
fn names_and_numbers_of_replicas_are_in_their_environment() {
    let zelador = zelador();
    zelador.write("tell.js", "console.log(process.env.WHICH, process.env.PORT, process.env.NODE_ENV); setInterval(() => {}, 1000)");
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [{ name: 'api', script: 'tell.js', instances: 2, exec_mode: 'fork',
           instance_var: 'WHICH', increment_var: 'PORT', env: { PORT: 7000 },
           env_production: { NODE_ENV: 'production' }, append_env_to_name: true }] }",
    );
    zelador.ok(&["start", "eco.config.js", "--env", "production"]);
    let names: Vec<_> = zelador.jlist().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, [json!("api-production"), json!("api-production")]);
    for index in 0..2 {
        let log = zelador.home().join(format!("logs/api-production-out-{index}.log"));
        until("its word", || text(&log) == format!("{index} {} production\n", 7000 + index));
    }
}

#[test]
fn an_exit_code_that_means_finished_ends_it_and_a_limit_in_a_window_does_too() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'done', script: 'sh', args: ['-c', 'exit 7'], stop_exit_codes: [3, 7] },
         { name: 'slow', script: 'sh', args: ['-c', 'sleep 0.15; exit 1'], min_uptime: 100,
           max_restarts: 3, restart_window: '1m', half_open_after: false }",
    );
    until("the end", || zelador.status("done") == "stopped" && zelador.status("slow") == "errored");
    assert_eq!((zelador.restarts("done"), zelador.restarts("slow")), (0, 3));
}

#[test]
fn a_stop_is_as_its_fields_say() {
    let zelador = zelador();
    zelador.write("tree.js", "
const child = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
require('fs').writeFileSync(process.env.NAME + '.child', String(child.pid));
process.on('SIGUSR2', () => { console.log('USR2'); process.exit(0) });
process.on('SIGINT', () => console.log('INT'));
setInterval(() => {}, 1000)");
    zelador.start(
        "{ name: 'whole', script: 'tree.js', kill_signal: 'SIGUSR2', env: { NAME: 'whole' } },
         { name: 'main', script: 'tree.js', kill_timeout: 300, env: { NAME: 'main' } }",
    );
    let child = |name: &str| text(zelador.app().join(format!("{name}.child"))).parse::<i32>();
    until("the children", || child("whole").is_ok() && child("main").is_ok());
    let (whole, main) = (child("whole").unwrap(), child("main").unwrap());
    zelador.ok(&["stop", "all"]);
    let log = |name: &str| text(zelador.home().join(format!("logs/{name}-out.log")));
    assert_eq!((log("whole").as_str(), log("main").as_str()), ("USR2\n", "INT\n"));
    assert!(!alive(whole) && !alive(main), "children end with their app");
    // Only the main process gets the signal.
    zelador.write("quiet.js", "
const child = require('child_process').spawn('sh', ['-c', 'trap \"echo heard\" INT; while :; do sleep 0.05; done'], { stdio: 'inherit' });
process.on('SIGINT', () => setTimeout(() => process.exit(0), 300)); console.log('up'); setInterval(() => {}, 1000)");
    for (name, tree, said) in [("t", true, "up\nheard\n"), ("f", false, "up\n")] {
        zelador.start(&format!(
            "{{ name: '{name}', script: 'quiet.js', kill_timeout: 800, treekill: {tree} }}"
        ));
        until("it to be up", || log(name).starts_with("up\n"));
        zelador.ok(&["stop", name]);
        assert_eq!(log(name), said);
    }
}

#[test]
fn a_restart_by_a_file_waits_as_long_as_the_delay_says() {
    let zelador = zelador();
    let file = zelador.write("data.txt", "0");
    zelador.start(
        "{ name: 'app', script: 'sleep', args: '1000', watch: ['data.txt'], watch_delay: 700,
           watch_options: { usePolling: true, interval: 100 } }",
    );
    let begun = std::time::Instant::now();
    fs::write(&file, "changed").unwrap();
    until("the restart", || zelador.restarts("app") == 1);
    assert!(begun.elapsed().as_millis() >= 700, "it came after {:?}", begun.elapsed());
}

#[test]
fn what_means_nothing_here_is_taken_in_silence_or_named_and_costs_nothing() {
    let zelador = zelador();
    let said = zelador.start(
        "{ name: 'app', script: 'sleep', args: '1000', vizion: false, pmx: false, automation: false,
           trace: false, v8: false, event_loop_inspector: false, deep_monitoring: false, io: {},
           source_map_support: false, disable_source_map_support: true, post_update: ['npm i'],
           install_url: '', windowsHide: true, write: false, execute_command: false, username: 'ana',
           kill_retry_time: 100, force: true, name_prefix: 'x' }",
    );
    assert_eq!(zelador.status("x:app"), "online");
    assert!(!said.err.contains("error"), "{}", said.err);
}

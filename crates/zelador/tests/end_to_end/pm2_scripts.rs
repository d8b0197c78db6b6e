//! What scripts, libraries and service managers that were written for PM2 find.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use zelador_testbed::home::{Zelador, said, text, until};

use crate::pm2_voice::{command, pm2};
use crate::zelador;

fn environ(zelador: &Zelador, name: &str) -> BTreeMap<String, String> {
    let environ = text(format!("/proc/{}/environ", zelador.pid(name)));
    let variables = environ.split('\0').filter_map(|line| line.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn an_app_is_told_who_it_is_in_pm2s_variables() {
    let zelador = zelador();
    zelador.write("one.js", "setInterval(() => {}, 1000)");
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [{ name: 'api', script: 'one.js', namespace: 'shop', env: { instances: 'mine' } }] }",
    );
    assert_eq!(pm2(&zelador, "start eco.config.js").code, 0);
    let env = environ(&zelador, "api");
    let entry = zelador.entry("api");
    let home = zelador.home().display().to_string();
    let script = zelador.app().join("one.js").display().to_string();
    for (name, value) in [
        ("pm_id", "0"),
        ("name", "api"),
        ("NODE_APP_INSTANCE", "0"),
        ("namespace", "shop"),
        ("exec_mode", "fork_mode"),
        ("exec_interpreter", "node"),
        ("instances", "mine"),
        ("restart_time", "0"),
        ("pm_exec_path", script.as_str()),
        ("pm_cwd", &zelador.app().display().to_string()),
        ("pm_out_log_path", &format!("{home}/logs/api-out.log")),
        ("pm_err_log_path", &format!("{home}/logs/api-error.log")),
        ("pm_pid_path", &format!("{home}/pids/api-0.pid")),
        ("PM2_HOME", &home),
        ("unique_id", entry["pm2_env"]["unique_id"].as_str().unwrap()),
    ] {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(pm2(&zelador, "restart api").code, 0);
    let again = environ(&zelador, "api");
    assert_eq!((&*again["restart_time"], &again["unique_id"]), ("1", &env["unique_id"]));
    // What one app is, the next one that it starts is not.
    let start = ["start", "one.js", "--name", "child"];
    let mut from_app = command(&zelador, &start);
    let started = from_app.env_clear().envs(&again).output().unwrap();
    assert_eq!(said(&started).code, 0, "{}", said(&started).err);
    let child = environ(&zelador, "child");
    assert_eq!(
        (&*child["name"], &*child["pm_id"], &*child["namespace"]),
        ("child", "1", "default")
    );
}

#[test]
fn the_list_has_what_exporters_read() {
    let zelador = zelador();
    zelador.write("one.js", "setInterval(() => {}, 1000)");
    zelador.write("dies.js", "setTimeout(() => process.exit(7), 50)");
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [
           { name: 'api', script: 'one.js', wait_ready: true, listen_timeout: 500, stop_exit_codes: [3],
             watch: true, ignore_watch: ['tmp'], watch_delay: 800, increment_var: 'PORT', log_type: 'json',
             shutdown_with_message: true }] }",
    );
    assert_eq!(pm2(&zelador, "start eco.config.js").code, 0);
    pm2(&zelador, "start dies.js --no-autorestart");
    until("the end of one", || zelador.status("dies") == "stopped");
    let env = zelador.entry("api")["pm2_env"].clone();
    for (field, value) in [
        ("wait_ready", Value::from(true)),
        ("listen_timeout", 500.into()),
        ("stop_exit_codes", vec![3].into()),
        ("ignore_watch", vec!["tmp"].into()),
        ("watch_delay", 800.into()),
        ("increment_var", "PORT".into()),
        ("log_type", "json".into()),
        ("shutdown_with_message", true.into()),
    ] {
        assert_eq!(env[field], value, "{field}");
    }
    let node = std::process::Command::new("node").arg("--version").output().unwrap();
    let node = String::from_utf8(node.stdout).unwrap();
    if let Some(version) = env["node_version"].as_str() {
        assert_eq!(format!("v{version}"), node.trim());
    }
    assert_eq!(env["exit_code"], Value::Null, "it has not ended yet");
    assert_eq!(zelador.entry("dies")["pm2_env"]["exit_code"], 7);
    assert_eq!(pm2(&zelador, "stop api").code, 0);
    assert_eq!(zelador.entry("api")["pm2_env"]["exit_code"], 0);
    // The order in which PM2 has them: scripts cut the text apart.
    let list = pm2(&zelador, "jlist").out;
    let places = ["\"pid\":", "\"name\":\"api\"", "\"pm2_env\":{", "\"pm_id\":0,\"monit\":{"];
    let places: Vec<_> = places.iter().map(|part| list.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    let pretty = pm2(&zelador, "prettylist").out;
    assert!(
        pretty.starts_with("[\n  {\n    pid: 0,\n    name: 'api',\n    pm2_env: {\n"),
        "{pretty}"
    );
    assert!(pretty.contains("\n    pm_id: 0,\n    monit: { memory: 0, cpu: 0 }"), "{pretty}");
    assert_eq!(pretty.matches("pm_id: 0").count(), 2);
    assert_eq!(pretty.matches("name: 'api'").count(), 3, "twice, and module_name");
}

#[test]
fn what_cannot_be_run_is_refused_as_pm2_does_and_the_rest_of_a_file_starts() {
    let zelador = zelador();
    zelador.write("one.js", "setInterval(() => {}, 1000)");
    let refused = pm2(&zelador, "start one.js --interpreter no-such-thing");
    let words = "[PM2][ERROR] Interpreter no-such-thing is NOT AVAILABLE in PATH.";
    assert!(refused.code == 1 && refused.err.starts_with(words), "{}", refused.err);
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [{ name: 'bad', script: 'one.js', interpreter: 'no-such-thing' },
           { name: 'good', script: 'one.js' }] }",
    );
    let some = pm2(&zelador, "start eco.config.js");
    assert!(some.code == 1 && some.err.contains(words), "{}", some.err);
    let names: Vec<Value> = zelador.jlist().iter().map(|app| app["name"].clone()).collect();
    assert_eq!(names, ["good"]);
    // PM2 passes over fields that it does not know; here they are named.
    zelador.write("more.config.js", "module.exports = { apps: [{ name: 'more', script: 'one.js', instance: 2, description: 'x' }] }");
    let more = pm2(&zelador, "start more.config.js");
    assert_eq!(more.code, 0, "{}", more.err);
    for part in [
        "[PM2][WARN] more.config.js: apps[0].description: is an unknown field",
        "did you mean `instances`?",
    ] {
        assert!(more.out.contains(part), "{part}: {}", more.out);
    }
    assert_eq!(
        zelador.run(&["start", "more.config.js"]).code,
        1,
        "in its own voice that is a mistake"
    );
    // Options that may stand without a value, and what scripts take away in case it is there.
    assert_eq!(pm2(&zelador, "start one.js --name both -l").code, 0);
    assert_eq!(
        zelador.entry("both")["pm2_env"]["pm_log_path"],
        zelador.home().join("logs/both.log").display().to_string()
    );
    assert_eq!(pm2(&zelador, "unset no:such").code, 0);
    assert_eq!(pm2(&zelador, "restart both --log-type json").code, 0);
    assert_eq!(zelador.entry("both")["pm2_env"]["log_type"], "json");
}

#[test]
fn its_variables_set_what_apps_do_not_say() {
    let zelador = zelador();
    zelador.write("one.js", "process.on('message', it => { console.log('told ' + it); process.exit(0) }); setInterval(() => {}, 1000); console.log('up')");
    let mut start = command(&zelador, &["start", "one.js"]);
    start.env("PM2_PROCESS_INSTANCE_VAR", "WHICH").env("PM2_KILL_USE_MESSAGE", "true");
    start.env("PM2_GRACEFUL_LISTEN_TIMEOUT", "1234");
    assert_eq!(said(&start.output().unwrap()).code, 0);
    assert_eq!(environ(&zelador, "one")["WHICH"], "0");
    assert_eq!(zelador.entry("one")["pm2_env"]["listen_timeout"], 1234);
    let log = zelador.home().join("logs/one-out.log");
    until("it to listen", || text(&log) == "up\n");
    assert_eq!(pm2(&zelador, "stop one").code, 0);
    assert_eq!(text(&log), "up\ntold shutdown\n");
}

#[test]
fn what_an_app_tells_and_offers_is_described() {
    let zelador = zelador();
    zelador.write("tells.js", "
process.send({ type: 'axm:action', data: { action_name: 'purge', arity: 0 } })
process.send({ type: 'axm:monitor', data: { 'Queue Size': { value: 12.5, unit: 'jobs' } } })
process.on('message', it => (it === 'purge' || it.msg === 'purge') && process.send({ type: 'axm:reply', data: { action_name: 'purge', return: { gone: 3 } } }))
setInterval(() => {}, 1000)");
    assert_eq!(pm2(&zelador, "start tells.js").code, 0);
    let described = || pm2(&zelador, "describe tells").out;
    until("what it tells", || described().contains("12.5 jobs"));
    let told = described();
    for part in [
        " Actions available ",
        "│ purge",
        " Trigger via: pm2 trigger tells <action_name>",
        " Code metrics value ",
        "│ Queue Size",
        "│ node.js version",
    ] {
        assert!(told.contains(part), "{part:?} is missing: {told}");
    }
    let triggered = pm2(&zelador, "trigger tells purge");
    assert!(triggered.code == 0 && triggered.out.contains("\"gone\":3"), "{}", triggered.out);
    assert_eq!(pm2(&zelador, "trigger tells nothing").code, 1);
}

#[test]
fn the_service_of_pm2s_voice_has_pm2s_name_and_home() {
    let zelador = zelador();
    let unit = pm2(&zelador, "startup systemd --dry-run");
    let home = zelador.home().display().to_string();
    assert_eq!(unit.code, 0, "{}", unit.err);
    for part in [
        &format!("Environment=\"PM2_HOME={home}\""),
        &format!("Environment=\"ZELADOR_HOME={home}\""),
    ] {
        assert!(unit.out.contains(part.as_str()), "{part}: {}", unit.out);
    }
    let hp = zelador.app().display().to_string();
    let of_home = pm2(&zelador, &format!("startup systemd --dry-run --hp {hp}")).out;
    assert!(of_home.contains(&format!("PM2_HOME={hp}/.pm2")), "{of_home}");
    let gone = pm2(&zelador, "unstartup systemd -u root --service-name no-such-pm2");
    assert!(gone.code == 1, "{}", gone.err);
    // Its guardian gives a home PM2's shape before anything ever ran there.
    let fresh = zelador.app().join("fresh");
    let program = Path::new(env!("CARGO_BIN_EXE_zelador"));
    let mut guardian = std::process::Command::new(program);
    guardian.args(["guardian", "--resurrect"]).env("ZELADOR_HOME", &fresh).env("PM2_HOME", &fresh);
    let mut guardian = guardian.env("ZELADOR_HTTP", "off").stdin(Stdio::null()).spawn().unwrap();
    until("its pid", || text(fresh.join("pm2.pid")) == guardian.id().to_string());
    assert!(fresh.join("pm2.log").exists() && fresh.join("logs").is_dir());
    zelador_testbed::home::kill(
        i32::try_from(guardian.id()).unwrap(),
        rustix::process::Signal::TERM,
    );
    assert!(guardian.wait().unwrap().success());
}

#[test]
fn logs_that_are_followed_show_who_comes_later_and_pm2s_own() {
    let zelador = zelador();
    zelador.write("one.js", "console.log('hello'); setInterval(() => {}, 1000)");
    assert_eq!(pm2(&zelador, "start one.js").code, 0);
    std::fs::write(zelador.home().join("logs/late-out.log"), "of another life\n").unwrap();
    let follow = command(&zelador, &["logs"]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(follow.id()).unwrap();
    let mut follow = follow;
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "0|one      | hello"), "what stands there already");
    assert_eq!(pm2(&zelador, "start one.js --name late").code, 0);
    let told: Vec<String> =
        lines.by_ref().take_while(|line| line != "1|late     | hello").collect();
    assert!(
        told.iter().any(|line| line.starts_with("PM2        | ") && line.contains("[late:1]")),
        "{told:?}"
    );
    assert!(!told.iter().any(|line| line.contains("of another life")), "{told:?}");
    zelador_testbed::home::kill(pid, rustix::process::Signal::TERM);
    follow.wait().unwrap();
}

#[test]
fn every_other_name_of_a_verb_is_answered() {
    let zelador = zelador();
    zelador.write("one.js", "setInterval(() => {}, 1000)");
    zelador
        .write("eco.config.js", "module.exports = { apps: [{ name: 'one', script: 'one.js' }] }");
    assert_eq!(pm2(&zelador, "start eco.config.js").code, 0);
    // What is typed, the exit code, and a part of what is said on either stream.
    for (typed, code, part) in [
        ("l", 0, "│ one"),
        ("ls", 0, "│ one"),
        ("ps", 0, "│ one"),
        ("status", 0, "│ one"),
        ("desc one", 0, " Describing process with id 0"),
        ("info one", 0, " Describing process with id 0"),
        ("show 0", 0, " Describing process with id 0"),
        ("log one --nostream", 0, "[TAILING]"),
        ("startOrGracefulReload eco.config.js", 0, "[one](0) ✓"),
        ("gracefulReload one", 0, "[one](0) ✓"),
        ("dump", 0, "Successfully saved in"),
        ("sysinfos", 0, "processors"),
        ("dash", 1, "no terminal"),
        ("dashboard", 1, "no terminal"),
        ("imonit", 1, "no terminal"),
        ("config one:port 4000", 0, "[one](0) ✓"),
        ("updatePM2", 0, "are kept as they are"),
        ("update", 0, "are kept as they are"),
        ("logrotate", 0, "rotated already"),
        ("expose no-such-folder", 1, "is no folder"),
        ("module:install pm2-slack", 0, "built in"),
        ("module:uninstall no-such-module", 1, "no module is called"),
        ("uninstall pm2-logrotate", 0, "built in"),
        ("monitor", 0, "cloud"),
        ("unmonitor", 0, "cloud"),
        ("link a b", 0, "cloud"),
        ("unlink", 0, "cloud"),
        ("plus", 0, "cloud"),
        ("register", 0, "cloud"),
        ("logout", 0, "cloud"),
        ("login", 1, "cloud"),
        ("open", 1, "cloud"),
        ("module:generate x", 1, "npm publish"),
        ("module:publish x", 1, "npm publish"),
        ("publish x", 1, "npm publish"),
        ("package x", 1, "npm publish"),
        ("autoinstall", 1, "pm2 install"),
        ("profile:cpu one", 1, "pm2 inspect"),
        ("profile:mem one", 1, "pm2 inspect"),
        ("pull one", 1, "use git"),
        ("forward one", 1, "use git"),
        ("backward one", 1, "use git"),
        ("install-otel", 1, "OpenTelemetry"),
        ("uninstall-otel", 1, "OpenTelemetry"),
        ("deepUpdate", 1, "pm2 update"),
        ("create", 1, "pm2 ecosystem"),
        ("init simple", 0, "ecosystem.config.js generated"),
        ("completion bash", 0, "complete -F"),
        ("del one", 0, "[one](0) ✓"),
    ] {
        let said = pm2(&zelador, typed);
        assert_eq!(said.code, code, "pm2 {typed}: {}{}", said.out, said.err);
        let all = format!("{}{}", said.out, said.err);
        assert!(all.contains(part), "pm2 {typed}: {part:?} is missing: {all}");
    }
}

#[test]
fn what_node_itself_is_told_and_a_file_for_both_streams() {
    let zelador = zelador();
    zelador.write(
        "one.js",
        "console.log(process.execArgv.join()); console.error('bad'); setInterval(() => {}, 1000)",
    );
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [
           { name: 'a', script: 'one.js', node_args: '--no-warnings --stack-size=900', log_file: 'both.log', merge_logs: true },
           { name: 'b', script: 'one.js', interpreter_args: ['--no-warnings'], log_file: true }] }",
    );
    assert_eq!(pm2(&zelador, "start eco.config.js").code, 0);
    let lines = |path: &Path| {
        let mut lines: Vec<String> = text(path).lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines.join("; ")
    };
    let (a, b) = (zelador.app().join("both.log"), zelador.home().join("logs/b.log"));
    until("both streams of both", || {
        lines(&a) == "--no-warnings,--stack-size=900; bad" && lines(&b) == "--no-warnings; bad"
    });
    assert_eq!(text(zelador.home().join("logs/a-error.log")), "bad\n");
}

//! Called as `pm2`: what is typed, the exit code, and what is said then, as PM2 says it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::home::{Said, Zelador, alive, kill, said, text, until};

use crate::zelador;

/// A command of the link named `pm2`, in the home of this zelador.
pub fn command(zelador: &Zelador, words: &[&str]) -> Command {
    let link = zelador.app().join("pm2");
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_zelador"), &link).unwrap();
    }
    let own = zelador.command(words);
    let mut command = Command::new(link);
    command.args(words).current_dir(zelador.app()).env("PM2_HOME", zelador.home());
    for (name, value) in own.get_envs().filter(|(name, _)| *name != "ZELADOR_HOME") {
        command.env(name, value.unwrap_or_default());
    }
    command.env_remove("ZELADOR_HOME").stdin(Stdio::null());
    command
}

pub fn pm2(zelador: &Zelador, typed: &str) -> Said {
    let words: Vec<&str> = typed.split(' ').collect();
    said(&command(zelador, &words).output().unwrap())
}

/// What was said, without tables, and with names in the place of paths and pids.
fn plain(zelador: &Zelador, said: &str) -> String {
    let mut plain = String::new();
    let is_table =
        |line: &&str| line.starts_with(['┌', '├', '│', '└']) || line.starts_with("host ");
    for line in said.lines().filter(|line| !is_table(line)) {
        let line = line
            .replace(&*zelador.home().to_string_lossy(), "HOME")
            .replace(&*zelador.app().to_string_lossy(), "APP");
        let line = match line.split_once("(guardian pid ") {
            Some((before, _)) => format!("{before}(guardian pid N)"),
            None => line,
        };
        plain.push_str(&format!("  {line}\n"));
    }
    plain
}

#[test]
fn every_verb_says_what_pm2_says() {
    let zelador = zelador();
    zelador.write("one.js", "setInterval(() => {}, 1000)");
    let web = "require('http').createServer((q, r) => r.end('ok')).listen(process.env.PORT)";
    zelador.write("web.js", web);
    let port = zelador_testbed::home::free_port();
    zelador.write(
        "eco.config.js",
        &format!(
            "module.exports = {{ apps: [
               {{ name: 'api', script: 'web.js', instances: 2, env: {{ PORT: {port} }} }},
               {{ name: 'w', script: 'one.js', namespace: 'shop' }}] }}"
        ),
    );
    let mut transcript = String::new();
    for typed in [
        "jlist",
        "ping",
        "start one.js",
        "start one.js",
        "start one",
        "start nothere.js",
        "start eco.config.js",
        "start eco.config.js --only w",
        "restart all",
        "restart nobody",
        "restart w --env production",
        "stop one",
        "stop one",
        "pid one",
        "pid nobody",
        "id api",
        "describe nobody",
        "reset one",
        "scale api 3",
        "scale api 3",
        "scale api 1",
        "scale nobody 1",
        "sendSignal SIGCONT w",
        "sendSignal SIGFOO w",
        "reload api",
        "reload nobody",
        "stop shop",
        "stop /^w$/",
        "delete one",
        "delete one",
        "flush api",
        "reloadLogs",
        "save",
        "set mod:size 10M",
        "get mod:size",
        "get mod:other",
        "conf",
        "multiset mod:a 1 mod:b 2",
        "unset mod:size",
        "install pm2-logrotate",
        "install pm2-slack",
        "logs w --nostream --lines 3 --out",
        "link",
        "login",
        "bogus",
        "start --bogus",
        "describe",
        "start missing.config.js",
        "stop missing.config.js",
        "ecosystem simple",
        "env 99",
        "delete eco.config.js --only w",
        "-s delete all",
        "save",
        "resurrect",
        "cleardump",
        "kill",
        "kill",
    ] {
        let Said { code, out, err } = pm2(&zelador, typed);
        transcript.push_str(&format!("$ pm2 {typed}   -> {code}\n{}", plain(&zelador, &out)));
        if !err.is_empty() {
            transcript.push_str(&format!("  -- stderr\n{}", plain(&zelador, &err)));
        }
    }
    insta::assert_snapshot!(transcript);
}

#[test]
fn its_files_are_where_scripts_look_for_them() {
    let zelador = zelador();
    let home = zelador.home();
    zelador.write("dies.js", "setTimeout(() => process.exit(7), 100)");
    zelador.write("eco.config.js", "module.exports = { apps: [{ name: 'dies', script: 'dies.js', restart_delay: 200 }, { name: 'stays', script: 'sleep', args: '1000', env: { API_TOKEN: 'hunter2' } }] }");
    assert_eq!(pm2(&zelador, "start eco.config.js").code, 0);
    let pid: i32 = text(home.join("pm2.pid")).trim().parse().unwrap();
    assert!(alive(pid));
    assert_eq!(text(home.join("pids/stays-1.pid")).trim(), zelador.pid("stays").to_string());
    let log = || text(home.join("pm2.log"));
    until("PM2's words about a death", || {
        let log = log();
        log.contains("PM2 log: App [dies:0] starting in -fork mode-")
            && log.contains("PM2 log: App [dies:0] online")
            && log.contains("PM2 log: App [dies:0] exited with code [7] via signal [")
    });
    assert_eq!(pm2(&zelador, "save").code, 0);
    let dump: Vec<Value> = serde_json::from_str(&text(home.join("dump.pm2"))).unwrap();
    let names: Vec<&str> = dump.iter().filter_map(|app| app["name"].as_str()).collect();
    assert_eq!(names, ["dies", "stays"]);
    let mode = fs::metadata(home.join("dump.pm2")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    pm2(&zelador, "set pm2-logrotate:retain 7");
    let conf: Value = serde_json::from_str(&text(home.join("module_conf.json"))).unwrap();
    assert_eq!(conf["pm2-logrotate"]["retain"], "7");
    assert_eq!(pm2(&zelador, "kill").code, 0);
    until("its pid file to be gone", || !home.join("pm2.pid").exists());
    let back = pm2(&zelador, "resurrect");
    assert!(back.code == 0 && back.out.contains("[PM2] Process stays restored"), "{}", back.out);
    assert_eq!(zelador.status("stays"), "online");
    let shown = pm2(&zelador, "env 1");
    assert!(shown.out.contains("API_TOKEN: ********"), "{}", shown.out);
}

#[test]
fn only_data_is_on_stdout_also_when_it_has_to_be_brought_up() {
    let zelador = zelador();
    assert_eq!(pm2(&zelador, "jlist").out, "[]");
    let ping = pm2(&zelador, "ping");
    assert_eq!(ping.out, "{ msg: 'pong' }\n");
    assert!(ping.err.contains("[PM2] Spawning PM2 daemon with pm2_home="), "{}", ping.err);
    let silent = said(&command(&zelador, &["list"]).env("PM2_SILENT", "true").output().unwrap());
    assert_eq!((silent.code, silent.out.as_str(), silent.err.as_str()), (0, "", ""));
    let version = pm2(&zelador, "--version").out;
    assert!(version.starts_with("7."), "scripts compare it: {version}");
    // What began here is the same zelador, in its other voice.
    assert_eq!(zelador.jlist().len(), 0);
    let words = zelador.run(&["pm2", "start", "nothere.js"]);
    assert!(words.code == 1 && words.err.starts_with("[PM2][ERROR] Script not found"));
}

#[test]
fn apps_end_as_its_variables_say() {
    let zelador = zelador();
    zelador.write("stays.js", "for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => console.log('got ' + s)); setInterval(() => {}, 1000); console.log('up')");
    let start = |name: &str, signal: Option<&str>| {
        let mut command = command(&zelador, &["start", "stays.js", "--name", name]);
        command.env("PM2_KILL_TIMEOUT", "300");
        signal.map(|signal| command.env("PM2_KILL_SIGNAL", signal));
        assert_eq!(said(&command.output().unwrap()).code, 0);
        let log = zelador.home().join(format!("logs/{name}-out.log"));
        until("it to listen to signals", || text(&log) == "up\n");
        assert_eq!(pm2(&zelador, &format!("stop {name}")).code, 0);
        until("its last word", || text(&log).contains("got "));
        text(&log)
    };
    assert_eq!(start("by-default", None), "up\ngot SIGINT\n");
    assert_eq!(start("as-told", Some("SIGTERM")), "up\ngot SIGTERM\n");
}

#[test]
fn without_a_daemon_it_is_in_the_foreground_and_its_end_is_the_end_of_all() {
    let zelador = zelador();
    zelador.write("stays.js", "console.log('up'); setInterval(() => {}, 1000)");
    let mut front = command(&zelador, &["start", "stays.js", "--no-daemon"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(front.stdout.take().unwrap()).lines();
    let line = shown.find_map(|line| line.ok().filter(|line| line.ends_with("up")));
    assert!(line.is_some_and(|line| line.contains("stays")), "whose line it is shows");
    let pid = zelador.pid("stays");
    assert!(alive(pid));
    kill(i32::try_from(front.id()).unwrap(), Signal::INT);
    assert_eq!(front.wait().unwrap().code(), Some(0));
    assert!(!alive(pid));
    assert_eq!(zelador.run(&["ping"]).code, 1);
}

//! zelador in the foreground: the main process of a container, and of a developer's terminal.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, kill, text, until};

use crate::zelador;

/// A foreground zelador with these apps (JSON objects).
fn declared(zelador: &Zelador, apps: &str) {
    zelador.write("apps.json", &format!("{{ \"apps\": [{apps}] }}"));
}

fn begin(zelador: &Zelador, words: &[&str]) -> Child {
    let mut command = zelador.command(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(mut child: Child) -> Output {
    until("the foreground to end", || child.try_wait().unwrap().is_some());
    child.wait_with_output().unwrap()
}

fn foreground(zelador: &Zelador, words: &[&str]) -> (Option<i32>, String, String) {
    let output = end(begin(zelador, words));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn output_is_untouched_and_the_exit_code_is_that_of_the_only_app() {
    let script = |text: &str| {
        format!(
            r#"{{ "name": "one", "script": "sh", "args": ["-c", {text:?}], "autorestart": false }}"#
        )
    };
    for (apps, out, code) in [
        // A terminal's colours, no line end, nothing added.
        (script(r#"printf '\033[31mred\n{"a":1}\nlast'"#), "\u{1b}[31mred\n{\"a\":1}\nlast", 0),
        (script("echo dying; exit 7"), "dying\n", 7),
        (script("kill -TERM $$"), "", 143),
        // Given up after three short runs: the code of the last.
        (
            r#"{ "name": "one", "script": "sh", "args": ["-c", "exit 3"], "max_restarts": 3 }"#
                .to_owned(),
            "",
            3,
        ),
        (format!("{}, {}", script("exit 0"), script("exit 0").replace("one", "two")), "", 2),
    ] {
        let zelador = zelador();
        declared(&zelador, &apps);
        let (found, said, err) = foreground(&zelador, &["runtime", "apps.json"]);
        assert_eq!((found, said.as_str()), (Some(code), out), "{apps}: {err}");
        let logs = std::fs::read_dir(zelador.home().join("logs"));
        assert!(!logs.is_ok_and(|mut it| it.next().is_some()), "no files");
    }
}

#[test]
fn standard_error_is_ours_too_and_a_signal_stops_everything_in_order() {
    let zelador = zelador();
    let polite = "trap 'echo bye >&2; exit 0' TERM INT; echo up; while :; do sleep 0.05; done";
    declared(
        &zelador,
        &format!(
            r#"{{ "name": "a", "script": "sh", "args": ["-c", "{polite}"] }},
               {{ "name": "b", "script": "sleep", "args": "1000", "out_file": "b.log" }}"#
        ),
    );
    let child = begin(&zelador, &["runtime", "apps.json"]);
    let front = i32::try_from(child.id()).unwrap();
    until("the apps", || zelador.run(&["jlist"]).out.matches(r#""status":"online""#).count() == 2);
    let pids = [zelador.pid("a"), zelador.pid("b"), zelador.roles().0, zelador.roles().1];
    // A second one would share the home.
    let second = zelador.run(&["runtime", "apps.json"]);
    assert!(second.code == 1 && second.err.contains("a zelador runs already"), "{}", second.err);
    kill(front, Signal::TERM);
    let output = end(child);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "up\n");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("bye\n") && err.contains("b.log is not written"), "{err}");
    assert_eq!(pids.map(alive), [false; 4]);

    // Another beginning knows nothing of the one before.
    declared(&zelador, r#"{ "name": "c", "script": "sleep", "args": "1000" }"#);
    let child = begin(&zelador, &["runtime", "apps.json"]);
    until("the app", || zelador.run(&["jlist"]).out.contains(r#""status":"online""#));
    assert_eq!(zelador.jlist().len(), 1);
    // Somebody kills the guardian: everything ends, and that is a failure.
    let (engine, guardian) = zelador.roles();
    let pid = zelador.pid("c");
    kill(guardian, Signal::KILL);
    assert_eq!(end(child).status.code(), Some(1));
    assert_eq!([pid, engine, guardian].map(alive), [false; 3]);
}

#[test]
fn the_end_of_the_foreground_is_the_end_of_its_apps() {
    let zelador = zelador();
    declared(&zelador, r#"{ "name": "a", "script": "sleep", "args": "1000" }"#);
    let mut child = begin(&zelador, &["runtime", "apps.json"]);
    until("the app", || zelador.run(&["jlist"]).out.contains(r#""status":"online""#));
    let (pid, guardian) = (zelador.pid("a"), zelador.roles().1);
    child.kill().unwrap();
    child.wait().unwrap();
    until("nothing to be left", || !alive(pid) && !alive(guardian));
}

#[test]
fn as_process_1_it_reaps_orphans_and_listens_to_signals() {
    let own_world = ["--pid", "--fork", "--mount-proc", "--kill-child", "--"];
    let possible = Command::new("unshare").args(own_world).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a namespace of processes cannot be made here");
        return;
    }
    let zelador = zelador();
    // Leaves orphans that end a little later, and says how many are there, dead or alive.
    zelador.write(
        "orphans.sh",
        "for n in 1 2 3 4 5 6 7 8 9; do (setsid sleep 0.02 &); sleep 0.03; done; sleep 0.2
         echo $(cat /proc/[0-9]*/stat | grep -c '(sleep) [A-Z] ')
         echo process $(cut -d ' ' -f 4 /proc/$PPID/stat); exec sleep 1000",
    );
    declared(&zelador, r#"{ "name": "a", "script": "orphans.sh" }"#);
    let inner = zelador.command(&["runtime", "apps.json"]);
    let mut command = Command::new("unshare");
    command.args(own_world).arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(zelador.app()).stdin(Stdio::null());
    let said = zelador.app().join("../said");
    command.stdout(std::fs::File::create(&said).unwrap()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    until("the app to have counted", || text(&said).contains("process"));
    // Guardian's parent is process 1; no orphan is left.
    assert_eq!(text(&said), "0\nprocess 1\n");
    let id = child.id();
    let below = text(format!("/proc/{id}/task/{id}/children"));
    kill(below.trim().parse().unwrap(), Signal::TERM);
    assert_eq!(end(child).status.code(), Some(0));
}

#[test]
fn lines_come_in_the_format_that_is_asked_for() {
    let zelador = zelador();
    let app = r#"{ "name": "api", "script": "sh", "args": ["-c", "echo $WHO; echo wrong >&2; printf rest"],
                   "autorestart": false, "env": { "WHO": "nobody" }, "env_ana": { "WHO": "ana" } }"#;
    declared(
        &zelador,
        &format!(r#"{app}, {{ "name": "other", "script": "sleep", "args": "1000" }}"#),
    );
    let words =
        |format: &'static str| ["runtime", "apps.json", "--only", "api", "--env", "ana", format];
    let (code, out, err) = foreground(&zelador, &words("--formatted"));
    assert_eq!((code, out.as_str()), (Some(0), "0|api | ana\n0|api | rest\n"), "{err}");
    assert!(err.contains("0|api | wrong\n"), "{err}");
    let (_, out, _) = foreground(&zelador, &words("--json"));
    let mut lines: Vec<(String, String)> = out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| {
            (line["type"].as_str().unwrap().into(), line["message"].as_str().unwrap().into())
        })
        .collect();
    lines.sort();
    let wanted = [("err", "wrong"), ("out", "ana"), ("out", "rest")];
    assert_eq!(lines, wanted.map(|(kind, line)| (kind.to_owned(), line.to_owned())));
    let (_, out, _) = foreground(&zelador, &words("--format"));
    assert!(out.contains(" app=api id=0 type=out message=ana\n"), "{out}");
    assert!(!zelador.home().join("foreground").exists(), "nothing is left");
}

#[test]
fn it_answers_to_the_names_of_pm2_and_stays_when_it_is_told_to() {
    let zelador = zelador();
    zelador.write("job.sh", "echo $1; exit 5");
    let mut command = zelador.command(&["start", "job.sh", "--no-autorestart", "--", "word"]);
    command.arg0("/usr/local/bin/pm2-runtime").stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = end(command.spawn().unwrap());
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(5), &b"word\n"[..]));

    let words = ["runtime", "job.sh", "--no-autorestart", "--no-auto-exit", "--delay", "0.3"];
    let child = begin(&zelador, &words);
    until("the job to be over", || zelador.run(&["jlist"]).out.contains(r#""status":"stopped""#));
    zelador.ok(&["kill"]);
    assert_eq!(end(child).status.code(), Some(0), "somebody ended it");

    let said = zelador.run(&["runtime", "no-such-file.json"]);
    assert_eq!(said.code, 1);
    assert!(!zelador.home().join("guardian.lock").exists() || !said.err.is_empty());
}

#[test]
fn a_developer_sees_whose_line_it_is_and_a_change_restarts() {
    let zelador = zelador();
    zelador.write("app.js", "console.log('first'); setInterval(() => {}, 1000)");
    let mut command = zelador.command(&["dev", "app.js"]);
    let out = zelador.app().join("../said");
    command.stdout(std::fs::File::create(&out).unwrap()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    until("its first line", || text(&out).contains("0|app | first\n"));
    until("the watch", || zelador.run(&["jlist"]).out.contains(r#""watch":true"#));
    zelador.write("app.js", "console.log('second'); setInterval(() => {}, 1000)");
    until("its second line", || text(&out).contains("0|app | second\n"));
    kill(i32::try_from(child.id()).unwrap(), Signal::INT);
    assert_eq!(end(child).status.code(), Some(0));
}

#[test]
fn by_its_old_name_it_has_pm2s_home_and_pm2_sees_what_runs() {
    let zelador = zelador();
    let link = zelador.app().join("pm2-runtime");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_zelador"), &link).unwrap();
    zelador.write(
        "one.js",
        "console.log('up'); require('fs').writeFileSync('said', ''); setInterval(() => {}, 1000)",
    );
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [{ name: 'one', script: 'one.js', description: 'unknown' }] }",
    );
    let mut front = Command::new(&link);
    front.args(["start", "eco.config.js", "--json"]).current_dir(zelador.app());
    front.env_remove("ZELADOR_HOME").env("HOME", zelador.app()).env("ZELADOR_HTTP", "off");
    let front = front.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let exec = || {
        let mut pm2 = zelador.command(&["pm2", "jlist"]);
        pm2.env_remove("ZELADOR_HOME").env("PM2_HOME", zelador.app().join(".pm2"));
        String::from_utf8(pm2.output().unwrap().stdout).unwrap()
    };
    until("it to be listed", || exec().contains(r#""status":"online""#));
    until("it to say something", || zelador.app().join("said").exists());
    assert!(exec().contains(r#""kill_timeout":1600"#), "PM2's defaults");
    kill(i32::try_from(front.id()).unwrap(), Signal::TERM);
    let output = end(front);
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 1, "{out}");
    assert!(lines[0].starts_with(r#"{"message":"up","timestamp":""#), "{out}");
    assert!(lines[0].ends_with(r#"Z","type":"out","process_id":0,"app_name":"one"}"#), "{out}");
    assert!(err.contains("description: is an unknown field"), "{err}");
}

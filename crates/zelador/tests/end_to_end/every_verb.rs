//! The verbs beside starting and stopping: a table of what is typed and what is said.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use zelador_testbed::home::{Said, Zelador, alive, said, text, until};

use crate::zelador;

/// What is typed, the exit code, and what is said then: on standard output, on standard error.
type Step = (&'static str, i32, &'static [&'static str], &'static [&'static str]);

fn play(zelador: &Zelador, steps: &[Step]) {
    for (typed, code, out, err) in steps {
        let words: Vec<&str> = typed.split(' ').collect();
        let said = zelador.run(&words);
        let all = format!("zelador {typed}\n{}---\n{}", said.out, said.err);
        assert_eq!(said.code, *code, "{all}");
        for part in *out {
            assert!(said.out.contains(part), "{part:?} is missing on stdout: {all}");
        }
        for part in *err {
            assert!(said.err.contains(part), "{part:?} is missing on stderr: {all}");
        }
        assert!(!all.contains("hunter2") || typed.contains("--show-secrets"), "a secret: {all}");
    }
}

fn with_stdin(zelador: &Zelador, words: &[&str], input: &str) -> Said {
    let mut child = zelador
        .command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    said(&child.wait_with_output().unwrap())
}

/// The environment that a process really has.
fn environ(pid: i32) -> String {
    text(Path::new(&format!("/proc/{pid}/environ"))).replace('\0', "\n")
}

const APPS: &str = "{ name: 'api', script: 'sleep', args: '1000', instances: 2, namespace: 'shop',
     env: { DB_PASSWORD: 'hunter2', PORT: 4000 }, increment_var: 'PORT' },
   { name: 'web', script: './web.sh' }";

#[test]
fn every_verb_does_and_says_what_it_should() {
    let zelador = zelador();
    zelador.write("web.sh", "exec sleep 1000\n");
    zelador.start(APPS);
    play(
        &zelador,
        &[
            ("scale api +1", 0, &["api (id 3): started", "api/2"], &[]),
            ("scale api 3", 0, &[], &["note: api has 3 already: nothing to do"]),
            ("scale api -2", 0, &["api (id 1): removed", "api (id 3): removed"], &[]),
            ("scale api 0", 1, &[], &["cannot have 0 replicas", "help: `zelador stop api`"]),
            ("scale api many", 1, &[], &["found `many`", "`+N`"]),
            ("scale nobody 2", 1, &[], &["`nobody`"]),
            (
                "restart shop --max-memory-restart 300M",
                0,
                &[],
                &["api: changed: max_memory_restart"],
            ),
            (
                "restart api --max-memory-restart lots",
                1,
                &[],
                &["max_memory_restart: found \"lots\""],
            ),
            ("restart api --name web", 1, &[], &["another app is called `web`"]),
            ("restart web --name site", 0, &["site"], &["web: changed: name"]),
            ("restart site --env production", 1, &[], &["for ecosystem files"]),
            ("show api", 0, &["300 MB", "somebody asked for it (restart)"], &[]),
            ("reset all", 0, &["api (id 0): counters reset"], &[]),
            ("id shop", 0, &["[ 0 ]\n"], &[]),
            ("id nobody", 1, &[], &["`nobody`"]),
            ("pid nobody", 1, &[], &["`nobody`"]),
            ("env api", 0, &["DB_PASSWORD: ********", "PORT: 4000", "pm_id: 0"], &[]),
            ("env 0 --show-secrets", 0, &["DB_PASSWORD: hunter2"], &[]),
            ("env nobody", 1, &[], &["`nobody`"]),
            ("stop web.sh", 0, &["site (id 2): stopped"], &[]),
            ("stop /^nothing$/", 1, &[], &["`/^nothing$/`"]),
            ("stop /(/", 1, &[], &["no regular expression"]),
            ("sendSignal SIGNOPE api", 1, &[], &["found `SIGNOPE`"]),
            (
                "sendSignal CONT all",
                1,
                &["api (id 0): SIGCONT sent"],
                &["site (id 2): SIGCONT not sent"],
            ),
            ("start site --silent", 0, &[], &[]),
            ("list --sort pid:up", 1, &[], &["found `pid:up`", "uptime"]),
            ("list -m --sort name:desc", 0, &["+--- site\nnamespace : default\nid : 2\n"], &[]),
            ("prettylist", 0, &["name: 'api',\n", "monit: { memory: ", "pm_id: 0,\n"], &[]),
            ("slist", 0, &["processors", "memory"], &[]),
            ("report", 0, &["--- zelador\n", "--- list\n", "site", "the engine is up"], &[]),
            ("cleardump", 0, &["no list is saved"], &[]),
            ("save", 0, &["saved 2 apps"], &[]),
            ("cleardump", 0, &["is empty now"], &[]),
            ("reloadLogs", 0, &["opened anew"], &[]),
            ("flush nobody", 1, &[], &["`nobody`"]),
            ("ecosystem simple --force", 0, &["wrote ecosystem.config.js"], &[]),
            ("ecosystem", 1, &[], &["is there already", "--force"]),
            ("config check ecosystem.config.js", 0, &["is in order: 1 app"], &[]),
            ("ecosystem --force", 0, &["wrote"], &[]),
            ("config check ecosystem.config.js", 0, &["is in order: 1 app"], &[]),
            ("completion zsh", 0, &["#compdef zelador", "startOrRestart"], &[]),
            ("completion fish", 0, &["complete -c zelador"], &[]),
            ("examples", 0, &["zelador reload api"], &[]),
            ("stop ecosystem.config.js --only nope", 1, &[], &["\"nope\""]),
        ],
    );
    let pids = zelador.home().join("pids");
    until("the pid files", || text(pids.join("api-0.pid")) == zelador.pid("api").to_string());
    assert!(pids.join("site-2.pid").exists() && !pids.join("web-2.pid").exists());
    assert!(!pids.join("api-1.pid").exists(), "it was removed");
    assert_eq!(zelador.ok(&["pid", "api"]).out, format!("{}\n", zelador.pid("api")));
    assert!(environ(zelador.pid("api")).contains("PORT=4000\n"));
    assert_eq!(zelador.ok(&["stop", "api", "-s"]).out, "");
    until("its pid file to be gone", || !pids.join("api-0.pid").exists());
}

#[test]
fn the_file_is_the_truth_at_a_restart() {
    let zelador = zelador();
    let write = |env: &str, more: &str| {
        let apps =
            format!("{{ name: 'api', script: './run', args: '1000', env: {{ {env} }} }}{more}");
        zelador.write("ecosystem.config.js", &format!("module.exports = {{ apps: [{apps}] }}"));
    };
    // A bare word is a file here before it is a program in PATH.
    let run = zelador.write("run", "#!/bin/sh\nexec sleep \"$@\"\n");
    std::fs::set_permissions(&run, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    write("GONE: 1, TOKEN: 'hunter2'", "");
    let down = zelador.run(&["restart", "ecosystem.config.js"]);
    assert!(down.code == 1 && down.err.contains("not running"), "{}", down.err);
    zelador.ok(&["start", "ecosystem.config.js"]);
    let before = zelador.pid("api");
    assert!(environ(before).contains("GONE=1\n"));
    write("NEW: 1, TOKEN: 'hunter2hunter2'", ", { name: 'late', script: 'run', args: '1000' }");
    let told = zelador.ok(&["restart", "ecosystem.config.js"]);
    assert!(
        told.err.contains("declared environment: new NEW; gone GONE; changed TOKEN"),
        "{}",
        told.err
    );
    assert!(!told.err.contains("hunter2") && told.out.contains("late (id 1): started"));
    let after = zelador.pid("api");
    assert!(after != before && !alive(before));
    let env = environ(after);
    assert!(env.contains("NEW=1\n") && !env.contains("GONE"), "{env}");
    // By name it keeps what it has; with the shell's environment it gets what is new there.
    let shell = |words: &[&str]| {
        said_ok(&said(&zelador.command(words).env("FROM_SHELL", "yes").output().unwrap()));
        environ(zelador.pid("api"))
    };
    assert!(!shell(&["restart", "api"]).contains("FROM_SHELL"));
    assert!(shell(&["restart", "api", "--update-env"]).contains("FROM_SHELL=yes\n"));
    assert!(
        !environ({
            zelador.ok(&["restart", "api", "-a"]);
            zelador.pid("api")
        })
        .contains("FROM_SHELL")
    );
    zelador.ok(&["startOrRestart", "ecosystem.config.js", "--only", "late"]);
    assert_eq!(zelador.restarts("late"), 1);
    zelador.ok(&["delete", "ecosystem.config.js", "--only", "late"]);
    zelador.ok(&["startOrReload", "ecosystem.config.js"]);
    assert_eq!(zelador.status("late"), "online");
    assert!(zelador.pid("api") != after);
}

fn said_ok(said: &Said) {
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

#[test]
fn json_on_standard_input_is_a_file_without_a_name() {
    let zelador = zelador();
    let json = "{ // as a deploy script writes it
        \"apps\": [{ \"name\": process.env.NAME || \"piped\", \"script\": \"sleep\", \"args\": \"1000\", }] }";
    said_ok(&with_stdin(&zelador, &["start", "-"], json));
    assert_eq!(zelador.status("piped"), "online");
    let wrong = with_stdin(&zelador, &["start", "-"], "{ \"apps\": [}");
    assert!(wrong.code == 1 && wrong.err.contains("standard input:1:"), "{}", wrong.err);
    said_ok(&with_stdin(
        &zelador,
        &["stop", "-"],
        "[{ \"name\": \"piped\", \"script\": \"sleep\" }]",
    ));
    assert_eq!(zelador.status("piped"), "stopped");
}

#[test]
fn what_depends_on_nothing_or_in_a_circle_is_refused() {
    let zelador = zelador();
    zelador.start("{ name: 'base', script: 'sleep', args: '1000' }");
    for (apps, parts) in [
        (
            "{ name: 'a', script: 'x.js', depends_on: ['bas'] }",
            &["\"bas\"", "did you mean `base`?"][..],
        ),
        (
            "{ name: 'a', script: 'x.js', depends_on: ['b'] }, { name: 'b', script: 'x.js', depends_on: ['a'] }",
            &["a circle: a needs b needs a"],
        ),
        (
            "{ name: 'a', script: 'x.js', dependsOn: { b: 'running', c: { conditon: 'ready' } } }, \
             { name: 'b', script: 'x.js' }, { name: 'c', script: 'x.js' }",
            &[
                "dependsOn.b: found \"running\", allowed: `started`, `ready`, `healthy` or `completed`",
                "did you mean `condition`?",
            ],
        ),
        (
            "{ name: 'a', script: 'x.js', depends_on: { b: 'healthy', c: 'completed' } }, \
             { name: 'b', script: 'x.js' }, { name: 'c', script: 'x.js' }",
            &["`healthy` for \"b\", which has no `health`", "started again whenever it ends"],
        ),
    ] {
        zelador.write("ecosystem.config.js", &format!("module.exports = {{ apps: [{apps}] }}"));
        for verb in
            [&["start", "ecosystem.config.js"][..], &["config", "check", "ecosystem.config.js"]]
        {
            let said = zelador.run(verb);
            assert_eq!(said.code, 1);
            for part in parts {
                assert!(said.err.contains(part), "{verb:?}: {part}: {}", said.err);
            }
        }
    }
    assert_eq!(zelador.jlist().len(), 1, "nothing was started");
    zelador.start("{ name: 'a', script: 'sleep', args: '1000', depends_on: ['base'] }");
}

#[test]
fn flush_tears_no_line_and_loses_none_that_comes_after() {
    let zelador = zelador();
    zelador.start("{ name: 'count', script: 'node', interpreter: 'none', args: ['-e', 'let n = 0; setInterval(() => { for (let i = 0; i < 50; i++) console.log(\"line \" + n++ + \" ends\"); }, 2)'] }");
    let log = zelador.home().join("logs/count-out.log");
    let mut first = 0;
    for _ in 0..5 {
        until("lines", || text(&log).lines().count() > 300);
        zelador.ok(&["flush", "count"]);
        until("lines after it", || text(&log).lines().count() > 300);
        let whole = text(&log);
        let lines: Vec<&str> =
            whole.split_inclusive('\n').filter(|it| it.ends_with('\n')).collect();
        let number = |line: &&str| -> u32 {
            let rest = line.strip_prefix("line ").and_then(|rest| rest.strip_suffix(" ends\n"));
            rest.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("torn: {line:?}"))
        };
        let numbers: Vec<u32> = lines.iter().map(number).collect();
        assert!(numbers[0] > first, "it was emptied");
        first = numbers[0];
        let gap = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
        assert_eq!(gap, None, "a line is missing");
    }
    zelador.ok(&["stop", "count"]);
    zelador.ok(&["flush"]);
    until("all of them to be empty", || text(&log).is_empty());
}

//! Rotation by PM2's settings, the settings themselves, and what `logs` shows.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::home::{Zelador, kill, text, until};

use crate::zelador;

/// Says a line of about a kilobyte, again and again.
const TALK: &str = "let n = 0; setInterval(() => console.log(++n + ' ' + 'x'.repeat(1000)), 5)";

fn files(zelador: &Zelador, end: &str) -> Vec<String> {
    let entries = fs::read_dir(zelador.home().join("logs")).map(|it| it.flatten().collect());
    let entries: Vec<fs::DirEntry> = entries.unwrap_or_default();
    let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("__") && name.ends_with(end)).collect()
}

#[test]
fn rotation_needs_no_module_and_its_settings_count_at_once() {
    let zelador = zelador();
    zelador.write("talk.js", TALK);
    let early = zelador.ok(&["set", "pm2-logrotate:retain", "4"]);
    assert!(early.out.contains("it counts when zelador is started"), "{}", early.out);
    zelador.start("{ name: 'talk', script: 'talk.js' }");
    let pid = zelador.pid("talk");
    zelador.ok(&["set", "pm2-logrotate.max_size", "5K"]);
    until("rotated logs", || files(&zelador, ".log").len() == 4);
    zelador.ok(&["multiset", "pm2-logrotate:compress true pm2-logrotate:dateFormat YYYY"]);
    until("compressed logs with a counter", || {
        let names = files(&zelador, ".log.gz");
        names.len() == 4 && names.iter().all(|name| name.len() < "talk-out__2026.1000.log.gz".len())
    });
    kill(zelador.roles().0, Signal::KILL);
    zelador.ok(&["unset", "pm2-logrotate:retain"]);
    until("ten of them, by default", || files(&zelador, ".log.gz").len() == 10);
    assert_eq!(zelador.pid("talk"), pid, "nobody was restarted for that");

    let conf = zelador.home().join("module_conf.json");
    assert_eq!(fs::metadata(&conf).unwrap().permissions().mode() & 0o777, 0o600);
    let wanted = "{\n    \"pm2-logrotate\": {\n        \"compress\": \"true\",\n        \
                  \"dateFormat\": \"YYYY\",\n        \"max_size\": \"5K\"\n    }\n}\n";
    assert_eq!(text(&conf), wanted);
}

#[test]
fn settings_are_set_shown_and_refused() {
    let zelador = zelador();
    for (args, code, out, err) in [
        (vec!["conf"], 0, "", "no setting of a module is set"),
        (
            vec!["set", "pm2-logrotate:max_size", "abc"],
            1,
            "",
            "max_size is \"abc\"; allowed: bytes",
        ),
        (vec!["set", "pm2-logrotate:retain", "-1"], 1, "", "retain is \"-1\"; allowed: a whole"),
        (vec!["set", "pm2-logrotate:TZ", "Mars/Base"], 1, "", "a time zone that this host knows"),
        (vec!["set", "pm2-logrotate:", "1"], 1, "", "is not the name of a setting"),
        (vec!["set", "pm2-logrotate:max_sise", "1"], 0, "is set", "did you mean `max_size`?"),
        (vec!["multiset", "mod:a 1 mod:b 'two words'"], 0, "mod:a, mod:b are set", ""),
        (vec!["multiset", "mod:c 1 pm2-logrotate:retain x"], 1, "", "retain is \"x\""),
        (vec!["multiset", "mod:c"], 1, "", "found 1 words"),
        (vec!["get", "mod:b"], 0, "two words\n", ""),
        (vec!["get", "mod:c"], 1, "", "no setting is called `mod:c`"),
        (vec!["conf", "mod"], 0, "$ zelador set mod:a 1\n$ zelador set mod:b \"two words\"\n", ""),
        (vec!["config", "mod:a", "5"], 0, "mod:a is set", ""),
        (vec!["config", "mod:a"], 0, "5\n", ""),
        (vec!["set", "pm2-slack:slack_url", "https://hooks.example/T/SECRET"], 0, "is set", ""),
        (vec!["conf", "pm2-slack"], 0, "slack_url ********\n", "secrets are masked"),
        (vec!["get", "pm2-slack:slack_url"], 0, "https://hooks.example/T/SECRET\n", ""),
        (vec!["unset", "mod:a"], 0, "mod:a is unset", ""),
        (vec!["unset", "mod:a"], 1, "", "no setting is called `mod:a`; "),
        (vec!["unset", "all"], 0, "no setting of a module is left", ""),
        (vec!["get"], 0, "", "no setting of a module is set"),
    ] {
        let said = zelador.run(&args);
        assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
        assert!(said.out.contains(out) && (!out.is_empty() || said.out.is_empty()), "{}", said.out);
        let err = err.trim_end_matches("; ");
        assert!(said.err.contains(err), "{args:?}: {}", said.err);
    }
    assert_eq!(text(zelador.home().join("module_conf.json")), "{}\n");
    fs::write(zelador.home().join("module_conf.json"), "{").unwrap();
    let said = zelador.run(&["set", "mod:a", "1"]);
    assert!(said.code == 1 && said.err.contains("module_conf.json is not JSON"), "{}", said.err);
}

#[test]
fn an_app_is_restarted_with_the_settings_of_its_name() {
    let zelador = zelador();
    zelador.write(
        "mod.js",
        "console.log(JSON.stringify([process.env.greeting, process.env['my.mod'], process.env.own]));
         setInterval(() => {}, 1000)",
    );
    zelador.start(
        "{ name: 'my.mod', script: 'mod.js', env: { own: 'x', greeting: 'none' } },
         { name: 'other', script: 'mod.js' }",
    );
    let other = zelador.pid("other");
    let log = zelador.home().join("logs/my.mod-out.log");
    let last = || -> Value {
        let all = text(&log);
        serde_json::from_str(all.lines().last().unwrap_or_default()).unwrap_or_default()
    };
    until("the first start", || last()[0] == "none");
    zelador.ok(&["set", "my.mod:greeting", "hello"]);
    until("the second", || last()[0] == "hello");
    assert_eq!(last()[1], r#"{"greeting":"hello"}"#);
    assert_eq!(last()[2], "x");
    zelador.ok(&["set", "my.mod:api_key", "s3cr3t"]);
    until("the third", || last()[1].as_str().is_some_and(|it| it.contains("s3cr3t")));
    let env = zelador.ok(&["env", "my.mod"]).out;
    assert!(env.contains("greeting: hello") && !env.contains("s3cr3t"), "{env}");
    zelador.ok(&["unset", "my.mod"]);
    until("the fourth", || last()[0] == "none");
    assert_eq!((zelador.pid("other"), zelador.restarts("my.mod")), (other, 3));
}

#[test]
fn logs_are_shown_in_every_form_also_those_that_are_json_already() {
    let zelador = zelador();
    let long = "y".repeat(70_000);
    zelador.write(
        "say.js",
        &format!(
            "console.log('one {{\"a\":1}}'); console.log('{long}'); console.error('bad \\x1b[2J');
                  setInterval(() => {{}}, 1000)"
        ),
    );
    zelador.start(
        "{ name: 'plain', script: 'say.js', namespace: 'ns', log_date_format: 'YYYY' },
         { name: 'object', script: 'say.js', namespace: 'ns', log_type: 'json' },
         { name: 'quiet', script: 'say.js', disable_logs: true }",
    );
    let shown = |args: &[&str]| zelador.ok(&[&["logs", "--nostream"], args].concat()).out;
    until("all lines", || shown(&["ns", "--err"]).matches("bad").count() == 2);
    let logs = zelador.home().join("logs");
    for name in ["object-out.log", "object-error.log"] {
        for line in text(logs.join(name)).lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&object["process_id"], &object["app_name"]), (&1.into(), &"object".into()));
            assert!(object["timestamp"].as_str().unwrap().ends_with('Z'));
        }
    }
    assert!(!logs.join("quiet-out.log").exists(), "no logs were asked for");

    for selector in ["/^(plain|object)$/", "ns"] {
        let out = shown(&[selector, "--json"]);
        let objects: Vec<Value> = out.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        let messages = |kind: &str, app: &str| -> Vec<String> {
            let of = objects.iter().filter(|it| it["type"] == kind && it["app_name"] == app);
            of.map(|it| it["message"].as_str().unwrap().to_owned()).collect()
        };
        for app in ["plain", "object"] {
            assert_eq!(messages("out", app), ["one {\"a\":1}", long.as_str()], "{selector} {app}");
            assert_eq!(messages("err", app), ["bad \u{1b}[2J"]);
        }
    }
    let words = shown(&["plain", "--format", "--out", "--lines", "2"]);
    let year = words.strip_prefix("timestamp=20").unwrap();
    assert!(year[2..].starts_with(" app=plain id=0 type=out message=one {\"a\":1}\n"), "{year}");
    assert_eq!(shown(&["plain", "--out", "--lines", "1"]).matches('y').count(), 70_000);
    assert!(!shown(&["plain", "--err"]).contains('\u{1b}'));
    let raw = zelador.ok(&["logs", "plain", "--nostream", "--raw", "--err"]);
    assert!(raw.err.contains("bad \u{1b}[2J\n"), "{:?}", raw.err);
}

#[test]
fn a_flushed_log_goes_on_and_following_goes_on_across_flush_and_rotation() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    use std::sync::mpsc;

    let zelador = zelador();
    zelador.write("talk.js", TALK);
    zelador.ok(&["set", "pm2-logrotate:max_size", "50K"]);
    zelador.start("{ name: 'talk', script: 'talk.js' }");
    let mut follower = zelador.command(&["logs", "talk", "--json", "--lines", "0"]);
    let mut follower = follower.stdout(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = mpsc::channel();
    let out = BufReader::new(follower.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        out.lines().map_while(Result::ok).for_each(|line| _ = sender.send(line));
    });
    let number = |line: &str| -> Option<u64> {
        let object: Value = serde_json::from_str(line).unwrap();
        object["message"].as_str()?.split(' ').next()?.parse().ok()
    };
    let next = || loop {
        let line = lines.recv_timeout(zelador_testbed::home::LIMIT).unwrap();
        if let Some(number) = number(&line) {
            return number;
        }
    };
    let first = next();
    for wanted in first + 1..first + 200 {
        assert_eq!(next(), wanted, "every line once, in order");
    }
    assert!(files(&zelador, ".log").len() >= 2, "it was rotated meanwhile");
    zelador.ok(&["flush", "talk"]);
    let (mut last, mut jumps) = (next(), 0);
    for _ in 0..100 {
        let now = next();
        jumps += u32::from(now != last + 1);
        assert!(now > last, "none twice");
        last = now;
    }
    assert!(jumps <= 1, "what was flushed before it was shown is gone, and nothing else");
    zelador.ok(&["restart", "talk"]);
    let event = |line: String| {
        let object: Value = serde_json::from_str(&line).unwrap();
        object["type"] == "process_event" && object["app_name"] == "talk"
    };
    until("the restart to be told", || lines.try_iter().any(event));
    follower.kill().unwrap();
    follower.wait().unwrap();
    reader.join().unwrap();
}

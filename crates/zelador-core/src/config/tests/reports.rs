//! What is said about wrong documents, and about right ones that may surprise.

use super::{context, declared, mistakes, read};
use crate::config::{Context, Declared, Key, Node, Position, Value, check};

#[test]
fn every_mistake_is_reported_at_once() {
    let report = mistakes(
        r#"{ "apps": [
            { "name": "api", "script": "a.js", "max_restarts": "ten", "min_uptime": 10,
              "max_restart": 3, "instances": 1.5, "cron_restart": "61 * * * *", "kill_signal": "SIGNOPE",
              "max_memory_restart": "lots", "autorestart": "yes", "args": "it's", "env": [1],
              "restart_delay": -1, "exec_mode": "forks", "stop_exit_codes": [256], "port": 0,
              "health": { "http": "https://x/", "interval": "soon", "thresold": 1 },
              "half_open_after": "2h", "on_dependency_down": "panic", "depends_on": ["api"] },
            { "name": "api", "script": "b.js", "health": {}, "out_file": 7, "interpreter": "node@lts" },
            { "name": "" },
            "npm start" ],
          "zelador": { "http": "everywhere", "cheks": {}, "checks": { "memory": { "degraded": 95, "unhealthy": 90 },
            "cpu": { "degraded": 101 }, "disk": true },
            "databases": { "a": "oracle://u:hunter2@h/x", "b": "mysql://u:hun/ter2@h/x", "c": { "slow": "1s" },
              "d": "mysql://h:99999/", "e": "sqlite::memory:", "f": 3 } } }"#,
    );
    assert!(!report.to_string().contains("ter2"), "{report}");
    insta::assert_snapshot!(report, @r#"
    ecosystem.config.js: zelador.cheks: found an unknown field, allowed: the fields of zelador's settings; did you mean `checks`?
    ecosystem.config.js: zelador.http: found "everywhere", allowed: an address like `127.0.0.1:9615`, a port, or false
    ecosystem.config.js: zelador.checks.memory.degraded: found 95, allowed: at most `unhealthy`, 90
    ecosystem.config.js: zelador.checks.cpu: found no `unhealthy`, allowed: both `degraded` and `unhealthy`
    ecosystem.config.js: zelador.checks.cpu.degraded: found 101, allowed: a share from 0 to 100
    ecosystem.config.js: zelador.checks.disk: found true, allowed: `{ degraded: 75, unhealthy: 90 }`, or false
    ecosystem.config.js: zelador.databases.a: found "oracle://u:********@h/x", allowed: `mysql://user:password@host:port/name`, `mariadb://…`, `postgres://…`, `redis://…` or `sqlite:///path`
    ecosystem.config.js: zelador.databases.b: found "mysql://u:********@h/x", allowed: `/`, `?`, `#` and `@` in a password written as %2F, %3F, %23 and %40
    ecosystem.config.js: zelador.databases.c: found no `url`, allowed: `mysql://user:password@host:port/name`, `mariadb://…`, `postgres://…`, `redis://…` or `sqlite:///path`
    ecosystem.config.js: zelador.databases.d: found "mysql://h:99999/", allowed: a host, and a port from 1 to 65535, after `://`
    ecosystem.config.js: zelador.databases.e: found "sqlite::memory:", allowed: the path of a file: `sqlite:///path` or `sqlite:path`
    ecosystem.config.js: zelador.databases.f: found 3, allowed: a URL, or an object with `url`
    ecosystem.config.js: apps[0].max_restart: found an unknown field, allowed: the fields of an app; did you mean `max_restarts`?
    ecosystem.config.js: apps[0].args: found "it's", allowed: text in which every quote is closed, or a list
    ecosystem.config.js: apps[0].env: found a list of 1, allowed: an object with variables
    ecosystem.config.js: apps[0].port: found 0, allowed: a whole number from 1 to 65535
    ecosystem.config.js: apps[0].depends_on: found the app itself, allowed: names of databases and of other apps
    ecosystem.config.js: apps[0].instances: found 1.5, allowed: a whole number up to 1024, `max` (as many as processors), or a negative number (that many fewer)
    ecosystem.config.js: apps[0].exec_mode: found "forks", allowed: `fork` or `cluster`
    ecosystem.config.js: apps[0].restart_delay: found -1, allowed: milliseconds, or text like `10s`, `5m`, `1h`
    ecosystem.config.js: apps[0].min_uptime: found 10, allowed: milliseconds, or text like `10s`, `5m`, `1h`, at least 100 ms
    ecosystem.config.js: apps[0].autorestart: found "yes", allowed: true or false
    ecosystem.config.js: apps[0].max_restarts: found "ten", allowed: a whole number from 0 on
    ecosystem.config.js: apps[0].stop_exit_codes[0]: found 256, allowed: a whole number from 0 to 255
    ecosystem.config.js: apps[0].half_open_after: found "2h", allowed: at most 30m, or false
    ecosystem.config.js: apps[0].kill_signal: found "SIGNOPE", allowed: a signal like `SIGTERM`, or its number from 1 to 64
    ecosystem.config.js: apps[0].max_memory_restart: found "lots", allowed: bytes, or text like `500M`, `1G`, `200K`
    ecosystem.config.js: apps[0].cron_restart: found "61 * * * *", allowed: a cron pattern of five fields like `0 3 * * *`, or six with seconds first; Component error: Number out of bounds
    ecosystem.config.js: apps[0].health.thresold: found an unknown field, allowed: the fields of a health check
    ecosystem.config.js: apps[0].health.interval: found "soon", allowed: milliseconds, or text like `10s`, `5m`, `1h`, at least 100 ms
    ecosystem.config.js: apps[0].on_dependency_down: found "panic", allowed: `wait` or `restart`
    ecosystem.config.js: apps[1].interpreter: found "node@lts", allowed: `node@` and a version: `node@20`, `node@20.11.1`, `node@latest`
    ecosystem.config.js: apps[1].out_file: found 7, allowed: the path of a file, or `/dev/null`
    ecosystem.config.js: apps[1].health: found nothing to ask, allowed: one of `http`, `tcp`, `udp`, `socket`, `command`, `dns`, `grpc`, `websocket`, `file`, `certificate`, `log`, `heartbeat`, `process`
    ecosystem.config.js: apps[2]: found no `script`, allowed: text: the file or program to execute
    ecosystem.config.js: apps[2].name: found "", allowed: text
    ecosystem.config.js: apps[3]: found "npm start", allowed: an object with the fields of an app
    ecosystem.config.js: apps[1].name: found the name "api", which apps[0].name has too, allowed: a name that no other app of the file has
    "#);
}

#[test]
fn a_document_that_declares_nothing_says_what_it_could() {
    let said = |json: &str| mistakes(json).to_string();
    insta::assert_snapshot!(
        [
            said("{}"),
            said("null"),
            said("\"npm\""),
            said(r#"{"app":[{"script":"a.js"}]}"#),
            said(r#"{"deploy":{}}"#),
            said(r#"{"apps":"a.js"}"#),
            said(r#"[{"name":"x"}]"#),
        ]
        .join("\n"), @r#"
    ecosystem.config.js: found an empty object, allowed: an object with `apps`, a list of apps, or one app
    ecosystem.config.js: found null, allowed: an object with `apps`, a list of apps, or one app
    ecosystem.config.js: found "npm", allowed: an object with `apps`, a list of apps, or one app
    ecosystem.config.js: app: found an unknown field, allowed: the fields of an ecosystem file; did you mean `apps`?
    ecosystem.config.js: found no `apps`, allowed: an object with `apps`, a list of apps, or one app
    ecosystem.config.js: apps: found "a.js", allowed: a list of apps
    ecosystem.config.js: [0]: found no `script`, allowed: text: the file or program to execute
    "#);
}

#[test]
fn real_fields_without_effect_are_accepted_and_named() {
    let Declared { notes, .. } = declared(
        r#"{"apps":[{"script":"a.js","exec_mode":"cluster","watch":true,"wait_ready":true,"log_type":"json",
            "listen_timeout":10000,"vizion":false,"pmx":false,"windowsHide":true,"err_log":"1","error_file":"2"},
            {"script":"b.ts","instances":2}],"deploy":{"production":{}},"x-common":1,"shared":{}}"#,
    );
    let notes: Vec<_> = notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @r#"
    ecosystem.config.js: shared: is not known beside `apps` and has no effect
    ecosystem.config.js: deploy: field `deploy` is accepted but has no effect yet
    ecosystem.config.js: apps[0].error_file: is given as `err_log` too, which has no effect
    ecosystem.config.js: apps[1].script: is run by `node`, which needs 22.18 or newer for it; `npm install tsx` in the project, or set `interpreter`
    "#);
}

#[test]
fn only_the_wanted_apps_come_out() {
    let file = read(r#"[{"name":"a","script":"a.js"},{"name":"b","script":"b.js"}]"#);
    let only = |names: &[&str]| Context {
        only: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..context()
    };
    let apps = check(&file, &only(&["b"])).unwrap().apps;
    assert_eq!(apps.iter().map(|app| app.name.as_str()).collect::<Vec<_>>(), ["b"]);
    insta::assert_snapshot!(check(&file, &only(&["c"])).unwrap_err(), @r#"ecosystem.config.js: --only: found "c", allowed: names of apps: a, b"#);
}

#[test]
fn a_mistake_names_line_and_column_when_they_are_known() {
    let at = |line, column| Some(Position { line, column });
    let entry = |name: &str, value: Value, line| {
        let key = Key { name: name.to_owned(), position: at(line, 3) };
        (key, Node { value, position: at(line, 9) })
    };
    let table = Value::Table(vec![
        entry("script", Value::from("a.js"), 1),
        entry("max_restarts", Value::from("ten"), 2),
        entry("nmae", Value::from("x"), 3),
    ]);
    let report = check(&table.into(), &context()).unwrap_err();
    insta::assert_snapshot!(report, @r#"
    ecosystem.config.js:2:9: max_restarts: found "ten", allowed: a whole number from 0 on
    ecosystem.config.js:3:3: nmae: found an unknown field, allowed: the fields of an app; did you mean `name`?
    "#);
}

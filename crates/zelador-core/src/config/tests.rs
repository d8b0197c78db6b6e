//! Whole documents: what comes out of right ones, and what is said about wrong ones.

mod arbitrary;
mod mounts;
mod notify;
mod outward;
mod reports;
mod resilience;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Context, Declared, Mistakes, Node, Overlay, Switch, Value, check, check_settings, script_app,
};
use crate::diagnosis::Cause;
use crate::healing::{Runtime, garbage_hook};
use crate::signal::Signal;
use crate::spec::{
    AppSpec, Cadence, Environment, Hook, Keep, LogTarget, OnDependencyDown, ProbeTarget,
    RestartDelay, Settings,
};
use crate::unit::{ByteSize, SECOND};

fn context() -> Context {
    let inherited = [("PATH", "/usr/bin"), ("AWS_KEY", "k"), ("HOME", "/root")];
    Context {
        file: PathBuf::from("ecosystem.config.js"),
        folder: PathBuf::from("/srv/app"),
        inherited_env: Arc::new(inherited.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
        env_name: None,
        cores: 4,
        only: None,
        known: None,
        is_file: |_| false,
        cadence: Cadence::default(),
        defaults: crate::config::Defaults::default(),
    }
}

fn read(json: &str) -> Node {
    serde_json::from_str(json).unwrap()
}

fn declared(json: &str) -> Declared {
    check(&read(json), &context()).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn mistakes(json: &str) -> Mistakes {
    check(&read(json), &context()).unwrap_err()
}

/// The only app of a file that has `script: "server.js"` and these fields.
fn app(fields: &str) -> AppSpec {
    let comma = if fields.is_empty() { "" } else { "," };
    let mut declared = declared(&format!(r#"{{"script":"server.js"{comma}{fields}}}"#));
    declared.apps.remove(0)
}

const SAMPLE: &str = r#"{ "apps": [{ "name": "servidor-automacao", "script": "server.js", "instances": 1,
  "exec_mode": "fork", "autorestart": true, "max_restarts": 10, "min_uptime": "10s", "restart_delay": 4000,
  "max_memory_restart": "500M", "error_file": "./logs/pm2-error.log", "out_file": "./logs/pm2-out.log",
  "log_date_format": "YYYY-MM-DD HH:mm:ss Z", "merge_logs": true, "env": { "NODE_ENV": "production", "PORT": 3000 },
  "watch": false, "ignore_watch": ["node_modules", "logs", ".git"], "exp_backoff_restart_delay": 100,
  "kill_timeout": 5000, "listen_timeout": 3000, "cron_restart": "0 3 * * *" }] }"#;

#[test]
fn the_sample_file_is_right_and_nothing_needs_saying() {
    let Declared { apps, settings, notes } = declared(SAMPLE);
    assert_eq!((notes, settings), (vec![], Overlay::default()));
    let app = &apps[0];
    assert_eq!(app.name.as_str(), "servidor-automacao");
    assert_eq!(app.launch.script, "/srv/app/server.js");
    assert_eq!(app.launch.interpreter.as_deref(), Some("node"));
    assert_eq!(app.launch.cwd, Path::new("/srv/app"));
    assert_eq!(app.launch.env["PORT"], "3000");
    assert_eq!(app.restart.max_restarts, 10);
    assert_eq!(app.restart.min_uptime, 10 * SECOND);
    assert_eq!(app.restart.delay, RestartDelay::Exponential(Duration::from_millis(100)));
    assert_eq!(app.restart.half_open_after, Some(60 * SECOND));
    assert_eq!(app.stop.grace, 5 * SECOND);
    assert_eq!(app.max_memory, Some(ByteSize::mebibytes(500)));
    assert_eq!(app.cron.as_ref().unwrap().as_str(), "0 3 * * *");
    assert_eq!(app.logs.out, LogTarget::File("/srv/app/logs/pm2-out.log".into()));
    assert_eq!(app.logs.err, LogTarget::File("/srv/app/logs/pm2-error.log".into()));
    assert_eq!(app.source.as_deref(), Some(Path::new("/srv/app/ecosystem.config.js")));
}

#[test]
fn what_is_not_said_has_its_default() {
    let app = app("");
    assert_eq!((app.name.as_str(), app.namespace.as_str()), ("server", "default"));
    assert_eq!((app.instances, app.autostart), (1, true));
    assert_eq!((app.restart.max_restarts, app.restart.min_uptime), (16, SECOND));
    assert_eq!(app.restart.delay, RestartDelay::None);
    assert_eq!((app.stop.signal, app.stop.grace, app.stop.tree), (Signal::INT, 5 * SECOND, true));
    assert_eq!((app.logs.merge, &app.logs.out), (true, &LogTarget::Default));
    assert_eq!(app.launch.instance_var, "NODE_APP_INSTANCE");
    assert_eq!((app.health, app.max_memory, app.cron), (None, None, None));
    assert_eq!(app.on_dependency_down, OnDependencyDown::Wait);
}

#[test]
fn a_script_is_a_file_a_command_or_a_word_of_path() {
    for (fields, script, interpreter, args, name) in [
        (r#""script":"server.js""#, "/srv/app/server.js", Some("node"), vec![], "server"),
        (
            r#""script":"./bin/../api.v2.mjs""#,
            "/srv/app/api.v2.mjs",
            Some("node"),
            vec![],
            "api.v2",
        ),
        (r#""exec":"main.py""#, "/srv/app/main.py", Some("python3"), vec![], "main"),
        (r#""cmd":"run.sh","cwd":"/x""#, "/x/run.sh", Some("bash"), vec![], "run"),
        (
            r#""script":"npm","args":"start -- -p 1""#,
            "npm",
            None,
            vec!["start", "--", "-p", "1"],
            "npm",
        ),
        (r#""script":"./server""#, "/srv/app/server", None, vec![], "server"),
        (
            r#""script":"./bin/www","exec_mode":"cluster""#,
            "/srv/app/bin/www",
            Some("node"),
            vec![],
            "www",
        ),
        (r#""script":"a.js","interpreter":"none""#, "/srv/app/a.js", None, vec![], "a"),
        (
            r#""script":"a.js","interpreter":"./node""#,
            "/srv/app/a.js",
            Some("/srv/app/node"),
            vec![],
            "a",
        ),
        (r#""script":"npm run x""#, "bash", None, vec!["-c", "npm run x"], "npm run x"),
        (r#""script":"node app.js""#, "bash", None, vec!["-c", "node app.js"], "node app"),
        (
            r#""script":"x y","args":["1 2"]"#,
            "bash",
            None,
            vec!["-c", "x y \"$@\"", "bash", "1 2"],
            "x y",
        ),
        (
            r#""script":"my app.js","interpreter":"node""#,
            "/srv/app/my app.js",
            Some("node"),
            vec![],
            "my app",
        ),
    ] {
        let app = declared(&format!("{{{fields}}}")).apps.remove(0);
        assert_eq!(app.launch.script, script, "{fields}");
        assert_eq!(app.launch.interpreter.as_deref(), interpreter, "{fields}");
        assert_eq!(app.launch.args, args, "{fields}");
        assert_eq!(app.name.as_str(), name, "{fields}");
    }
}

#[test]
fn numbers_and_flags_are_read_from_text_too() {
    let app = app(r#""maxRestarts":"10","autorestart":"false","kill_timeout":"1.5s",
        "stop_exit_codes":["0",3],"kill_signal":15,"uid":1000,"max_memory_restart":1048576"#);
    assert_eq!((app.restart.max_restarts, app.restart.autorestart), (10, false));
    assert_eq!(app.stop.grace, Duration::from_millis(1500));
    assert_eq!(app.restart.stop_exit_codes, [0, 3]);
    assert_eq!(app.stop.signal, Signal::TERM);
    assert_eq!(app.launch.uid.as_deref(), Some("1000"));
    assert_eq!(app.max_memory, Some(ByteSize::mebibytes(1)));
}

#[test]
fn instances_are_counted_from_the_processors() {
    for (given, expected) in
        [("3", 3), ("\"2\"", 2), ("\"max\"", 4), ("0", 4), ("-1", 3), ("-9", 1), ("\"-1\"", 3)]
    {
        let app = app(&format!(r#""instances":{given}"#));
        assert_eq!(app.instances, expected, "{given}");
        assert!(!app.logs.merge, "{given}");
    }
    assert!(app(r#""instances":1"#).logs.merge);
}

#[test]
fn variables_become_text_and_a_named_environment_is_laid_over() {
    let file = read(
        r#"{"script":"a.js","port":8080,"append_env_to_name":true,
        "env":{"A":1,"B":true,"C":{"x":[1,"y"]},"D":null,"E":"e"},"env_prod":{"A":"2","F":1.5}}"#,
    );
    let plain = &check(&file, &context()).unwrap().apps[0];
    let expect = |pairs: &[(&str, &str)]| -> Environment {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let mut pairs =
        vec![("A", "1"), ("B", "true"), ("C", r#"{"x":[1,"y"]}"#), ("E", "e"), ("PORT", "8080")];
    assert_eq!(plain.launch.env, expect(&pairs));
    pairs[0].1 = "2";
    pairs.push(("F", "1.5"));
    let prod = Context { env_name: Some("prod".to_owned()), ..context() };
    let app = &check(&file, &prod).unwrap().apps[0];
    assert_eq!(app.launch.env, expect(&pairs));
    assert_eq!(app.name.as_str(), "a-prod");
    let other = Context { env_name: Some("test".to_owned()), ..context() };
    let notes = check(&file, &other).unwrap().notes;
    assert_eq!(notes[0].text, "has no `env_test`: only `env` is used");
}

#[test]
fn inherited_variables_are_filtered() {
    for (filter, left) in
        [("false", 3), ("true", 0), (r#"["AWS","HO"]"#, 1), (r#""AWS""#, 3), (r#""AWS_KEY""#, 2)]
    {
        let app = app(&format!(r#""filter_env":{filter}"#));
        assert_eq!(app.launch.inherited_env.len(), left, "{filter}");
    }
    let python = app(r#""script":"x","interpreter":"/opt/python3.12""#);
    assert_eq!(python.launch.env["PYTHONUNBUFFERED"], "1");
}

#[test]
fn logs_go_where_they_are_sent() {
    let logs = app(r#""out":"NULL","err_log":"/var/log/e.log","log":"both.log","time":true"#).logs;
    assert_eq!(logs.out, LogTarget::Off);
    assert_eq!(logs.err, LogTarget::File("/var/log/e.log".into()));
    assert_eq!(logs.combined.as_deref(), Some(Path::new("/srv/app/both.log")));
    assert_eq!(logs.date_format.as_deref(), Some("YYYY-MM-DDTHH:mm:ss"));
    let off = app(r#""disable_logs":true,"out_file":"a.log""#).logs;
    assert_eq!((off.out, off.err), (LogTarget::Off, LogTarget::Off));
}

#[test]
fn a_health_check_is_a_url_a_path_or_an_address() {
    let probe = |fields: &str| app(fields).health.unwrap().probe;
    let http = |url: &str, status| {
        ProbeTarget::Http(crate::spec::HttpProbe { status, ..crate::spec::HttpProbe::get(url) })
    };
    let tcp = |address: &str| ProbeTarget::Tcp(crate::spec::TalkProbe::new(address));
    assert_eq!(
        probe(r#""port":3000,"health":{"http":"/health?x=1"}"#),
        http("http://127.0.0.1:3000/health?x=1", (200, 399))
    );
    assert_eq!(
        probe(r#""health":{"http":"HTTP://[::1]:80","status":"200-204"}"#),
        http("http://[::1]:80/", (200, 204))
    );
    assert_eq!(
        probe(r#""health":{"http":"http://localhost/x","status":418}"#),
        http("http://localhost/x", (418, 418))
    );
    assert_eq!(probe(r#""health":{"tcp":"db.internal:5432"}"#), tcp("db.internal:5432"));
    assert_eq!(probe(r#""health":{"tcp":3000}"#), tcp("127.0.0.1:3000"));
    let health = app(r#""health":{"tcp":3000,"interval":"5s","timeout":"500ms"}"#).health.unwrap();
    assert_eq!((health.cadence.interval, health.cadence.failure_threshold), (5 * SECOND, 3));
    assert_eq!((health.slow, health.start_period), (Duration::from_millis(500), 5 * SECOND));
    let health = app(r#""health":{"tcp":3000,"initial_delay":"7s"}"#).health.unwrap();
    assert_eq!(health.start_period, 7 * SECOND, "as Kubernetes names it");
}

#[test]
fn settings_lie_over_each_other() {
    let file = r#"{"apps":[{"script":"a.js","health":{"tcp":1}}],"zelador":{"http":false,
        "checks":{"interval":"10s","memory":{"degraded":50,"unhealthy":"60"},"disk":false},
        "databases":{"main":{"url":"mysql://u:p@db/x","slow":"1s"},"local":"sqlite:data/x.db"},
        "logs":{"keep":3}}}"#;
    let Declared { settings: upper, apps, .. } = declared(file);
    assert_eq!(apps[0].health.as_ref().unwrap().cadence.interval, 10 * SECOND);
    assert_eq!(upper.http, Some(Switch::Off));
    assert!(!format!("{upper:?}").contains(":p@"), "{upper:?}");
    let toml = r#"{"http":"localhost:80","checks":{"timeout":"2s","disk":{"degraded":1,"unhealthy":2}},
        "databases":{"main":"mysql://other/","far":"mariadb://h:3307"},"logs":{"max_size":"1M"}}"#;
    let (lower, _) = check_settings(&read(toml), &context()).unwrap();
    let settings = Settings::resolve(&[&lower, &upper]);
    assert_eq!((settings.http, settings.disk), (None, None));
    assert_eq!(settings.cpu, Settings::default().cpu);
    assert_eq!(settings.memory.unwrap().unhealthy.value().to_bits(), 60.0_f64.to_bits());
    assert_eq!(
        (settings.rotation.max_size, settings.rotation.keep),
        (ByteSize::mebibytes(1), Keep::Newest(3))
    );
    let urls: Vec<_> = settings.databases.values().map(|spec| spec.url.as_str()).collect();
    assert_eq!(urls, ["mariadb://h:3307", "sqlite:///srv/app/data/x.db", "mysql://u:p@db/x"]);
    assert_eq!(settings.databases["main"].slow, SECOND);
    assert_eq!(settings.databases["far"].cadence.interval, 10 * SECOND);
    let json = serde_json::to_string(&upper).unwrap();
    assert_eq!(serde_json::from_str::<Overlay>(&json).unwrap(), upper);
    assert_eq!(Settings::resolve(&[]), Settings::default());
}

#[test]
fn a_command_line_goes_through_the_same_checks() {
    let context = Context { file: "command line".into(), ..context() };
    let fields = vec![("name", Value::from("api")), ("instances", Value::from("max"))];
    let (app, notes) =
        script_app("server.js", &["--port".into(), "1 2".into()], fields, &context).unwrap();
    assert_eq!((app.name.as_str(), app.instances, app.source), ("api", 4, None));
    assert_eq!(app.launch.args, ["--port", "1 2"]);
    assert_eq!(app.mode, crate::spec::ExecMode::Cluster, "as PM2: the number was given");
    assert_eq!(notes, []);
    let wrong = vec![("max_restarts", Value::from("x")), ("cron_restart", Value::from("y"))];
    let report = script_app("server.js", &[], wrong, &context).unwrap_err();
    assert_eq!(report.all().len(), 2, "{report}");
}

#[test]
fn a_runtime_is_asked_about_its_threads_where_it_can_answer() {
    let asked = |fields: &str, cause| Runtime::to_ask(cause, &app(fields));
    let (hangs, spins) = (Cause::DeadlockOrHang, Cause::CpuRunaway);
    let reports = r#""node_args": "--report-on-signal""#;
    assert_eq!(asked(reports, hangs), Some(Runtime::Node));
    assert_eq!(asked(reports, spins), None, "it has no turn to write one in");
    assert_eq!(asked("", hangs), None, "it would end by the signal");
    assert_eq!(asked(r#""interpreter": "python3""#, spins), Some(Runtime::Python));
    assert_eq!(
        asked(r#""interpreter": "python3""#, Cause::SyntaxError),
        None,
        "threads tell nothing of that"
    );
}

#[test]
fn a_runtime_is_asked_to_collect_garbage_where_that_harms_nobody() {
    let hook = |fields: &str| garbage_hook(&app(fields));
    assert_eq!(hook(r#""interpreter": "java""#), Some(Hook::Runtime));
    assert_eq!(hook(r#""node_args": "--inspect=127.0.0.1:0""#), Some(Hook::Runtime));
    assert_eq!(hook(r#""env": { "NODE_OPTIONS": "--inspect" }"#), Some(Hook::Runtime));
    assert_eq!(hook(r#""node_args": "--inspect-port=0""#), None, "it is not open");
    assert_eq!(hook(r#""hooks": { "gc": true }"#), Some(Hook::Runtime), "it says that it may");
    assert_eq!(hook(r#""interpreter": "java", "hooks": { "gc": false }"#), None);
    let own = Hook::Command("./gc".to_owned());
    assert_eq!(hook(r#""interpreter": "java", "hooks": { "gc": "./gc" }"#), Some(own));
}

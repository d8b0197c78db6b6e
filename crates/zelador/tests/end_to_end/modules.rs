//! Modules: npm installs them, and they run as apps with their settings.

use std::fs;

use serde_json::Value;
use zelador_testbed::home::{Zelador, text, until};

use crate::zelador;

/// Writes the folder of a module.
fn module(zelador: &Zelador, version: &str, more: &str) {
    _ = fs::create_dir(zelador.app().join("hello"));
    zelador.write("hello/tell.js", "console.log(process.env.greeting, process.env.n, __filename, process.argv.length); setInterval(() => {}, 1000)");
    zelador.write(
        "hello/package.json",
        &format!(
            r#"{{ "name": "@shop/hello", "version": "{version}", {more} "config": {{ "greeting": "hi", "n": 3 }} }}"#
        ),
    );
}

#[test]
fn a_module_is_installed_by_npm_runs_as_an_app_and_is_replaced_only_by_one_that_can_run() {
    let zelador = zelador();
    module(&zelador, "1.0.0", r#""main": "tell.js","#);
    let said = zelador.ok(&["install", "./hello"]);
    assert!(said.out.contains("@shop/hello 1.0.0 is installed"), "{}", said.out);
    let app = zelador.entry("@shop/hello");
    assert_eq!(app["pm2_env"]["namespace"], "modules");
    let log = app["pm2_env"]["pm_out_log_path"].as_str().unwrap().to_owned();
    until("it to tell its settings", || text(&log).starts_with("hi 3 "));
    zelador.ok(&["set", "@shop/hello:greeting", "hello"]);
    until("its restart with the setting", || text(&log).contains("hello 3 "));

    // The same once more keeps what somebody set.
    let pid = zelador.pid("@shop/hello");
    module(&zelador, "2.0.0", r#""apps": [{ "script": "tell.js", "args": "one two" }],"#);
    let said = zelador.ok(&["install", "./hello"]);
    assert!(said.out.contains("2.0.0 is installed"), "{}", said.out);
    assert_ne!(zelador.pid("@shop/hello"), pid);
    until("the new one", || text(&log).lines().last().is_some_and(|it| it.ends_with(" 4")));
    assert!(text(&log).lines().last().unwrap().starts_with("hello 3 "));

    let pid = zelador.pid("@shop/hello");
    module(&zelador, "3.0.0", "");
    let wrong = zelador.run(&["install", "./hello"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("it has no `apps`, no `bin` and no `main`"), "{}", wrong.err);
    module(&zelador, "4.0.0", r#""apps": [{ "script": "nothere.js" }],"#);
    let wrong = zelador.run(&["install", "./hello"]);
    assert!(wrong.code == 1 && wrong.err.contains("nothere.js"), "{}", wrong.err);
    assert_eq!(zelador.pid("@shop/hello"), pid, "what ran runs on");
    let folder = zelador.home().join("modules/@shop+hello/node_modules/@shop/hello");
    assert!(folder.join("package.json").exists());
    let names = fs::read_dir(zelador.home().join("modules")).unwrap();
    assert_eq!(names.count(), 1, "nothing is left of what failed");

    let removed = zelador.ok(&["uninstall", "@shop/hello"]);
    assert!(removed.out.contains("@shop/hello is removed"), "{}", removed.out);
    assert!(zelador.jlist().is_empty() && !folder.exists());
    let conf: Value = serde_json::from_str(&text(zelador.home().join("module_conf.json"))).unwrap();
    assert_eq!(conf["@shop/hello"]["greeting"], "hello", "settings outlive it, as with PM2");
    let gone = zelador.run(&["uninstall", "@shop/hello"]);
    assert_eq!(gone.code, 1);
    assert_eq!(gone.err, "error: no module is called `@shop/hello`\nhelp: installed: none\n");
}

#[test]
fn what_cannot_be_installed_leaves_nothing_and_what_is_built_in_needs_nothing() {
    let zelador = zelador();
    zelador.write("broken.tgz", "this is no archive");
    let wrong = zelador.run(&["install", "./broken.tgz"]);
    assert!(wrong.code == 1 && wrong.err.contains("npm did not install"), "{}", wrong.err);
    assert_eq!(fs::read_dir(zelador.home().join("modules")).unwrap().count(), 0);
    for module in ["pm2-logrotate", "pm2-logrotate@3.0.0", "pm2-slack"] {
        let said = zelador.ok(&["install", module]);
        assert!(said.err.contains("is built in: "), "{}", said.err);
    }
    let without = zelador.command(&["install", "x"]).env("PATH", "/nowhere").output().unwrap();
    let err = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(err.contains("npm is not in PATH"), "{err}");
}

#[test]
fn node_opens_its_inspector_and_nothing_else_is_signalled() {
    let zelador = zelador();
    zelador.write("web.js", "console.log('up'); setInterval(() => {}, 1000)");
    // Port 0: any that is free.
    zelador.start(
        "{ name: 'web', script: 'web.js', interpreter_args: '--inspect-port=127.0.0.1:0' },
         { name: 'other', script: 'sleep', args: '1000' }",
    );
    until("it to be up", || text(zelador.home().join("logs/web-out.log")) == "up\n");
    let pid = zelador.pid("web");
    let said = zelador.ok(&["inspect", "web"]);
    assert!(said.out.starts_with("web: Debugger listening on ws://127.0.0.1:"), "{}", said.out);
    let other = zelador.run(&["inspect", "other"]);
    assert_eq!(other.code, 1);
    assert_eq!(other.err, "error: other is not run by Node, and has no inspector\n");
    assert_eq!((zelador.pid("web"), zelador.restarts("other")), (pid, 0));
}

//! The host under pressure, with limits so low that any host is above them.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use zelador_testbed::home::{Zelador, free_port, text, until, until_within};

use crate::{SERVER, zelador};

fn story(incident: &Value) -> String {
    let entries = incident["story"].as_array().cloned().unwrap_or_default();
    let lines: Vec<&str> = entries.iter().filter_map(|entry| entry["what"].as_str()).collect();
    lines.join("\n")
}

fn incident(zelador: &Zelador, trouble: &str) -> Value {
    // The latest stands first: the oldest is wanted.
    let mut all = zelador.incidents().into_iter();
    all.rfind(|it| it["trouble"] == trouble).unwrap_or_default()
}

#[test]
fn full_memory_is_freed_gently_measured_again_and_only_then_costs_a_restart() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ checks: {{ interval: '1s', cpu: false, disk: false,
               memory: {{ degraded: 1, unhealthy: 2, cause: 0.2 }} }} }},
             apps: [
               {{ name: 'api', script: 'server.js', env: {{ PORT: {port} }},
                  hooks: {{ gc: 'echo gc >> done', clear_cache: 'echo cache >> done' }},
                  health: {{ http: '/health', interval: '1s', start_period: '500ms', verify_within: '2s' }} }},
               {{ name: 'small', script: '/bin/sleep', args: '1000', hooks: {{ gc: 'echo small >> done' }} }}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let done = zelador.app().join("done");
    until_within("the restart", Duration::from_mins(1), || zelador.restarts("api") == 1);
    assert_eq!(text(&done), "gc\ncache\n", "in this order, and before it");
    until_within("a person to be called", Duration::from_mins(1), || {
        incident(&zelador, "host-memory")["stage"]["stage"] == "escalated"
    });
    let found = incident(&zelador, "host-memory");
    let told = story(&found);
    assert_eq!(found["app"], "api", "{told}");
    assert!(told.contains("(pid ") && told.contains("and is the cause"), "{told}");
    assert!(told.contains("measured again: "), "{told}");
    assert_eq!(
        (zelador.restarts("api"), zelador.restarts("small")),
        (1, 0),
        "once, and nobody else"
    );
}

/// Starts an app that holds nearly nothing on a host whose memory is said to be full, waits until it was
/// asked to collect its garbage, and returns the story.
fn collected(zelador: &Zelador, app: &str) -> String {
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ checks: {{ interval: '1s', cpu: false, disk: false,
               memory: {{ degraded: 1, unhealthy: 2, cause: 99 }} }} }}, apps: [{{ name: 'rest', {app} }}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until_within("its garbage to be collected", Duration::from_mins(1), || {
        story(&incident(zelador, "host-memory")).contains("done: process ")
    });
    let told = story(&incident(zelador, "host-memory"));
    assert!(told.contains("is not the cause, but can free some"), "{told}");
    assert!(told.contains("collect garbage") && told.contains(" collected: "), "{told}");
    assert_eq!(zelador.restarts("rest"), 0, "{told}");
    told
}

#[test]
fn a_jvm_collects_its_garbage_without_a_declaration() {
    let zelador = zelador();
    let source = "class Rest { public static void main(String[] no) throws Exception { Thread.sleep(1L << 40); } }";
    zelador.write("Rest.java", source);
    collected(
        &zelador,
        "script: 'Rest.java', interpreter: 'java', interpreter_args: '-Xlog:gc:file=gc.log'",
    );
    let log = text(zelador.app().join("gc.log"));
    assert!(log.contains("Diagnostic Command"), "{log}");
}

#[test]
fn node_with_an_inspector_of_its_own_collects_without_a_declaration_and_keeps_it_open() {
    let zelador = zelador();
    zelador.write("rest.js", "setInterval(() => {}, 1000)");
    collected(&zelador, "script: 'rest.js', node_args: '--inspect=127.0.0.1:0'");
    let said = text(zelador.home().join("logs/rest-error.log"));
    let address = said.lines().find_map(|line| line.split_once("ws://127.0.0.1:"));
    let port = address.and_then(|(_, rest)| rest.split('/').next()).and_then(|it| it.parse().ok());
    let port: u16 = port.unwrap_or_else(|| panic!("{said}"));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "it is as the app wants it");
}

#[test]
fn what_keeps_the_processors_busy_is_named_and_left_alone_while_its_work_goes_on() {
    let zelador = zelador();
    zelador.write(
        "spin.js",
        "setInterval(() => { const end = Date.now() + 90; while (Date.now() < end); }, 100)",
    );
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { zelador: { checks: { interval: '1s', memory: false, disk: false,
           cpu: { degraded: 1, unhealthy: 2, watch: '3s', cause: 0.5 } } },
         apps: [{ name: 'spin', script: 'spin.js' }] }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until_within("an incident", Duration::from_mins(1), || {
        !incident(&zelador, "host-cpu").is_null()
    });
    let found = incident(&zelador, "host-cpu");
    until("its story to be told", || story(&incident(&zelador, "host-cpu")).contains("left alone"));
    let told = story(&incident(&zelador, "host-cpu"));
    let pid = zelador.pid("spin");
    assert_eq!(found["app"], "spin", "{told}");
    assert!(told.contains(&format!("(pid {pid}, app spin) uses ")), "{told}");
    assert!(told.contains("its busiest threads: ") && told.contains("up for "), "{told}");
    assert!(told.contains(" busy; unhealthy from ") && told.contains(" on, for "), "{told}");
    assert_eq!(zelador.restarts("spin"), 0);
}

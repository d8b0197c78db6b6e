//! The REST API against its own description, and the stream of events.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::home::{Zelador, kill, text, until};

use crate::zelador;

fn with_an_app() -> Zelador {
    let zelador = zelador();
    zelador.write("api.js", "console.log('up, password=hunter2'); setInterval(() => {}, 1000)");
    zelador.start("{ name: 'api', script: 'api.js' }");
    zelador
}

/// Numbers and kinds of events, from a connection that is read until `enough`.
fn events(
    zelador: &Zelador,
    after: Option<u64>,
    mut enough: impl FnMut(&[Value]) -> bool,
) -> Vec<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", zelador.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let resume = after.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    write!(stream, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n{resume}\r\n").unwrap();
    let mut seen = Vec::new();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        if let Some(data) = line.strip_prefix("data: ") {
            seen.push(serde_json::from_str(data).unwrap());
        }
        if enough(&seen) {
            break;
        }
    }
    seen
}

#[test]
fn events_are_streamed_kept_in_a_file_and_resumed_over_a_new_engine() {
    let zelador = with_an_app();
    let file = zelador.home().join("events.jsonl");
    until("the start to be written", || text(&file).contains("\"running\""));
    let lines: Vec<Value> =
        text(&file).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = lines[0]["id"].as_u64().unwrap();
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(now, _)| now != engine));
    zelador.ok(&["restart", "api"]);
    let is_up_again = |seen: &[Value]| {
        let running = seen.iter().filter(|it| it["data"]["phase"] == "running");
        running.count() >= 2
    };
    let seen = events(&zelador, Some(first), is_up_again);
    let ids: Vec<u64> = seen.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids[0], lines[1]["id"].as_u64().unwrap(), "nothing is missing");
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let all = seen.iter().map(Value::to_string).collect::<String>();
    assert!(!all.contains("api.js"), "no command line: {all}");
}

#[test]
fn logs_and_changes_want_the_token_and_the_rest_is_told() {
    let zelador = with_an_app();
    let token = zelador.ok(&["token"]).out.trim().to_owned();
    let ask = |method: &str, path: &str, token: Option<&str>| {
        let url = format!("http://127.0.0.1:{}{path}", zelador.port());
        let mut curl = Command::new("curl");
        curl.args(["-s", "-m", "20", "-X", method, "-w", "\n%{http_code}", &url]);
        if let Some(token) = token {
            curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        let said = String::from_utf8(curl.output().unwrap().stdout).unwrap();
        let (body, code) = said.rsplit_once('\n').unwrap();
        (code.parse::<u16>().unwrap(), serde_json::from_str::<Value>(body).unwrap_or(Value::Null))
    };
    let (code, apps) = ask("GET", "/api/v1/apps", None);
    assert_eq!((code, &apps[0]["status"]), (200, &"online".into()));
    assert_eq!(ask("GET", "/api/v1/apps/0/logs", None).0, 401);
    until("its line", || {
        let (code, logs) = ask("GET", "/api/v1/apps/0/logs?lines=5", Some(&token));
        assert!(!logs.to_string().contains("hunter2"), "{logs}");
        code == 200 && logs["lines"].to_string().contains("up, password=")
    });
    assert_eq!(ask("POST", "/api/v1/apps/0/stop", None).0, 401);
    let (code, done) = ask("POST", "/api/v1/apps/0/stop", Some(&token));
    assert_eq!((code, &done["ok"]), (200, &true.into()));
    assert_eq!(zelador.status("api"), "stopped");
    assert_eq!(ask("POST", "/api/v1/apps/0/explode", Some(&token)).0, 404);
    assert_eq!(ask("GET", "/api/v1/apps/7", None).0, 404);
    assert_eq!(ask("GET", "/api/v1/incidents?open=maybe", None).0, 400);
}

#[test]
fn schemathesis_finds_no_violation_of_the_description() {
    let zelador = zelador();
    zelador.write("api.js", "console.log('up'); setInterval(() => {}, 1000)");
    // A busy host is no mistake of the description.
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { zelador: { checks: { cpu: false, memory: false, disk: false } },
           apps: [{ name: 'api', script: 'api.js', health: { heartbeat: '1h' } }] }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let token = zelador.ok(&["token"]).out.trim().to_owned();
    let url = format!("http://127.0.0.1:{}", zelador.port());
    let said = Command::new("schemathesis")
        .current_dir(zelador.app())
        .args(["run", &format!("{url}/api/openapi.json"), "--url", &url])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "1"])
        // A stream has no end to wait for.
        .args(["--exclude-path", "/api/events"])
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(["--exclude-checks", "ignored_auth", "--no-color"])
        .output()
        .expect("schemathesis is installed by ./test");
    let out = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{out}{}", String::from_utf8_lossy(&said.stderr));
}

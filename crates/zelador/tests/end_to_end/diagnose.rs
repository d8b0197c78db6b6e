//! `diagnose`: evidence goes in, a cause with its reasons comes out.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use zelador_testbed::home::{Said, Zelador, free_port, said, until};

use crate::zelador;

fn diagnose(zelador: &Zelador, evidence: &str) -> Said {
    let mut command = zelador.command(&["diagnose", "--json", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(evidence.as_bytes()).unwrap();
    said(&child.wait_with_output().unwrap())
}

#[test]
fn the_corpus_is_judged_as_its_people_judged_it() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/dev");
    let Ok(files) = std::fs::read_dir(&corpus) else {
        println!("not run: there is no corpus beside the repository");
        return;
    };
    let zelador = zelador();
    let (mut all, mut causes, mut actions) = (0, 0, 0);
    for file in files.flatten() {
        let case: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        let label = &case["label"];
        let said = diagnose(&zelador, &case["evidence"].to_string());
        let answer: Value = serde_json::from_str(&said.out).expect("it prints JSON");
        let accepted = |best: &str, others: &str, value: &Value| {
            let others = label[others].as_array();
            label[best] == *value || others.is_some_and(|list| list.contains(value))
        };
        all += 1;
        causes += u32::from(accepted("cause", "also_accepted", &answer["cause"]));
        let is_right = accepted("action", "also_accepted_actions", &answer["action"]);
        actions += u32::from(is_right);
        let harms = ["free_disk", "kill_port_holder"].iter().any(|it| answer["action"] == *it);
        assert!(!harms || is_right, "{}: {} does harm", case["id"], answer["action"]);
    }
    assert!(
        causes * 100 >= all * 95 && actions * 100 >= all * 95,
        "{causes} causes and {actions} actions of {all}"
    );
}

#[test]
fn an_app_that_was_given_up_is_diagnosed_from_what_is_known_of_it() {
    let zelador = zelador();
    zelador.write("app.js", "require('./nothere')");
    zelador.start("{ name: 'app', script: 'app.js', max_restarts: 2 }");
    until("it to be given up", || zelador.status("app") == "errored");
    let shown = zelador.ok(&["diagnose", "app"]).out;
    assert!(shown.starts_with("a library that it imports is not installed (missing_module), 98 % sure\nwhat would help: leave it down and tell a person (stop_and_notify)\n  because line "), "{shown}");
    let json: Value =
        serde_json::from_str(&zelador.ok(&["diagnose", "app", "--json"]).out).unwrap();
    assert_eq!((&json["cause"], &json["restart_helps"]), (&json!("missing_module"), &json!("no")));
}

#[test]
fn nothing_is_advised_for_an_app_that_is_well_nor_for_one_that_was_stopped() {
    let zelador = zelador();
    zelador.write("app.js", "setInterval(() => {}, 1000)");
    zelador.start("{ name: 'app', script: 'app.js' }");
    let shown = zelador.ok(&["diagnose", "app"]).out;
    assert_eq!(shown, "nothing is known to ail it: it is up, and no check of it is bad\n");
    zelador.ok(&["stop", "app"]);
    let shown = zelador.ok(&["diagnose", "app", "--json"]).out;
    let json: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&json["action"], &json["because"][0]),
        (&json!("none"), &json!("it was asked to stop"))
    );
}

/// What the healer has gathered, not only what is in its logs: the failures of its check.
#[test]
fn an_app_that_is_up_is_diagnosed_from_the_evidence_of_its_incident() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("app.js", "setInterval(() => {}, 1000)");
    zelador.start(&format!(
        "{{ name: 'app', script: 'app.js', heal: 'ask', health: {{ tcp: {port}, interval: '200ms',
            failure_threshold: 2, start_period: 0 }} }}"
    ));
    until("an incident with a diagnosis", || {
        let all = zelador.ok(&["incidents", "--json"]).out;
        let all: Value = serde_json::from_str(&all).unwrap();
        all[0]["diagnosis"].is_object()
    });
    let asked = zelador.ok(&["diagnose", "app", "--json"]).out;
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["cause"], "deadlock_or_hang", "its log says nothing: {asked}");
}

#[test]
fn evidence_may_lack_everything_and_what_is_none_is_refused() {
    let zelador = zelador();
    let nothing: Value = serde_json::from_str(&diagnose(&zelador, "{}").out).unwrap();
    assert_eq!(nothing["cause"], "unknown");
    assert!(nothing["confidence"].as_f64().unwrap() < 0.5);
    let wrong = diagnose(&zelador, "[1");
    assert!(
        wrong.code == 1 && wrong.err.contains("standard input is no evidence"),
        "{}",
        wrong.err
    );
    let secret = r#"{ "exit_code": 1, "log_tail": ["Error: connect ECONNREFUSED postgres://ana:hunter2@db/x"] }"#;
    let said = diagnose(&zelador, secret);
    assert!(
        said.out.contains("dependency_unreachable") && !said.out.contains("hunter2"),
        "{}",
        said.out
    );
}

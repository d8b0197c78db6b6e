//! Incidents that a person opens, and what is known of who asked for what.

use std::process::Command;

use serde_json::Value;
use zelador_testbed::home::{Zelador, until};

use crate::zelador;

fn with_an_app() -> Zelador {
    let zelador = zelador();
    zelador.write("api.js", "console.log('up'); setInterval(() => {}, 1000)");
    zelador.start("{ name: 'api', script: 'api.js' }");
    zelador
}

fn incident(zelador: &Zelador, trouble: &str) -> Option<Value> {
    zelador.incidents().into_iter().find(|it| it["trouble"] == trouble)
}

fn ask(zelador: &Zelador, path: &str, body: &str) -> (u16, Value) {
    let token = zelador.ok(&["token"]).out.trim().to_owned();
    let url = format!("http://127.0.0.1:{}{path}", zelador.port());
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "20", "-X", "POST", "-w", "\n%{http_code}", &url, "-d", body]);
    curl.args(["-H", &format!("Authorization: Bearer {token}")]);
    curl.args(["-H", "Content-Type: application/json"]);
    let said = String::from_utf8(curl.output().unwrap().stdout).unwrap();
    let (body, code) = said.rsplit_once('\n').unwrap();
    (code.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn what_a_person_reports_is_looked_into_proposed_and_healed_when_the_person_says_yes() {
    let zelador = with_an_app();
    let opened = zelador.ok(&["incident", "open", "api", "answers", "are slow"]);
    assert!(opened.out.contains("incident 1 of api"), "{}", opened.out);
    until("a proposal", || {
        incident(&zelador, "reported").is_some_and(|it| it["proposal"] == "restart")
    });
    let shown = zelador.ok(&["incident", "show", "1"]).out;
    assert!(shown.contains("says: answers are slow") && shown.contains("evidence"), "{shown}");
    let before = zelador.pid("api");
    zelador.ok(&["incident", "approve", "1"]);
    until("another process", || zelador.pid("api") != before);
    until("its end", || {
        incident(&zelador, "reported").is_some_and(|it| it["stage"]["outcome"] == "healed")
    });
    for (args, told) in [
        (&["incident", "open", "api"][..], "needs words"),
        (&["incident", "open"][..], "needs an app"),
        (&["incident", "close", "1"][..], "is over"),
        (&["incident", "show", "x"][..], "`x` is no number"),
        (&["incident", "burn", "1"][..], "`burn` is nothing"),
        (&["incident", "show", "1", "2"][..], "is too much"),
    ] {
        let refused = zelador.run(args);
        let told = refused.code != 0 && refused.err.contains(told);
        assert!(told, "{args:?}: {}", refused.err);
    }
}

#[test]
fn programs_open_and_close_them_over_http() {
    let zelador = with_an_app();
    let (code, done) = ask(&zelador, "/api/v1/apps/0/incidents", r#"{ "what": "it is slow" }"#);
    assert_eq!((code, &done["ok"]), (200, &true.into()), "{done}");
    assert_eq!(ask(&zelador, "/api/v1/apps/0/incidents", "{}").0, 422);
    assert_eq!(ask(&zelador, "/api/v1/apps/7/incidents", r#"{ "what": "x" }"#).0, 404);
    let (code, done) = ask(&zelador, "/api/v1/incidents/1/close", "");
    assert_eq!(code, 200, "{done}");
    let it = incident(&zelador, "reported").unwrap();
    assert!(it["story"].to_string().contains("token closed it"), "{it:#}");
    assert_eq!(ask(&zelador, "/api/v1/incidents/1/close", "").0, 409);
}

#[test]
fn who_asked_for_a_signal_is_shown_with_the_end_that_followed() {
    let zelador = with_an_app();
    zelador.ok(&["sendSignal", "SIGKILL", "api"]);
    until("the evidence", || {
        incident(&zelador, "died").is_some_and(|it| it["evidence"].is_object())
    });
    let number = incident(&zelador, "died").unwrap()["id"].to_string();
    let shown = zelador.ok(&["incident", "show", &number]).out;
    assert!(shown.contains(" asked for `signal SIGKILL` "), "{shown}");
}

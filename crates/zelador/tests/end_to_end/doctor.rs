//! `doctor`: what is missing is said, with what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use zelador_testbed::home::{Zelador, until};

use crate::zelador;

/// Its exit code, and what it found of one thing: status, what, help.
fn asked(zelador: &Zelador, name: &str) -> (i32, String, String) {
    let said = zelador.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&said.out).expect("it prints JSON");
    let checks = report["checks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = checks.iter().find(|it| it["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} is looked at: {}", said.out));
    let what = format!("{} → {}", text(&found["found"]), text(&found["help"]));
    (said.code, text(&found["status"]), what)
}

#[test]
fn a_doctor_finds_what_was_broken_and_says_what_to_do() {
    let zelador = zelador();
    let (code, status, what) = asked(&zelador, "engine");
    assert!(code >= 1 && status == "warning" && what.contains("zelador is not running"), "{what}");
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    for name in ["engine", "version", "executable", "settings", "http", "home", "secrets", "socket"]
    {
        let (_, status, what) = asked(&zelador, name);
        assert_eq!(status, "ok", "{name}: {what}");
    }
    let (_, status, what) = asked(&zelador, "saved list");
    assert!(status == "warning" && what.contains("`zelador save`"), "{what}");
    zelador.ok(&["save"]);
    assert_eq!(asked(&zelador, "saved list").1, "ok");

    let mode =
        |mode| fs::set_permissions(zelador.home(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    let (code, status, what) = asked(&zelador, "home");
    assert!(code == 2 && status == "failure" && what.contains("→ chmod 700 "), "{what}");
    mode(0o700);
    fs::write(zelador.settings(), "http = 'nonsense'\n").unwrap();
    let (code, status, what) = asked(&zelador, "settings");
    assert!(code == 2 && status == "failure" && what.contains("nonsense"), "{what}");
    fs::remove_file(zelador.settings()).unwrap();
    let said = zelador.run(&["doctor"]);
    assert!(said.out.contains("✓ engine") && said.out.contains("→"), "{}", said.out);
}

#[test]
fn a_history_of_a_newer_zelador_is_refused_at_once_and_left_as_it_is() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    zelador.ok(&["kill"]);
    let path = zelador.home().join("history.db");
    let mut bytes = fs::read(&path).unwrap();
    // Where SQLite keeps `user_version`.
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    let refused = zelador.run(&["start", "sleep", "--", "1"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("was written by a newer zelador (layout 99"), "{}", refused.err);
    assert!(refused.err.contains("help: go back to the newer zelador"), "{}", refused.err);
    let (code, status, _) = asked(&zelador, "history");
    assert_eq!((code, status.as_str()), (2, "failure"));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

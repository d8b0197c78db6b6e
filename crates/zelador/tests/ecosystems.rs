//! Ecosystem files as people write them, and how each is understood: `tests/ecosystems/NAME/`.
//!
//! Every folder is copied (`packages` becomes `node_modules`) and its file checked by the real
//! program; what differs from an app with nothing but a script is put down in one snapshot.

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// What the shell of these people has set; `cores` of the host show in no file here.
const SHELL: [(&str, &str); 5] = [
    ("HOME", "/home/ana"),
    ("USER", "ana"),
    ("AWS_PROFILE", "main"),
    ("API_KEY", "of-the-shell"),
    ("LANG", "pt_BR.UTF-8"),
];

/// The variables that a file may be told by `--env` here.
const ENV_OF: [(&str, &str); 2] =
    [("23-several-environments", "production"), ("01-classic", "production")];

#[test]
fn files_are_understood_as_their_authors_meant_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ecosystems");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 40, "{}", cases.len());
    let plain = plain_app(folder.path());
    let mut said = String::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let here = folder.path().join("here");
        copy(&case, &here);
        let env_name = ENV_OF.iter().find(|(of, _)| *of == name).map(|(_, env)| *env);
        let output = check(&here, &ecosystem_in(&here), env_name);
        said.push_str(&format!("=== {name}\n{}\n", understood(&output, &here, &plain)));
        fs::remove_dir_all(&here).unwrap();
    }
    insta::assert_snapshot!(said);
}

/// An app of which nothing but a script is said: what need not be told of the others.
fn plain_app(folder: &Path) -> Value {
    let here = folder.join("plain");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("plain.json"), r#"[{ "name": "plain", "script": "x" }]"#).unwrap();
    let output = check(&here, "plain.json", None);
    let apps: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    apps.into_iter().next().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let name = if name == "packages" { "node_modules".into() } else { name };
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

fn ecosystem_in(folder: &Path) -> String {
    let names =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let starts = ["ecosystem.", "process.", "pm2."];
    let mut found = names.filter(|name| starts.iter().any(|start| name.starts_with(start)));
    found.next().expect("every folder has its file")
}

fn check(folder: &Path, file: &str, env_name: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zelador"));
    command.args(["config", "check", "--json", file]).current_dir(folder);
    command.env_clear().envs(SHELL).env("ZELADOR_HOME", folder.join("no-home"));
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.args(env_name.map(|name| format!("--env={name}")));
    command.output().unwrap()
}

/// What was said, without what every app has and without what differs from host to host.
fn understood(output: &Output, here: &Path, plain: &Value) -> String {
    let mut said = String::new();
    if output.status.success() {
        let apps: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        for app in &apps {
            let mut lines = Vec::new();
            let mut app = app.clone();
            by_processors(&mut app);
            differences("", &app, plain, &mut lines);
            said.push_str(&format!("- {}\n", lines.join("\n  ")));
        }
    }
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    let real = here.canonicalize().unwrap();
    said.replace(real.to_str().unwrap(), "HERE").replace(here.to_str().unwrap(), "HERE")
}

/// The fields in which an app differs from a plain one, a line each.
fn differences(path: &str, app: &Value, plain: &Value, lines: &mut Vec<String>) {
    // Where it was declared is said by the name of the case.
    if app == plain || path == "source" || path == "launch.inherited_env" {
        return;
    }
    let (Value::Object(app), Value::Object(plain)) = (app, plain) else {
        lines.push(format!("{path}: {app}"));
        return;
    };
    for (name, value) in app {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        differences(&path, value, plain.get(name).unwrap_or(&Value::Null), lines);
    }
}

/// Says how many replicas there are in words where that follows from the number of processors.
fn by_processors(app: &mut Value) {
    let name = app["name"].as_str().unwrap_or_default().to_owned();
    let cores = std::thread::available_parallelism().unwrap().get() as u64;
    let count = app["instances"].as_u64().unwrap();
    for (of, expected, words) in [
        ("all-processors", cores, "as many as processors"),
        ("NuxtApp", cores, "as many as processors"),
        ("all-but-one", (cores - 1).max(1), "one fewer than processors"),
    ] {
        if name == of && count == expected {
            app["instances"] = words.into();
        }
    }
}

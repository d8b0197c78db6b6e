//! Foreign ecosystem files, from bytes to checked apps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zelador_api::config::{Context, Defaults, Node, check};
use zelador_api::spec::{Cadence, Environment};
use zelador_testbed::fuzz::fuzz_text;

use super::evaluate::{LIMIT, Request, evaluate};
use super::{json, toml, yaml};

/// Has what was read checked, and the mistakes in it told.
fn checked(node: &Node) {
    let context = Context {
        file: PathBuf::from("/srv/ecosystem.config.js"),
        folder: PathBuf::from("/srv"),
        inherited_env: Arc::new(Environment::from([("PATH".to_owned(), "/bin".to_owned())])),
        env_name: Some("production".to_owned()),
        cores: 4,
        only: None,
        known: None,
        is_file: |_| true,
        cadence: Cadence::default(),
        defaults: Defaults::default(),
    };
    if let Err(mistakes) = check(node, &context) {
        assert!(!mistakes.to_string().is_empty());
    }
}

const JSON: &str = r#"{ "apps": [{ "name": "api", "script": "./app.js", "args": ["--port", 1], instances: 'max',
  "env": { "A": 1 }, "env_production": { "A": "2" }, "max_memory_restart": "1.5G", "cron_restart": "0 3 * * *",
  "health": { "http": "http://127.0.0.1:3000/h", "interval": "5s", "status": "200-299" }, "watch": ["src", "!x"],
  "depends_on": ["db"], "kill_signal": "SIGTERM", }], // more
  "zelador": { "databases": { "db": "mysql://a:b@127.0.0.1/x" }, "http": false, "checks": { "cpu": false } } }"#;

#[test]
fn fuzz_json_files() {
    fuzz_text("ecosystem files of JSON", &[JSON, "[{ script: 'a' }]"], |text| {
        _ = json::read_json(Path::new("x.json"), text).as_ref().map(checked);
    });
}

#[test]
fn fuzz_yaml_files() {
    let good = [
        "apps:\n  - &a\n    name: api\n    script: ./app.js\n    env: { A: 1, B: yes }\n    instances: 2\n  - <<: *a\n    name: b\n    args: >\n      folded\n      text\n",
        "- script: a\n  kill_timeout: 5s\n  env_file: [.env, '.env.local']\n",
    ];
    fuzz_text("ecosystem files of YAML", &good, |text| {
        _ = yaml::read(Path::new("x.yaml"), text).as_ref().map(checked);
    });
}

#[test]
fn fuzz_toml_files() {
    let good = [
        "[[apps]]\nname = 'api'\nscript = \"./app.js\"\nargs = ['a', \"b\"]\n[apps.env]\nA = 1\nD = 2026-01-01T00:00:00Z\n[zelador.checks]\ninterval = '5s'\n",
    ];
    fuzz_text("ecosystem files of TOML", &good, |text| {
        _ = toml::read(Path::new("x.toml"), text).as_ref().map(checked);
    });
}

#[test]
fn fuzz_javascript_files() {
    let good = [
        "const os = require('os'); module.exports = { apps: [{ name: `api-${1 + 1}`, script: './app.js', env: { ...process.env, A: os.cpus().length } }] }",
        "export default { apps: [1, 2].map(n => ({ name: 'a' + n, script: 'x.js', args: ['-n', String(n)] })) }",
        "module.exports = { apps: [{ script: 'a', get env() { throw new TypeError('no') } }] }",
        "let a = {}; a.a = a; module.exports = a; for (const x of [1]) { JSON.parse('[' + x) }",
    ];
    fuzz_text("ecosystem files of JavaScript", &good, |text| {
        let file = PathBuf::from("/nowhere/ecosystem.config.js");
        let source = Some(text.to_owned());
        let answer = evaluate(&Request { file: file.clone(), source, argv: Vec::new() });
        _ = answer.outcome.read(&file, LIMIT).as_ref().map(checked);
    });
}

#[test]
fn what_is_nested_without_end_is_refused_in_every_format() {
    let deep = 100_000;
    let json_text = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
    assert!(json::read_json(Path::new("x.json"), &json_text).is_err());
    for open in ["[", "{a: ", "- ", "? "] {
        assert!(yaml::read(Path::new("x.yaml"), &open.repeat(deep)).is_err(), "{open}");
    }
    for text in [
        format!("a = {json_text}"),
        format!("a{} = 1", ".a".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
    ] {
        if let Ok(node) = toml::read(Path::new("x.toml"), &text) {
            checked(&node);
        }
    }
    for text in
        [format!("module.exports = {json_text}"), format!("module.exports = {}", "(".repeat(deep))]
    {
        let file = PathBuf::from("/nowhere/ecosystem.config.js");
        let answer =
            evaluate(&Request { file: file.clone(), source: Some(text), argv: Vec::new() });
        assert!(answer.outcome.read(&file, LIMIT).is_err());
    }
}

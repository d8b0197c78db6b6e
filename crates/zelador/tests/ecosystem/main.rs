//! Ecosystem files of every format, read by the real program.

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that fails")]

mod formats;
mod numbers;
mod yaml;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use formats::{OBJECT, RICH, TOML, YAML};

/// What `zelador config check` said.
struct Said {
    success: bool,
    out: String,
    err: String,
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn check_with(&self, name: &str, env: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zelador"));
        command.args(["config", "check", "--json", name]).current_dir(self.path());
        let output = command.envs(env.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let out = text(output.stdout);
        // Every mistake is an error of its own on the command line.
        let plain = |line: &str| format!("{}\n", line.strip_prefix("error: ").unwrap_or(line));
        let err = text(output.stderr).lines().map(plain).collect();
        Said { success: output.status.success(), out, err }
    }

    fn check(&self, name: &str) -> Said {
        self.check_with(name, &[])
    }

    /// The apps that the file declares, with the folder and the file's name taken out.
    fn apps(&self, name: &str) -> serde_json::Value {
        let said = self.check(name);
        assert!(said.success, "{name}: {}", said.err);
        let mut apps: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        for app in apps.as_array_mut().unwrap() {
            app["source"] = serde_json::Value::Null;
        }
        apps
    }

    fn error(&self, name: &str) -> String {
        let said = self.check(name);
        assert!(!said.success, "{name}: {}", said.out);
        said.err
    }
}

fn has_node() -> bool {
    Command::new("node").arg("--version").output().is_ok()
}

#[test]
fn the_same_apps_come_out_of_every_format() {
    let folder = Folder::new();
    let mut quoted = OBJECT.replace('\'', "\"");
    let names = quoted.clone();
    let before_colon = names.split(": ").filter_map(|part| part.rsplit([' ', '{']).next());
    for name in before_colon.filter(|name| name.chars().all(|c| c.is_alphabetic() || c == '_')) {
        quoted = quoted.replace(&format!(" {name}: "), &format!(" \"{name}\": "));
    }
    serde_json::from_str::<serde_json::Value>(&quoted).unwrap();
    folder
        .write("ecosystem.config.js", &format!("module.exports = {OBJECT}"))
        .write("b.config.cjs", &format!("module.exports = {OBJECT};"))
        .write("c.config.mjs", &format!("export default {OBJECT};"))
        .write(
            "my-ecosystem.js",
            &OBJECT.replacen("{ apps: [", "exports.apps = [", 1).replace("}] }", "}];"),
        )
        .write(
            "d.config.mjs",
            &OBJECT.replacen("{ apps: [", "export const apps = [", 1).replace("}] }", "}];"),
        )
        .write("e.json", &quoted)
        .write("f.json5", &format!("// comment\n{} // end", OBJECT.replace("' }] }", "', }, ], }")))
        .write("g.yaml", YAML)
        .write("h.toml", TOML);
    let expected = folder.apps("ecosystem.config.js");
    assert_eq!(expected[0]["name"], "servidor-automacao");
    assert_eq!(expected[0]["launch"]["env"]["PORT"], "3000");
    for name in [
        "b.config.cjs",
        "c.config.mjs",
        "my-ecosystem.js",
        "d.config.mjs",
        "e.json",
        "f.json5",
        "g.yaml",
        "h.toml",
    ] {
        assert_eq!(folder.apps(name), expected, "{name}");
    }
    assert_eq!(folder.check("ecosystem.config.js").err, "", "nothing needs saying");
}

#[test]
fn what_files_use_of_node_works_without_node() {
    let folder = Folder::new();
    folder
        .write("ecosystem.config.js", RICH)
        .write("package.json", r#"{"name":"rich","version":"1.2.3"}"#)
        .write("note.txt", "a note\n")
        .write("lib/shared/index.js", "exports.base = { ...require('../more.json'), time: true };")
        .write("lib/more.json", r#"{"kill_timeout":"7s"}"#);
    let env = [("PATH", "/nonexistent"), ("MARK", "here"), ("HOME", "/home/x")];
    let said = folder.check_with("ecosystem.config.js", &env);
    assert!(said.success, "{}", said.err);
    assert!(said.err.contains("reading /"), "{}", said.err);
    let apps: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(apps[1]["name"], "worker-1.2.3");
    let variables = &apps[1]["launch"]["env"];
    for (name, value) in [
        ("HOME_DIR", "/home/x"),
        ("NODE", "here"),
        ("PLATFORM", "linux"),
        ("INDEX", "1"),
        ("TEXT", "a note"),
        ("JSON", r#"{"deep":[1,"rich"]}"#),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    assert_eq!(apps[1]["namespace"], "b.gz");
    assert_eq!(apps[1]["logs"]["out"]["file"], "/var/log/a.log");
    let root = folder.path().canonicalize().unwrap();
    assert_eq!(apps[1]["launch"]["script"], root.join("src/worker.js").to_str().unwrap());
    if has_node() {
        // The same file, evaluated by node because it asks for what only node has.
        let asking = format!("{RICH}\nrequire('crypto');");
        folder.write("node.config.js", &asking);
        let path = std::env::var("PATH").unwrap();
        let by_node = folder.check_with("node.config.js", &[("PATH", &path), env[1], env[2]]);
        let mut by_node: serde_json::Value = serde_json::from_str(&by_node.out).unwrap();
        for app in by_node.as_array_mut().unwrap() {
            app["source"] = apps[0]["source"].clone();
        }
        assert_eq!(by_node, apps);
    }
}

#[test]
fn modules_import_files_of_both_kinds() {
    let folder = Folder::new();
    folder
        .write("package.json", r#"{"name":"esm","type":"module"}"#)
        .write("lib.cjs", "module.exports = { port: 80, 'not-a-name': 1, class: 2 };")
        .write("lib.js", "export const name = 'x';\nexport default function () { return 'd'; }")
        .write(
            "ecosystem.config.js",
            "import { join, dirname } from 'node:path';
             import { fileURLToPath } from 'url';
             import manifest from './package.json' with { type: 'json' };
             import lib, { port } from './lib.cjs';
             import d, * as all from './lib.js';
             import { createRequire } from 'module';
             const here = dirname(fileURLToPath(import.meta.url));
             const late = await import('./lib.js');
             const require = createRequire(import.meta.url);
             export default { apps: [{ name: [manifest.name, port, lib.class, d(), all.name, late.name,
               require('./lib.cjs').port, here === import.meta.dirname].join('-'), script: join(here, 'a.js') }] };",
        );
    let apps = folder.apps("ecosystem.config.js");
    assert_eq!(apps[0]["name"], "esm-80-2-d-x-x-80-true");
}

#[test]
fn a_broken_file_gets_one_clear_error_with_its_place() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for (name, text, expected) in [
        (
            "a.config.js",
            "const a = 1;\nmodule.exports = { apps: [ { name: ]",
            "a.config.js:2:36: SyntaxError",
        ),
        (
            "b.config.js",
            "module.exports = { apps: nope() }",
            "b.config.js:1:26: ReferenceError: nope",
        ),
        ("c.config.js", "\n\nthrow new Error('no port')", "c.config.js:3:11: Error: no port"),
        ("d.config.js", "throw { code: 1 }", "d.config.js: threw {\"code\":1}"),
        ("e.config.mjs", "export default {\n  apps: [,\n", "e.config.mjs:3:1: SyntaxError"),
        ("f.config.js", "require('./other.js')", "other.js:1:3: SyntaxError"),
        ("g.config.js", "require('./missing.js')", "Cannot find module './missing.js'"),
        ("h.config.js", "const a = 1", "h.config.js: exports nothing"),
        ("i.config.js", "module.exports = () => ({})", "i.config.js: exports a function"),
        ("j.config.js", "module.exports = (async () => ({}))()", "j.config.js: exports a promise"),
        ("k.config.js", "", "k.config.js: the file is empty"),
        ("l.config.js", "process.exit(1)", "l.config.js:1:8: Error: process.exit(1) was called"),
        ("m.config.js", "const f = () => f(); f()", "RangeError"),
        (
            "n.config.js",
            "const a = {}; a.a = a; module.exports = a",
            "TypeError: circular reference",
        ),
        ("a.json", "{\n  \"apps\": [ { \"name\": } ]\n}", "a.json:2:23: "),
        ("b.json", "// nothing", "b.json: the file is empty"),
        ("a.yaml", "apps:\n  - name: [x\n", "a.yaml:"),
        ("b.yaml", "# nothing\n", "b.yaml: the file is empty"),
        ("c.yaml", "apps:\n  - script: a\n    script: b\n", "c.yaml:3:5: "),
        ("a.toml", "[[apps]]\nname = \n", "a.toml:2:8: "),
    ] {
        folder.write("other.js", "a b").write(name, text);
        let said = folder.error(name);
        if !said.contains(expected) || !said.contains("\nhelp: ") || said.lines().count() != 2 {
            wrong.push(said);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    assert!(folder.error("none.json").starts_with("none.json: no such file\nhelp: "));
    fs::create_dir(folder.path().join("folder.config.js")).unwrap();
    assert!(folder.error("folder.config.js").contains("not a file"));
    fs::write(folder.path().join("binary.json"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(folder.error("binary.json").contains("not text in UTF-8"));
    let deep = "[".repeat(200_000);
    for name in ["deep.json", "deep.yaml", "deep.toml"] {
        folder.write(name, &format!("a = {deep}")[if name == "deep.toml" { 0 } else { 4 }..]);
        assert!(folder.error(name).contains(name), "{name} ends with an error, not with a crash");
    }
    let js = format!("module.exports = {deep}{}", "]".repeat(200_000));
    assert!(folder.write("deep.config.js", &js).error("deep.config.js").contains("deep.config.js"));
}

#[test]
fn an_endless_file_ends_in_time_and_a_greedy_one_in_memory() {
    let folder = Folder::new();
    folder
        .write("loop.config.js", "for (;;) {}")
        .write("caught.config.js", "for (;;) { try { for (;;) {} } catch {} }")
        .write("regex.config.js", "/^(a+)+$/.test('a'.repeat(40) + 'b')")
        .write("wait.config.mjs", "await new Promise(() => {});\nexport const apps = [];")
        .write("big.config.js", "const x = []; for (;;) x.push('y'.repeat(1e5) + x.length)")
        .write("big2.config.js", "const x = []; for (;;) x.push([1, 2, 3]);");
    let started = Instant::now();
    for name in ["loop.config.js", "caught.config.js", "regex.config.js"] {
        let said = folder.error(name);
        assert!(said.contains("still running after 2 s"), "{said}");
    }
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    assert!(folder.error("wait.config.mjs").contains("wait.config.mjs"));
    for name in ["big.config.js", "big2.config.js"] {
        let said = folder.error(name);
        assert!(
            said.contains("more than 64 MB of memory") || said.contains("still running"),
            "{said}"
        );
    }
}

#[test]
fn installed_packages_are_asked_of_node_or_missed_by_name() {
    let folder = Folder::new();
    folder
        .write("node_modules/settings/package.json", r#"{"name":"settings","main":"main.js"}"#)
        .write(
            "node_modules/settings/main.js",
            "process.stdout.write('{chatter'); console.log('more'); setInterval(() => {}, 1000); exports.port = 4000;",
        )
        .write(
            "ecosystem.config.js",
            "const { port } = require('settings');\nmodule.exports = { apps: [{ script: 'a.js', port }] };",
        )
        .write(
            "m.config.mjs",
            "import { port } from 'settings';\nexport const apps = [{ script: 'a.js', port }];",
        )
        .write("broken.config.js", "require('settings');\nmodule.exports = { apps: nope };")
        .write("absent.config.js", "\nrequire('not-installed');")
        .write(
            "optional.config.js",
            "try { require('not-installed') } catch {}\nmodule.exports = { apps: [{ script: 'a.js' }] };",
        );
    for name in ["ecosystem.config.js", "m.config.mjs"] {
        let said = folder.check_with(name, &[("PATH", "/nonexistent")]);
        assert_eq!(
            said.err,
            format!(
                "{name}: requires `settings`, for which node is needed, and no `node` is in PATH\n\
                 help: install node, or take that `require` out of the file\n"
            )
        );
        assert!(!said.success);
    }
    let said = folder.check_with("optional.config.js", &[("PATH", "/nonexistent")]);
    assert!(said.success, "{}", said.err);
    if !has_node() {
        return;
    }
    for name in ["ecosystem.config.js", "m.config.mjs"] {
        assert_eq!(folder.apps(name)[0]["launch"]["env"]["PORT"], "4000", "{name}");
    }
    assert!(folder.check("optional.config.js").success);
    let said = folder.error("broken.config.js");
    assert!(said.contains("broken.config.js:2:26: ReferenceError: nope is not defined"), "{said}");
    let said = folder.error("absent.config.js");
    assert!(
        said.contains("absent.config.js:2:1: Error: Cannot find module 'not-installed'"),
        "{said}"
    );
    assert!(said.contains("npm install"), "{said}");
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_lines() {
    let folder = Folder::new();
    folder
        .write(
            "a.json",
            "{ \"apps\": [{\n  \"script\": \"a.js\",\n  \"max_restarts\": \"ten\",\n  \"scirpt\": 1,\n  \"cron\": \"x\"\n}] }",
        )
        .write(
            "a.yaml",
            "apps:\n- script: a.js\n  max_restarts: ten\n  scirpt: 1\n  cron: x\n",
        )
        .write(
            "a.toml",
            "[[apps]]\nscript = \"a.js\"\nmax_restarts = \"ten\"\nscirpt = 1\ncron = \"x\"\n",
        )
        .write(
            "a.config.js",
            "module.exports = { apps: [{ script: 'a.js', max_restarts: 'ten', scirpt: 1, cron: 'x' }] }",
        );
    let mistakes = [
        ("apps[0].max_restarts: found \"ten\", allowed: a whole number from 0 on", [19, 17, 16]),
        (
            "apps[0].scirpt: found an unknown field, allowed: the fields of an app; did you mean `script`?",
            [3, 3, 1],
        ),
        ("apps[0].cron: found \"x\", allowed: a cron pattern", [11, 9, 8]),
    ];
    for (format, name) in ["a.json", "a.yaml", "a.toml"].into_iter().enumerate() {
        let said = folder.error(name);
        assert_eq!(said.lines().count(), mistakes.len(), "{said}");
        for (index, (mistake, columns)) in mistakes.iter().enumerate() {
            let expected = format!("{name}:{}:{}: {mistake}", index + 3, columns[format]);
            assert!(said.lines().nth(index).unwrap().starts_with(&expected), "{expected}\n{said}");
        }
    }
    let said = folder.error("a.config.js");
    assert_eq!(said.lines().count(), mistakes.len(), "{said}");
    for (mistake, _) in mistakes {
        assert!(said.contains(&format!("a.config.js: {mistake}")), "{said}");
    }
}

#[test]
fn settings_have_a_file_of_their_own() {
    let folder = Folder::new();
    folder.write("zelador.toml", "http = false\n[databases]\nmain = \"mysql://u:p@h/x\"\n");
    assert!(folder.check("zelador.toml").success);
    folder.write("zelador.toml", "htpp = false\n[databases]\nmain = \"mongodb://u:p4ss@h/x\"\n");
    let said = folder.error("zelador.toml");
    assert!(
        said.contains("zelador.toml:1:1: htpp") && said.contains("did you mean `http`?"),
        "{said}"
    );
    assert!(said.contains("zelador.toml:3:8: databases.main") && !said.contains("p4ss"), "{said}");
}

//! Names, paths, log lines and messages are hostile input: no view lets a terminal obey them, none leaves
//! its place, and nobody else reads what zelador keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zelador_testbed::home::{Zelador, text, until, until_within};

use crate::zelador;

/// What makes a terminal do something: clears it, sets its title, opens a link, turns text around, and
/// the eight-bit forms.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]8;;http://x\u{1b}\\\u{202e}\u{9b}31m\u{feff}\u{200b}\u{ad}\r";

fn obeyed(text: &str) -> Option<char> {
    text.chars().find(|c| {
        (c.is_control() && !['\n', '\t'].contains(c))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{200b}' | '\u{ad}')
    })
}

#[test]
fn no_view_lets_a_terminal_obey_a_name_a_path_or_a_line() {
    let zelador = zelador();
    // A name that is not what it seems is refused; a namespace may be what it likes.
    let (name, group) = ("evil", "turn\u{202e}ed\u{feff}\u{200b}");
    for unfit in [group, "evil\u{200b}", "evil\u{200d}", "ev\u{7}il"] {
        let refused = zelador.run(&["start", "sleep", "--name", unfit, "--", "1000"]);
        assert!(
            refused.code != 0 && refused.err.contains("characters that are not seen"),
            "{unfit:?}"
        );
        assert_eq!(obeyed(&format!("{}{}", refused.out, refused.err)), None, "{:?}", refused.err);
    }
    let script = format!("evil{}.sh", EVIL.replace('/', ""));
    let say = EVIL.replace('\\', "\\\\").replace('\u{7}', "\\a").replace('\r', "\\r");
    let body = format!(
        "printf '%b\\n' '{say}' \"error {say} EADDRINUSE\"; printf '%b\\n' '{say}' >&2; exit 7"
    );
    zelador.write(&script, &body);
    let apps = serde_json::json!({ "apps": [{
        "name": name, "script": format!("./{script}"), "interpreter": "sh", "namespace": group,
        "args": [EVIL.replace('\u{7}', "")], "env": { "EVIL": EVIL }, "max_restarts": 2,
    }] });
    zelador.write("eco.json", &apps.to_string());
    let started = zelador.run(&["start", "eco.json"]);
    assert_eq!(obeyed(&format!("{}{}", started.out, started.err)), None, "{:?}", started.out);
    until("it to be given up", || {
        zelador.jlist().iter().any(|it| it["pm2_env"]["status"] == "errored")
    });
    until("its incident", || !zelador.incidents().is_empty());
    zelador.write("zelador-broken.json", &format!("{{ \"apps\": [{{ \"scr{EVIL}ipt\": 1 }}] }}"));
    let unknown = format!("no such {EVIL}");
    let unknown = unknown.replace('\0', "");
    for words in [
        &["list"][..],
        &["list", "-m"],
        &["show", "0"],
        &["logs", "--nostream"],
        &["logs", "--nostream", "--format"],
        &["logs", "--nostream", "--json"],
        &["logs", "--self", "--nostream"],
        &["incidents"],
        &["incidents", "1"],
        &["incidents", "1", "--json"],
        &["incidents", "explain", "1"],
        &["incidents", "export", "1"],
        &["incidents", "approve", &unknown],
        &["health"],
        &["health", "--now"],
        &["env", "0"],
        &["diagnose", "0"],
        &["doctor"],
        &["report"],
        &["report", "--since", "1d"],
        &["report", "--since", "1d", "--json"],
        &["retries"],
        &["breaker"],
        &["breaker", "reset", &unknown],
        &["maintenance"],
        &["notify"],
        &["notify", "test", &unknown],
        &["slist"],
        &["prettylist"],
        &["jlist"],
        &["id", name],
        &["stop", &unknown],
        &["show", &unknown],
        &["config", "check", "eco.json"],
        &["config", "check", "zelador-broken.json"],
        &["config", "check", &unknown],
        &["start", &unknown],
        &["import", &unknown],
        &["upgrade", &unknown],
        &["inspect", &unknown],
        &["set", &unknown, &unknown],
        &["sendSignal", &unknown, "0"],
        &[&unknown],
        &["pm2", "list"],
        &["pm2", "show", "0"],
        &["pm2", "logs", "--nostream"],
        &["pm2", "env", "0"],
        &["pm2", "stop", &unknown],
        &["restart", "0"],
        &["delete", "0"],
    ] {
        let said = zelador.run(words);
        // PM2's words come with colours of PM2.
        let plain = |text: &str| match words[0] {
            "pm2" => without_colours(text),
            _ => text.to_owned(),
        };
        for text in [plain(&said.out), plain(&said.err)] {
            assert_eq!(obeyed(&text), None, "{words:?}: {text:?}");
        }
        assert!(!(said.out.is_empty() && said.err.is_empty()), "{words:?} says something");
    }
    assert_eq!(obeyed(&text(zelador.home().join("zelador.log"))), None);
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(part.len());
        let rest = match part[end..].strip_prefix('m') {
            Some(rest) => rest.to_owned(),
            None => format!("\u{1b}[{part}"),
        };
        shown + &rest
    })
}

#[test]
fn a_name_leads_no_file_out_of_the_home() {
    let zelador = zelador();
    let name = "../../../../escaped";
    let apps = serde_json::json!({ "apps": [{
        "name": name, "script": "sh", "args": ["-c", "echo here; exec sleep 1000"],
    }] });
    zelador.write("eco.json", &apps.to_string());
    zelador.ok(&["start", "eco.json"]);
    let logs = zelador.home().join("logs");
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect()
    };
    until("its log", || names(&logs).iter().any(|it| it.contains("escaped")));
    until("its pid file", || {
        names(&zelador.home().join("pids")).iter().any(|it| it.contains("escaped"))
    });
    let root = zelador.home().parent().unwrap().to_owned();
    assert!(!names(&root).iter().any(|it| it.contains("escaped")), "{:?}", names(&root));
    assert!(!Path::new("/escaped-out.log").exists() && !Path::new("/tmp/escaped-out.log").exists());
}

#[test]
fn nothing_that_zelador_keeps_can_be_read_by_others() {
    let zelador = zelador();
    let words = ["start", "sh", "--name", "a", "--", "-c", "echo x; exec sleep 1000"];
    without_umask(&zelador, &words);
    zelador.ok(&["save"]);
    zelador.ok(&["token"]);
    zelador.ok(&["set", "x:y", "z"]);
    let log = zelador.home().join("logs/a-out.log");
    until_within("its log", std::time::Duration::from_secs(10), || log.exists());
    let mut open = Vec::new();
    let mut folders = vec![zelador.home()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let found = entry.metadata().unwrap();
            let mode = found.permissions().mode() & 0o7777;
            if mode & 0o007 != 0 {
                open.push(format!("{} {mode:04o}", entry.path().display()));
            }
            // What is in a folder of the owner's is out of reach.
            if found.is_dir() && mode & 0o077 != 0 {
                folders.push(entry.path());
            }
        }
    }
    assert_eq!(fs::metadata(zelador.home()).unwrap().permissions().mode() & 0o7777, 0o700);
    assert!(open.is_empty(), "{open:#?}");
}

/// Runs a command that takes nothing from the modes of what it makes.
fn without_umask(zelador: &Zelador, words: &[&str]) {
    let own = zelador.command(words);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(own.get_program());
    command.args(own.get_args()).current_dir(zelador.app());
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(command.output().unwrap().status.success());
}

#[test]
fn what_zelador_makes_for_an_app_is_written_by_nobody_else_and_the_umask_is_the_apps() {
    let zelador = zelador();
    zelador.write(
        "eco.config.js",
        "module.exports = { apps: [{ name: 'a', script: 'sh', args: ['-c', 'umask > umask; echo x; exec sleep 1000'],
           out_file: 'made/logs/out.log', pid_file: 'made/pids/a.pid' }] }",
    );
    without_umask(&zelador, &["start", "eco.config.js"]);
    let made = zelador.app().join("made");
    until("both files", || {
        text(made.join("logs/out.log")) == "x\n" && !text(made.join("pids/a-0.pid")).is_empty()
    });
    let mode = |path: &str| fs::metadata(made.join(path)).unwrap().permissions().mode() & 0o7777;
    for folder in ["", "logs", "pids"] {
        assert_eq!(mode(folder), 0o755, "{folder:?}");
    }
    assert_eq!((mode("logs/out.log"), mode("pids/a-0.pid")), (0o640, 0o644));
    assert_eq!(text(zelador.app().join("umask")).trim(), "0000");
}

#[test]
fn a_secret_of_its_environment_that_an_app_says_is_in_no_incident() {
    let zelador = zelador();
    zelador.write("says.sh", "echo \"FATAL: no login with $DB_PASSWORD\" >&2\nexit 1");
    zelador.write(".env", "API_TOKEN=t0ken-of-a-file");
    zelador.write("url.sh", "echo \"FATAL: ${DATABASE_URL#*://}, $API_TOKEN\" >&2\nexit 1");
    zelador.start("{ name: 'says', script: 'says.sh', env: { DB_PASSWORD: 'hunter2hunter2' } }");
    zelador.start(
        "{ name: 'url', script: 'url.sh', env_file: '.env', env: { DATABASE_URL: 'postgres://ana:s3cr3ts@h/d' } }",
    );
    let told = |app: &str| {
        let all = zelador.incidents();
        all.iter()
            .find(|it| it["app"] == app && it["evidence"].is_object())
            .map(ToString::to_string)
    };
    until("evidence", || {
        ["says", "url"].into_iter().all(|app| told(app).is_some_and(|it| it.contains("FATAL")))
    });
    let places = ["zelador.log", "events.jsonl"].map(|name| text(zelador.home().join(name)));
    for said in [told("says"), told("url")].into_iter().flatten().chain(places) {
        for secret in ["hunter2", "s3cr3ts", "t0ken"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    assert!(told("says").unwrap().contains("no login with ********"));
}

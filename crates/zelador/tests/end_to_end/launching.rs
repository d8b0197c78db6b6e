//! What is started, and with what: files with variables, interpreters, users.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use zelador_testbed::home::{said, text, until};

use crate::zelador;

/// Writes what it was given into `given.json`, then stays.
const TELLER: &str = "
const { parseEnv } = require('util'), fs = require('fs');
const file = parseEnv(fs.readFileSync('.env', 'utf8'));
const { A, B, C, PORT, HOME, pm_id } = process.env;
const asNode = Object.entries(file).filter(([k, v]) => k.startsWith('N_') && process.env[k] !== v).map(([k]) => k);
fs.writeFileSync('given.tmp', JSON.stringify({ A, B, C, PORT, HOME, pm_id, asNode, n: Object.keys(file).length }));
fs.renameSync('given.tmp', 'given.json');
setInterval(() => {}, 1e6);
";

#[test]
fn variables_of_files_lie_below_the_declared_ones_and_are_read_at_every_restart() {
    let zelador = zelador();
    zelador.write("teller.js", TELLER);
    zelador.write(
        ".env",
        "# settings\nexport A=file\nB='from # file'\nC=gone\nHOME=/nowhere\npm_id=77\nDB_PASSWORD=\"hunter2hunter2\"\n\
         N_1=two words # comment\nN_2=\"a\\nb\"\nN_3='x\ny'\nN_4=pa$$word${HOME}\nN_5=`q\"'q`\nN_6=\nN_7 = a=b\nN_8=it's\n",
    );
    zelador.write("more.env", "PORT=4000\nB=more\n");
    let file = "{ name: 'api', script: 'teller.js', env_file: ['.env', 'more.env'], env: { A: 'declared' } }";
    zelador.start(file);
    let given = zelador.app().join("given.json");
    let said = || serde_json::from_str(&text(&given)).unwrap_or(serde_json::Value::Null);
    until("its variables", || !said().is_null());
    let first = said();
    assert_eq!(first["asNode"], serde_json::json!([]), "Node's own parser has the same values");
    assert_eq!(
        (&first["A"], &first["B"], &first["C"]),
        (&"declared".into(), &"more".into(), &"gone".into())
    );
    assert_eq!(
        (&first["HOME"], &first["PORT"], &first["pm_id"]),
        (&"/nowhere".into(), &"4000".into(), &"0".into())
    );
    zelador.ok(&["save"]);
    let views = ["show api", "jlist", "env 0", "logs --self --nostream"];
    for view in views {
        let words: Vec<&str> = view.split(' ').collect();
        assert!(!zelador.ok(&words).out.contains("hunter2"), "{view}");
    }
    let shown = zelador.ok(&["show", "api"]).out;
    assert!(shown.contains("more.env") && shown.contains("DB_PASSWORD"), "{shown}");
    for entry in fs::read_dir(zelador.home()).unwrap().flatten().filter(|it| it.path().is_file()) {
        assert!(!text(entry.path()).contains("hunter2"), "{} keeps it", entry.path().display());
    }

    // The file is the truth at the next restart: what is gone there is gone.
    zelador.write(".env", "A=file\nB=other\nN_1=1\n");
    fs::remove_file(&given).unwrap();
    zelador.ok(&["restart", "api"]);
    until("its variables again", || !said().is_null());
    assert_eq!((&said()["C"], &said()["HOME"] == "/nowhere"), (&serde_json::Value::Null, false));
    let log = text(zelador.home().join("zelador.log"));
    assert!(log.contains("variables of env_file: gone C,"), "{log}");

    // And `start FILE` sees that it was written.
    let pid = zelador.pid("api");
    zelador.start(file);
    assert_ne!(zelador.pid("api"), pid, "written since it was declared");
    let pid = zelador.pid("api");
    zelador.start(file);
    assert_eq!(zelador.pid("api"), pid, "not written again");
}

#[test]
fn a_file_with_variables_that_cannot_be_used_is_named_and_stops_nothing() {
    let zelador = zelador();
    zelador.write("run.sh", "sleep 1000\n");
    let start = &["start", "run.sh", "--env-file", "secret.env"][..];
    let said = zelador.run(start);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("secret.env` cannot be used: it does not exist"), "{}", said.err);
    assert!(!zelador.home().join("zelador.sock").exists(), "nothing was brought up for that");
    zelador.write("secret.env", "A=1\n");
    zelador.ok(start);
    let pid = zelador.pid("run");
    zelador.write("secret.env", "A=1\nB='hunter2\n");
    let said = zelador.run(&["restart", "run"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("line 2: a quote is not closed") && !said.err.contains("hunter2"),
        "{}",
        said.err
    );
    assert_eq!(zelador.pid("run"), pid, "it runs on");
    // Where it dies by itself there is nothing to run it with, until the file is mended.
    zelador_testbed::home::kill(pid, rustix::process::Signal::KILL);
    until("it to be given up", || zelador.status("run") == "errored");
    let shown = zelador.ok(&["show", "run"]).out;
    assert!(shown.contains("line 2: a quote is not closed"), "{shown}");
    zelador.write("secret.env", "A=2\n");
    zelador.ok(&["restart", "run"]);
    assert_eq!(zelador.status("run"), "online");
}

#[test]
fn who_holds_the_port_is_named() {
    let zelador = zelador();
    let port = zelador_testbed::home::free_port();
    zelador.write("server.js", crate::SERVER);
    zelador.write(
        "second.py",
        "import socket, os\ns = socket.socket(); s.bind(('127.0.0.1', int(os.environ['PORT'])))\n",
    );
    zelador.start(&format!("{{ name: 'first', script: 'server.js', env: {{ PORT: {port} }} }}"));
    until("it to listen", || zelador_testbed::home::http_get(port, "/").is_some());
    let (pid, said) = (zelador.pid("first"), format!("port {port} is held by node (pid "));
    let apps = ["second.js", "second.py"];
    zelador.write("second.js", crate::SERVER);
    for app in apps {
        zelador.start(&format!(
            "{{ name: '{app}', script: '{app}', env: {{ PORT: {port} }}, max_restarts: 2, restart_delay: 100 }}"
        ));
        until("it to be given up", || zelador.status(app) == "errored");
        let show = || zelador.ok(&["show", app]).out.replace([' ', '\n', '│'], "");
        let wanted = format!("{said}{pid}, up for").replace(' ', "");
        until("the holder in show", || show().contains(&wanted));
        assert!(show().contains(",appfirst)"), "{}", show());
        let story = || zelador.incidents().iter().find(|it| it["app"] == app).unwrap().to_string();
        until("the holder in the story", || story().contains(&format!("{said}{pid}, up for")));
    }
}

#[test]
fn a_script_is_run_by_what_lies_beside_it_or_says_so_itself() {
    let zelador = zelador();
    let program = |name: &str, text: &str| {
        let path = zelador.app().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let stays = |says: &str| {
        format!(
            "#!/bin/sh\necho {says}: $(basename \"$0\") $(basename \"${{1:-nothing}}\")\nexec sleep 1000\n"
        )
    };
    program(".venv/bin/python", &stays("virtual"));
    program("api/venv/bin/python", &stays("inner"));
    program("node_modules/.bin/tsx", &stays("project"));
    program(".nvm/versions/node/v18.1.0/bin/node", &stays("eighteen"));
    program("bin/www", &stays("itself"));
    for name in ["main.py", "api/main.py", "app.ts", "old.js", "plain"] {
        fs::write(zelador.app().join(name), "plain").unwrap();
    }
    let home = zelador.app().display().to_string();
    let file = format!(
        "{{ name: 'py', script: 'main.py' }}, {{ name: 'inner', script: 'api/main.py' }}, {{ name: 'ts', script: 'app.ts' }},
         {{ name: 'www', script: './bin/www' }}, {{ name: 'words', script: 'echo two  words && exec sleep 1000' }},
         {{ name: 'old', script: 'old.js', interpreter: 'node@18', env: {{ HOME: '{home}' }}, filter_env: ['NVM'] }}"
    );
    zelador.start(&file);
    for (app, says) in [
        ("py", "virtual: python main.py"),
        ("inner", "inner: python main.py"),
        ("ts", "project: tsx app.ts"),
        ("www", "itself: www nothing"),
        ("words", "two words"),
        ("old", "eighteen: node old.js"),
    ] {
        until(says, || zelador.ok(&["logs", app, "--nostream"]).out.contains(says));
    }
    let shown = zelador.ok(&["show", "py"]).out.replace(['\n', ' ', '│'], "");
    assert!(shown.contains(".venv/bin/python"), "{shown}");
    for (words, wanted) in [
        (&["start", "./plain"][..], "chmod +x"),
        (
            &["start", "old.js", "--interpreter", "node@99", "--name", "new"],
            "node@99 is not installed by nvm",
        ),
        (&["start", "old.js", "--interpreter", "node@lts", "--name", "lts"], "`node@20.11.1`"),
        (
            &["start", "main.py", "--interpreter", "python4", "--name", "four"],
            "program `python4` not found in PATH",
        ),
        (&["start", "old.js", "--interpreter", "deno", "--name", "deno"], "install Deno"),
    ] {
        let said = zelador.run(words);
        assert_eq!(said.code, 1, "{words:?}");
        assert!(said.err.contains(wanted), "{words:?}: {}", said.err);
    }
}

/// Says who it is, then stays.
const WHO: &str = "script: 'sh', cwd: '/', args: ['-c', 'echo $(id -u):$(id -g):$(id -G):$HOME:$USER:$LOGNAME; exec sleep 1000']";

#[test]
fn root_starts_an_app_as_another_user_with_its_groups_only() {
    let zelador = zelador();
    if !rustix::process::geteuid().is_root() {
        let said = zelador.run(&["start", "sleep", "--user", "root"]);
        return assert!(said.err.contains("and not as root"), "{}", said.err);
    }
    zelador.start(&format!(
        "{{ name: 'a', {WHO}, uid: 'nobody' }}, {{ name: 'b', {WHO}, user: 65534, gid: 'root', env: {{ HOME: '/tmp' }} }}"
    ));
    let passwd = text("/etc/passwd");
    let line = passwd.lines().find(|line| line.starts_with("nobody:")).unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    let (uid, gid, home) = (fields[2], fields[3], fields[5]);
    for (app, says) in [
        ("a", format!("{uid}:{gid}:{gid}:{home}:nobody:nobody")),
        ("b", format!("{uid}:0:0:/tmp:nobody:nobody")),
    ] {
        until(&says, || zelador.ok(&["logs", app, "--nostream"]).out.contains(&says));
    }
    assert!(zelador.ok(&["show", "a"]).out.contains("nobody"));
    let said = zelador.run(&["start", "sleep", "--user", "nobody-like-this", "--", "1000"]);
    assert!(said.code == 1 && said.err.contains("no such user"), "{}", said.err);
}

#[test]
fn without_root_another_user_is_refused_and_the_own_one_is_not() {
    let zelador = zelador();
    // A user namespace without any mapping: whoever runs this is `nobody` there.
    let start = |name: &str, user: &str| {
        let words = ["start", "sleep", "--name", name, "--user", user, "--cwd", "/", "--", "1000"];
        let command = zelador.command(&words);
        let mut other = Command::new("unshare");
        other.arg("-U").arg(command.get_program()).args(command.get_args()).current_dir("/");
        other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        said(&other.output().expect("util-linux is there"))
    };
    let refused = start("a", "root");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("cannot run as `root`: zelador runs as user"), "{}", refused.err);
    assert!(refused.err.contains("only root may start an app as another user"), "{}", refused.err);
    let own = start("b", "nobody");
    assert_eq!(own.code, 0, "{}{}", own.out, own.err);
}

/// How many descriptors a process's table has room for.
fn room(pid: i32) -> u64 {
    let status = text(format!("/proc/{pid}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_service_has_no_copy_of_the_descriptors_of_all_others() {
    let zelador = zelador();
    zelador.start("{ name: 'many', script: 'sleep', args: '1000', interpreter: 'none', instances: 40 }, { name: 'last', script: 'sleep', args: '1000', interpreter: 'none' }");
    zelador.ok(&["restart", "last"]);
    let (_, guardian) = zelador.roles();
    // A table grows by doubling, and never shrinks.
    assert!(room(guardian) >= 512, "{}", room(guardian));
    assert_eq!(room(zelador.pid("last")), 64);
}

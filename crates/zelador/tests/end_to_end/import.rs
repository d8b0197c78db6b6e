//! Moving in from other process managers, from a real PM2 above all.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use zelador_testbed::home::{Said, Zelador, free_port, http_get, said, text, until};

use crate::zelador;

/// The PM2 that is moved from.
const PM2: &str = "pm2@7.0.4";

/// Installs PM2 beside the build, once; returns the folder that its package lies in.
pub fn pm2_of_npm() -> Result<PathBuf, String> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pm2");
    let packages = cache.join("node_modules");
    std::fs::create_dir_all(&cache).unwrap();
    let lock = std::fs::File::create(cache.join("lock")).unwrap();
    lock.lock().unwrap();
    if !packages.join(".bin/pm2").exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", PM2, "--prefix"]);
        let output = npm.arg(&cache).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("`npm` cannot be started: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("npm cannot install {PM2}: {}", said.trim()));
        }
    }
    Ok(packages)
}

/// A PM2 with a home of its own, ended when dropped.
struct Pm2 {
    program: PathBuf,
    home: PathBuf,
}

impl Pm2 {
    fn new(zelador: &Zelador) -> Result<Self, String> {
        let program = pm2_of_npm()?.join(".bin/pm2");
        Ok(Self { program, home: zelador.app().join("../pm2") })
    }

    fn run(&self, folder: &Path, words: &[&str]) -> Said {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(folder).stdin(Stdio::null());
        command.env("PM2_HOME", &self.home).env("PM2_DISCRETE_MODE", "true");
        said(&command.output().unwrap())
    }

    fn list(&self, folder: &Path) -> Vec<(String, String)> {
        let list: Vec<Value> = serde_json::from_str(&self.run(folder, &["jlist"]).out).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        list.iter().map(|it| (text(&it["name"]), text(&it["pm2_env"]["status"]))).collect()
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        _ = self.run(Path::new("/"), &["kill"]);
    }
}

/// Answers with what it was given; the last one needs a file that only PM2's folder has.
const SERVER: &str = "
const { WHO, PORT, NODE_APP_INSTANCE } = process.env;
require('http').createServer((q, r) => r.end(`${WHO} ${NODE_APP_INSTANCE} ${process.ppid}`))
  .listen(+PORT, '127.0.0.1', () => console.log('up'));
";

#[test]
fn a_real_pm2_moves_in_app_by_app_and_can_move_back() {
    let zelador = zelador();
    let pm2 = match Pm2::new(&zelador) {
        Ok(pm2) => pm2,
        Err(why) => return eprintln!("skipped, no PM2 can be had here: {why}"),
    };
    let (port, folder) = (free_port(), zelador.app());
    zelador.write("server.js", SERVER);
    // Does not start a second time: what it needs is gone then.
    zelador.write("once.sh", "rm ticket || { echo no ticket >&2; exit 1; }; exec sleep 1000");
    zelador.write("ticket", "");
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [
               {{ name: 'web', script: 'server.js', instances: 2, exec_mode: 'cluster',
                  env: {{ PORT: {port}, WHO: 'me' }}, kill_timeout: 3000, max_memory_restart: '300M' }},
               {{ name: 'once', script: 'once.sh', min_uptime: '1s', max_restarts: 2 }},
               {{ name: 'job', script: 'sleep', args: '1000', out_file: 'job.log', cron_restart: '0 3 * * *' }},
               {{ name: 'idle', script: 'sleep', args: '1000' }} ] }}"
        ),
    );
    let started = pm2.run(&folder, &["start", "ecosystem.config.js"]);
    assert_eq!(started.code, 0, "{}{}", started.out, started.err);
    pm2.run(&folder, &["stop", "idle"]);
    pm2.run(&folder, &["save"]);
    until("PM2's server", || http_get(port, "/").is_some());
    let home = pm2.home.display().to_string();
    let program = pm2.program.display().to_string();
    let import = |more: &[&str]| {
        let words = ["import", "pm2", "--home", home.as_str(), "--pm2", program.as_str()];
        zelador.run(&[&words, more].concat())
    };

    let dry = import(&["--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert!(
        dry.out.contains("web: 2 instances of ") && dry.out.contains("idle: 1 instance of"),
        "{}",
        dry.out
    );
    assert!(zelador.is_untouched(), "nothing was done");

    let moved = import(&[]);
    assert_eq!(moved.code, 1, "one could not move: {}{}", moved.out, moved.err);
    assert!(
        moved.err.contains("once: it does not st") && moved.err.contains("back with PM2"),
        "{}",
        moved.err
    );
    assert!(moved.err.contains("no ticket"), "its last words: {}", moved.err);
    let names: Vec<(String, u64)> = zelador
        .jlist()
        .iter()
        .map(|it| (it["name"].as_str().unwrap().to_owned(), it["pm_id"].as_u64().unwrap()))
        .collect();
    let order: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(order, ["web", "web", "job", "idle"], "in PM2's order");
    let web = zelador.entry("web");
    assert_eq!(web["pm2_env"]["kill_timeout"], 3000);
    assert_eq!(web["pm2_env"]["max_memory_restart"], 300 << 20);
    assert_eq!(zelador.entry("job")["pm2_env"]["cron_restart"], "0 3 * * *");
    assert_eq!(
        zelador.entry("job")["pm2_env"]["pm_out_log_path"],
        folder.join("job.log").display().to_string()
    );
    assert_eq!(
        [zelador.status("web"), zelador.status("job"), zelador.status("idle")],
        ["online", "online", "stopped"]
    );
    until("our server", || {
        http_get(port, "/").is_some_and(|(_, body)| {
            body.starts_with("me ") && body.ends_with(&format!(" {}", zelador.roles().1))
        })
    });
    let theirs = pm2.list(&folder);
    let state = |name: &str| theirs.iter().find(|(other, _)| other == name).unwrap().1.clone();
    assert_eq!([state("web"), state("job"), state("idle")], ["stopped", "stopped", "stopped"]);
    assert_ne!(state("once"), "stopped", "it was given back");
    assert!(text(zelador.home().join("dump.json")).contains("\"web\""), "saved");
    let saved: Vec<Value> = serde_json::from_str(&text(pm2.home.join("dump.pm2"))).unwrap();
    let saved_web = saved.iter().find(|it| it["name"] == "web").unwrap();
    assert_eq!(saved_web["status"], "stopped", "PM2 does not bring it up with the host");

    let back = import(&["--undo"]);
    assert_eq!(back.code, 0, "{}{}", back.out, back.err);
    assert_eq!(zelador.jlist().len(), 0);
    let theirs = pm2.list(&folder);
    let up = theirs.iter().filter(|(_, status)| status == "online").count();
    assert!(up >= 3, "{theirs:?}");
    until("PM2's server", || http_get(port, "/").is_some_and(|(_, body)| body.starts_with("me ")));
    assert!(import(&["--undo"]).err.contains("nothing was imported"));
}

#[test]
fn a_pm2_that_does_not_run_moves_in_from_its_saved_list() {
    let zelador = zelador();
    let home = zelador.app().join("pm2");
    std::fs::create_dir(&home).unwrap();
    let entry = |name: &str, status: &str| {
        serde_json::json!({
            "name": name, "status": status, "pm_exec_path": "/bin/sleep", "args": ["1000"], "pm_cwd": "/",
            "exec_interpreter": "none", "exec_mode": "fork_mode", "merge_logs": true,
            "pm_out_log_path": zelador.app().join(format!("{name}.log")), "env": { "WHO": "me" },
        })
    };
    let dump = serde_json::json!([entry("b", "online"), entry("a", "stopped")]);
    std::fs::write(home.join("dump.pm2"), dump.to_string()).unwrap();
    let folder = home.display().to_string();
    let said = zelador.ok(&["import", "pm2", "--home", &folder]);
    assert!(
        said.out.contains("b has moved") && said.err.contains("`pm2 unstartup`"),
        "{}",
        said.err
    );
    assert_eq!([zelador.status("b"), zelador.status("a")], ["online", "stopped"]);
    assert_eq!(zelador.entry("b")["pm_id"], 0);
    assert!(zelador.ok(&["env", "b", "--show-secrets"]).out.contains("WHO"));
    // Again: what is here is left alone.
    let again = zelador.ok(&["import", "pm2", "--home", &folder]);
    assert!(again.err.contains("b is in zelador's list already"), "{}", again.err);

    let nothing = zelador.run(&["import", "pm2", "--home", "/no/such/folder"]);
    assert!(nothing.code == 1 && nothing.err.contains("cannot be entered"), "{}", nothing.err);
}

#[test]
fn files_of_others_are_printed_as_an_ecosystem_file_that_works_or_started() {
    let zelador = zelador();
    zelador.write("Procfile", "web: sleep 1000\nodd\n");
    zelador.write("api.service", "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\nNice=5\n");
    zelador.write("s.conf", "[program:job]\ncommand=sleep 1000\nnumprocs=2\n");
    let printed = zelador.ok(&["import", "procfile", "Procfile"]);
    assert!(printed.err.contains("Procfile:2: `odd`: not `name: command`"), "{}", printed.err);
    zelador.write("ecosystem.config.js", &printed.out);
    zelador.ok(&["start", "ecosystem.config.js"]);
    let started = zelador.ok(&["import", "systemd", "api.service", "--start"]);
    assert!(
        started.err.contains("api.service:4: `Nice=5`: there is nothing like it"),
        "{}",
        started.err
    );
    zelador.ok(&["import", "supervisord", "s.conf", "--start"]);
    let list: Vec<String> = zelador
        .jlist()
        .iter()
        .map(|it| format!("{} {}", it["name"], it["pm2_env"]["status"]))
        .collect();
    assert_eq!(list.join(", ").replace('"', ""), "web online, api online, job online, job online");
    let nothing = zelador.run(&["import", "systemd", "Procfile"]);
    assert!(nothing.code == 1 && nothing.err.contains("declares nothing"), "{}", nothing.err);
}

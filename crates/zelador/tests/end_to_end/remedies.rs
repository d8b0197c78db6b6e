//! Remedies that touch more than the app itself, and what a person says to them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use zelador_testbed::disk;
use zelador_testbed::home::{Zelador, free_port, http_get, until, until_within};
use zelador_testbed::receiver::{Got, Receiver, Reply};

use crate::{SERVER, zelador};

const HEALTH: &str = "interval: '500ms', timeout: '1s', failure_threshold: 2, success_threshold: 2, start_period: '1s', verify_within: '10s'";

/// Stores an order on its disk for each request, and says so when it cannot.
const WRITES: &str = "
const fs = require('fs');
require('http').createServer((q, r) => {
  try { fs.writeFileSync('disk/order', Buffer.alloc(8192, 'x')); fs.unlinkSync('disk/order'); r.end('ok'); }
  catch (error) { console.error(error); r.writeHead(500).end('no'); }
}).listen(+process.env.PORT, '127.0.0.1');
";

fn incident(zelador: &Zelador, app: &str) -> Option<Value> {
    zelador.incidents().into_iter().find(|it| it["app"] == app)
}

fn story(incident: &Value) -> String {
    let entries = incident["story"].as_array().unwrap().iter();
    entries.map(|entry| entry["what"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

fn is_well(port: u16) -> bool {
    http_get(port, "/health").is_some_and(|(code, body)| code == 200 && body == "ok")
}

#[test]
fn of_a_full_disk_only_renamed_logs_and_the_content_of_declared_caches_are_removed() {
    if let Err(why) = disk::own_mounts() {
        return println!("not run: {why}");
    }
    let (zelador, port) = (zelador(), free_port());
    let disk = zelador.app().join("disk");
    fs::create_dir(&disk).unwrap();
    if let Err(why) = disk::mount(&disk, "size=2M") {
        return println!("not run: {why}");
    }
    for folder in ["logs", "cache/deep", "undeclared", "data"] {
        fs::create_dir_all(disk.join(folder)).unwrap();
    }
    let kept = [
        // A log in use, a copy of it, somebody else's, and what only looks like one.
        "logs/other.log",
        "logs/other.log.bak",
        "logs/another__2026-11-01_10-00-00.log",
        "logs/other__before-the-move.log",
        "undeclared/page",
        "data/orders.db",
    ];
    let removed = [
        "logs/other__2026-11-01_10-00-00.log",
        "logs/other__2026-11-02_10-00-00.log.gz",
        "cache/page",
        "cache/deep/page",
    ];
    for file in kept.iter().chain(&removed) {
        fs::write(disk.join(file), "something").unwrap();
    }
    // A link in a cache goes, and what it leads to stays; a cache that is a link itself is not touched.
    symlink(disk.join("data"), disk.join("cache/link")).unwrap();
    symlink(disk.join("data"), disk.join("linked")).unwrap();
    zelador.write("app.js", WRITES);
    zelador.start(&format!(
        "{{ name: 'app', script: 'app.js', env: {{ PORT: {port} }}, health: {{ http: 'http://127.0.0.1:{port}/', {HEALTH} }},
            heal: {{ cache_folders: ['./disk/cache', './disk/linked'] }} }},
         {{ name: 'other', script: 'sleep', interpreter: 'none', args: ['1000'],
            out_file: 'disk/logs/other.log', error_file: 'disk/logs/other.log', log_date_format: '' }}"
    ));
    until("it to work", || is_well(port));
    let before = zelador.pid("app");
    // It is written until nothing more fits, which is an error.
    _ = fs::write(disk.join("cache/pages"), vec![b'x'; 4 << 20]);
    until_within("it to be healed", Duration::from_mins(1), || {
        incident(&zelador, "app").is_some_and(|it| it["stage"]["outcome"] == "healed")
    });
    let told = story(&incident(&zelador, "app").unwrap());
    assert!(told.contains("the disk is full"), "{told}");
    // Two logs, three of the cache, and the link.
    assert!(told.contains("removed 6 files"), "{told}");
    assert!(is_well(port));
    assert_eq!(zelador.pid("app"), before, "nothing was ended");
    for file in kept {
        assert_eq!(fs::read_to_string(disk.join(file)).unwrap(), "something", "{file}");
    }
    for file in removed.into_iter().chain(["cache/pages", "cache/link"]) {
        assert!(fs::symlink_metadata(disk.join(file)).is_err(), "{file} is still there");
    }
    for stays in ["cache", "linked"] {
        assert!(fs::symlink_metadata(disk.join(stays)).is_ok(), "{stays} is gone");
    }
}

/// A program of somebody else.
struct Foreign(Child);

impl Foreign {
    /// Has a port.
    fn on(port: u16) -> Self {
        let text = format!(
            "require('http').createServer((q, r) => r.end('mine')).listen({port}, '127.0.0.1')"
        );
        let mut command = Command::new("node");
        let quiet = command.args(["-e", &text]).stdin(Stdio::null()).stdout(Stdio::null());
        let it = Self(quiet.spawn().unwrap());
        until("the other program to listen", || http_get(port, "/").is_some());
        it
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn the_holder_of_a_port_is_ended_when_a_person_says_yes_and_never_without() {
    let zelador = zelador();
    let ports = [free_port(), free_port()];
    let [mut refused, mut granted] = ports.map(Foreign::on);
    zelador.write("server.js", SERVER);
    let app = |name: &str, port: u16| {
        format!(
            "{{ name: '{name}', script: 'server.js', env: {{ PORT: {port} }}, health: {{ http: 'http://127.0.0.1:{port}/health', {HEALTH} }} }}"
        )
    };
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{}, {}] }}",
            app("no", ports[0]),
            app("yes", ports[1])
        ),
    );
    // Neither comes up, and the command says so.
    zelador.run(&["start", "ecosystem.config.js"]);
    let asks = |app| incident(&zelador, app).is_some_and(|it| it["proposal"] == "kill_port_holder");
    until_within("both to ask", Duration::from_mins(1), || asks("no") && asks("yes"));
    assert!(refused.lives() && granted.lives(), "nobody has said anything");
    let number = |app| incident(&zelador, app).unwrap()["id"].to_string();
    zelador.ok(&["incident", "reject", &number("no")]);
    zelador.ok(&["incident", "approve", &number("yes")]);
    until_within("it to be healed", Duration::from_mins(1), || {
        incident(&zelador, "yes").is_some_and(|it| it["stage"]["outcome"] == "healed")
    });
    assert!(is_well(ports[1]));
    assert!(!granted.lives(), "its port is the app's");
    assert!(refused.lives(), "a person said no");
    let told = story(&incident(&zelador, "yes").unwrap());
    assert!(told.contains("a person said yes: end the process that has its port"), "{told}");
    let told = story(&incident(&zelador, "no").unwrap());
    assert!(told.contains("a person said no: end the process that has its port"), "{told}");
    // What was answered is not asked again by the next answer.
    let again = zelador.run(&["incident", "approve", &number("no")]);
    assert_eq!(again.code, 1, "{}{}", again.out, again.err);
    assert!(refused.lives());
}

#[test]
fn of_a_muted_incident_only_the_end_is_told_and_it_is_dealt_with_all_the_same() {
    let (zelador, person) = (zelador(), Receiver::start(Reply::Say(200, "", "ok")));
    fs::write(zelador.home().join("secrets.env"), format!("PERSON_URL={}\n", person.url()))
        .unwrap();
    zelador.write("server.js", SERVER);
    let ports = [free_port(), free_port()];
    let app = |name: &str, port: u16| {
        format!(
            "{{ name: '{name}', script: 'server.js', env: {{ PORT: {port} }}, health: {{ http: 'http://127.0.0.1:{port}/health', {HEALTH} }}, heal: 'ask' }}"
        )
    };
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{}, {}], zelador: {{ checks: {{ cpu: false, memory: false, disk: false }},
               notify: {{ channels: {{ person: {{ webhook: {{ url_env: 'PERSON_URL' }} }} }} }} }} }}",
            app("quiet", ports[0]),
            app("loud", ports[1])
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    for port in ports {
        until("it to work", || is_well(port));
        http_get(port, "/sick");
    }
    let heard = |app: &str| person.got().iter().filter(|it| it.json()["app"] == app).count();
    let asks =
        |app| incident(&zelador, app).is_some_and(|it| it["stage"]["stage"] == "awaiting-approval");
    until_within("both to ask", Duration::from_mins(1), || {
        asks("quiet") && asks("loud") && heard("quiet") > 0 && heard("loud") > 0
    });
    let number = |app| incident(&zelador, app).unwrap()["id"].to_string();
    zelador.ok(&["incident", "mute", &number("quiet")]);
    let (before, loud) = (heard("quiet"), heard("loud"));
    for app in ["quiet", "loud"] {
        zelador.ok(&["incident", "reject", &number(app)]);
    }
    let escalated =
        |app| incident(&zelador, app).is_some_and(|it| it["stage"]["stage"] == "escalated");
    until_within("both to be given up, and that to be told", Duration::from_mins(1), || {
        escalated("quiet") && escalated("loud") && heard("loud") > loud
    });
    assert_eq!(heard("quiet"), before, "{:?}", person.got());
    assert_eq!(incident(&zelador, "quiet").unwrap()["muted"], true);
    // Whoever heard of its beginning hears of its end.
    http_get(ports[0], "/well");
    until_within("its end to be told", Duration::from_mins(1), || heard("quiet") > before);
    let last = |app: &str| person.got().iter().rev().map(Got::json).find(|it| it["app"] == app);
    assert_eq!(last("quiet").unwrap()["news"], "resolved");
    // One incident is muted, not the app.
    http_get(ports[0], "/crash");
    until_within("another trouble of it to be told", Duration::from_mins(1), || {
        last("quiet").is_some_and(|it| it["news"] == "opened")
    });
}

#[test]
fn commands_that_take_long_hold_up_neither_a_stop_nor_an_answer() {
    const COMMANDS: usize = 8;
    let zelador = zelador();
    zelador.write(
        "child.py",
        "import signal\nsignal.signal(signal.SIGINT, lambda *_: exit(print('asked', file=open('heard', 'a'))))\n\
         print('begun', file=open('begun', 'a'))\nsignal.pause()",
    );
    zelador.write("leaves.sh", "setsid python3 child.py &\nexec sleep 1000");
    zelador
        .write("ails.sh", "sleep 0.3\necho 'FATAL: sorry, too many clients already' >&2\nexit 1");
    zelador.write(
        "drain.sh",
        "touch drains-$1\nfor _ in $(seq 400); do [ -e enough ] && break; sleep 0.05; done\ntouch drained",
    );
    let ailing = (0..COMMANDS).map(|number| {
        format!(
            "{{ name: 'a{number}', script: 'ails.sh', heal: {{ commands: {{ drain: {{ run: ['sh', 'drain.sh', '{{app}}'], \
             when: ['db_too_many_connections'], timeout: '60s' }} }} }} }}"
        )
    });
    let apps = ailing.collect::<Vec<_>>().join(", ");
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{{ name: 'leaves', script: 'leaves.sh', kill_timeout: 20000 }}, {apps}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let at = |name: &str| zelador.app().join(name);
    until("its child", || at("begun").exists());
    until("the commands to run", || {
        (0..COMMANDS).all(|number| at(&format!("drains-a{number}")).exists())
    });
    zelador.ok(&["stop", "leaves"]);
    assert!(at("heard").exists(), "it was asked to end");
    assert!(!at("drained").exists(), "no command has come to its end");
    zelador.write("enough", "");
}

//! Remedies, evidence and advice, each through the whole of it: a real app that is sick, the healer, and what a person
//! is told.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::home::{Zelador, free_port, http_get, kill, until_within};

use crate::zelador;

/// Says what it is told to say, and is sick until somebody asks `/well`, or by one of two signals, or its garbage is
/// collected (`GARBAGE`). A second replica makes the first one well.
pub const SICK: &str = "
const http = require('http'); let well = false; console.error(process.env.SAYS);
process.on('SIGHUP', () => { well = true }); process.on('SIGWINCH', () => { well = true });
if (process.env.GARBAGE) {
  globalThis.kept = new FinalizationRegistry(() => { well = true });
  (() => kept.register({ some: 'garbage' }))();
}
if (process.env.NODE_APP_INSTANCE !== '0') {
  http.get({ port: +process.env.PORT, path: '/well' }); setInterval(() => {}, 1000);
} else {
  http.createServer((q, r) => {
    if (q.url === '/well') well = true;
    r.statusCode = well ? 200 : 500; r.end('ok');
  }).listen(+process.env.PORT, '127.0.0.1');
}
";

pub const HEALTH: &str = "interval: '1s', timeout: '500ms', failure_threshold: 2, start_period: '1s', verify_within: '5s'";

pub fn sick(name: &str, port: u16, says: &str, more: &str) -> String {
    format!(
        "{{ name: '{name}', script: 'sick.js', env: {{ PORT: {port}, SAYS: '{says}' }}, kill_timeout: 1000, \
         health: {{ http: 'http://127.0.0.1:{port}/health', {HEALTH} }}, {more} }}"
    )
}

/// Rules by which these apps tell what ails them.
const RULES: &str = "[
  { pattern: 'says: leak', cause: 'memory_leak' },
  { pattern: 'says: pool', cause: 'db_too_many_connections' },
  { pattern: 'says: busy', cause: 'overload' },
]";

pub fn start(zelador: &Zelador, apps: &[String], more: &str) {
    zelador.write("sick.js", SICK);
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{}], zelador: {{ checks: {{ cpu: false, memory: false, disk: false }}, {more} }} }}",
            apps.join(", ")
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
}

pub fn incident(zelador: &Zelador, app: &str) -> Option<Value> {
    zelador.incidents().into_iter().find(|it| it["app"] == app)
}

pub fn story(incident: &Value) -> String {
    let entries = incident["story"].as_array().unwrap().iter();
    entries.map(|entry| entry["what"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

pub fn healed(zelador: &Zelador, app: &str) -> Value {
    until_within(&format!("{app} to be healed"), Duration::from_mins(2), || {
        incident(zelador, app).is_some_and(|it| it["stage"]["outcome"] == "healed")
    });
    incident(zelador, app).unwrap()
}

#[test]
fn each_gentle_remedy_is_done_for_real_and_leaves_the_process_alone() {
    let zelador = zelador();
    let ports: Vec<u16> = (0..5).map(|_| free_port()).collect();
    let well =
        |port| format!("'node', '-e', \"require('http').get('http://127.0.0.1:{port}/well')\"");
    let apps = [
        sick("reconnects", ports[0], "says: pool", "hooks: { reconnect: 'SIGHUP' }"),
        sick(
            "clears",
            ports[1],
            "says: leak",
            "hooks: { clear_cache: 'kill -WINCH $ZELADOR_PID; echo cleared' }",
        ),
        sick(
            "drains",
            ports[2],
            "says: pool",
            &format!(
                "heal: {{ commands: {{ drain: {{ run: [{}, '{{app}}', '{{pid}}', '{{port}}'], when: ['db_too_many_connections'], timeout: '10s' }} }} }}",
                well(ports[2])
            ),
        ),
        sick("grows", ports[3], "says: busy", "heal: { max_instances: 2 }"),
        sick("collects", ports[4], "says: leak", "hooks: { gc: true }")
            .replace("SAYS:", "GARBAGE: 1, SAYS:"),
    ];
    start(&zelador, &apps, &format!("diagnosis: {{ rules: {RULES} }}"));
    let pids: Vec<i32> = ["reconnects", "clears", "drains", "grows", "collects"]
        .map(|app| zelador.pid(app))
        .to_vec();
    for (app, tried, said) in [
        ("reconnects", "try 1: reconnect", ""),
        ("clears", "try 1: clear its caches", "done: cleared"),
        ("drains", "try 1: run `drain`", "done: "),
        ("grows", "try 1: add a replica", ""),
        ("collects", "try 1: collect garbage", "collected: "),
    ] {
        let told = story(&healed(&zelador, app));
        assert!(told.contains(tried) && told.contains(said), "{app}: {told}");
    }
    let after = ["reconnects", "clears", "drains", "grows", "collects"].map(|app| zelador.pid(app));
    assert_eq!(after.to_vec(), pids, "nothing was restarted");
    assert_eq!(zelador.jlist().iter().filter(|it| it["name"] == "grows").count(), 2);
    let report = zelador.ok(&["report", "--since", "1h"]).out;
    assert!(report.contains(": 5 healed, 0 recovered"), "{report}");
    // The inspector that was opened for it is closed again.
    let listens = fs::read_to_string("/proc/net/tcp").unwrap();
    let own = fs::read_dir(format!("/proc/{}/fd", pids[4])).unwrap().flatten();
    let own = own.filter_map(|it| fs::read_link(it.path()).ok()?.to_str().map(str::to_owned));
    let own: Vec<String> = own
        .filter_map(|it| Some(it.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let open = listens.lines().filter(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        words.get(3) == Some(&"0A")
            && words.get(9).is_some_and(|inode| own.iter().any(|it| it == inode))
    });
    assert_eq!(open.count(), 1, "its own port alone");
}

#[test]
fn the_second_time_a_trouble_is_healed_in_fewer_steps_and_a_person_sees_why() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", crate::SERVER);
    let nudge = "heal: { commands: { nudge: { run: ['true'], when: ['deadlock_or_hang'] } } }";
    zelador.start(&super::health::web(port, nudge));
    let hang_and_heal = |times: usize| {
        until_within("it to answer", Duration::from_mins(1), || {
            http_get(port, "/health").is_some_and(|(code, _)| code == 200)
        });
        let stream = std::net::TcpStream::connect(("127.0.0.1", port));
        _ = stream.map(|mut it| {
            std::io::Write::write_all(&mut it, b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        });
        until_within("it to be healed", Duration::from_mins(1), || {
            let [it] = &zelador.incidents()[..] else { return false };
            it["reopened"] == times && it["stage"]["outcome"] == "healed"
        });
        zelador.incidents()[0].clone()
    };
    let first = hang_and_heal(0);
    assert_eq!(first["tries"].as_array().unwrap().len(), 2, "{}", story(&first));
    // It comes back over the same coffee: the same incident, with one more try.
    let second = hang_and_heal(1);
    assert_eq!(second["tries"].as_array().unwrap().len(), 3, "{}", story(&second));
    assert!(story(&second).contains("it came back: "), "{}", story(&second));
    assert!(story(&second).contains("in the order of what helped before"), "{}", story(&second));
    let explained = zelador.ok(&["incident", "explain", "1"]).out;
    let known = "restart: 60 % likely to help (2 times it did, 1 time it did not)";
    assert!(explained.contains(known), "{explained}");
    let exported = zelador.ok(&["incident", "export", "1", "--markdown"]).out;
    for part in
        ["## Evidence", "- the host: load", "## What was tried", "run \\`nudge\\`: 33 % likely"]
    {
        assert!(exported.contains(part), "{part}: {exported}");
    }
    let report = zelador.ok(&["report", "--since", "1h"]).out;
    for part in [
        ": 1 healed",
        "learned: web, when it hangs: restart: 60 % likely to help (2 times it did, 1 time it did not)\n\
         learned: web, when it hangs: run `nudge`: 33 % likely to help (0 times it did, 1 time it did not)\n",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let report = zelador.ok(&["report", "--since", "1h", "--json"]).out;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["learned"][0]["remedies"][0]["seen"]["good"], 2.0, "{report}");
}

#[test]
fn a_heap_that_is_too_small_is_raised_within_its_ceiling_shown_and_kept() {
    let zelador = zelador();
    zelador.write(
        "hungry.js",
        "const kept = []; for (let i = 0; i < 90; i++) kept.push(new Array(1 << 17).fill(i));
         console.log('fed'); setInterval(() => kept.length, 1000);",
    );
    let app = "{ name: 'hungry', script: 'hungry.js', node_args: '--max-old-space-size=64', min_uptime: 100, max_restarts: 9, heal: { ceilings: { heap: '256M' } } }";
    zelador.start(app);
    let told = story(&healed(&zelador, "hungry"));
    for part in [
        "the memory that its runtime may use is exhausted",
        "the limit of its heap is raised from 64.0 MB to 128 MB",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(zelador.ok(&["describe", "hungry"]).out.contains("the limit of its heap, to 128 MB"));
    // Another engine knows it, and the same declaration does not take it back.
    kill(zelador.roles().0, Signal::KILL);
    let again = zelador.start(app);
    assert!(
        again.out.contains("left alone") || again.err.contains("left alone"),
        "{} {}",
        again.out,
        again.err
    );
    zelador.ok(&["restart", "hungry"]);
    let pid = zelador.pid("hungry");
    let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(words.contains("--max-old-space-size=128"), "{words}");
}

#[test]
fn what_changed_since_the_last_good_run_is_part_of_the_evidence() {
    let zelador = zelador();
    let flag: PathBuf = zelador.app().join("crash");
    zelador.write(
        "app.js",
        "setInterval(() => { if (require('fs').existsSync('crash')) { throw new Error('boom') } }, 100)",
    );
    let app = |more: &str| {
        format!("{{ name: 'app', script: 'app.js', env: {{ A: 1, {more} }}, restart_delay: 500 }}")
    };
    zelador.start(&app("SECRET: 'hunter2'"));
    let up = std::time::Instant::now();
    until_within("a run to be good", Duration::from_mins(1), || {
        up.elapsed() > Duration::from_secs(11)
    });
    zelador.write("package-lock.json", "{}");
    zelador.start(&app("B: 2"));
    fs::write(&flag, "").unwrap();
    until_within("evidence", Duration::from_mins(1), || {
        incident(&zelador, "app")
            .is_some_and(|it| it["evidence"]["changes"].as_array().is_some_and(|it| !it.is_empty()))
    });
    fs::remove_file(&flag).unwrap();
    let changes = incident(&zelador, "app").unwrap()["evidence"]["changes"].to_string();
    for part in ["environment: new: B", "environment: gone: SECRET", "package-lock.json"] {
        assert!(changes.contains(part), "{part}: {changes}");
    }
    assert!(!changes.contains("hunter2"), "{changes}");
    let number = incident(&zelador, "app").unwrap()["id"].to_string();
    let shown = zelador.ok(&["incident", "show", &number]).out;
    assert!(shown.contains("since the last good run began: environment: new: B"), "{shown}");
}

#[test]
fn a_jvm_that_is_deadlocked_says_where_before_it_is_restarted() {
    if std::process::Command::new("jstack").arg("-h").output().is_err() {
        println!("not run: there is no JVM");
        return;
    }
    let zelador = zelador();
    let port = free_port();
    zelador.write(
        "Stuck.java",
        &format!(
            "import com.sun.net.httpserver.HttpServer; import java.net.InetSocketAddress;
             public class Stuck {{
               static final Object A = new Object(), B = new Object();
               static void both(Object one, Object two) {{
                 synchronized (one) {{ try {{ Thread.sleep(300); }} catch (Exception e) {{ }} synchronized (two) {{ }} }}
               }}
               public static void main(String[] args) throws Exception {{
                 HttpServer s = HttpServer.create(new InetSocketAddress(\"127.0.0.1\", {port}), 0);
                 s.createContext(\"/\", x -> {{
                   if (x.getRequestURI().getPath().equals(\"/hang\")) {{
                     new Thread(() -> both(A, B)).start(); both(B, A);
                   }}
                   x.sendResponseHeaders(200, -1); x.close();
                 }});
                 s.start();
               }}
             }}"
        ),
    );
    zelador.start(&format!(
        "{{ name: 'jvm', script: 'Stuck.java', interpreter: 'java', health: {{ http: 'http://127.0.0.1:{port}/health', {} }} }}",
        // It is compiled first.
        HEALTH.replace("start_period: '1s'", "start_period: '20s'")
    ));
    until_within("the JVM to answer", Duration::from_mins(2), || {
        http_get(port, "/health").is_some_and(|(code, _)| code == 200)
    });
    let stream = std::net::TcpStream::connect(("127.0.0.1", port));
    let _held = stream.map(|mut it| {
        _ = std::io::Write::write_all(&mut it, b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
        it
    });
    until_within("the dump", Duration::from_mins(1), || {
        incident(&zelador, "jvm")
            .is_some_and(|it| it["evidence"]["dumps"].as_array().is_some_and(|it| !it.is_empty()))
    });
    let dump = incident(&zelador, "jvm").unwrap()["evidence"]["dumps"][0].clone();
    assert_eq!(dump["of"], "jstack");
    let lines = dump["lines"].to_string();
    assert!(
        lines.contains("Found one Java-level deadlock") && lines.contains("Stuck.both"),
        "{lines}"
    );
}

#[test]
fn a_group_whose_memory_is_too_small_tells_its_limit_and_the_kills_and_is_given_more() {
    let zelador = zelador();
    zelador.write(
        "eats.js",
        "const all = []; const more = setInterval(() => { all.push(Buffer.alloc(8 << 20, 1)); if (all.length === 14) clearInterval(more) }, 5); setInterval(() => {}, 1000);",
    );
    zelador.start(
        "{ name: 'eats', script: 'eats.js', limits: { memory: '96M' }, min_uptime: 100, max_restarts: 9, heal: { ceilings: { memory: '512M' } } }",
    );
    if zelador.ok(&["show", "eats"]).out.contains("`memory` is not held") {
        println!("not run: this host has no memory controller for zelador");
        return;
    }
    let incident = healed(&zelador, "eats");
    let told = story(&incident);
    assert!(told.contains("the limit of its memory is raised from 96.0 MB to 192 MB"), "{told}");
    let evidence = &incident["evidence"];
    assert_eq!(evidence["memory_limit"], 96 << 20, "{evidence}");
    assert!(evidence["oom_kills"].as_u64() >= Some(1), "{evidence}");
    assert_eq!(incident["diagnosis"]["cause"], "oom_killed");
}

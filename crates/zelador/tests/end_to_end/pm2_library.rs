//! Programs that use PM2's library from npm (`require('pm2')`), with zelador in the place of its daemon.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use zelador_testbed::home::{LIMIT, Zelador, alive, kill, said, text, until};

use crate::import::pm2_of_npm;
use crate::pm2_voice::pm2;
use crate::zelador;

/// What every program of these begins with: `call` gives `[error, answer]`, `heard` waits for something
/// on the bus.
const PRELUDE: &str = "
const pm2 = require('pm2');
const call = (name, ...args) => new Promise(done => pm2[name](...args, (error, answer) =>
  done([error ? error.message || error : null, answer])));
const seen = []; const waiting = [];
const see = (topic, data) => { seen.push([topic, data]); waiting.forEach(look => look()); };
const heard = (topic, is = () => true) => new Promise(done => {
  const look = () => { const it = seen.find(([t, d]) => t === topic && is(d)); if (it) done(it[1]); };
  waiting.push(look); look(); });
const tell = (what) => new Promise(done => process.stdout.write('>' + JSON.stringify(what) + '\\n', done));
const listen = () => new Promise(done => pm2.launchBus((error, bus) => { bus.on('*', see); done(bus); }));
";

/// A program that uses the library; `None`: npm cannot install it here.
fn program(zelador: &Zelador, body: &str) -> Option<Command> {
    let packages = match pm2_of_npm() {
        Ok(packages) => packages,
        Err(why) => {
            eprintln!("skipped, no PM2 can be had here: {why}");
            return None;
        }
    };
    let source = format!("{PRELUDE}\n(async () => {{ {body}\n pm2.disconnect(); }})()");
    let script = zelador.write("program.js", &source);
    let mut command = Command::new("node");
    command.arg(script).current_dir(zelador.app()).stdin(Stdio::null());
    command.env("PM2_HOME", zelador.home()).env("NODE_PATH", packages);
    Some(command)
}

/// Runs it, and returns what it has told.
fn told(command: &mut Command) -> Vec<Value> {
    let said = said(&command.output().unwrap());
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let lines = said.out.lines().filter_map(|line| line.strip_prefix('>'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

const APP: &str = "
console.log('hello from ' + process.env.A); console.error('careful');
process.on('message', packet => { if (packet.topic)
  process.send({ type: 'process:msg', data: { answer: packet.data.x + 1, topic: packet.topic } }); });
process.on('SIGUSR2', () => console.log('signalled'));
process.stdin.on('data', line => console.log('read ' + line));
process.send({ type: 'metrics', data: { users: 3 } }); process.send('plain');
setInterval(() => {}, 1000);
";

#[test]
fn a_program_connects_starts_listens_and_deletes_through_pm2s_library() {
    let zelador = zelador();
    zelador.write("app.js", APP);
    let body = "
      await call('connect'); await tell(await call('list'));
      await listen();
      await tell(await call('start', { script: 'app.js', name: 'api', env: { A: 1, API_TOKEN: 'hush' } }));
      await tell([await heard('log:out', it => it.data.includes('hello')),
                  await heard('log:err'), await heard('metrics'),
                  await heard('process:msg', it => it.raw === 'plain'),
                  await heard('process:event', it => it.event === 'start')]);
      await tell(await call('sendDataToProcessId', 0, { topic: 'ask', data: { x: 1 } }));
      await tell(await heard('process:msg', it => it.data));
      await tell(await call('sendLineToStdin', 0, 'a line'));
      await heard('log:out', it => it.data === 'read a line\\n');
      await tell(await call('sendSignalToProcessName', 'SIGUSR2', 'api'));
      await heard('log:out', it => it.data === 'signalled\\n');
      await tell(await call('restart', 'api', { max_memory_restart: '90M' }));
      await heard('process:event', it => it.event === 'restart' && it.manually);
      await tell(await call('describe', 'api'));
      await tell(await call('stop', 'api'));
      await heard('process:event', it => it.event === 'stop');
      await tell(await call('start', 'api'));
      await tell(await call('delete', 'api'));
      await heard('process:event', it => it.event === 'delete');
      await tell(await call('list'));
      await tell(await call('stop', 'nobody'));";
    let Some(mut command) = program(&zelador, body) else { return };
    assert_eq!(pm2(&zelador, "ping").code, 0);
    let told = told(&mut command);
    let [
        none,
        started,
        heard,
        sent,
        answer,
        line,
        signalled,
        restarted,
        described,
        stopped,
        again,
        deleted,
        gone,
        unknown,
    ] = told.as_slice()
    else {
        panic!("{told:#?}")
    };
    assert_eq!((none, gone), (&json!([null, []]), &json!([null, []])));
    let app = &started[1][0];
    assert_eq!(
        (&started[0], &app["name"], &app["pm_id"]),
        (&Value::Null, &json!("api"), &json!(0))
    );
    assert_eq!(app["pm2_env"]["status"], "online");
    assert_eq!(app["pm2_env"]["env"]["API_TOKEN"], "********", "secrets are masked in every view");
    assert_eq!(app["process"]["pid"], app["pid"]);
    let process = json!({ "pm_id": 0, "name": "api", "namespace": "default" });
    let own = json!({ "pm_id": 0, "name": "api", "namespace": "default", "rev": null });
    assert_eq!((&heard[0]["data"], &heard[0]["process"]), (&json!("hello from 1\n"), &own));
    assert_eq!(heard[1]["data"], "careful\n");
    assert_eq!((&heard[2]["data"]["users"], &heard[2]["process"]), (&json!(3), &process));
    assert_eq!(heard[3]["process"], process);
    let event = &heard[4];
    assert_eq!((&event["manually"], &event["process"]["status"]), (&json!(true), &json!("online")));
    for secret in ["env", "API_TOKEN", "A", "PATH"] {
        assert_eq!(event["process"][secret], Value::Null, "{secret}");
    }
    assert_eq!((&sent[0], &sent[1]["success"]), (&Value::Null, &json!(true)));
    assert_eq!(answer["data"], json!({ "answer": 2, "topic": "ask" }));
    assert_eq!((&line[0], &signalled[0]), (&Value::Null, &Value::Null));
    assert_eq!(restarted[1][0]["restart_time"], 1);
    let env = &described[1][0]["pm2_env"];
    assert_eq!((&env["max_memory_restart"], &env["restart_time"]), (&json!(90 << 20), &json!(1)));
    assert_eq!(
        (&stopped[1][0]["status"], &again[1][0]["status"]),
        (&json!("stopped"), &json!("online"))
    );
    assert_eq!(deleted[1][0]["name"], "api");
    assert_eq!(unknown[0], "process or namespace not found");
}

#[test]
fn an_ecosystem_file_a_cluster_and_a_save_go_through_pm2s_library() {
    let zelador = zelador();
    let port = zelador_testbed::home::free_port();
    let web = "require('http').createServer((q, r) => r.end(process.env.COLOUR)).listen(process.env.PORT)";
    zelador.write("web.js", web);
    zelador.write("other.js", web);
    zelador.write(
        "eco.config.js",
        &format!(
            "module.exports = {{ apps: [{{ name: 'web', script: 'web.js', instances: 2, exec_mode: 'cluster',
               env: {{ PORT: {port}, COLOUR: 'blue', DB_PASSWORD: 'hush' }} }}] }}"
        ),
    );
    let body = "
      await call('connect');
      await tell(await call('start', 'eco.config.js'));
      await tell(await call('scale', 'web', 3));
      await tell((await call('list'))[1].map(it => [it.pm_id, it.pm2_env.exec_mode, it.pm2_env.status]));
      await tell((await call('reload', 'web'))[0]);
      await tell((await call('scale', 'web', 2))[0]);
      process.env.COLOUR = 'green';
      await tell((await call('restart', 'web', { updateEnv: true }))[0]);
      await tell((await call('list'))[1].map(it => it.pm2_env.env.COLOUR));
      await tell((await call('start', 'other.js', { name: 'web' }))[0]);
      await tell((await call('dump'))[0]);
      await tell((await call('killDaemon'))[1]);";
    let Some(mut command) = program(&zelador, body) else { return };
    assert_eq!(pm2(&zelador, "ping").code, 0);
    let told = told(&mut command);
    let [started, scaled, list, reloaded, fewer, restarted, colours, twice, saved, killed] =
        told.as_slice()
    else {
        panic!("{told:#?}")
    };
    assert_eq!((&started[0], started[1].as_array().unwrap().len()), (&Value::Null, 2));
    assert_eq!(scaled[0], Value::Null, "{scaled}");
    let worker = |id: u32| json!([id, "cluster_mode", "online"]);
    assert_eq!(list, &json!([worker(0), worker(1), worker(2)]));
    assert_eq!([reloaded, fewer, restarted, saved], [&Value::Null; 4]);
    assert_eq!(colours, &json!(["green", "green"]));
    assert!(
        twice.as_str().is_some_and(|why| why.contains("an app is called web already")),
        "{twice}"
    );
    assert_eq!(killed["success"], true);
    until("zelador to end", || !zelador.home().join("zelador.sock").exists());
    assert!(!zelador.home().join("rpc.sock").exists());
    // What the library saved has masks in the place of secrets; what was saved for good has not.
    let dump = zelador.home().join("dump.pm2");
    assert_eq!(fs::metadata(&dump).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(text(&dump).contains("hush"), "{}", text(&dump));
    assert_eq!(pm2(&zelador, "resurrect").code, 0);
    let environ = text(format!("/proc/{}/environ", zelador.pid("web")));
    assert!(environ.contains("DB_PASSWORD=hush\0") && environ.contains("COLOUR=green\0"));
}

#[test]
fn pm2s_own_command_line_is_a_client_like_any_other() {
    let zelador = zelador();
    zelador.write("app.js", "setInterval(() => {}, 1000)");
    let packages = match pm2_of_npm() {
        Ok(packages) => packages,
        Err(why) => return eprintln!("skipped, no PM2 can be had here: {why}"),
    };
    assert_eq!(pm2(&zelador, "start app.js --name one").code, 0);
    let npms = |words: &[&str]| {
        let mut command = Command::new(packages.join(".bin/pm2"));
        command.args(words).current_dir(zelador.app()).stdin(Stdio::null());
        let said = said(&command.env("PM2_HOME", zelador.home()).output().unwrap());
        let told = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, 0, "{words:?}: {told}");
        assert!(!told.contains("out-of-date"), "{told}");
        told
    };
    assert!(npms(&["ls"]).contains("one"));
    assert!(npms(&["start", "app.js", "--name", "two"]).contains("Done."));
    assert_eq!(zelador.status("two"), "online");
    assert!(npms(&["restart", "two"]).contains("[two](1)"));
    assert_eq!(zelador.restarts("two"), 1);
    npms(&["save"]);
    npms(&["delete", "all"]);
    assert!(zelador.jlist().is_empty());
    let dump = zelador.home().join("dump.pm2");
    until("the list to be saved for good", || {
        fs::metadata(&dump).is_ok_and(|it| it.permissions().mode() & 0o777 == 0o600)
    });
    assert!(text(&dump).contains("\"name\": \"two\""), "{}", text(&dump));
}

/// A program that goes on telling what it hears.
struct Listener(Child, BufReader<std::process::ChildStdout>);

impl Listener {
    fn line(&mut self, holds: &str) {
        let mut line = String::new();
        while !line.contains(holds) {
            line.clear();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it ended before {holds}");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_program_that_listens_notices_nothing_of_a_killed_engine_and_no_second_daemon_begins() {
    let zelador = zelador();
    zelador.write("app.js", "setInterval(() => console.log('tick ' + process.env.name), 50)");
    let body = "
      await call('connect'); await listen();
      await tell('listening');
      for (;;) {
        const data = await new Promise(done => waiting.push(() => done(seen.at(-1))));
        waiting.length = 0; await tell(data[1].data || data[1].event);
      }";
    let Some(mut command) = program(&zelador, body) else { return };
    assert_eq!(pm2(&zelador, "start app.js --name one").code, 0);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut listener = Listener(child, out);
    listener.line("listening");
    listener.line("tick one");
    let (engine, guardian) = zelador.roles();
    kill(engine, Signal::KILL);
    // Asked while nobody answers: it waits for the next engine, and starts no daemon of its own.
    let asked = "await call('connect'); await tell((await call('list'))[1].map(it => it.name));";
    let Some(mut asks) = program(&zelador, asked) else { return };
    assert_eq!(told(&mut asks), [json!(["one"])]);
    assert!(zelador.roles().0 != engine && zelador.roles().1 == guardian);
    assert_eq!(pm2(&zelador, "start app.js --name two").code, 0);
    listener.line("tick two");
    drop(listener);
    assert_eq!(pm2(&zelador, "kill").code, 0);
    assert!(!alive(guardian));
    let of_home = |pid: i32| {
        let environ = text(format!("/proc/{pid}/environ"));
        environ.contains(&format!("ZELADOR_HOME={}\0", zelador.home().display()))
    };
    let pids = || {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|it| it.file_name().to_str()?.parse::<i32>().ok()).collect::<Vec<_>>()
    };
    until("nothing of zelador to be left", || !pids().into_iter().any(of_home));
}

/// The bytes of a call.
fn call(text: &str) -> Vec<u8> {
    let mut frame = vec![0x12];
    for part in [format!("j:{text}"), "s:1:7".to_owned()] {
        frame.extend((part.len() as u32).to_be_bytes());
        frame.extend(part.bytes());
    }
    frame
}

/// Sends what it reads to a socket, and answers how many bytes came back before the other side ended it.
const CALLER: &str = "
const socket = require('net').connect(process.argv[1]); let bytes = 0;
socket.on('data', data => { bytes += data.length; });
socket.on('error', () => {}); socket.on('close', () => console.log(bytes));
process.stdin.pipe(socket);";

#[test]
fn nobody_else_speaks_to_pm2s_sockets() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can be somebody else");
    }
    let zelador = zelador();
    assert_eq!(pm2(&zelador, "ping").code, 0);
    // As open as it can be made by mistake.
    let folder = zelador.home().parent().unwrap().to_owned();
    for (path, mode) in [(folder, 0o755), (zelador.home(), 0o755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let ping = call(r#"{"type":"call","method":"ping","args":[{}]}"#);
    let answered = |user: u32, name: &str| {
        let socket = zelador.home().join(name);
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        let mut node = Command::new("node");
        node.args(["-e", CALLER]).arg(&socket).uid(user).current_dir("/");
        let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        node.stdin.take().unwrap().write_all(&ping).unwrap();
        let out = node.wait_with_output().unwrap().stdout;
        String::from_utf8_lossy(&out).trim().parse::<usize>().unwrap()
    };
    assert!(answered(0, "rpc.sock") > 0);
    assert_eq!(answered(65534, "rpc.sock"), 0);
    assert_eq!(answered(65534, "pub.sock"), 0);
    let log = text(zelador.home().join("pm2.log"));
    assert_eq!(
        log.matches("somebody else's call on a socket of PM2's is refused").count(),
        2,
        "{log}"
    );
}

#[test]
fn the_sockets_are_the_owners_and_garbage_costs_only_its_own_connection() {
    let zelador = zelador();
    assert_eq!(pm2(&zelador, "ping").code, 0);
    let socket = |name: &str| zelador.home().join(name);
    for name in ["rpc.sock", "pub.sock"] {
        let mode = fs::metadata(socket(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let exchange = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(socket("rpc.sock")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert_eq!(exchange(b"GET / HTTP/1.1\r\n\r\n"), "");
    let call = |text: &str| exchange(&call(text));
    let pong = call(r#"{"type":"call","method":"ping","args":[{}]}"#);
    assert!(pong.contains(r#"j:{"args":[{"msg":"pong"}]}"#) && pong.ends_with("s:1:7"), "{pong}");
    assert!(call(r#"{"type":"methods"}"#).contains("\"getMonitorData\""));
    let unknown = call(r#"{"type":"call","method":"eval","args":[]}"#);
    assert!(unknown.contains("method \\\"eval\\\" does not exist"), "{unknown}");
    let wrong = call(r#"{"type":"call","method":"prepare","args":[{"name":"x"}]}"#);
    assert!(wrong.contains("\"error\""), "{wrong}");
    // In zelador's own home nobody expects them.
    let own = crate::zelador();
    own.write("app.sh", "sleep 1000");
    own.ok(&["start", "app.sh"]);
    assert!(!own.home().join("rpc.sock").exists());
    assert!(Path::new(&own.home()).join("zelador.sock").exists());
}

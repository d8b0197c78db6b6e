//! What somebody can do who may do nothing: connect, send, and call what is open. Nobody else feels it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use zelador_testbed::home::{Zelador, alive, kill, text, until, until_within};

use crate::zelador;

fn connect(zelador: &Zelador) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", zelador.port())).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

/// The numbers of what a process has open.
fn descriptors(pid: i32) -> BTreeSet<u64> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect()
}

/// The status of an answer, and what it says.
fn posted(zelador: &Zelador, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = connect(zelador);
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    write!(stream, "{head}{kind}Content-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
    (status, answer)
}

#[test]
fn connections_that_say_nothing_whole_take_neither_memory_nor_descriptors_and_are_ended() {
    let zelador = zelador();
    // So few descriptors, and all of them could be taken by requests that never end.
    let binary = env!("CARGO_BIN_EXE_zelador");
    let start = zelador.command(&[]);
    let start = Command::new("sh")
        .args(["-c", "ulimit -n 400; exec \"$@\"", "sh", binary])
        .args(["start", "sleep", "--name", "svc", "--", "1000"])
        .envs(start.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(start.get_current_dir().unwrap_or(&zelador.app()))
        .status()
        .unwrap();
    assert!(start.success());
    until("its endpoints", || zelador.get("/livez").0 == 200);
    let (engine, _) = zelador.roles();
    let (pid, memory) = (zelador.pid("svc"), zelador.own_memory());

    let mut held: Vec<TcpStream> = (0..450).map(|_| connect(&zelador)).collect();
    for stream in &mut held {
        write!(stream, "GET /livez HTTP/1.1\r\nX-Long: ").unwrap();
    }
    until("them to be taken", || descriptors(engine).len() > 90);
    zelador.ok(&["list"]);
    kill(pid, Signal::KILL);
    until("another run", || {
        zelador.entry("svc")["pid"].as_i64().is_some_and(|now| now > 0 && now != i64::from(pid))
    });
    assert_eq!(zelador.roles().0, engine, "it needed what the connections took");
    // Whoever waits behind them is answered when their time is over, which nobody has extended.
    let mut answer = String::new();
    let mut last = held.swap_remove(0);
    last.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains(" 200 "), "{answer}");
    drop(held);
    until_within("room", Duration::from_mins(1), || zelador.get("/livez").0 == 200);

    // A head without end is refused before it has cost much.
    let mut long = connect(&zelador);
    long.set_write_timeout(Some(Duration::from_mins(1))).unwrap();
    _ = write!(long, "GET /livez HTTP/1.1\r\n{}", format!("X: {}\r\n", "x".repeat(990)).repeat(60));
    let mut answer = Vec::new();
    _ = long.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    // So is a body, and it needs no token to be sent where the token is given.
    let mut large = connect(&zelador);
    let head = "POST /health/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    _ = write!(large, "{head}{}", "x".repeat(100_000));
    let mut status = [0; 12];
    let answered = large.read_exact(&mut status);
    let status = String::from_utf8_lossy(&status);
    assert!(answered.is_err() || status == "HTTP/1.1 413", "{status}");
    let grown = zelador.own_memory().saturating_sub(memory);
    assert!(grown < 16 << 10, "{grown} KiB");
}

#[test]
fn streams_leave_room_for_those_who_only_ask() {
    let zelador = zelador();
    zelador.ok(&["start", "sleep", "--name", "svc", "--", "1000"]);
    until("its endpoints", || zelador.get("/livez").0 == 200);
    let statuses: Vec<(TcpStream, String)> = (0..300)
        .map(|_| {
            let mut stream = connect(&zelador);
            write!(stream, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).unwrap();
            (stream, String::from_utf8_lossy(&head).into_owned())
        })
        .take_while(|(_, head)| head == "HTTP/1.1 200")
        .collect();
    assert_eq!(statuses.len(), 128, "half of the places");
    assert_eq!(zelador.get("/livez").0, 200);
    drop(statuses);
    until("a place for another", || {
        let mut stream = connect(&zelador);
        write!(stream, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        head == *b"HTTP/1.1 200"
    });
}

#[test]
fn what_the_guardian_sends_waits_while_the_engine_may_open_nothing() {
    let zelador = zelador();
    zelador.ok(&["start", "sleep", "--name", "svc", "--", "1000"]);
    let (engine, guardian) = zelador.roles();
    let pid = zelador.pid("svc");
    let of = Pid::from_raw(engine);
    let before = prlimit(of, Resource::Nofile, getrlimit(Resource::Nofile)).unwrap();
    let open = descriptors(engine);
    let full = (0..=open.len() as u64).find(|number| !open.contains(number));
    let limit = |current| Rlimit { current, maximum: before.maximum };
    prlimit(of, Resource::Nofile, limit(full)).expect("it is of this test's user");
    kill(pid, Signal::KILL);
    let log = || text(zelador.home().join("zelador.log"));
    until("it to say so", || log().contains("what the guardian sends waits"));
    prlimit(of, Resource::Nofile, limit(before.current)).unwrap();
    until("another run", || zelador.status("svc") == "online" && zelador.pid("svc") != pid);
    assert_eq!(zelador.roles(), (engine, guardian));
    assert!(alive(zelador.pid("svc")));
}

#[test]
fn lines_of_logs_and_of_evidence_are_for_who_has_the_token() {
    let zelador = zelador();
    let body = "console.error('only for its owner'); setTimeout(() => process.exit(7), 300)";
    zelador.write("api.js", body);
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'api', script: 'api.js', max_restarts: 1 }] }",
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    until("its incident", || !zelador.incidents().is_empty());
    until("its evidence", || zelador.get("/health/incident/1/markdown").1.contains("## Evidence"));
    let token = zelador.ok(&["token"]).out.trim().to_owned();
    let asked = |path: &str, token: Option<&str>| {
        let url = format!("http://127.0.0.1:{}{path}", zelador.port());
        let mut curl = Command::new("curl");
        // A stream has no end.
        curl.args(["-s", "-m", "3", "-H", "Accept: text/html", &url]);
        if let Some(token) = token {
            curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        String::from_utf8_lossy(&curl.output().unwrap().stdout).into_owned()
    };
    for path in [
        "/health/logs/0",
        "/health/incident/1",
        "/health/incident/1/markdown",
        "/health/live?page=lines/1",
    ] {
        let told = asked(path, None);
        assert!(!told.contains("only for its owner"), "{path}: {told}");
        assert!(!told.is_empty(), "{path}");
        let told = asked(path, Some(&token));
        assert!(told.contains("only for its owner"), "{path}: {told}");
    }
    assert!(asked("/health/live?page=incident/1", Some(&token)).contains("evidence"));
}

#[test]
fn a_flood_over_a_notify_socket_is_one_line_and_keeps_nobody_from_being_heard() {
    let zelador = zelador();
    zelador.write(
        "says.py",
        "import os, socket, time\na = os.environ['NOTIFY_SOCKET']\na = chr(0) + a[1:] if a[0] == '@' else a\n\
         open('address.new', 'w').write(os.environ['NOTIFY_SOCKET']); os.rename('address.new', 'address')\n\
         s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.sendto(b'READY=1', a)\n\
         while not os.path.exists('go'): time.sleep(0.02)\n\
         s.sendto(b'STATUS=heard', a)\ntime.sleep(1000)\n",
    );
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'svc', script: 'says.py', notify: true }] }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let address = text(zelador.app().join("address"));
    let stranger = UnixDatagram::unbound().unwrap();
    let name = address.trim().strip_prefix('@').expect("an abstract name");
    let to = SocketAddr::from_abstract_name(name).unwrap();
    for _ in 0..2000 {
        stranger.send_to_addr(b"STATUS=owned", &to).unwrap();
    }
    zelador.write("go", "");
    let shown = || zelador.run(&["show", "svc"]).out;
    until("its words", || shown().contains("heard"));
    assert!(!shown().contains("owned"));
    let log = text(zelador.home().join("zelador.log"));
    let lines = log.lines().filter(|line| line.contains("NOTIFY_SOCKET")).count();
    assert_eq!(lines, 1, "{log}");
}

#[test]
fn wrong_tokens_are_one_row_a_minute_in_the_audit() {
    let zelador = zelador();
    zelador.ok(&["start", "sleep", "--name", "svc", "--", "1000"]);
    let token = zelador.ok(&["token"]).out.trim().to_owned();
    until("its endpoints", || zelador.get("/livez").0 == 200);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let wrong = posted(&zelador, "/health/login", "", "{\"token\":\"wrong\"}");
                assert_eq!(wrong.0, 401);
            });
        }
    });
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let right = posted(&zelador, "/health/login", &bearer, &format!("{{\"token\":\"{token}\"}}"));
    assert_eq!(right.0, 204);
    let rows = || zelador.get("/health/audit").1.matches(">login<").count();
    until("them to be noted", || rows() >= 2);
    // The right one is noted after them: what there is of them is there.
    assert_eq!(rows(), 2, "the first wrong one, and the right one");
}

#[test]
fn a_heartbeat_needs_no_token_and_no_foreign_page_sends_it() {
    let zelador = zelador();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'job', script: 'sleep', args: '1000', interpreter: 'none',
           health: { heartbeat: '1h' } }] }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("its endpoints", || zelador.get("/api/heartbeat/job").0 == 204);
    assert_eq!(posted(&zelador, "/api/heartbeat/job", "", "").0, 204);
    let foreign = "Origin: http://evil.example\r\n";
    assert_eq!(posted(&zelador, "/api/heartbeat/job", foreign, "").0, 403);
    let site = "Sec-Fetch-Site: cross-site\r\n";
    assert_eq!(posted(&zelador, "/api/heartbeat/job", site, "").0, 403);
}

//! Sockets that outlive their app, and the protocols by which programs say how they are.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, free_port, http_get, kill, text, until};

use crate::lost::kill_both;
use crate::zelador;

/// Answers on both sockets that it is handed, with its own number.
const HANDED: &str = "
const http = require('http');
const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID } = process.env;
const say = `${process.pid} ${LISTEN_FDS} ${LISTEN_FDNAMES} ${+LISTEN_PID === process.pid}`;
let open = 0;
for (const fd of [3, 4]) {
  http.createServer((q, r) => r.end(say)).listen({ fd }, () => { if (++open === 2) process.send('ready'); });
}
";

/// A request on a connection that is there already.
fn asked(mut stream: impl Read + Write) -> String {
    _ = write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    _ = stream.read_to_string(&mut answer);
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("nobody is refused");
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

#[test]
fn a_caller_waits_while_the_app_is_down_instead_of_being_refused() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("web.js", HANDED);
    zelador.start(&format!(
        "{{ name: 'web', script: 'web.js', wait_ready: true, sockets: ['127.0.0.1:{port}', {{ unix: 'local.sock', name: 'local', mode: '0600' }}] }}"
    ));
    let pid = zelador.pid("web");
    let said = |pid| format!("{pid} 2 {port}:local true");
    assert_eq!(asked(connect(port)), said(pid));
    let file = zelador.app().join("local.sock");
    assert_eq!(asked(UnixStream::connect(&file).unwrap()), said(pid));

    // It is killed: whoever calls before the next one is there is answered by that.
    kill(pid, Signal::KILL);
    until("its end", || !alive(pid));
    assert_ne!(asked(connect(port)), "");

    // So is who calls while it is stopped, by whichever way.
    zelador.ok(&["stop", "web"]);
    let (waiting, local) = (connect(port), UnixStream::connect(&file).unwrap());
    zelador.ok(&["start", "web"]);
    let pid = zelador.pid("web");
    assert_eq!((asked(waiting), asked(local)), (said(pid), said(pid)));

    // And while zelador itself is killed.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    kill(pid, Signal::KILL);
    until("its end", || !alive(pid));
    let answer = asked(connect(port));
    assert!(answer.ends_with(&format!(" 2 {port}:local true")), "{answer:?}");

    // With its guardian, too: its sockets are taken back from the app itself.
    let pid = zelador.pid("web");
    kill_both(&zelador);
    zelador.ok(&["start", "ecosystem.config.js"]);
    assert_eq!(zelador.pid("web"), pid);
    let log = text(zelador.home().join("zelador.log"));
    // Not every host lets a process have the descriptors of another.
    if !log.contains("the socket of an adopted run cannot be kept") {
        kill(pid, Signal::KILL);
        until("its end", || !alive(pid));
        let answer = asked(connect(port));
        assert!(answer.ends_with(&format!(" 2 {port}:local true")), "{answer:?}");
        assert_ne!(asked(UnixStream::connect(&file).unwrap()), "");
    }

    zelador.ok(&["delete", "web"]);
    until("the sockets to be closed", || TcpStream::connect(("127.0.0.1", port)).is_err());
    until("the file to be gone", || !file.exists());
}

#[test]
fn a_socket_whose_permissions_are_declared_anew_has_them_at_the_next_start() {
    use std::os::unix::fs::PermissionsExt;
    let zelador = zelador();
    zelador.write("web.js", HANDED);
    let file = zelador.app().join("local.sock");
    for (mode, wanted, before) in
        [("0666", 0o666, ""), ("0600", 0o600, ""), ("0640", 0o640, "stop")]
    {
        if !before.is_empty() {
            zelador.ok(&[before, "web"]);
        }
        zelador.start(&format!(
            "{{ name: 'web', script: 'web.js', wait_ready: true, sockets: [{{ unix: 'local.sock', mode: '{mode}' }}, {{ unix: 'other.sock' }}] }}"
        ));
        let found = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, wanted, "{found:o}");
        assert_ne!(asked(UnixStream::connect(&file).unwrap()), "");
    }
}

#[test]
fn workers_of_a_cluster_listen_on_the_sockets_of_their_app_by_number() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("web.js", HANDED);
    zelador.start(&format!(
        "{{ name: 'web', script: 'web.js', exec_mode: 'cluster', instances: 2, sockets: ['127.0.0.1:{port}', {{ unix: 'local.sock', name: 'local' }}] }}"
    ));
    let file = zelador.app().join("local.sock");
    let is_right = |answer: &str| answer.ends_with(&format!(" 2 {port}:local true"));
    for _ in 0..2 {
        let answers = [asked(connect(port)), asked(UnixStream::connect(&file).unwrap())];
        assert!(answers.iter().all(|answer| is_right(answer)), "{answers:?}");
        zelador.ok(&["reload", "web"]);
    }
}

#[test]
fn a_socket_that_cannot_be_had_is_told_with_its_field() {
    let zelador = zelador();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    zelador.write("web.js", HANDED);
    zelador.write(
        "ecosystem.config.js",
        &format!("module.exports = {{ apps: [{{ name: 'web', script: 'web.js', sockets: '127.0.0.1:{port}' }}] }}"),
    );
    let said = zelador.run(&["start", "ecosystem.config.js"]);
    assert_eq!(said.code, 1);
    let all = format!("{}{}", said.out, said.err);
    let expected = format!(
        "sockets[0]: found 127.0.0.1:{port}, which cannot be opened (address already in use)"
    );
    assert!(all.contains(&expected), "{all}");
    assert!(http_get(port, "/").is_none());
}

/// Speaks `sd_notify` as a test wants: files say what to do.
const SPEAKS: &str = "
import array, os, socket, time
def say(text, fds=()):
    address = os.environ['NOTIFY_SOCKET']
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(chr(0) + address[1:] if address[0] == '@' else address)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
    s.sendmsg([text.encode()], rights)
names = os.environ.get('LISTEN_FDNAMES', '').split(':')
if 'mem' in names:
    fd = 3 + names.index('mem')
    open('kept', 'w').write(os.pread(fd, 100, 0).decode())
else:
    fd = os.memfd_create('mem')
    os.write(fd, b'what the first run knew')
    say('FDSTORE=1\\nFDNAME=mem', [fd])
say('STATUS=warming up')
while not os.path.exists('go'): time.sleep(0.02)
say('READY=1\\nSTATUS=serving 3 users')
while not os.path.exists('hang'):
    say('WATCHDOG=1')
    open('pings', 'a').write('.')
    time.sleep(0.1)
os.remove('hang')
while True: time.sleep(1)
";

fn status(zelador: &Zelador) -> String {
    zelador.run(&["show", "svc"]).out
}

#[test]
fn a_program_says_by_sd_notify_that_it_is_ready_what_it_does_and_that_it_is_alive() {
    let zelador = zelador();
    zelador.write("speaks.py", SPEAKS);
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'svc', script: 'speaks.py', notify: true, watchdog: '3s' }] }",
    );
    let mut start = zelador
        .command(&["start", "ecosystem.config.js"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it to be told", || {
        zelador.roles_now().is_some() && status(&zelador).contains("warming up")
    });
    assert_eq!(zelador.status("svc"), "launching");
    assert!(start.try_wait().unwrap().is_none(), "the command waits until it is ready");
    zelador.write("go", "");
    assert!(start.wait().unwrap().success());
    assert_eq!(zelador.status("svc"), "online");
    until("its words", || zelador.run(&["list"]).out.contains("serving 3 users"));
    let pid = zelador.pid("svc");

    // Somebody else knows the name of the socket, and is not believed.
    let environ = text(format!("/proc/{pid}/environ"));
    let address = environ.split('\0').find_map(|it| it.strip_prefix("NOTIFY_SOCKET=@")).unwrap();
    let foreign = format!(
        "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'STATUS=taken over', chr(0) + '{address}'); input()"
    );
    let mut other = std::process::Command::new("python3")
        .args(["-c", &foreign])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    until("it to be noticed", || {
        text(zelador.home().join("zelador.log")).contains("no part of the run")
    });
    assert!(!status(&zelador).contains("taken over"));
    drop(other.stdin.take());
    other.wait().unwrap();

    // Four times as long as its watchdog it says that it lives, also over another engine.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    let said = || text(zelador.app().join("pings")).len();
    let before = said();
    until("many signs of life", || said() > before + 60);
    assert_eq!((zelador.pid("svc"), zelador.restarts("svc")), (pid, 0));

    // Then it hangs.
    zelador.write("hang", "");
    until("another process", || zelador.restarts("svc") == 1 && zelador.pid("svc") != pid);
    let shown = status(&zelador);
    assert!(shown.contains("did not say within 3 s that it is alive"), "{shown}");
    // It has what the first one gave away to be kept.
    until("what was kept", || text(zelador.app().join("kept")) == "what the first run knew");
}

#[test]
fn a_line_on_the_notification_descriptor_means_ready() {
    let zelador = zelador();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'svc', script: 'bash', interpreter: 'none', notification_fd: 7,
           args: ['-c', 'while [ ! -e go ]; do sleep 0.02; done; echo >&7; exec 7>&-; exec sleep 1000'] }] }",
    );
    let mut start = zelador
        .command(&["start", "ecosystem.config.js"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it to be there", || {
        zelador.roles_now().is_some()
            && zelador.jlist().iter().any(|it| it["pid"].as_i64() > Some(0))
    });
    assert_eq!(zelador.status("svc"), "launching");
    // Whoever is killed meanwhile has not lost the descriptor.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(new, _)| new != engine));
    assert_eq!(zelador.status("svc"), "launching");
    zelador.write("go", "");
    until("it to be ready", || zelador.status("svc") == "online");
    _ = start.wait();
}

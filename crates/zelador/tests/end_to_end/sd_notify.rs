//! What a program says by `sd_notify` beside that it is ready and alive, and datagrams that wait for it.

use std::net::UdpSocket;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, free_port, kill, text, until};

use crate::zelador;

/// Says what the test writes into the file `say`, has a child, and ends when it is asked and there is a
/// file `end`.
const OBEYS: &str = "
import os, signal, socket, subprocess, time
address = os.environ['NOTIFY_SOCKET']
address = chr(0) + address[1:] if address[0] == '@' else address
def say(text):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(text.encode(), address)
def asked(*_):
    say('STOPPING=1\\nEXTEND_TIMEOUT_USEC=60000000')
    while not os.path.exists('end'): time.sleep(0.02)
    open('ended', 'w').write('well')
    os._exit(0)
signal.signal(signal.SIGINT, asked)
child = subprocess.Popen(['sleep', '100000'])
open('child', 'w').write(str(child.pid))
say('EXTEND_TIMEOUT_USEC=60000000')
while True:
    if os.path.exists('say'):
        said = open('say').read()
        os.remove('say')
        say(said)
    time.sleep(0.02)
";

/// So long a start and a stop may take, if the program asks for nothing.
const GIVEN: Duration = Duration::from_millis(700);

/// And so long the test looks on after it asked for more.
const LOOKED_AT: Duration = Duration::from_millis(2100);

fn command(zelador: &Zelador, words: &[&str]) -> Child {
    let mut command = zelador.command(words);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary was built")
}

/// Has the program say something, and waits until it has.
fn say(zelador: &Zelador, words: &str) {
    zelador.write("say.new", words);
    std::fs::rename(zelador.app().join("say.new"), zelador.app().join("say")).unwrap();
    until("the program to have said it", || !zelador.app().join("say").exists());
}

/// Whether something holds at every look over a while.
fn holds(mut what: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + LOOKED_AT;
    while Instant::now() < end {
        if !what() {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    true
}

#[test]
fn a_program_says_that_it_reloads_and_ends_who_is_its_main_process_and_gets_the_time_it_asks_for() {
    let zelador = zelador();
    zelador.write("obeys.py", OBEYS);
    let given = GIVEN.as_millis();
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{{ name: 'svc', script: 'obeys.py', notify: true,
               listen_timeout: {given}, kill_timeout: {given} }}] }}"
        ),
    );
    let mut start = command(&zelador, &["start", "ecosystem.config.js"]);
    let child = || text(zelador.app().join("child")).parse().unwrap_or(0);
    until("its child", || child() > 0 && zelador.roles_now().is_some());
    assert!(holds(|| zelador.status("svc") == "launching"), "it has asked for more time");
    say(&zelador, "READY=1");
    assert!(start.wait().unwrap().success());
    let (pid, child) = (zelador.pid("svc"), child());

    let shown = || zelador.run(&["show", "svc"]).out;
    say(&zelador, "RELOADING=1\nSTATUS=reading the configuration");
    until("its reload to be shown", || shown().contains("reloading: reading the configuration"));
    say(&zelador, "READY=1");
    until("the end of its reload", || !shown().contains("reloading"));

    // A process of another run is not believed to be its main process.
    say(&zelador, &format!("MAINPID={}\nSTATUS=odd", std::process::id()));
    until("its words", || shown().contains("odd"));
    assert_eq!(zelador.pid("svc"), pid);
    say(&zelador, &format!("MAINPID={child}"));
    until("the child to be shown as its main process", || zelador.pid("svc") == child);
    let entry = zelador.entry("svc");
    let file = entry["pm2_env"]["pm_pid_path"].as_str().expect("it has a pid file");
    until("the pid file", || text(file).trim() == child.to_string());
    // The process that was started is still the run: the end of the other is nobody's death.
    zelador.ok(&["sendSignal", "SIGKILL", "svc"]);
    until("its end", || !alive(child));
    assert!(alive(pid));
    assert_eq!(zelador.restarts("svc"), 0);

    let mut stop = command(&zelador, &["stop", "svc"]);
    until("it to say so", || shown().contains("stopping"));
    assert!(holds(|| alive(pid)), "it has asked for more time");
    zelador.write("end", "");
    assert!(stop.wait().unwrap().success());
    assert_eq!(text(zelador.app().join("ended")), "well", "it was not killed");
    let listed = zelador.run(&["list"]).out;
    assert!(listed.contains("stopped") && !listed.contains("stopping"), "{listed}");
}

/// Answers each datagram with its own number.
const ECHO: &str = "
import os, socket
s = socket.socket(fileno=3)
while True:
    words, sender = s.recvfrom(100)
    s.sendto(f'{os.getpid()} {words.decode()}'.encode(), sender)
";

#[test]
fn a_datagram_waits_while_the_app_is_down() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("echo.py", ECHO);
    zelador.start(&format!(
        "{{ name: 'echo', script: 'echo.py', sockets: ['udp:127.0.0.1:{port}'] }}"
    ));
    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    caller.connect(("127.0.0.1", port)).unwrap();
    caller.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let ask = |words: &str| _ = caller.send(words.as_bytes()).expect("the socket is open");
    let answer = || {
        let mut bytes = [0; 100];
        let count = caller.recv(&mut bytes).expect("an answer comes");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let pid = zelador.pid("echo");
    ask("one");
    assert_eq!(answer(), format!("{pid} one"));

    zelador.ok(&["stop", "echo"]);
    ask("two");
    zelador.ok(&["start", "echo"]);
    let next = zelador.pid("echo");
    assert_ne!(next, pid);
    assert_eq!(answer(), format!("{next} two"));

    // The same over the deaths of the engine and of the app.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    kill(next, Signal::KILL);
    until("its end", || !alive(next));
    ask("three");
    let said = answer();
    assert!(said.ends_with(" three") && !said.starts_with(&next.to_string()), "{said}");
}

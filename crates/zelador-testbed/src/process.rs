//! What all private servers need: a free port, a program, signals, an end.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start or to stop; it takes a second on a quiet machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The path of a program in PATH or where administrators' programs are.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    installed(name, package).unwrap_or_else(|why| panic!("{why}"))
}

/// The same, or says what has to be installed.
pub(crate) fn installed(name: &str, package: &str) -> Result<PathBuf, String> {
    found(name).ok_or_else(|| {
        format!("{name} is missing, which this test needs: apt-get install -y {package}")
    })
}

/// Where a program is, on `PATH` or where servers are.
pub(crate) fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/libexec"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Sends a signal.
pub(crate) fn send(signal: &str, pid: u32) {
    let sent = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
    match sent {
        Ok(status) => assert!(status.success(), "kill -{signal} {pid}: {status}"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("kill is missing, which this test needs: apt-get install -y procps")
        }
        Err(error) => panic!("kill: {error}"),
    }
}

/// Makes a process hang, and waits until it does.
pub(crate) fn freeze(pid: u32) {
    send("STOP", pid);
    let limit = Instant::now() + PATIENCE;
    while state(pid) != Some('T') && Instant::now() < limit {
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Ends a server by a signal, and by `SIGKILL` if that takes too long.
pub(crate) fn end(mut server: Child, signal: &str) {
    if server.try_wait().ok().flatten().is_none() {
        let pid = server.id().to_string();
        // It may end by itself in between.
        let _ = Command::new("kill").args(["-CONT", &pid]).status();
        let _ = Command::new("kill").args([&format!("-{signal}"), pid.as_str()]).status();
    }
    let limit = Instant::now() + PATIENCE;
    while server.try_wait().expect("it is a child").is_none() {
        if Instant::now() > limit {
            let _ = server.kill();
        }
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// A moment for others, also on a runtime with one thread.
pub(crate) async fn pause() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

//! A whole zelador in a temporary home, driven through its binary like a person would.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on an overloaded machine before it counts as never.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What the host of the tests does besides (full disks, busy cores) is nobody's trouble: the limits are
/// where they are not reached. A test of such limits says its own in its ecosystem file, which lies over this.
const OUT_OF_REACH: &str = "[checks]
memory = { degraded = 100, unhealthy = 100 }
cpu = { degraded = 100, unhealthy = 100 }
disk = { degraded = 100, unhealthy = 100 }
";

/// One zelador with a home, a folder for apps and a port of its own. Ended when dropped.
pub struct Zelador {
    binary: PathBuf,
    folder: TempDir,
    http: u16,
}

/// What a command said.
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Zelador {
    /// Returns a zelador that is not running yet.
    pub fn new(binary: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        fs::create_dir(folder.path().join("app")).expect("it is empty");
        let zelador = Self { binary: binary.into(), folder, http: free_port() };
        fs::DirBuilder::new().mode(0o700).create(zelador.home()).expect("there is none");
        fs::write(zelador.settings(), OUT_OF_REACH).expect("the home is ours");
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(zelador.settings(), mode).expect("the file is ours");
        zelador
    }

    /// Gives its folders and files to another user.
    pub fn give_to(&self, user: u32) {
        for path in [self.folder.path(), &self.app(), &self.home(), &self.settings()] {
            chown(path, Some(user), Some(user)).expect("root may");
        }
    }

    /// Where its home is.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Its settings file, which says that the limits of the host are out of reach.
    pub fn settings(&self) -> PathBuf {
        self.home().join("zelador.toml")
    }

    /// Whether nothing was brought up in its home: it holds the settings and nothing else.
    pub fn is_untouched(&self) -> bool {
        fs::read_dir(self.home()).is_ok_and(|all| all.count() == 1)
    }

    /// The folder of its apps.
    pub fn app(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    /// The port of its health endpoints.
    pub fn port(&self) -> u16 {
        self.http
    }

    /// Writes a file into the folder of its apps.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.app().join(name);
        fs::write(&path, text).expect("the folder is ours");
        path
    }

    /// Returns a command of it, for the folder of its apps.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(args)
            .current_dir(self.app())
            .env("ZELADOR_HOME", self.home())
            .env("ZELADOR_HTTP", format!("127.0.0.1:{}", self.http))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of it.
    pub fn run(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().expect("the binary was built"))
    }

    /// Runs a command of it that must succeed.
    pub fn ok(&self, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(said.code, 0, "zelador {args:?}: {}{}", said.out, said.err);
        said
    }

    /// Writes an ecosystem file with these apps (JavaScript objects) and starts it.
    pub fn start(&self, apps: &str) -> Said {
        self.write("ecosystem.config.js", &format!("module.exports = {{ apps: [{apps}] }}"));
        self.ok(&["start", "ecosystem.config.js"])
    }

    /// The list, in PM2's shape.
    pub fn jlist(&self) -> Vec<Value> {
        let said = self.ok(&["jlist"]);
        serde_json::from_str(&said.out).expect("jlist prints JSON and nothing else")
    }

    /// The first entry of the list with this name.
    pub fn entry(&self, name: &str) -> Value {
        let found = self.jlist().into_iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is in the list"))
    }

    /// The main process of an app.
    pub fn pid(&self, name: &str) -> i32 {
        i32::try_from(self.entry(name)["pid"].as_i64().unwrap_or_default()).unwrap_or_default()
    }

    /// PM2's status of an app.
    pub fn status(&self, name: &str) -> String {
        self.entry(name)["pm2_env"]["status"].as_str().unwrap_or_default().to_owned()
    }

    /// How often an app was restarted.
    pub fn restarts(&self, name: &str) -> u64 {
        self.entry(name)["pm2_env"]["restart_time"].as_u64().unwrap_or_default()
    }

    /// All incidents, the latest first.
    pub fn incidents(&self) -> Vec<Value> {
        let said = self.ok(&["incidents", "--json"]);
        serde_json::from_str(&said.out).expect("it prints JSON")
    }

    /// The pids of the engine and of the guardian.
    pub fn roles(&self) -> (i32, i32) {
        let said = self.ok(&["ping"]);
        roles_in(&said)
    }

    /// The same; `None` while nobody answers.
    pub fn roles_now(&self) -> Option<(i32, i32)> {
        let said = self.run(&["ping"]);
        (said.code == 0).then(|| roles_in(&said))
    }

    /// What zelador itself uses, in KiB: engine and guardian, shared pages by their share (PSS).
    pub fn own_memory(&self) -> u64 {
        let (engine, guardian) = self.roles();
        [engine, guardian].into_iter().map(|pid| rolled_up(pid, "Pss:")).sum()
    }

    /// What of it belongs to it alone whatever else runs, in KiB. (The share of the executable's pages grows
    /// when another zelador ends.)
    pub fn own_heap(&self) -> u64 {
        let (engine, guardian) = self.roles();
        [engine, guardian].into_iter().map(|pid| rolled_up(pid, "Anonymous:")).sum()
    }

    /// Everything that the engine knows, from its control socket; `None` while nobody answers.
    pub fn view(&self) -> Option<Value> {
        self.ask("/v1/view")
    }

    /// What the control socket answers to a path; `None` while nobody answers.
    pub fn ask(&self, path: &str) -> Option<Value> {
        let mut stream = UnixStream::connect(self.home().join("zelador.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: zelador\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    /// Asks the health endpoints for a path: status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        http_get(self.http, path).unwrap_or_default()
    }
}

/// A line of what the kernel sums up of a process's memory, in KiB; 0 when that cannot be read.
fn rolled_up(pid: i32, what: &str) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

fn roles_in(said: &Said) -> (i32, i32) {
    let after = |word: &str| {
        let rest = said.out.split(word).nth(1).unwrap_or_default();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_default()
    };
    (after("engine pid "), after("guardian pid "))
}

impl Drop for Zelador {
    fn drop(&mut self) {
        let lock = fs::read_to_string(self.home().join("guardian.lock")).unwrap_or_default();
        let guardian: i32 = lock.trim().parse().unwrap_or_default();
        // A test that fails shows what zelador said about itself.
        if std::thread::panicking() {
            let log = fs::read_to_string(self.home().join("zelador.log")).unwrap_or_default();
            eprintln!("--- zelador.log\n{log}");
        }
        if let Ok(mut child) =
            self.command(&["kill"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        {
            let until = Instant::now() + LIMIT;
            while child.try_wait().is_ok_and(|it| it.is_none()) && Instant::now() < until {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            _ = child.kill();
            _ = child.wait();
        }
        if alive(guardian) {
            kill(guardian, Signal::KILL);
        }
    }
}

/// Waits until the condition holds.
///
/// # Panics
/// It does not within [`LIMIT`].
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    until_within(what, LIMIT, &mut holds);
}

/// Waits until the condition holds.
///
/// # Panics
/// It does not within `limit`.
pub fn until_within(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "waited {limit:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Sends a signal; a process that is gone is none of our business.
pub fn kill(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid).filter(|_| pid > 1) {
        _ = kill_process(pid, signal);
    }
}

/// Whether a process is there and not a zombie.
pub fn alive(pid: i32) -> bool {
    let there = Pid::from_raw(pid).is_some_and(|it| pid > 1 && test_kill_process(it).is_ok());
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    there && !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has ports left");
    listener.local_addr().expect("it is bound").port()
}

/// One request on loopback: status and body; `None` when nobody answers within 5 s.
pub fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    // In one piece: some servers of tests read but once.
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The text of a file; empty while it is not there.
pub fn text(path: impl AsRef<Path>) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// What a command said.
pub fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

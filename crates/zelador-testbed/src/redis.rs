//! A private `Redis` or `Valkey` server: its own folder, socket and port, and an end with the test.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{self, PATIENCE, found, free_port, program};
use crate::server::{Process, Server, until_up};

const REDIS: (&str, &str) = ("redis-server", "apt-get install -y redis-server");
const VALKEY: (&str, &str) = ("valkey-server", "./test installs it into target/valkey");

/// A running `Redis` server that takes ten clients and 100 MB, with a password.
#[derive(Debug)]
pub struct Redis {
    /// Its program, and how that is installed.
    program: (&'static str, &'static str),
    server: Process,
    folder: TempDir,
    port: u16,
    options: Vec<String>,
}

impl Redis {
    /// The password of the default user.
    pub const PASSWORD: &'static str = "p4ss-of-ana";

    /// Starts a new, empty server and waits until it answers.
    ///
    /// # Panics
    /// `Redis` is not installed, or does not start.
    pub fn start() -> Self {
        Self::of(REDIS, Self::new_folder(), Vec::new()).begin()
    }

    /// The same of `Valkey`, which began as a copy of Redis and speaks as it does.
    ///
    /// # Panics
    /// `Valkey` is not installed, or does not start.
    pub fn start_valkey() -> Self {
        Self::of(VALKEY, Self::new_folder(), Vec::new()).begin()
    }

    fn new_folder() -> TempDir {
        tempfile::Builder::new().prefix("zelador-kv-").tempdir().expect("a folder")
    }

    fn of(program: (&'static str, &'static str), folder: TempDir, options: Vec<String>) -> Self {
        Self { program, folder, port: 0, server: Process::ended_by("TERM", "KILL"), options }
    }

    /// The same, with a second port that speaks TLS, for whose certificate nobody vouches; returns
    /// that port beside it.
    ///
    /// # Panics
    /// As above, or `openssl` is not installed.
    pub fn start_with_tls() -> (Self, u16) {
        let folder = Self::new_folder();
        let made = Command::new(program("openssl", "openssl"))
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-days", "30", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder.path())
            .output()
            .expect("openssl starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let options = [
            format!("--tls-port {port}"),
            "--tls-cert-file cert.pem".to_owned(),
            "--tls-key-file key.pem".to_owned(),
            "--tls-auth-clients no".to_owned(),
        ];
        let options = options.iter().flat_map(|it| it.split(' ').map(str::to_owned)).collect();
        (Self::of(REDIS, folder, options).begin(), port)
    }

    /// A second server that follows this one.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn replica(&self) -> Self {
        let master = self.port.to_string();
        let options = ["--replicaof", "127.0.0.1", &master, "--masterauth", Self::PASSWORD]
            .map(str::to_owned);
        Self::of(REDIS, Self::new_folder(), options.to_vec()).begin()
    }

    fn begin(self) -> Self {
        let mut server = self;
        for _ in 0..5 {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("{} does not start", server.program.0);
    }

    /// `redis://:PASSWORD@127.0.0.1:PORT/0`, or `valkey://`.
    pub fn url(&self) -> String {
        let scheme = self.program.0.trim_end_matches("-server");
        format!("{scheme}://:{}@127.0.0.1:{}/0", Self::PASSWORD, self.port)
    }

    /// The same by way of the unix socket.
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}?pass={}", self.socket().display(), Self::PASSWORD)
    }

    /// The unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it (`SIGKILL`) and waits until it has ended.
    pub fn kill(&mut self) {
        self.server.end("KILL");
    }

    /// Waits until a client waits in the server for something to come.
    ///
    /// # Panics
    /// None does.
    pub async fn wait_for_blocked_client(&self) {
        let limit = Instant::now() + PATIENCE;
        while !self.ask("INFO clients").contains("blocked_clients:1") {
            assert!(Instant::now() < limit, "no client waits");
            process::pause().await;
        }
    }

    fn ask(&self, command: &str) -> String {
        let talk = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let text = format!("AUTH {}\r\n{command}\r\nQUIT\r\n", Self::PASSWORD);
            stream.write_all(text.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        talk().unwrap_or_default()
    }
}

impl Server for Redis {
    fn process(&self) -> &Process {
        &self.server
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.server
    }

    fn launch(&mut self) -> bool {
        let log = File::create(self.folder.path().join("log")).expect("a log");
        let (name, installation) = self.program;
        let program = found(name).unwrap_or_else(|| panic!("{name} is missing: {installation}"));
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--unixsocket", &self.socket().display().to_string()])
            .args(["--requirepass", Self::PASSWORD, "--save", "", "--appendonly", "no"])
            .args(["--maxclients", "10", "--maxmemory", "100mb", "--daemonize", "no"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        let child = command.spawn().expect("it starts");
        let up = until_up(child, || self.ask("PING").contains("PONG"));
        self.server.take_in(up)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

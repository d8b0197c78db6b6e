//! A private `PostgreSQL` server: its own folder, socket and port, and an end with the test.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::process::{self, PATIENCE, free_port};
use crate::server::{Process, Server, until_up};

/// A running `PostgreSQL` server with a database `shop` and a user `ana` who may use it. It takes ten
/// clients, of whom three must be administrators.
#[derive(Debug)]
pub struct Postgres {
    server: Process,
    folder: TempDir,
    port: u16,
    options: Vec<&'static str>,
}

impl Postgres {
    /// The password of the user `ana`.
    pub const PASSWORD: &'static str = "p4ss-of-ana";

    /// Makes a new, empty server and waits until it lets clients in.
    ///
    /// # Panics
    /// `PostgreSQL` is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(&Self::PLAIN)
    }

    /// No TLS, no replicas.
    pub const PLAIN: [&'static str; 2] = ["-cmax_wal_senders=0", "-cssl=off"];
    /// With a certificate of its own, for which nobody vouches.
    pub const TLS: [&'static str; 2] = ["-cmax_wal_senders=0", "-cssl=on"];
    /// What replicas can follow.
    pub const PRIMARY: [&'static str; 2] = ["-cmax_wal_senders=4", "-cwal_level=replica"];

    /// The same with these options.
    ///
    /// # Panics
    /// As above.
    pub fn start_with(options: &[&'static str]) -> Self {
        let mut server = Self::empty(options);
        server.install();
        if options.contains(&"-cssl=on") {
            server.make_certificate();
        }
        // Somebody else may take the port between choosing and using it.
        for _ in 0..5 {
            server.port = free_port();
            if server.launch() {
                for sql in [
                    format!("CREATE ROLE ana LOGIN PASSWORD '{}'", Self::PASSWORD),
                    "GRANT pg_read_all_stats TO ana".to_owned(),
                    "CREATE DATABASE shop OWNER ana".to_owned(),
                ] {
                    let output = server.psql(&sql);
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!(output.status.success(), "{sql}: {said}");
                }
                return server;
            }
        }
        panic!("postgres does not start:\n{}", server.log());
    }

    fn empty(options: &[&'static str]) -> Self {
        let folder = tempfile::Builder::new().prefix("zelador-pg-").tempdir().expect("a folder");
        Self {
            folder,
            port: 0,
            server: Process::ended_by("INT", "QUIT"),
            options: options.to_vec(),
        }
    }

    /// A second server that follows this one, which was started as [`Postgres::PRIMARY`].
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn replica(&self) -> Self {
        let mut replica = Self::empty(&self.options);
        replica.make_folders();
        let output = self
            .command("pg_basebackup")
            .args(["--username=owner", "--write-recovery-conf", "--wal-method=stream", "--no-sync"])
            .arg("--checkpoint=fast")
            .arg(format!("--host={}", self.path("s").display()))
            .arg(format!("--port={}", self.port))
            .arg(format!("--pgdata={}", replica.path("data").display()))
            .output()
            .expect("pg_basebackup starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "pg_basebackup: {said}");
        for _ in 0..5 {
            replica.port = free_port();
            if replica.launch() {
                return replica;
            }
        }
        panic!("the replica does not start:\n{}", replica.log());
    }

    /// Says something to it as its owner.
    ///
    /// # Panics
    /// It does not like that.
    pub fn sql(&self, sql: &str) {
        let output = self.psql(sql);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{sql}: {said}");
    }

    /// Waits until no query with this text is at work.
    ///
    /// # Panics
    /// One is still at work after a minute.
    pub async fn until_no_query(&self, text: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' \
             AND query LIKE '%{text}%'"
        );
        let limit = Instant::now() + PATIENCE;
        while String::from_utf8_lossy(&self.psql(&sql).stdout).trim() != "0" {
            assert!(Instant::now() < limit, "`{text}` is still at work");
            process::pause().await;
        }
    }

    /// `postgres://ana:PASSWORD@127.0.0.1:PORT/shop`.
    pub fn url(&self) -> String {
        format!("postgres://ana:{}@127.0.0.1:{}/shop", Self::PASSWORD, self.port)
    }

    /// The same by way of the unix socket.
    pub fn socket_url(&self) -> String {
        let (password, folder) = (Self::PASSWORD, self.path("s"));
        let (folder, port) = (encoded(&folder), self.port);
        format!("postgres://ana:{password}@/shop?host={folder}&port={port}")
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until a query with this text runs, and kills the process that works on it.
    ///
    /// # Panics
    /// No such query comes.
    pub async fn kill_queries(&self, text: &str) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
             AND state = 'active' AND query LIKE '%{text}%'"
        );
        let limit = Instant::now() + PATIENCE;
        while !String::from_utf8_lossy(&self.psql(&sql).stdout).contains('t') {
            assert!(Instant::now() < limit, "no such query");
            process::pause().await;
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn psql(&self, sql: &str) -> Output {
        self.command("psql")
            .args([
                "--no-psqlrc",
                "--tuples-only",
                "--quiet",
                "--username=owner",
                "--dbname=postgres",
            ])
            .arg(format!("--host={}", self.path("s").display()))
            .arg(format!("--port={}", self.port))
            .arg(format!("--command={sql}"))
            .output()
            .expect("psql starts")
    }

    fn make_folders(&self) {
        for name in ["data", "s"] {
            let only_its_own = fs::DirBuilder::new().mode(0o700).create(self.path(name));
            only_its_own.expect("the folder is ours");
        }
        if let Some((uid, gid)) = other_user() {
            for path in [self.folder.path().to_owned(), self.path("data"), self.path("s")] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("root may give away");
            }
        }
    }

    /// A key and a certificate for itself, where the server looks for them.
    fn make_certificate(&self) {
        let output = self
            .command_at(process::program("openssl", "openssl"))
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-days",
                "30",
            ])
            .arg("-keyout")
            .arg(self.path("data").join("server.key"))
            .arg("-out")
            .arg(self.path("data").join("server.crt"))
            .output()
            .expect("openssl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes the system tables: about a second.
    fn install(&self) {
        self.make_folders();
        let output = self
            .command("initdb")
            .args(["--username=owner", "--auth-local=trust", "--auth-host=scram-sha-256"])
            .args(["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"])
            .arg(format!("--pgdata={}", self.path("data").display()))
            .output()
            .expect("initdb starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "initdb: {}\n{said}", output.status);
    }

    fn command(&self, program: &str) -> Command {
        self.command_at(find(program))
    }

    fn command_at(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_remove("PGHOST").env_remove("PGPORT");
        if let Some((uid, gid)) = other_user() {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Clients are sent away when it stops: SIGTERM would wait for them. SIGQUIT ends it with all of its processes.
impl Server for Postgres {
    fn process(&self) -> &Process {
        &self.server
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.server
    }

    fn launch(&mut self) -> bool {
        let log =
            fs::File::options().create(true).append(true).open(self.path("log")).expect("a log");
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.path("data"))
            .arg(format!("-p{}", self.port))
            .arg(format!("-k{}", self.path("s").display()))
            .args(["-h127.0.0.1", "-F", "-cmax_connections=10", "-cshared_buffers=1MB"])
            .args(["-cautovacuum=off", "-cmax_worker_processes=0"])
            .args(&self.options)
            .args(["-cdynamic_shared_memory_type=mmap", "-clog_min_messages=warning"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        let child = command.spawn().expect("postgres starts");
        let up = until_up(child, || self.psql("SELECT 1").status.success());
        self.server.take_in(up)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// `PostgreSQL` refuses to run as root: the user `postgres` of its package, or `nobody`.
fn other_user() -> Option<(u32, u32)> {
    let uid = fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or_default();
    if uid != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.find(|fields| fields.first() == Some(&name))?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

/// Debian keeps the server's programs apart, by version: the newest is taken.
fn find(program: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(program)))
        .filter(|path| path.is_file())
        .collect();
    versions.sort();
    versions.pop().unwrap_or_else(|| process::program(program, "postgresql"))
}

fn encoded(path: &Path) -> String {
    path.display().to_string().replace('/', "%2F")
}

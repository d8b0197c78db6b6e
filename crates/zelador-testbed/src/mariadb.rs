//! A private `MariaDB` server: its own folder, socket and port, and an end with the test.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{self, PATIENCE, free_port, program};
use crate::server::{Process, Server, until_up};

/// A running `MariaDB` server with a database `shop` and a user `ana` who may use it.
#[derive(Debug)]
pub struct MariaDb {
    server: Process,
    folder: TempDir,
    port: u16,
    options: &'static [&'static str],
}

impl MariaDb {
    /// The password of the user `ana`.
    pub const PASSWORD: &'static str = "p4ss-of-ana";

    /// Makes a new, empty server and waits until it lets clients in.
    ///
    /// # Panics
    /// `MariaDB` is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(&["--skip-log-bin"])
    }

    /// The same, whose changes others may follow.
    ///
    /// # Panics
    /// As above.
    pub fn primary() -> Self {
        let primary = Self::start_with(&["--log-bin=changes", "--server-id=1"]);
        primary.root("GRANT REPLICATION SLAVE ON *.* TO 'ana'@'127.0.0.1'");
        primary
    }

    /// A second server that follows this one; `ana` may see how far it is.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn replica(&self) -> Self {
        let replica = Self::start_with(&["--skip-log-bin", "--server-id=2"]);
        replica.root("GRANT REPLICA MONITOR ON *.* TO 'ana'@'127.0.0.1'");
        replica.root(&format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='ana', \
             MASTER_PASSWORD='{}', MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos; START SLAVE",
            self.port,
            Self::PASSWORD
        ));
        replica
    }

    fn start_with(options: &'static [&'static str]) -> Self {
        let folder = tempfile::Builder::new().prefix("zelador-db-").tempdir().expect("a folder");
        install(folder.path());
        let init = format!(
            "CREATE DATABASE IF NOT EXISTS shop;\n\
             CREATE USER IF NOT EXISTS 'ana'@'localhost' IDENTIFIED BY '{0}';\n\
             CREATE USER IF NOT EXISTS 'ana'@'127.0.0.1' IDENTIFIED BY '{0}';\n\
             GRANT ALL ON shop.* TO 'ana'@'localhost';\n\
             GRANT ALL ON shop.* TO 'ana'@'127.0.0.1';\n",
            Self::PASSWORD
        );
        fs::write(folder.path().join("init.sql"), init).expect("the folder is ours");
        let process = Process::ended_by("TERM", "KILL");
        let mut server = Self { server: process, folder, port: 0, options };
        // Somebody else may take the port between choosing and using it.
        for _ in 0..5 {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("mariadbd does not start:\n{}", server.log());
    }

    /// `mysql://ana:PASSWORD@127.0.0.1:PORT/shop`.
    pub fn url(&self) -> String {
        format!("mysql://ana:{}@127.0.0.1:{}/shop", Self::PASSWORD, self.port)
    }

    /// The same by way of the unix socket.
    pub fn socket_url(&self) -> String {
        let (password, socket) = (Self::PASSWORD, self.socket());
        format!("mysql://ana:{password}@localhost/shop?socket={}", socket.display())
    }

    /// The unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections the server has seen end without a farewell or before their login.
    ///
    /// # Panics
    /// The client program `mariadb` is missing, or the server does not answer.
    pub fn aborted_connections(&self) -> u64 {
        let text = self.ask("SHOW GLOBAL STATUS LIKE 'Aborted\\_c%s'");
        let numbers: Vec<u64> =
            text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers.len(), 2, "{text}");
        numbers.iter().sum()
    }

    /// Waits until no query with this text is at work.
    ///
    /// # Panics
    /// One is still at work after a minute.
    pub async fn until_no_query(&self, text: &str) {
        let limit = Instant::now() + PATIENCE;
        while !self.at_work(text).is_empty() {
            assert!(Instant::now() < limit, "`{text}` is still at work");
            process::pause().await;
        }
    }

    /// Waits until the server has seen everybody go.
    ///
    /// # Panics
    /// Somebody is still connected after a minute.
    pub async fn until_nobody_is_connected(&self) {
        let limit = Instant::now() + PATIENCE;
        // Who asks is connected too; an administrator is let in although the server is full.
        let ask = || self.client(&["--user=root"], "SHOW GLOBAL STATUS LIKE 'Threads_connected'");
        while ask().trim_end() != "Threads_connected\t1" {
            assert!(Instant::now() < limit, "somebody is still connected");
            process::pause().await;
        }
    }

    /// The connections whose query has this text, one a line.
    fn at_work(&self, text: &str) -> String {
        self.ask(&format!(
            "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND info LIKE \
             '%{text}%'"
        ))
    }

    /// Has statements done by the administrator.
    ///
    /// # Panics
    /// The server refuses one of them.
    pub fn root(&self, sql: &str) {
        self.client(&["--user=root"], sql);
    }

    /// Asks as the user `ana`.
    fn ask(&self, sql: &str) -> String {
        self.client(&["--user=ana", &format!("--password={}", Self::PASSWORD)], sql)
    }

    /// Asks by the client program.
    fn client(&self, user: &[&str], sql: &str) -> String {
        let output = Command::new("mariadb")
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.socket().display()))
            .args(user)
            .args(["--batch", "--skip-column-names", &format!("--execute={sql}")])
            .output()
            .expect("apt-get install mariadb-client");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{sql}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether both the socket and the port give a server's greeting.
    fn greets(&self) -> bool {
        let by_socket = UnixStream::connect(self.socket()).is_ok_and(|mut stream| {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            stream.read_exact(&mut [0; 5]).is_ok()
        });
        by_socket
            && TcpStream::connect(("127.0.0.1", self.port)).is_ok_and(|mut stream| {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                stream.read_exact(&mut [0; 5]).is_ok()
            })
    }
}

impl Server for MariaDb {
    fn process(&self) -> &Process {
        &self.server
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.server
    }

    fn launch(&mut self) -> bool {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let log = File::options().create(true).append(true).open(path("log")).expect("a log");
        let mut command = Command::new(program("mariadbd", "mariadb-server"));
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--socket={}", path("s")))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--init-file={}", path("init.sql")))
            .arg(format!("--tmpdir={}", self.folder.path().display()))
            .arg(format!("--port={}", self.port))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--max-connections=20"])
            .args(["--max-connect-errors=1000000", "--performance-schema=OFF"])
            .args(self.options)
            .args(["--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"])
            .args(["--innodb-flush-log-at-trx-commit=0", "--innodb-fast-shutdown=1"])
            .args(as_root())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        let child = command.spawn().expect("mariadbd starts");
        let up = until_up(child, || self.greets());
        self.server.take_in(up)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Makes the system tables: about two seconds.
fn install(folder: &Path) {
    let output = Command::new(program("mariadb-install-db", "mariadb-server"))
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        // Without `--force` it wants to find the host's name in DNS or /etc/hosts.
        .args(["--force", "--skip-name-resolve", "--innodb-log-file-size=4M"])
        .arg(format!("--datadir={}", folder.join("data").display()))
        // A server that starts removes what looks like its own in its temporary folder, also that
        // of a neighbour.
        .arg(format!("--tmpdir={}", folder.display()))
        .args(as_root())
        .stdin(Stdio::null())
        .output()
        .expect("mariadb-install-db starts");
    let (said, why) = (&output.stdout, &output.stderr);
    assert!(
        output.status.success(),
        "mariadb-install-db: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(said),
        String::from_utf8_lossy(why)
    );
}

/// Root has to say that it means it.
fn as_root() -> Option<&'static str> {
    let uid = fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or_default();
    (uid == 0).then_some("--user=root")
}

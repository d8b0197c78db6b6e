//! A private server that speaks TLS with a certificate of its own, by `openssl s_server`.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{self, PATIENCE, free_port, program};

/// A server that answers HTTPS on 127.0.0.1, with a certificate for `localhost` that nobody vouches for.
#[derive(Debug)]
pub struct TlsServer {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl TlsServer {
    /// Makes a certificate that is valid for so many days, and serves with it.
    ///
    /// # Panics
    /// `openssl` is not installed, or does not serve.
    pub fn start(days: u32) -> Self {
        Self::serve(days, Command::new(program("openssl", "openssl")))
    }

    /// The same with a certificate that was valid for a day, ten days ago.
    ///
    /// # Panics
    /// `openssl` or `faketime` is not installed, or does not serve.
    pub fn start_expired() -> Self {
        let mut long_ago = Command::new(program("faketime", "faketime"));
        long_ago.args(["-f", "-10d"]).arg(program("openssl", "openssl"));
        Self::serve(1, long_ago)
    }

    fn serve(days: u32, mut maker: Command) -> Self {
        let folder = tempfile::Builder::new().prefix("zelador-tls-").tempdir().expect("a folder");
        let openssl = program("openssl", "openssl");
        let made = maker
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-days", &days.to_string(), "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder.path())
            .output()
            .expect("openssl starts");
        assert!(made.status.success(), "openssl req: {}", String::from_utf8_lossy(&made.stderr));
        for _ in 0..5 {
            let port = free_port();
            let mut server = Command::new(&openssl)
                .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-www", "-quiet"])
                .args(["-cert", "cert.pem", "-key", "key.pem"])
                .current_dir(folder.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("openssl starts");
            let limit = Instant::now() + PATIENCE;
            while server.try_wait().expect("it is a child").is_none() && Instant::now() < limit {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { folder, port, server: Some(server) };
                }
                thread::park_timeout(Duration::from_millis(10));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!("openssl s_server does not serve");
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate, as PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            process::end(server, "KILL");
        }
    }
}

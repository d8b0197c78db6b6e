//! A server that takes requests, keeps them, and answers as it is told: the far end of a webhook.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One request.
#[derive(Clone, Debug)]
pub struct Got {
    /// `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: String,
    /// When.
    pub at: Instant,
}

impl Got {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// It is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, headers (each with its line end), and a body.
    Say(u16, &'static str, &'static str),
    /// Nothing, and the connection stays open.
    Hang,
}

struct Shared {
    got: Vec<Got>,
    next: VecDeque<Reply>,
    usual: Reply,
}

/// A server on a port of loopback. It ends with the test's process.
#[derive(Clone)]
pub struct Receiver {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

impl Receiver {
    /// Begins to listen; every request is answered by `usual` unless [`Self::next`] says otherwise.
    ///
    /// # Panics
    /// Loopback has no port left.
    pub fn start(usual: Reply) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has ports left");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Shared { got: Vec::new(), next: VecDeque::new(), usual };
        let shared = Arc::new(Mutex::new(shared));
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_thread);
                std::thread::spawn(move || _ = serve(stream, &shared));
            }
        });
        Self { port, shared }
    }

    /// Its address: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next request that is not spoken for yet is answered like this.
    ///
    /// # Panics
    /// A thread of the server did.
    pub fn next(&self, reply: Reply) {
        self.shared.lock().expect("no thread panics with it").next.push_back(reply);
    }

    /// Everything that came.
    ///
    /// # Panics
    /// A thread of the server did.
    pub fn got(&self) -> Vec<Got> {
        self.shared.lock().expect("no thread panics with it").got.clone()
    }
}

fn serve(stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim().split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let got = Got { method, path, headers, body, at: Instant::now() };
    let reply = {
        let mut shared = shared.lock().expect("no thread panics with it");
        shared.got.push(got);
        shared.next.pop_front().unwrap_or_else(|| shared.usual.clone())
    };
    let mut stream = stream;
    match reply {
        Reply::Say(status, headers, body) => write!(
            stream,
            "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
        Reply::Hang => {
            // Until the other side goes, or nobody waits for anything any more.
            stream.set_read_timeout(Some(Duration::from_mins(2)))?;
            _ = stream.read(&mut [0; 1]);
            Ok(())
        }
    }
}

//! Asking an app over HTTP/1.1.
//!
//! A URL and what is expected go in; the kind of failure comes out: nobody listens, nobody
//! answers, the answer is wrong. Each look has a connection of its own, as a new client would.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use zelador_core::probe::Finding;

use super::connect::{bare, connect};
use super::patience::Patience;

/// How much of a body is read and searched.
const BODY_READ: usize = 256 << 10;

/// Asks once. `status` is the lowest and the highest that is right.
pub(super) async fn look(
    url: &str,
    status: (u16, u16),
    contains: Option<&str>,
    patience: Patience,
) -> Finding {
    let Some((host, port, request)) = prepare(url) else {
        let shown = zelador_core::redact::url(url);
        return Finding::Unavailable {
            detail: format!("`{shown}` is not `http://host:port/path`"),
        };
    };
    match connect(&host, port, patience).await {
        Ok(stream) => talk(stream, request, status, contains, patience).await,
        Err(finding) => finding,
    }
}

/// Asks over a connection.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Empty<Bytes>>,
    status: (u16, u16),
    contains: Option<&str>,
    patience: Patience,
) -> Finding {
    let mut stage = Stage::Connected;
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let talk = async {
            let response = sender.send_request(request).await?;
            stage = Stage::Answered(response.status());
            judge(response, status, contains).await
        };
        // The connection moves the bytes and may end before what it has read is taken.
        let mut talk = std::pin::pin!(talk);
        tokio::select! {
            biased;
            found = &mut talk => found,
            _ = connection => talk.await,
        }
    };
    match patience.wait(exchange).await {
        Ok(Ok(finding)) => finding,
        Ok(Err(error)) => broken(&error, stage),
        Err(_) => {
            let said = patience.said();
            Finding::TimedOut {
                detail: match stage {
                    Stage::Connected => {
                        format!("no answer within {said} after the connection was accepted")
                    }
                    Stage::Answered(status) => {
                        format!("HTTP {}, but its body did not end within {said}", status.as_u16())
                    }
                },
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Stage {
    Connected,
    Answered(StatusCode),
}

/// Host, port and request of a URL; `None` when it is none that can be asked.
fn prepare(url: &str) -> Option<(String, u16, Request<Empty<Bytes>>)> {
    let url: Uri = url.parse().ok()?;
    if url.scheme_str() != Some("http") {
        return None;
    }
    let host = url.host().filter(|host| !host.is_empty())?;
    let port = url.port_u16();
    let named = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, named)
        .header(USER_AGENT, concat!("zelador/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::new())
        .ok()?;
    Some((bare(host).to_owned(), port.unwrap_or(80), request))
}

async fn judge(
    response: Response<Incoming>,
    (lowest, highest): (u16, u16),
    contains: Option<&str>,
) -> hyper::Result<Finding> {
    let status = response.status().as_u16();
    if !(lowest..=highest).contains(&status) {
        return Ok(Finding::WrongAnswer { detail: format!("HTTP {status}") });
    }
    // Read even if nothing is searched: an app that hangs half way through is not well.
    let mut body = response.into_body();
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data[..data.len().min(BODY_READ - read.len())]);
        }
        if read.len() >= BODY_READ {
            break;
        }
    }
    Ok(match contains {
        Some(text) if !has(&read, text.as_bytes()) => {
            Finding::WrongAnswer { detail: format!("HTTP {status}, but the body lacks `{text}`") }
        }
        _ => Finding::Answered { detail: format!("HTTP {status}") },
    })
}

fn has(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || memchr::memmem::find(body, text).is_some()
}

fn broken(error: &hyper::Error, stage: Stage) -> Finding {
    match stage {
        Stage::Answered(status) => Finding::WrongAnswer {
            detail: format!("HTTP {}, but its body broke off", status.as_u16()),
        },
        Stage::Connected if error.is_parse() => {
            Finding::WrongAnswer { detail: "the answer is not HTTP".to_owned() }
        }
        Stage::Connected => {
            Finding::Refused { detail: "the connection was closed without an answer".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;

    use super::*;

    /// What a test server does after it has read the request.
    enum Answer {
        Say(Vec<u8>),
        SayAndHang(&'static str),
        Hang,
        Close,
    }

    fn page(status: &str, body: &str) -> Answer {
        let length = body.len();
        Answer::Say(
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes(),
        )
    }

    /// A server for one request; its task returns the request.
    async fn serve(at: &str, answer: Answer) -> (u16, JoinHandle<String>) {
        let listener = TcpListener::bind(at).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = request(&mut stream).await;
            match answer {
                Answer::Say(bytes) => {
                    // The client may close before all of a huge body is sent.
                    let _ = stream.write_all(&bytes).await;
                }
                Answer::SayAndHang(text) => {
                    stream.write_all(text.as_bytes()).await.unwrap();
                    let _ = stream.read(&mut [0; 1]).await;
                }
                Answer::Hang => {
                    let _ = stream.read(&mut [0; 1]).await;
                }
                Answer::Close => {}
            }
            request
        });
        (port, task)
    }

    async fn request(stream: &mut TcpStream) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(read).unwrap()
    }

    async fn asked(answer: Answer, contains: Option<&str>, millis: u64) -> Finding {
        let (port, _task) = serve("127.0.0.1:0", answer).await;
        let url = format!("http://127.0.0.1:{port}/health");
        look(&url, (200, 399), contains, Patience::new(Duration::from_millis(millis))).await
    }

    fn wrong(detail: &str) -> Finding {
        Finding::WrongAnswer { detail: detail.to_owned() }
    }

    fn answered(detail: &str) -> Finding {
        Finding::Answered { detail: detail.to_owned() }
    }

    fn timed_out(detail: &str) -> Finding {
        Finding::TimedOut { detail: detail.to_owned() }
    }

    /// Long enough for whatever answers at all.
    const LONG: u64 = 20_000;

    #[test]
    fn fuzz_answers_of_probes() {
        let good: [&[u8]; 4] = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Sick\r\nretry-after: 1\r\n\r\n",
            b"HTTP/1.0 302 Found\r\nlocation: /\r\nconnection: close\r\n\r\n",
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        zelador_testbed::fuzz::fuzz("answers of probes", &good, |answer| {
            runtime.block_on(async {
                let (ours, mut theirs) = tokio::io::duplex(8192);
                theirs.write_all(answer).await.unwrap();
                theirs.shutdown().await.unwrap();
                let (_, _, request) = prepare("http://127.0.0.1/health").unwrap();
                let patience = Patience::new(Duration::from_secs(20));
                let found = talk(ours, request, (200, 399), Some("fine"), patience).await;
                let is_slow = matches!(found, Finding::TimedOut { .. });
                assert!(!is_slow, "an answer that has ended is judged at once: {found:?}");
            });
        });
    }

    #[tokio::test]
    async fn the_status_decides() {
        assert_eq!(asked(page("200 OK", "fine"), None, LONG).await, answered("HTTP 200"));
        assert_eq!(asked(page("302 Found", ""), None, LONG).await, answered("HTTP 302"));
        assert_eq!(asked(page("500 Oh", "no"), None, LONG).await, wrong("HTTP 500"));
        assert_eq!(asked(page("404 Not Found", ""), None, LONG).await, wrong("HTTP 404"));
    }

    #[tokio::test]
    async fn the_body_decides_where_a_text_is_wanted() {
        let ok = page("200 OK", "{\"db\": \"up\"}");
        assert_eq!(asked(ok, Some("\"up\""), LONG).await, answered("HTTP 200"));
        let down = page("200 OK", "{\"db\": \"down\"}");
        let found = asked(down, Some("\"up\""), LONG).await;
        assert_eq!(found, wrong("HTTP 200, but the body lacks `\"up\"`"));
    }

    #[tokio::test]
    async fn hanging_before_and_in_the_answer_are_told_apart() {
        assert_eq!(
            asked(Answer::Hang, None, 1000).await,
            timed_out("no answer within 1 s after the connection was accepted")
        );
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        assert_eq!(
            asked(Answer::SayAndHang(half), None, 1000).await,
            timed_out("HTTP 200, but its body did not end within 1 s")
        );
    }

    #[tokio::test]
    async fn a_slow_answer_is_awaited_and_its_time_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let slow = Duration::from_millis(150);
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            tokio::time::sleep(slow).await; // it is what is tested
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        });
        let target = super::super::Target::Http {
            url: format!("http://127.0.0.1:{port}/"),
            status: (200, 299),
            contains: None,
        };
        let outcome = super::super::look(&target, Duration::from_secs(20)).await;
        assert_eq!(outcome.finding, answered("HTTP 204"));
        assert!(outcome.took >= slow, "{outcome:?}");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn closing_and_talking_nonsense_are_told_apart() {
        let detail = "the connection was closed without an answer".to_owned();
        assert_eq!(asked(Answer::Close, None, LONG).await, Finding::Refused { detail });
        let nonsense = Answer::Say(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec());
        assert_eq!(asked(nonsense, None, LONG).await, wrong("the answer is not HTTP"));
        let torn = Answer::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec());
        assert_eq!(asked(torn, None, LONG).await, wrong("HTTP 200, but its body broke off"));
    }

    #[tokio::test]
    async fn a_huge_body_is_read_to_a_limit() {
        let mut huge = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        huge.resize(8 << 20, b'x');
        huge.extend_from_slice(b"needle");
        let found = asked(Answer::Say(huge), Some("needle"), LONG).await;
        assert_eq!(found, wrong("HTTP 200, but the body lacks `needle`"));
    }

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let patience = Patience::new(Duration::from_secs(20));
        let url = format!("http://127.0.0.1:{port}/");
        let detail = format!("connection refused at 127.0.0.1:{port}");
        assert_eq!(look(&url, (200, 399), None, patience).await, Finding::Refused { detail });
    }

    #[tokio::test]
    async fn the_request_names_the_host_and_who_asks() {
        let (port, task) = serve("127.0.0.1:0", page("200 OK", "")).await;
        let patience = Patience::new(Duration::from_secs(20));
        let url = format!("http://localhost:{port}/health?deep=1");
        assert_eq!(look(&url, (200, 399), None, patience).await, answered("HTTP 200"));
        let request = task.await.unwrap().to_ascii_lowercase();
        assert!(request.starts_with("get /health?deep=1 http/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("\r\nhost: localhost:{port}\r\n")), "{request}");
        assert!(request.contains("\r\nuser-agent: zelador/"), "{request}");
    }

    #[tokio::test]
    async fn an_app_that_listens_on_ipv6_only_is_reached_as_localhost() {
        if TcpListener::bind("[::1]:0").await.is_err() {
            return; // a host without IPv6
        }
        for host in ["localhost", "[::1]"] {
            let (port, _task) = serve("[::1]:0", page("200 OK", "")).await;
            let patience = Patience::new(Duration::from_secs(20));
            let url = format!("http://{host}:{port}/");
            assert_eq!(look(&url, (200, 399), None, patience).await, answered("HTTP 200"));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_unavailable() {
        for url in ["https://a/", "ftp://a/", "/health", "http://", "", "http://a b/"] {
            let found = look(url, (200, 399), None, Patience::new(Duration::from_secs(1))).await;
            assert!(matches!(found, Finding::Unavailable { .. }), "{url}: {found:?}");
        }
    }
}

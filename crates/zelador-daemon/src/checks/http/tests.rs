use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// Asks as before there was more to say than these.
async fn look(
    url: &str,
    status: (u16, u16),
    contains: Option<&str>,
    patience: Patience,
) -> Finding {
    let contains = contains.map(str::to_owned);
    let probe = HttpProbe { status, contains, ..HttpProbe::get(url) };
    match super::look(&probe, patience).await {
        Finding::Measured { detail, measures } => {
            let names: Vec<&str> = measures.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names, ["name", "connect", "first byte"]);
            Finding::Answered { detail }
        }
        other => other,
    }
}

/// What a test server does after it has read the request.
enum Answer {
    Say(Vec<u8>),
    SayAndHang(&'static str),
    Hang,
    Close,
}

fn page(status: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Say(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes())
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

#[tokio::test]
async fn an_answer_that_it_is_too_much_says_for_how_long() {
    let busy = |status: &str, wait: &str| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nretry-after: {wait}\r\n\r\n");
        Answer::Say(head.into_bytes())
    };
    for (status, code) in [("503 Busy", 503), ("429 Too Many", 429)] {
        let detail = quoted(format!("HTTP {code}"));
        let found = asked(busy(status, "120"), None, 5000).await;
        assert_eq!(found, Finding::Busy { detail, retry_after: Duration::from_mins(2) });
    }
    assert_eq!(asked(busy("503 Busy", "soon"), None, 5000).await, wrong("HTTP 503"));
    // A redirection may carry it too, and is no failure that passes.
    assert_eq!(asked(busy("404 Not", "120"), None, 5000).await, wrong("HTTP 404"));
}

fn wrong(detail: &str) -> Finding {
    Finding::WrongAnswer { detail: quoted(detail) }
}

fn answered(detail: &str) -> Finding {
    Finding::Answered { detail: quoted(detail) }
}

fn timed_out(detail: &str) -> Finding {
    Finding::TimedOut { detail: quoted(detail) }
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
            let contains = Some("fine".to_owned());
            let probe = HttpProbe { contains, ..HttpProbe::get("http://127.0.0.1/health") };
            let request = prepare(&probe).unwrap().request;
            let patience = Patience::new(Duration::from_secs(20));
            let found = exchange(&probe, ours, request, Vec::new(), patience).await;
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
    let probe =
        HttpProbe { status: (200, 299), ..HttpProbe::get(format!("http://127.0.0.1:{port}/")) };
    let target = super::super::Target::Probe(zelador_core::spec::ProbeTarget::Http(probe).into());
    let outcome = super::super::look(&target, Duration::from_secs(20)).await;
    let Finding::Measured { detail, measures } = &outcome.finding else { panic!("{outcome:?}") };
    assert_eq!(*detail, "HTTP 204");
    assert!(measures[2].value >= slow.as_secs_f64(), "the first byte came late: {measures:?}");
    assert!(outcome.took >= slow, "{outcome:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn closing_and_talking_nonsense_are_told_apart() {
    let detail = quoted("the connection was closed without an answer");
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
    let detail = quoted(format!("connection refused at 127.0.0.1:{port}"));
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
    for url in ["ftp://a/", "/health", "http://", "", "http://a b/"] {
        let found = look(url, (200, 399), None, Patience::new(Duration::from_secs(1))).await;
        assert!(matches!(found, Finding::Unavailable { .. }), "{url}: {found:?}");
    }
}

#[tokio::test]
async fn method_headers_body_and_conditions_are_the_users() {
    let body = r#"{"status":"ok","queue":{"depth":150}}"#;
    let (port, task) = serve("127.0.0.1:0", page("207 Multi", body)).await;
    let condition = |path: &str, operator, value: &str| zelador_core::spec::JsonCondition {
        path: path.to_owned(),
        operator,
        value: value.to_owned(),
    };
    use zelador_core::spec::Operator;
    let probe = HttpProbe {
        method: "POST".to_owned(),
        headers: [("x-token".to_owned(), "s3cr3t".to_owned())].into(),
        body: Some("ask".to_owned()),
        status: (500, 500),
        more_status: vec![(207, 207)],
        json: vec![condition("status", Operator::Equal, "ok")],
        degraded_json: vec![condition("queue.depth", Operator::Below, "100")],
        ..HttpProbe::get(format!("http://127.0.0.1:{port}/deep"))
    };
    let found = super::look(&probe, Patience::new(Duration::from_millis(LONG))).await;
    let detail = quoted("HTTP 207, but `queue.depth` is 150, not < 100");
    assert_eq!(found, Finding::Impaired { detail });
    let request = task.await.unwrap();
    assert!(request.starts_with("POST /deep HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nx-token: s3cr3t\r\n"), "{request}");
    assert!(!format!("{probe:?}").contains("s3cr3t"));

    let (port, _task) = serve("127.0.0.1:0", page("200 OK", body)).await;
    let json = vec![condition("status", Operator::Equal, "down")];
    let probe = HttpProbe { json, ..HttpProbe::get(format!("http://127.0.0.1:{port}/")) };
    let found = super::look(&probe, Patience::new(Duration::from_millis(LONG))).await;
    assert_eq!(found, wrong("HTTP 200, but `status` is ok, not == down"));

    let (port, _task) = serve("127.0.0.1:0", page("418 Teapot", "")).await;
    let degraded_status = vec![(400, 499)];
    let probe =
        HttpProbe { degraded_status, ..HttpProbe::get(format!("http://127.0.0.1:{port}/")) };
    let found = super::look(&probe, Patience::new(Duration::from_millis(LONG))).await;
    assert_eq!(found, Finding::Impaired { detail: quoted("HTTP 418") });
}

#[tokio::test]
async fn a_certificate_must_be_vouched_for_unless_the_user_says_otherwise() {
    let server = zelador_testbed::tls::TlsServer::start(40);
    let url = format!("https://localhost:{}/", server.port());
    let found =
        super::look(&HttpProbe::get(&url), Patience::new(Duration::from_millis(LONG))).await;
    let Finding::Refused { detail } = &found else { panic!("{found:?}") };
    assert!(
        detail.english().starts_with("the certificate of localhost is not valid: "),
        "{detail}"
    );
    let probe = HttpProbe { insecure: true, ..HttpProbe::get(&url) };
    let found = super::look(&probe, Patience::new(Duration::from_millis(LONG))).await;
    let Finding::Measured { measures, .. } = &found else { panic!("{found:?}") };
    let names: Vec<&str> = measures.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["name", "connect", "tls", "first byte"]);
}

//! What an incident asks, answered by the link in a message.

use std::io::{Read, Write};
use std::net::TcpStream;

use zelador_testbed::browser::Browser;
use zelador_testbed::home::{Zelador, free_port, http_get, until};
use zelador_testbed::receiver::{Receiver, Reply};

use crate::health::web;
use crate::{SERVER, zelador};

/// What links say besides: they are opened on this host.
const CHECKS: &str = "checks: { cpu: false, memory: false, disk: false }";

/// The links of a message that answer, as paths.
fn links(receiver: &Receiver) -> Vec<String> {
    let all = receiver
        .got()
        .into_iter()
        .flat_map(|got| got.json()["links"].as_array().cloned().unwrap_or_default());
    let urls = all.filter_map(|link| Some(link["url"].as_str()?.to_owned()));
    let mut paths: Vec<String> = urls
        .filter_map(|url| Some(format!("/health/answer/{}", url.split_once("/health/answer/")?.1)))
        .collect();
    paths.dedup();
    paths
}

/// The status of a request without any token.
fn ask(zelador: &Zelador, method: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", zelador.port())).unwrap();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: ops.example.org\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
}

#[test]
fn a_link_in_a_message_answers_once_by_a_press_and_not_by_a_look() {
    let (zelador, asked, only_told) = (
        zelador(),
        Receiver::start(Reply::Say(200, "", "")),
        Receiver::start(Reply::Say(200, "", "")),
    );
    let port = free_port();
    let secrets = format!("ASKED={}/hook\nTOLD={}/hook\n", asked.url(), only_told.url());
    std::fs::write(zelador.home().join("secrets.env"), secrets).unwrap();
    zelador.write("server.js", SERVER);
    let channels = "{ 'plantão': { webhook: { url_env: 'ASKED' }, answers: true }, told: { webhook: { url_env: 'TOLD' } } }";
    let notify = format!("notify: {{ base_url: 'http://ops.example.org', channels: {channels} }}");
    let app = web(port, "heal: 'ask'");
    let text = format!("module.exports = {{ apps: [{app}], zelador: {{ {CHECKS}, {notify} }} }}");
    zelador.write("ecosystem.config.js", &text);
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("it to answer", || http_get(port, "/health").is_some_and(|(code, _)| code == 200));
    let before = zelador.pid("web");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    until("the question to be told", || !links(&asked).is_empty());
    until("the other to be told of it", || {
        only_told.got().iter().any(|got| got.json().to_string().contains("would be next"))
    });
    assert_eq!(links(&only_told), Vec::<String>::new(), "nobody answers there");
    let path = links(&asked).remove(0);

    // Scanners look, and try what they find; nothing of that is an answer.
    for method in ["GET", "HEAD", "GET"] {
        assert_eq!(ask(&zelador, method, &path), 200, "{method}");
    }
    assert_eq!(ask(&zelador, "GET", &format!("{path}/approve")), 405);
    assert_eq!(ask(&zelador, "POST", &path), 405);
    let other = format!("{}0", &path[..path.len() - 1]);
    let other = if other == path { format!("{}1", &path[..path.len() - 1]) } else { other };
    assert_eq!(ask(&zelador, "POST", &format!("{other}/approve")), 404);
    let later = path.replacen("/health/answer/1/", "/health/answer/2/", 1);
    assert_eq!(ask(&zelador, "POST", &format!("{later}/approve")), 404);
    assert_eq!(zelador.incidents()[0]["stage"]["stage"], "awaiting-approval");
    assert_eq!(zelador.pid("web"), before);

    let mut browser = Browser::start().expect("there is no Chromium: ./test installs it");
    browser.look_as("pt-BR", true, 390, 800);
    browser.open(&format!("http://127.0.0.1:{}{path}", zelador.port()));
    let text = browser.eval("document.querySelector('main').textContent");
    assert!(text.as_str().is_some_and(|it| it.contains("O zelador pode fazer isto?")), "{text}");
    if let Some(folder) = std::env::var_os("ZELADOR_PICTURES") {
        browser.picture(&std::path::PathBuf::from(folder).join("answer-pt-390.png"));
    }
    browser.eval("document.querySelector('button.primary').focus()");
    browser.key("Enter");
    browser.until("the answer", "document.querySelector('h1').textContent.startsWith('Aprovado')");
    assert_eq!(browser.wrongs(), Vec::<String>::new());
    until("it to be healed", || zelador.incidents()[0]["stage"]["outcome"] == "healed");
    assert_ne!(zelador.pid("web"), before);

    for (method, path) in [
        ("GET", path.clone()),
        ("POST", format!("{path}/approve")),
        ("POST", format!("{path}/reject")),
    ] {
        assert_eq!(ask(&zelador, method, &path), 410, "a link answers once");
    }
    let found = zelador.get("/health/audit").1;
    assert!(found.contains("link (plantão)"), "{found}");
    let token = path.rsplit('/').next().unwrap();
    for name in ["zelador.log", "events.jsonl", "history.db", "history.db-wal"] {
        let kept = std::fs::read(zelador.home().join(name)).unwrap_or_default();
        let found = kept.windows(token.len()).any(|it| it == token.as_bytes());
        assert!(!found, "{name} has the token");
    }
}

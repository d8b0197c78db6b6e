//! What the dashboard says when something goes, changes, fails or is missing.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, free_port, kill, until};
use zelador_testbed::receiver::{Receiver, Reply};

use crate::dashboard::{address, browser, press, sign_in};
use crate::health::web;
use crate::{SERVER, zelador};

/// A whole answer to a browser, with its headers.
pub fn answer(zelador: &Zelador, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", zelador.port())).unwrap();
    let headers = "host: 127.0.0.1\r\naccept: text/html\r\nconnection: close";
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn every_page_forbids_what_is_not_its_own_and_masks_secrets_that_it_shows() {
    let zelador = zelador();
    zelador.start("{ name: 'loja', script: 'sleep', args: '1000', env: { STAGE: 'prod-7', DB_PASSWORD: 'hunter2' } }");
    // 503 when this host is busy: they answer all the same.
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    for path in ["/health", "/health/app/loja", "/health/login", "/health/app/nothing"] {
        let page = answer(&zelador, path);
        let policy = page.lines().find_map(|it| it.strip_prefix("content-security-policy: "));
        let policy = policy.unwrap_or_else(|| panic!("{path}: {page}"));
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|it| it == part), "{path}: {part}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let styles = policy.split("; ").find_map(|it| it.strip_prefix("style-src "));
        let known = |it: &str| it.starts_with("'sha256-");
        assert!(styles.is_some_and(|it| it.split(' ').all(known)), "{path}: {policy}");
    }
    let page = answer(&zelador, "/health/app/loja");
    let shown = page.split_once("id=\"environment\"").expect("an environment").1;
    assert!(shown.contains("STAGE") && shown.contains("prod-7"), "{shown}");
    assert!(shown.contains("DB_PASSWORD") && shown.contains("********"), "{shown}");
    assert!(!page.contains("hunter2"), "{page}");
}

#[test]
fn what_did_not_become_what_was_asked_for_is_no_success_in_the_audit() {
    let zelador = zelador();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'good', script: 'sleep', args: '1000' }, { name: 'lost', script: 'nowhere-at-all', interpreter: 'none' }] }",
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    zelador.ok(&["restart", "good"]);
    until("both", || answer(&zelador, "/health/audit").matches("class=\"end ").count() == 2);
    let page = answer(&zelador, "/health/audit");
    let rows: Vec<&str> = page.split("<tr>").filter(|row| row.contains("class=\"end ")).collect();
    assert!(rows[0].contains("restart") && rows[0].contains("class=\"end ok\""), "{}", rows[0]);
    assert!(rows[1].contains("declare") && rows[1].contains("class=\"end bad\""), "{}", rows[1]);
    assert!(rows[1].contains("lost: the process could not be started"), "{}", rows[1]);
    let app = answer(&zelador, "/health/app/lost");
    assert!(app.contains("<strong>0 %</strong> CPU"), "nothing is nothing: {app}");
}

#[test]
fn what_cannot_be_shown_is_a_page_all_the_same() {
    let zelador = zelador();
    zelador.start("{ name: 'one', script: 'sleep', args: '1000' }");
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    for path in [
        "/health/incident/abc",
        "/health/incident/9999",
        "/health/app/nothing",
        "/health/nowhere/at/all",
    ] {
        let page = answer(&zelador, path);
        assert!(page.starts_with("HTTP/1.1 404"), "{path}: {page}");
        assert!(page.contains("<!DOCTYPE html>") && page.contains("Nothing is here"), "{page}");
    }
    let page = answer(&zelador, "/health/report?days=x");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<!DOCTYPE html>"), "{page}");
    let link = answer(&zelador, "/health/answer/x/y/z/t");
    assert!(link.contains("<!DOCTYPE html>") && link.contains("not known here"), "{link}");
    // The past cannot be read: the present is shown, and what needs the past says so.
    let past = zelador.home().join("history.db");
    let aside = zelador.home().join("history.aside");
    std::fs::rename(&past, &aside).unwrap();
    let page = answer(&zelador, "/health/report");
    std::fs::rename(&aside, &past).unwrap();
    assert!(page.starts_with("HTTP/1.1 500"), "{page}");
    assert!(page.contains("<!DOCTYPE html>") && page.contains("cannot be shown now"), "{page}");
    assert!(page.contains("the history cannot be read"), "{page}");
}

#[test]
fn an_open_page_says_that_its_app_was_removed_and_when_it_is_back() {
    let zelador = zelador();
    zelador.start("{ name: 'one', script: 'sleep', args: '1000' }");
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    browser.open(&address(&zelador, "/health/app/one"));
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
    browser.eval("window.__same = true");
    let removed = "!document.querySelector('#removed').hidden && document.querySelector('#link').textContent === 'removed'";
    assert_eq!(browser.eval(removed), false);
    zelador.ok(&["delete", "one"]);
    browser.until("to say so", removed);
    zelador.ok(&["start", "sleep", "--name", "one", "--", "2000"]);
    browser.until(
        "to be live again",
        "document.querySelector('#removed').hidden && document.querySelector('#link').classList.contains('on')",
    );
    browser.until(
        "what is there now",
        "document.querySelector('#declared').textContent.includes('2000')",
    );
    assert_eq!(browser.eval("window.__same"), true, "it was not loaded again");
}

#[test]
fn an_open_page_shows_what_was_declared_last() {
    let zelador = zelador();
    let declare = |stage: &str, limit: &str| {
        format!(
            "{{ name: 'one', script: 'sleep', args: '1000', max_memory_restart: '{limit}', env: {{ STAGE: '{stage}' }} }}"
        )
    };
    zelador.start(&declare("first", "300M"));
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    sign_in(&mut browser, &zelador, "/health/app/one");
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
    let shows =
        |what: &str| format!("document.querySelector('#declared').textContent.includes('{what}')");
    browser.until("what was declared first", &shows("first"));
    assert_eq!(browser.eval("document.querySelector('#count').dataset.limit"), "314572800");
    zelador.start(&declare("second", "200M"));
    browser.until("the deploy", &shows("second"));
    assert_eq!(browser.eval("document.querySelector('#count').dataset.limit"), "209715200");
    zelador.ok(&["scale", "one", "3"]);
    browser.until("the replicas", "document.querySelector('#count').value === '3'");
    let options = "document.querySelectorAll('#log-of option').length";
    browser.until("their logs", &format!("{options} === 3"));
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn how_long_something_is_up_is_told_anew_after_each_start() {
    let zelador = zelador();
    zelador.start("{ name: 'trio', script: 'sleep', args: '1000', instances: 3 }");
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    let mut browser = browser();
    browser.open(&address(&zelador, "/health"));
    browser.until("to be live", "document.querySelector('#link').classList.contains('on')");
    let up = "[...document.querySelectorAll('.c-up time.since')].map((it) => it.dateTime).join()";
    browser.until("three of them", &format!("{up}.split(',').length === 3"));
    browser.until(
        "one app",
        "document.querySelector('#sum .lead').textContent.includes('The app is healthy')",
    );
    let before = browser.eval(up);
    let before = before.as_str().unwrap();
    kill(zelador.pid("trio"), Signal::KILL);
    browser.until("the new run", &format!("{up}.split(',').length === 3 && {up} !== '{before}'"));
    zelador.ok(&["stop", "trio"]);
    browser.until("none", &format!("{up} === ''"));
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

#[test]
fn everything_that_is_tried_is_on_the_pages_about_trying() {
    let (zelador, slack) = (zelador(), Receiver::start(Reply::Say(500, "", "oops")));
    let closed = free_port();
    std::fs::write(zelador.home().join("secrets.env"), format!("URL={}\n", slack.url())).unwrap();
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "const soon = {{ interval: '1s', timeout: '500ms', failure_threshold: 1 }};
             module.exports = {{ apps: [{{ name: 'dead', script: 'false', max_restarts: 2, half_open_after: '30m' }}],
               zelador: {{ checks: {{ gate: {{ tcp: '127.0.0.1:{closed}', ...soon }} }},
                 databases: {{ main: {{ url: 'postgres://u:p4ss@127.0.0.1:{closed}/x', ...soon }} }},
                 notify: {{ channels: {{ ops: {{ slack: {{ url_env: 'URL' }} }} }}, routes: [{{ to: 'ops' }}] }} }} }}"
        ),
    );
    zelador.run(&["start", "ecosystem.config.js"]);
    until("each of them to be tried", || {
        let page = answer(&zelador, "/health/retries");
        ["query", "connect", "send"].iter().all(|it| page.contains(&format!("<code>{it}</code>")))
            && page.contains("refused")
            && page.contains("HTTP 500")
            && page.contains("trial start")
    });
    let page = answer(&zelador, "/health/retries");
    let waiting = page.split("Operations").next().unwrap_or_default();
    for part in ["channel ops", "message", "HTTP 500: oops", "exited with code 1"] {
        assert!(waiting.contains(part), "{part}: {waiting}");
    }
    assert!(!waiting.contains("remedy ("), "what waits for its start is one thing: {waiting}");
    for part in ["Success rate", "Average attempts", "Last errors", "database:main", "notify:ops"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    zelador.ok(&["breaker", "force-open", "notify:ops"]);
    until("each breaker", || {
        let page = answer(&zelador, "/health/breakers");
        ["database:main", "check:gate", "notify:ops", "dead", "forced open", "start"]
            .iter()
            .all(|it| page.contains(it))
            && page.contains("a person keeps it open")
            && page.contains("not tried until then")
    });
    until("the metrics", || {
        let text = zelador.get("/metrics").1;
        text.contains("zelador_breaker_open{operation=\"send\",target=\"notify:ops\"} 1")
            && text.contains("zelador_operations_total{operation=\"query\",outcome=\"failed\"}")
    });
    let settings = answer(&zelador, "/health/settings");
    for part in
        ["$URL", "ops", "accepts a connection", "Route", "Files kept", "5 failures in a row; 50"]
    {
        assert!(settings.contains(part), "{part}: {settings}");
    }
    assert!(!settings.contains("p4ss") && !settings.contains(&slack.url()), "{settings}");
}

#[test]
fn every_command_is_in_the_audit_with_its_outcome() {
    let zelador = zelador();
    zelador.start("{ name: 'one', script: 'sleep', args: '1000' }");
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    zelador.ok(&["reloadLogs"]);
    assert_ne!(zelador.run(&["notify", "test", "nobody"]).code, 0);
    zelador.ok(&["save"]);
    std::fs::remove_file(zelador.home().join("dump.json")).ok();
    zelador.ok(&["flush"]);
    let rows = || {
        let page = answer(&zelador, "/health/audit");
        page.split("<tr>").map(str::to_owned).collect::<Vec<_>>()
    };
    let row =
        |verb: &str| rows().into_iter().find(|it| it.contains(&format!("<code>{verb}</code>")));
    for (verb, class) in [
        ("reloadLogs", "end ok"),
        ("notify test", "end bad"),
        ("save", "end ok"),
        ("flush", "end ok"),
    ] {
        until(verb, || row(verb).is_some());
        assert!(row(verb).unwrap().contains(class), "{verb}: {:?}", row(verb));
    }
    let refused = row("notify test").unwrap();
    assert!(refused.contains("no channel is called `nobody`"), "{refused}");
    let unsaid = row("reloadLogs").unwrap();
    assert!(unsaid.contains(">done<"), "what has no words is no blank: {unsaid}");
}

#[test]
fn a_no_is_said_on_the_page_of_an_incident() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.start(&web(port, "heal: 'ask'"));
    until("it to answer", || zelador_testbed::home::http_get(port, "/health").is_some());
    let before = zelador.pid("web");
    _ = TcpStream::connect(("127.0.0.1", port))
        .map(|mut stream| stream.write_all(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"));
    until("it to ask", || {
        zelador.incidents().first().is_some_and(|it| it["stage"]["stage"] == "awaiting-approval")
    });
    let mut browser = browser();
    sign_in(&mut browser, &zelador, "/health/incident/1");
    press(&mut browser, "reject");
    browser.until("no question", "!document.querySelector('[data-verb=reject]')");
    until("its story", || {
        zelador.ok(&["incidents", "1"]).out.contains("a person said no: restart")
    });
    assert_eq!(zelador.pid("web"), before, "nothing was done");
    browser.open(&address(&zelador, "/health/audit"));
    browser.until(
        "the audit",
        "[...document.querySelectorAll('td code')].some((it) => it.textContent === 'incident reject')",
    );
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}

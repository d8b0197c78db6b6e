//! The watcher is watched: somebody elsewhere hears that zelador lives.

use rustix::process::Signal;
use zelador_testbed::home::{kill, text, until};
use zelador_testbed::receiver::{Receiver, Reply};

use crate::zelador;

const HEARD: Reply = Reply::Say(200, "", "OK");

#[test]
fn somebody_elsewhere_hears_that_zelador_lives_and_what_is_not_heard_is_said_again() {
    let zelador = zelador();
    let receiver = Receiver::start(HEARD);
    receiver.next(Reply::Say(503, "", ""));
    zelador.write("address", &format!("{}/ping/s3cr3t\n", receiver.url()));
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 's', script: '/bin/sleep', args: '100000' }],
           zelador: { heartbeat: { url_file: 'address', interval: '1s' } } }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    // The first was not taken: it is said again, and so on.
    until("some pings", || receiver.got().len() >= 4);
    let got = receiver.got();
    assert!(got.iter().all(|it| it.method == "GET" && it.path == "/ping/s3cr3t"), "{got:?}");
    let retries = zelador.ok(&["retries", "heartbeat"]).out;
    assert!(retries.contains("HTTP 503"), "{retries}");

    // Another engine goes on with it.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(next, _)| next != engine));
    let before = receiver.got().len();
    until("pings of the next engine", || receiver.got().len() > before + 2);

    let log = text(zelador.home().join("zelador.log"));
    assert!(!log.contains("s3cr3t"), "the address is nobody's business: {log}");
}

#[test]
fn what_is_unhealthy_is_told_as_a_failure_where_that_is_wanted_and_a_wrong_address_is_told() {
    let zelador = zelador();
    let receiver = Receiver::start(HEARD);
    let url = format!("{}/x?create=1", receiver.url());
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{{ name: 's', script: '/bin/sleep', args: '100000' }}],
               zelador: {{ heartbeat: {{ url: '{url}', interval: '1s', fail: true }},
                 checks: {{ cpu: false, memory: false, disk: false,
                   there: {{ file: '{}', interval: '1s', failure_threshold: 1, success_threshold: 1 }} }} }} }}",
            zelador.app().join("there").display()
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let last = || receiver.got().last().map(|it| it.path.clone()).unwrap_or_default();
    until("a failure to be told", || last() == "/x/fail?create=1");
    zelador.write("there", "");
    until("that it is well again", || last() == "/x?create=1");

    receiver.next(Reply::Say(404, "", ""));
    let log = || text(zelador.home().join("zelador.log"));
    until("the refusal to be told", || {
        log().contains("nobody elsewhere hears that this zelador lives: HTTP 404")
    });
    until("the end of that", || log().contains("it is heard again that this zelador lives"));
}

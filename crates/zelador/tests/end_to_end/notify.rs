//! Notices, from a real crash to a server that gets them.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::home::{Zelador, free_port, kill, until, until_within};
use zelador_testbed::receiver::{Got, Receiver, Reply};

use crate::zelador;

const OK: Reply = Reply::Say(200, "", "ok");

/// An app that dies at once while there is a file `sick`, and five short runs are a crash loop.
const DIES: &str = "{ name: 'api', script: 'api.js', max_restarts: 3, min_uptime: '1s', restart_delay: 0, half_open_after: '2s' }";
const API: &str = "
const fs = require('fs');
if (fs.existsSync('sick')) { console.error('boom: no database'); process.exit(3); }
setInterval(() => {}, 1000);
";

fn start(zelador: &Zelador, notify: &str, secrets: &str) {
    std::fs::write(zelador.home().join("secrets.env"), secrets).unwrap();
    zelador.write("api.js", API);
    zelador.write("sick", "");
    let text = format!(
        "module.exports = {{ apps: [{DIES}], zelador: {{ checks: {{ cpu: false, memory: false, disk: false }}, notify: {notify} }} }}"
    );
    zelador.write("ecosystem.config.js", &text);
    // The app does not come up, and the command says so.
    zelador.run(&["start", "ecosystem.config.js"]);
}

fn title(got: &Got) -> String {
    let body = got.json();
    body["attachments"][0]["blocks"][0]["text"]["text"].as_str().unwrap_or_default().to_owned()
}

fn titles(receiver: &Receiver) -> Vec<String> {
    receiver.got().iter().map(title).collect()
}

#[test]
fn a_crash_loop_is_told_and_so_is_its_end_though_the_service_is_busy_and_the_engine_dies() {
    let (zelador, slack) = (zelador(), Receiver::start(OK));
    slack.next(Reply::Say(429, "retry-after: 1\r\n", "slow down"));
    slack.next(Reply::Say(500, "", "oops"));
    let secrets = format!("SLACK_URL={}/services/T0/B0/s3cr3t\n", slack.url());
    start(&zelador, "{ channels: { ops: { slack: { url_env: 'SLACK_URL' } } } }", &secrets);
    until("the first try", || !slack.got().is_empty());
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("the crash loop to be told", || {
        // What was refused counts as not told: the first two answers.
        titles(&slack).iter().skip(2).any(|title| title.starts_with("🟠 api: crash loop"))
    });
    assert_eq!(slack.got()[0].path, "/services/T0/B0/s3cr3t");
    let texts: Vec<String> = slack.got().iter().map(|it| it.json()["text"].to_string()).collect();
    assert!(texts.iter().any(|it| it.contains("diagnosis: ")), "{texts:?}");
    assert!(!texts.iter().any(|it| it.contains("diagnosis: as before")), "with reasons: {texts:?}");
    std::fs::remove_file(zelador.app().join("sick")).unwrap();
    until("its end to be told", || {
        titles(&slack).last().is_some_and(|title| title.contains("crash loop (resolved)"))
    });
    let last = slack.got().last().unwrap().json().to_string();
    assert!(last.contains("a start held"), "{last}");
    let list = zelador.ok(&["notify", "list"]).out;
    assert!(list.contains("ops") && list.contains("$SLACK_URL"), "{list}");
    for said in [
        list,
        zelador.ok(&["notify", "list", "--json"]).out,
        zelador.view().unwrap_or(Value::Null).to_string(),
        zelador_testbed::home::text(zelador.home().join("zelador.log")),
    ] {
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}

#[test]
fn a_channel_is_tried_and_says_what_is_wrong_with_it() {
    let (zelador, slack) = (zelador(), Receiver::start(OK));
    let secrets = format!("GOOD={}/hook\n", slack.url());
    let channels = "{ good: { slack: { url_env: 'GOOD' } }, bad: { slack: { url_env: 'NOPE' } } }";
    start(
        &zelador,
        &format!("{{ channels: {channels}, routes: [{{ app: 'x', to: 'good' }}] }}"),
        &secrets,
    );
    let said = zelador.ok(&["notify", "test", "good"]).out;
    assert!(said.contains("good took the message"), "{said}");
    assert_eq!(titles(&slack), ["🧪 zelador: a test"]);
    let said = zelador.run(&["notify", "test", "bad"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("$NOPE is neither in zelador's environment nor in"), "{}", said.err);
    let said = zelador.run(&["notify", "test", "ugly"]);
    assert!(said.err.contains("no channel is called `ugly`"), "{}", said.err);
    assert!(said.err.contains("there are: bad, good"), "{}", said.err);
    slack.next(Reply::Say(404, "", "no_service"));
    let said = zelador.run(&["notify", "test", "good"]);
    assert!(said.err.contains("HTTP 404: no_service"), "{}", said.err);
}

#[test]
fn pm2_slacks_address_is_a_channel_and_a_failing_one_is_told_through_the_other() {
    let (zelador, good) = (zelador(), Receiver::start(OK));
    let bad = Receiver::start(Reply::Say(500, "", "oops"));
    let secrets = format!("BAD={}\n", bad.url());
    start(
        &zelador,
        "{ channels: { bad: { slack: { url_env: 'BAD' } } }, routes: [{ to: 'bad' }] }",
        &secrets,
    );
    zelador.ok(&["set", "pm2-slack:slack_url", &format!("{}/pm2", good.url())]);
    until("the other to be told", || {
        titles(&good).iter().any(|title| title.contains("channel bad fails"))
    });
    let list = zelador.ok(&["notify", "list"]).out;
    assert!(list.contains("pm2-slack") && list.contains("HTTP 500"), "{list}");
    let incident = || zelador.incidents().into_iter().find(|it| it["app"] == "notify:bad");
    let open = incident().expect("an incident of its own");
    assert!(open["trouble"] == "channel" && open["closed_at"].is_null(), "{open}");
    let overview = crate::dashboard_states::answer(&zelador, "/health");
    assert!(overview.contains("channel bad") && overview.contains("notices not delivered"));
    bad.next(OK);
    until("its recovery to be told", || {
        bad.next(OK);
        titles(&good).iter().any(|title| title.contains("channel bad fails (resolved)"))
    });
    let over = incident().expect("it is still known");
    assert_eq!(over["stage"]["outcome"], "recovered", "{over}");
    let told = titles(&good).into_iter().filter(|title| title.contains("bad")).count();
    assert_eq!(told, 2, "its beginning and its end, once each: {:?}", titles(&good));
    assert!(good.got().iter().all(|got| got.path == "/pm2"));
}

#[test]
fn notices_are_told_in_the_language_that_is_set() {
    let (zelador, ops) = (zelador(), Receiver::start(OK));
    let closed = free_port();
    let secrets = format!("OPS={}\nBAD=http://127.0.0.1:{closed}/\n", ops.url());
    std::fs::write(zelador.home().join("secrets.env"), secrets).unwrap();
    zelador.write("api.js", API);
    zelador.write("sick", "");
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{DIES}], zelador: {{
               checks: {{ cpu: false, memory: false, disk: false,
                 gate: {{ tcp: '127.0.0.1:{closed}', interval: '500ms', timeout: '1s', failure_threshold: 1 }} }},
               notify: {{ language: 'pt-BR', channels: {{ ops: {{ slack: {{ url_env: 'OPS' }} }}, bad: {{ slack: {{ url_env: 'BAD' }} }} }} }} }} }}"
        ),
    );
    // The app does not come up, and the command says so.
    zelador.run(&["start", "ecosystem.config.js"]);
    let told = || ops.got().iter().map(|got| got.json()["text"].to_string()).collect::<Vec<_>>();
    for part in [
        "api: quedas em série",
        &format!("gate está com falha: conexão recusada em 127.0.0.1:{closed}"),
        "o canal bad falha: os avisos não podem ser entregues: sem conexão com 127.0.0.1: conexão recusada",
    ] {
        until_within(part, Duration::from_mins(1), || {
            told().iter().any(|text| text.contains(part))
        });
    }
}

//! A database or an app goes down, and several apps end with it: one incident, one message, and all are back.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::home::{kill, until, until_within};
use zelador_testbed::receiver::{Got, Receiver, Reply};
use zelador_testbed::redis::Redis;
use zelador_testbed::server::Server;

use crate::zelador;

/// Ends when its database does, as most programs do: nobody catches what the connection says.
const NEEDS_DATABASE: &str = "
const socket = require('net').connect(+process.env.DB_PORT, '127.0.0.1');
socket.on('connect', () => console.log('works'));
socket.on('error', error => { throw error; });
socket.on('close', () => { throw new Error('Connection lost: the server closed the connection'); });
";

#[test]
fn three_apps_that_die_with_their_database_are_one_incident_and_one_message() {
    let mut database = Redis::start();
    let (zelador, person) = (zelador(), Receiver::start(Reply::Say(200, "", "ok")));
    std::fs::write(zelador.home().join("secrets.env"), format!("PERSON_URL={}\n", person.url()))
        .unwrap();
    zelador.write("needs.js", NEEDS_DATABASE);
    zelador.write("other.js", "setInterval(() => {}, 1000);");
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "const needs = {{ script: 'needs.js', env: {{ DB_PORT: {} }}, depends_on: ['main'] }};
             module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false }},
               databases: {{ main: {{ url: '{}', interval: '1s', timeout: '1s', slow: '1s' }} }},
               notify: {{ channels: {{ person: {{ webhook: {{ url_env: 'PERSON_URL' }} }} }} }} }},
             apps: [{{ ...needs, name: 'a' }}, {{ ...needs, name: 'b' }}, {{ ...needs, name: 'c' }},
               {{ ...needs, name: 'other', script: 'other.js' }}] }}",
            database.port(),
            database.url(),
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let dying = ["a", "b", "c"];
    let works = |app: &str| zelador.run(&["logs", app, "--nostream"]).out.matches("works").count();
    until("all apps to work", || dying.iter().all(|app| works(app) == 1));

    database.stop();
    let opened = || -> Vec<Value> {
        let all = person.got();
        all.iter().map(Got::json).filter(|it| it["news"] == "opened").collect()
    };
    let of = |app: &str| -> Vec<Value> {
        zelador.incidents().into_iter().filter(|it| it["app"] == app).collect()
    };
    let open = || -> Vec<Value> {
        zelador.incidents().into_iter().filter(|it| it["closed_at"].is_null()).collect()
    };
    until_within(
        "all three to be joined, and the cause to be told",
        Duration::from_secs(30),
        || dying.iter().all(|app| of(app).len() == 1) && open().len() == 1 && !opened().is_empty(),
    );
    let cause = open().remove(0);
    assert_eq!(cause["stage"]["stage"], "waiting-for-dependency", "{cause}");
    let parts = zelador.incidents();
    let parts = parts.iter().filter(|it| it["part_of"] == cause["id"]);
    assert_eq!(parts.count(), 2, "{:?}", zelador.incidents());
    let number = cause["id"].to_string();
    let found = &cause["evidence"];
    let times = found["err_times"].as_array().cloned().unwrap_or_default();
    let known = times.iter().filter(|it| it.is_u64()).count();
    assert_eq!(known, found["err_tail"].as_array().map_or(0, Vec::len), "{found}");
    assert!(known > 0, "it said why");
    let story = zelador.ok(&["incidents", &number]).out;
    for app in dying.iter().filter(|app| cause["app"] != **app) {
        assert!(story.contains(&format!("{app} suffers from it too")), "{app}: {story}");
    }
    assert!(story.contains("waiting for main"), "{story}");
    let told = opened();
    assert_eq!(told.len(), 1, "{told:?}");
    let text = told[0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("needed by a, b, c, other"), "{text}");

    // What ends for a reason of its own meanwhile has an incident and a message of its own.
    kill(zelador.pid("other"), Signal::SEGV);
    until_within("that to be told", Duration::from_secs(30), || opened().len() == 2);
    assert_eq!((of("other").len(), of("other")[0]["part_of"].is_null()), (1, true));
    assert_eq!(opened()[1]["app"], "other");

    database.start_again();
    until_within("all to be up again", Duration::from_mins(1), || {
        dying.iter().all(|app| works(app) == 2 && zelador.status(app) == "online")
    });
    until_within("the incident to be over", Duration::from_mins(1), || open().is_empty());
    let cause = zelador.incidents().into_iter().find(|it| it["id"] == cause["id"]);
    assert_eq!(cause.expect("it is kept")["stage"]["outcome"], "healed");
    until("the end of both to be told", || {
        person.got().iter().filter(|it| it.json()["news"] == "resolved").count() == 2
    });
    assert_eq!(opened().len(), 2, "{:?}", opened());
    for app in dying {
        assert_eq!(zelador.restarts(app), 1, "{app} was started once, when it could be");
    }
}

/// Serves those that need it.
const BACKEND: &str = "
require('net').createServer(() => {}).listen(+process.env.DB_PORT, '127.0.0.1', () => {
  console.log('works');
  process.send('ready');
});
";

#[test]
fn two_apps_that_end_with_the_app_that_they_need_are_part_of_its_incident() {
    let (zelador, person) = (zelador(), Receiver::start(Reply::Say(200, "", "ok")));
    std::fs::write(zelador.home().join("secrets.env"), format!("PERSON_URL={}\n", person.url()))
        .unwrap();
    zelador.write("backend.js", BACKEND);
    zelador.write("needs.js", NEEDS_DATABASE);
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "const env = {{ DB_PORT: {} }};
             const needs = {{ script: 'needs.js', env, depends_on: ['backend'] }};
             module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false }},
               notify: {{ channels: {{ person: {{ webhook: {{ url_env: 'PERSON_URL' }} }} }} }} }},
             apps: [{{ name: 'backend', script: 'backend.js', env, wait_ready: true }},
               {{ ...needs, name: 'a' }}, {{ ...needs, name: 'b' }}] }}",
            zelador_testbed::home::free_port(),
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let works = |app: &str| {
        let said = zelador.run(&["logs", app, "--nostream"]).out;
        zelador.status(app) == "online" && said.contains("works")
    };
    let all = ["backend", "a", "b"];
    until("all apps to work", || all.iter().all(|app| works(app)));
    let over = |it: &Value| !it["closed_at"].is_null();
    until_within("what came of their start to be over", Duration::from_secs(30), || {
        zelador.incidents().iter().all(over)
    });
    let (before, heard) = (zelador.incidents(), person.got().len());
    let is_new = |it: &Value| before.iter().all(|known| known["id"] != it["id"]);

    kill(zelador.pid("backend"), Signal::SEGV);
    let new = || zelador.incidents().into_iter().filter(is_new).collect::<Vec<Value>>();
    until_within("all to be over", Duration::from_mins(1), || {
        new().len() == 3 && new().iter().all(over)
    });
    let incidents = new();
    let cause = incidents.iter().find(|it| it["app"] == "backend").expect("it ended");
    assert_eq!(cause["stage"]["outcome"], "healed", "{cause}");
    let parts = incidents.iter().filter(|it| it["app"] != "backend");
    assert!(parts.into_iter().all(|it| it["part_of"] == cause["id"]), "{incidents:?}");
    let story = zelador.ok(&["incidents", &cause["id"].to_string()]).out;
    for said in ["needed by a, b", "a suffers from it too", "b suffers from it too"] {
        assert!(story.contains(said), "{said}: {story}");
    }
    until("its end to be told", || person.got().len() >= heard + 2);
    let told: Vec<Value> = person.got().iter().skip(heard).map(Got::json).collect();
    let about: Vec<(&Value, &Value)> = told.iter().map(|it| (&it["app"], &it["news"])).collect();
    assert!(about.iter().all(|(app, _)| **app == "backend"), "{told:?}");
    assert!(all.iter().all(|app| works(app)));
}

/// Answers with what its backend says.
const FRONT: &str = "
const http = require('http');
http.createServer((request, response) => {
  const asked = http.get({ port: +process.env.BACKEND, timeout: 400 }, () => response.end('ok'));
  asked.on('timeout', () => asked.destroy(new Error('the backend does not answer')));
  asked.on('error', error => { response.statusCode = 500; response.end(error.message); });
}).listen(+process.env.PORT, '127.0.0.1');
";

#[test]
fn two_apps_that_fail_because_the_app_that_they_need_hangs_are_part_of_its_incident() {
    let (zelador, person) = (zelador(), Receiver::start(Reply::Say(200, "", "ok")));
    std::fs::write(zelador.home().join("secrets.env"), format!("PERSON_URL={}\n", person.url()))
        .unwrap();
    zelador.write("backend.js", "require('http').createServer((_, it) => it.end('ok')).listen(+process.env.PORT, '127.0.0.1');");
    zelador.write("front.js", FRONT);
    let port = zelador_testbed::home::free_port;
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "const [BACKEND, a, b] = [{}, {}, {}];
             const health = {{ http: '/', interval: '500ms', timeout: '1s', start_period: '1s' }};
             const front = {{ script: 'front.js', health, depends_on: ['backend'] }};
             module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false }},
               notify: {{ channels: {{ person: {{ webhook: {{ url_env: 'PERSON_URL' }} }} }} }} }},
             apps: [{{ name: 'backend', script: 'backend.js', env: {{ PORT: BACKEND }}, health }},
               {{ ...front, name: 'a', env: {{ PORT: a, BACKEND }} }},
               {{ ...front, name: 'b', env: {{ PORT: b, BACKEND }} }}] }}",
            port(),
            port(),
            port(),
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let over = |it: &Value| !it["closed_at"].is_null();
    let are_well = || {
        let checks = zelador.run(&["health", "--json"]).out;
        let checks: Value = serde_json::from_str(&checks).unwrap_or_default();
        let checks = checks["checks"].as_array().cloned().unwrap_or_default();
        let well = |it: &&Value| it["status"] == "healthy" && it["message"] == "HTTP 200";
        checks.iter().filter(well).count() == 3
    };
    until("all to answer", || are_well() && zelador.incidents().iter().all(over));
    let (before, heard) = (zelador.incidents(), person.got().len());
    let is_new = |it: &Value| before.iter().all(|known| known["id"] != it["id"]);

    kill(zelador.pid("backend"), Signal::STOP);
    let new = || zelador.incidents().into_iter().filter(is_new).collect::<Vec<Value>>();
    until_within("it to be healed", Duration::from_mins(1), || {
        !new().is_empty() && new().iter().all(over) && are_well()
    });
    let incidents = new();
    let cause = incidents.iter().find(|it| it["app"] == "backend").expect("it hangs");
    assert_eq!(cause["stage"]["outcome"], "healed", "{cause}");
    let parts = incidents.iter().filter(|it| it["app"] != "backend");
    assert!(parts.into_iter().all(|it| it["part_of"] == cause["id"]), "{incidents:?}");
    let story = zelador.ok(&["incidents", &cause["id"].to_string()]).out;
    assert!(story.contains("suffers from it too"), "{story}");
    until("its end to be told", || person.got().len() >= heard + 2);
    let told: Vec<Value> = person.got().iter().skip(heard).map(Got::json).collect();
    assert!(told.iter().all(|it| it["app"] == "backend"), "{told:?}");
    assert_eq!((zelador.restarts("a"), zelador.restarts("b")), (0, 0), "they are not to blame");
}

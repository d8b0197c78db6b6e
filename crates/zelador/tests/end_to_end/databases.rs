//! Databases that go down and come back, and what is set aside meanwhile.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use zelador_testbed::home::{free_port, http_get, kill, until, until_within};
use zelador_testbed::mariadb::MariaDb;
use zelador_testbed::server::Server;

use crate::{SERVER, zelador};

#[test]
fn an_app_is_left_alone_while_its_database_is_down() {
    let mut database = MariaDb::start();
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ databases: {{ main: {{ url: '{}', interval: '1s', timeout: '2s', failure_threshold: 2 }} }} }},
             apps: [{{ name: 'web', script: 'server.js', env: {{ PORT: {port} }}, depends_on: ['main'],
               health: {{ http: 'http://127.0.0.1:{port}/health', interval: '1s', timeout: '500ms', failure_threshold: 2, start_period: '1s' }} }}] }}",
            database.url()
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let of = |component: &str| {
        let (_, body) = zelador.get("/api/trpc/health.status");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let checks = body["result"]["data"]["checks"].as_array().cloned().unwrap_or_default();
        let found = checks.iter().find(|it| it["component"] == component);
        found.map(|it| it["status"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    until("the database to be healthy", || of("database:main") == "healthy");
    until("the app to be healthy", || {
        http_get(port, "/health").is_some_and(|(code, _)| code == 200)
    });
    let pid = zelador.pid("web");

    database.stop();
    _ = http_get(port, "/sick");
    until("the database to be unhealthy", || of("database:main") == "unhealthy");
    let stage = || zelador.incidents().first().map(|it| it["stage"].clone()).unwrap_or_default();
    until("the healer to wait", || stage()["stage"] == "waiting-for-dependency");
    assert_eq!(stage()["dependency"], "main");
    assert_eq!(zelador.pid("web"), pid);

    database.start_again();
    _ = http_get(port, "/well");
    until_within("the incident to be over", Duration::from_mins(1), || {
        stage()["outcome"] == "recovered"
    });
    until("the database to be healthy again", || of("database:main") == "healthy");
    assert_eq!((zelador.pid("web"), zelador.restarts("web")), (pid, 0), "nobody restarted it");
    let story = zelador.ok(&["incidents", "1"]).out;
    assert!(story.contains("waiting for main"), "{story}");
    assert!(!zelador.run(&["health", "--json"]).out.contains("://"), "no URL leaves");
}

/// Ends when its database does, as most programs do.
const NEEDS_DATABASE: &str = "
const net = require('net');
const gone = error => { console.error(String(error)); process.exit(1); };
const socket = net.connect(+process.env.DB_PORT, '127.0.0.1');
socket.on('error', gone).on('close', () => gone('the database hung up'));
socket.once('data', () => console.log('works'));
";

/// The mission's outage, in a thirtieth of its time: ten minutes become 20 s, a breaker's minute 2 s.
/// One app says that it needs the database, one does not, and one has a health check besides.
#[test]
fn every_app_is_back_within_one_half_open_period_after_fewer_than_ten_restarts() {
    const OUTAGE: Duration = Duration::from_secs(20);
    let mut database = MariaDb::start();
    let zelador = zelador();
    let (port, db) = (free_port(), database.port());
    zelador.write("needs.js", NEEDS_DATABASE);
    zelador.write("server.js", SERVER);
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "const needs = {{ script: 'needs.js', env: {{ DB_PORT: {db} }}, min_uptime: '500ms',
               max_restarts: 3, half_open_after: '2s' }};
             module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false }},
               databases: {{ main: {{ url: '{}', interval: '1s', timeout: '1s' }} }} }},
             apps: [
               {{ ...needs, name: 'told', depends_on: ['main'] }},
               {{ ...needs, name: 'untold' }},
               {{ name: 'web', script: 'server.js', env: {{ PORT: {port} }}, depends_on: ['main'],
                  health: {{ http: '/health', interval: '1s', start_period: '500ms' }} }}] }}",
            database.url()
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let apps = ["told", "untold", "web"];
    let all_up = || apps.iter().all(|app| zelador.status(app) == "online");
    until("all apps to be up", all_up);
    let before: u64 = apps.iter().map(|app| zelador.restarts(app)).sum();

    database.stop();
    let down = Instant::now();
    until("the apps that need it to be down", || {
        ["told", "untold"].iter().all(|app| zelador.status(app) != "online")
    });
    let breaker = || zelador.run(&["breaker", "--json"]).out;
    until("the breaker of the database to open", || {
        let all: Vec<serde_json::Value> = serde_json::from_str(&breaker()).unwrap_or_default();
        all.iter().any(|it| it["target"] == "database:main" && it["state"] == "open")
    });
    until_within("the outage to last", OUTAGE * 2, || down.elapsed() >= OUTAGE);

    // The longest that any breaker is open now is the longest that anybody has to wait.
    let all: Vec<serde_json::Value> = serde_json::from_str(&breaker()).unwrap();
    let trips = |target: &str| {
        let of = |it: &&serde_json::Value| it["target"] == target;
        all.iter().find(of).and_then(|it| it["trips"].as_u64()).unwrap_or_default()
    };
    let period = Duration::from_secs(2) * 2_u32.pow(trips("app:untold").max(1) as u32 - 1);
    let period =
        period.max(Duration::from_secs(2) * 2_u32.pow(trips("database:main").max(1) as u32 - 1));
    database.start_again();
    let back = Instant::now();
    // And time for a look, a start, and a busy machine.
    until_within("every app to be up again", period + Duration::from_secs(20), || {
        all_up() && zelador.entry("told")["pid"] != 0
    });
    println!("up again {:?} after the database, of {period:?}", back.elapsed());
    let after: u64 = apps.iter().map(|app| zelador.restarts(app)).sum();
    assert!(after - before < 10, "{} restarts in all", after - before);
    assert_eq!(zelador.restarts("web"), 0, "it did not die, and nobody restarted it");
    let retries = zelador.ok(&["retries", "query"]).out;
    assert!(retries.contains("database:main"), "{retries}");
}

/// What is muted or in maintenance is shown so, told nobody, and kept up; and all of it survives the
/// engine.
#[test]
fn what_is_in_maintenance_is_kept_up_and_opens_no_incident() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false,
               gone: {{ file: '/nowhere/at/all', interval: '1s' }} }} }},
             apps: [{{ name: 'web', script: 'server.js', env: {{ PORT: {port} }}, namespace: 'shop',
               health: {{ http: 'http://127.0.0.1:{port}/health', interval: '500ms', failure_threshold: 2,
                 start_period: '500ms', verify_within: '3s' }} }}] }}"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let health = || -> serde_json::Value {
        serde_json::from_str(&zelador.run(&["health", "--json"]).out).unwrap_or_default()
    };
    let of = |component: &str| {
        let all = health()["checks"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|it| it["component"] == component).unwrap_or_default()
    };
    until("the file to be missed", || of("gone")["status"] == "unhealthy");
    until("the app to be well", || of("app:web")["status"] == "healthy");
    assert_eq!(health()["overall"], "unhealthy");
    assert_eq!(zelador.get("/healthz").0, 503);

    // A check that does not exist is told, with the nearest; one that does is muted.
    let wrong = zelador.run(&["check", "mute", "gon"]);
    assert!(wrong.err.contains("did you mean `gone`"), "{}", wrong.err);
    zelador.ok(&["check", "mute", "gone", "--for", "1h"]);
    assert_eq!((health()["overall"].as_str(), zelador.get("/healthz").0), (Some("healthy"), 200));
    assert_eq!(of("gone")["set_aside"]["how"], "muted");

    zelador.ok(&["maintenance", "start", "30m", "web"]);
    let shown = zelador.ok(&["maintenance"]).out;
    assert!(
        shown.contains("app:web: in maintenance for another") && shown.contains("gone: muted"),
        "{shown}"
    );
    assert!(http_get(port, "/sick").is_some(), "it is told to be sick");
    until("the app to be sick", || of("app:web")["status"] == "unhealthy");
    let table = zelador.run(&["health"]).out;
    assert!(table.contains("maintenance"), "{table}");
    assert_eq!(health()["groups"][0]["status"], "healthy", "what is set aside does not count");
    // The engine is killed, and the next one knows it too.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(now, _)| now != engine));
    until("it to be in maintenance still", || {
        let aside = &of("app:web")["set_aside"];
        aside["how"] == "maintenance" && aside["until"].is_u64() && aside["by"] == crate::whoami()
    });
    // What dies is started again, without an incident.
    let pid = zelador.pid("web");
    kill(pid, Signal::KILL);
    until("it to be up again", || zelador.pid("web") != pid && zelador.status("web") == "online");
    assert_eq!(zelador.incidents().len(), 0, "{:?}", zelador.incidents());

    // It ends, and what is bad then is dealt with.
    until("the new process to listen", || http_get(port, "/sick").is_some());
    zelador.ok(&["maintenance", "end", "web"]);
    until_within("an incident", Duration::from_secs(30), || zelador.incidents().len() == 1);
    zelador.ok(&["check", "unmute", "gone"]);
    assert_eq!(zelador.get("/healthz").0, 503);
}

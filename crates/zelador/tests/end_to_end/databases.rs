//! An app whose database goes down and comes back: nobody restarts it for that.

use zelador_testbed::home::{free_port, http_get, until, until_within};
use zelador_testbed::mariadb::MariaDb;

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
    until_within("the incident to be over", std::time::Duration::from_mins(1), || {
        stage()["outcome"] == "recovered"
    });
    until("the database to be healthy again", || of("database:main") == "healthy");
    assert_eq!((zelador.pid("web"), zelador.restarts("web")), (pid, 0), "nobody restarted it");
    let story = zelador.ok(&["incidents", "1"]).out;
    assert!(story.contains("waiting for main"), "{story}");
    assert!(!zelador.run(&["health", "--json"]).out.contains("://"), "no URL leaves");
}

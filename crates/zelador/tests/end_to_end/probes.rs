//! Probes as Kubernetes has them, heartbeats, checks with a name, retries and breakers.

use serde_json::Value;
use zelador_testbed::home::{free_port, http_get, until, until_within};

use crate::{SERVER, zelador};

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_default()
}

#[test]
fn probes_say_who_can_take_work_and_restart_nobody() {
    let zelador = zelador();
    let (up, ready) = (zelador.app().join("up"), zelador.app().join("ready"));
    zelador.start(&format!(
        "{{ name: 'a', script: 'sleep', args: '1000', probes: {{
           startup: {{ file: '{}', period: '200ms', failure_threshold: 1000 }},
           readiness: {{ command: ['sh', '-c', 'test -e {} || exit 2'], period: '200ms', failure_threshold: 1, success_threshold: 1 }},
           liveness: {{ process: true, period: '200ms', limits: {{ memory: {{ unhealthy: '4G' }} }} }} }} }}",
        up.display(),
        ready.display()
    ));
    until("its endpoints", || zelador.get("/livez").0 == 200);
    let pid = zelador.pid("a");
    let message = || {
        let (_, body) = zelador.get("/readyz/a");
        json(&body)["instances"][0]["message"].as_str().unwrap_or_default().to_owned()
    };
    until("the startup probe to be asked", || message().starts_with("is coming up: "));
    assert_eq!(zelador.get("/readyz/a").0, 503);
    std::fs::write(&up, "").unwrap();
    until("it to be up and not ready", || message().starts_with("not ready: "));
    assert_eq!((zelador.get("/readyz/a").0, zelador.get("/readyz").0), (503, 503));
    std::fs::write(&ready, "").unwrap();
    until("it to be ready", || zelador.get("/readyz/a").0 == 200);
    assert_eq!((zelador.get("/readyz").0, zelador.get("/readyz/nobody").0), (200, 404));
    std::fs::remove_file(&ready).unwrap();
    until("it to be taken out", || zelador.get("/readyz/a").0 == 503);
    assert_eq!((zelador.pid("a"), zelador.incidents().len()), (pid, 0), "nobody restarted it");
}

#[test]
fn checks_with_a_name_and_heartbeats_are_part_of_the_whole() {
    let zelador = zelador();
    let file = zelador.app().join("backup");
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false, load: {{ degraded: 1000, unhealthy: 2000 }},
               backup: {{ file: '{}', interval: '200ms', failure_threshold: 1, success_threshold: 1 }},
               job: {{ heartbeat: '1500ms', interval: '200ms', failure_threshold: 1, success_threshold: 1 }} }} }},
             apps: [{{ name: 'a', script: 'sleep', args: '1000' }}] }}",
            file.display()
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    let of = |component: &str| {
        let (_, body) = zelador.get("/api/trpc/health.status");
        let checks = json(&body)["result"]["data"]["checks"].as_array().cloned();
        let checks = checks.unwrap_or_default();
        let found = checks.iter().find(|it| it["component"] == component);
        found.map(|it| it["status"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    until("the file to be missed", || of("backup") == "unhealthy");
    assert_eq!((zelador.get("/healthz").0, zelador.run(&["health"]).code), (503, 2));
    std::fs::write(&file, "x").unwrap();
    until("the file to be found", || of("backup") == "healthy");
    until("the job to be missed", || of("job") == "unhealthy");
    until("the job to be heard", || {
        assert_eq!(zelador.get("/api/heartbeat/job").0, 204);
        of("job") == "healthy"
    });
    assert_eq!(zelador.get("/api/heartbeat/nobody").0, 404);
    // The first looks of what has a name are spread over half a minute: ask for all of them now.
    assert_eq!(zelador.get("/api/trpc/health.check").0, 200);
    let (code, body) = zelador.get("/health.json");
    let body = json(&body);
    assert!(code == 200 || body["status"] == "fail", "{body}");
    assert_eq!(body["checks"]["backup:responseTime"][0]["status"], "pass");
    assert_eq!(body["checks"]["load:load"][0]["observedUnit"], "count");
    let (_, history) =
        zelador.get("/api/trpc/health.history?input=%7B%22component%22%3A%22backup%22%7D");
    let history = json(&history)["result"]["data"].as_array().cloned().unwrap_or_default();
    let words: Vec<&str> = history.iter().filter_map(|it| it["status"].as_str()).collect();
    assert_eq!(words, ["healthy", "unhealthy"], "the latest first");
}

#[test]
fn retries_and_breakers_are_shown_kept_and_operated() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.start(&format!(
        "{{ name: 'web', script: 'server.js', env: {{ PORT: {port} }}, kill_timeout: 1000, health: {{ http: '/health', interval: '1s', timeout: '500ms', failure_threshold: 2, start_period: '1s', verify_within: '3s' }} }},
         {{ name: 'dies', script: 'false', max_restarts: 2, half_open_after: '30m' }}"
    ));
    until("the breaker to open", || zelador.status("dies") == "errored");
    let shown = zelador.ok(&["breaker"]).out;
    assert!(shown.contains("app:dies") && shown.contains("one trial start in"), "{shown}");
    let refused = zelador.run(&["breaker", "force-open", "app:dies"]);
    assert!(refused.err.contains("can only be reset"), "{}", refused.err);
    let before = zelador.restarts("dies");
    let reset = zelador.ok(&["breaker", "reset", "app:dies"]).out;
    assert!(reset.contains("a start follows"), "{reset}");
    until("it to be tried", || zelador.restarts("dies") > before);
    let unknown = zelador.run(&["breaker", "reset", "app:nobody"]);
    assert!(unknown.err.contains("there is no breaker `app:nobody`"), "{}", unknown.err);

    until("it to answer", || http_get(port, "/health").is_some_and(|(code, _)| code == 200));
    _ = http_get(port, "/sick");
    until_within("it to be healed", std::time::Duration::from_mins(1), || {
        zelador.incidents().iter().any(|it| it["stage"]["outcome"] == "healed")
    });
    let told = |zelador: &zelador_testbed::home::Zelador| zelador.ok(&["retries", "restart"]).out;
    assert!(told(&zelador).contains("succeeded"), "{}", told(&zelador));
    let (engine, _) = zelador.roles();
    zelador_testbed::home::kill(engine, rustix::process::Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(new, _)| new != engine));
    assert!(told(&zelador).contains("succeeded"), "it survives a restart of zelador");
    let (_, body) = zelador.get("/api/trpc/retry.stats,retry.history?batch=1&input=%7B%7D");
    let body = json(&body);
    let operations = body[0]["result"]["data"].as_array().expect("a list");
    let restart = operations.iter().find(|it| it["operation"] == "restart");
    assert!(restart.is_some_and(|it| it["successful"].as_u64() >= Some(1)), "{operations:?}");
    assert_eq!(body[1]["result"]["data"][0]["outcome"], "succeeded");
}

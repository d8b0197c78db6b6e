//! Views made by hand, for tests.

use serde_json::{Value, json};
use zelador_api::{AppView, HealthView, Incident, View};

/// 2023-11-14T22:13:20Z, in microseconds.
pub const NOW: u64 = 1_700_000_000_000_000;
const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3600 * SECOND;

fn span(millis: u64) -> Value {
    json!({ "secs": millis / 1000, "nanos": millis % 1000 * 1_000_000 })
}

fn health(status: &str, message: &str) -> Value {
    json!({ "status": status, "message": message, "took": span(3), "at": NOW - 4 * SECOND })
}

fn instance(id: u32, app: &str, change: Value) -> Value {
    let mut instance = json!({
        "id": id, "app": app, "index": 0, "name": app, "goal": "up",
        "namespace": if app == "api" { "web" } else { "default" },
        "phase": { "phase": "running", "run": id + 10, "pid": 4000 + id, "since": NOW - 3 * HOUR },
        "status": "online", "pid": 4000 + id, "restarts": 0, "unstable_restarts": 0,
        "created_at": NOW - 3 * HOUR, "started_at": NOW - 3 * HOUR,
        "usage": { "memory": 54_945_382, "cpu": 1.26, "processes": 2 },
        "health": health("healthy", "HTTP 200"),
        "deaths": [], "backoff": null,
    });
    let fields = instance.as_object_mut().expect("an object was written");
    fields.extend(change.as_object().expect("an object is handed in").clone());
    instance
}

fn instances() -> Vec<Value> {
    let never = json!({ "how": "never-started",
        "why": "program-not-found", "detail": "nod" });
    let signaled = json!({ "how": "signaled", "signal": 11, "core_dumped": true });
    vec![
        instance(
            0,
            "api",
            json!({ "name": "api/0", "restarts": 2, "last_start": { "at": NOW - 3 * HOUR,
                "cause": { "cause": "died", "death": signaled } }, "deaths": [
            { "at": NOW - 3 * HOUR, "death": signaled, "uptime_millis": 86_400_000 },
            { "at": NOW - 30 * HOUR, "death": { "how": "out-of-memory" }, "uptime_millis": 5_000 },
        ] }),
        ),
        instance(1, "api", json!({ "name": "api/1", "index": 1 })),
        instance(
            2,
            "worker",
            json!({
                "phase": { "phase": "backoff", "retry_at": NOW + 3 * SECOND, "held": false },
                "status": "waiting restart", "pid": null, "usage": null, "restarts": 17,
                "backoff": span(225),
                "health": health("degraded", "died; the next start is in 3 s"),
                "deaths": [ { "at": NOW - SECOND, "death": { "how": "exited", "code": 1 },
                    "uptime_millis": 700 } ],
            }),
        ),
        instance(
            3,
            "typo",
            json!({
                "phase": { "phase": "tripped", "trial_at": NOW + 60 * SECOND },
                "status": "errored", "pid": null, "usage": null,
                "health": health("unhealthy",
                    "keeps failing: \u{1b}]0;owned\u{7}the process could not be started"),
                "deaths": [ { "at": NOW - SECOND, "death": never, "uptime_millis": 0 } ],
            }),
        ),
        instance(
            4,
            "nightly",
            json!({ "goal": "down", "phase": { "phase": "stopped" },
            "status": "stopped", "pid": null, "usage": null, "health": null }),
        ),
    ]
}

fn checks(memory: &str) -> Value {
    let check = |component: &str, status: &str, message: &str, millis: u64| {
        json!({ "component": component, "status": status, "message": message,
            "took": span(millis), "at": NOW - 4 * SECOND })
    };
    json!({ "overall": "unhealthy", "uptime": span(86_400_000), "at": NOW, "checks": [
        check("memory", memory, "78.1 % of 15.6 GB in use; degraded from 75.0 % on", 1),
        check("cpu", "healthy", "12.0 % of 8 cores busy", 201),
        check("database:main", "healthy", "SELECT 1", 4),
        check("app:api/0", "healthy", "HTTP 200", 12),
        check("app:typo", "unhealthy", "keeps failing", 0),
    ] })
}

/// A list with one instance in each state.
pub fn view() -> View {
    let view = json!({ "at": NOW, "started_at": NOW - 24 * HOUR, "instances": instances(),
        "health": checks("degraded"), "ignored_facts": 0 });
    serde_json::from_value(view).expect("the sample is a view")
}

/// The health of that list.
pub fn health_view() -> HealthView {
    serde_json::from_value(checks("degraded")).expect("the sample is a health")
}

/// The first instance with its declaration.
pub fn app() -> AppView {
    serde_json::from_value(json!({
        "instance": instances()[0],
        "out_log": "/srv/home/logs/api-out-0.log", "err_log": "/srv/home/logs/api-error-0.log",
        "pid_file": "/srv/home/pids/api-0.pid",
        "spec": {
            "name": "api", "namespace": "web", "instances": 2, "autostart": true,
            "launch": { "script": "/srv/api/server.js", "interpreter": "node",
                "interpreter_args": ["--harmony"], "args": ["--port", "3000"], "cwd": "/srv/api",
                "env": { "PORT": "3000", "DB_PASSWORD": "********", "status": "mine" },
                "inherited_env": { "PATH": "/usr/bin", "USER": "ana", "LANG": "pt_BR\u{1b}[2J" },
                "instance_var": "NODE_APP_INSTANCE", "uid": null, "gid": null },
            "restart": { "autorestart": true, "max_restarts": 16, "min_uptime": span(1000),
                "delay": { "exponential": span(100) }, "stop_exit_codes": [],
                "half_open_after": span(60_000) },
            "stop": { "signal": 2, "grace": span(5000), "tree": true },
            "max_memory": 209_715_200, "cron": "0 3 * * *",
            "logs": { "out": "default", "err": "default", "combined": null,
                "date_format": null, "merge": false },
            "health": { "probe": { "http": { "url": "http://127.0.0.1:3000/healthz",
                "status": [200, 399], "contains": null } },
                "cadence": { "interval": span(30_000), "timeout": span(3000),
                    "failure_threshold": 3, "success_threshold": 2 },
                "slow": span(1000), "start_period": span(0), "verify_within": span(30_000) },
            "depends_on": ["main"], "on_dependency_down": "wait",
            "source": "/srv/api/ecosystem.config.js",
        },
    }))
    .expect("the sample is an app")
}

/// An incident that was healed.
pub fn incident() -> Incident {
    let said = |at: u64, what: &str| json!({ "at": at, "what": what });
    serde_json::from_value(json!({
        "id": 7, "app": "api", "instance": 0, "trouble": "unresponsive",
        "opened_at": NOW - 90 * SECOND, "closed_at": NOW - 78 * SECOND,
        "stage": { "stage": "closed", "outcome": "healed" }, "attempts": 1,
        "evidence": { "gathered_at": NOW - 90 * SECOND, "took_millis": 41,
            "out_tail": ["listening on 3000", "\u{1b}[31mGET /slow\u{1b}[0m"],
            "err_tail": ["pool exhausted"],
            "out_times": [null, NOW - 93 * SECOND + SECOND / 4],
            "usage": { "memory": 104_857_600, "cpu": 99.4, "processes": 1 },
            "descriptors": { "open": 1020, "limit": 1024, "sockets": 1000, "pipes": 10,
                "files": 10 },
            "threads": [ { "tid": 41, "name": "node", "state": "R", "waits_in": null,
                "cpu_millis": 90_000 } ],
            "deaths": [], "missing": ["descriptors of other users"] },
        "diagnosis": { "cause": "cpu_runaway", "confidence": 0.8,
            "because": ["its own check says: no answer within 3 s",
                "its processes use 99 % of a core"],
            "remedy": "restart" },
        "story": [ said(NOW - 90 * SECOND, "unresponsive: no answer within 3 s"),
            said(NOW - 89 * SECOND, "restart, try 1"),
            said(NOW - 78 * SECOND, "healed after 12 s: HTTP 200") ],
    }))
    .expect("the sample is an incident")
}

//! Cases as text: a header `@ cause[,also accepted] status [key=value …]`, then the end of the log.

use serde_json::{Map, Value, json};

/// The families, one a file.
const FAMILIES: [(&str, &str); 24] = [
    ("startup", include_str!("cases/startup.txt")),
    ("host", include_str!("cases/host.txt")),
    ("dependency", include_str!("cases/dependency.txt")),
    ("program", include_str!("cases/program.txt")),
    ("languages", include_str!("cases/languages.txt")),
    ("traps", include_str!("cases/traps.txt")),
    ("measured", include_str!("cases/measured.txt")),
    ("wild", include_str!("cases/wild.txt")),
    ("wide", include_str!("cases/wide.txt")),
    ("hard", include_str!("cases/hard.txt")),
    ("frames", include_str!("cases/frames.txt")),
    ("records", include_str!("cases/records.txt")),
    ("damage", include_str!("cases/damage.txt")),
    ("narrow", include_str!("cases/narrow.txt")),
    ("phrases", include_str!("cases/phrases.txt")),
    ("field", include_str!("cases/field.txt")),
    ("voices", include_str!("cases/voices.txt")),
    ("servers", include_str!("cases/servers.txt")),
    ("business", include_str!("cases/business.txt")),
    ("clients", include_str!("cases/clients.txt")),
    ("chains", include_str!("cases/chains.txt")),
    ("noise", include_str!("cases/noise.txt")),
    ("abroad", include_str!("cases/abroad.txt")),
    ("afar", include_str!("cases/afar.txt")),
];

/// One incident with its label.
#[derive(Debug)]
pub struct Case {
    /// Its file and number there.
    pub id: String,
    /// What is right, the best first.
    pub causes: Vec<String>,
    /// Its evidence, with nothing round it.
    pub evidence: Map<String, Value>,
    /// The lines that tell.
    pub lines: Vec<String>,
}

impl Case {
    pub fn stop_requested(&self) -> bool {
        self.evidence.contains_key("stop_requested")
    }

    pub fn is_crash_loop(&self) -> bool {
        let number = |key: &str| self.evidence[key].as_f64().expect("it is always set");
        number("restarts_last_hour") >= 8.0 && number("uptime_s") < 60.0
    }
}

/// Returns all cases.
pub fn all() -> Vec<Case> {
    FAMILIES.iter().flat_map(|(family, text)| read(family, text)).collect()
}

fn read(family: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix("@ ") {
            cases.push(header_of(&format!("{family}-{}", cases.len()), header, cases.len()));
        } else if let Some(case) = cases.last_mut() {
            case.lines.push(line.to_owned());
        }
    }
    cases
}

fn header_of(id: &str, header: &str, index: usize) -> Case {
    let mut words = header.split_whitespace();
    let causes =
        words.next().expect("a header names a cause").split(',').map(str::to_owned).collect();
    let status = words.next().expect("a header has a status");
    let mut evidence = Map::new();
    let mut metrics =
        Map::from_iter([("disk_pct".to_owned(), json!(40)), ("mem_pct".to_owned(), json!(55))]);
    evidence.insert("exit_code".to_owned(), status.parse::<i32>().map_or(Value::Null, Value::from));
    let signal = status.starts_with("SIG").then_some(status);
    evidence.insert("signal".to_owned(), json!(signal));
    evidence.insert("uptime_s".to_owned(), json!(2.0));
    evidence.insert("restarts_last_hour".to_owned(), json!([3, 14, 7][index % 3]));
    let mut probe = None;
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || json!(value.parse::<f64>().unwrap_or_else(|_| panic!("{id}: {word}")));
        match key {
            "up" => _ = evidence.insert("uptime_s".to_owned(), number()),
            "restarts" => _ = evidence.insert("restarts_last_hour".to_owned(), number()),
            "stop" => _ = evidence.insert("stop_requested".to_owned(), json!(true)),
            "rss" => {
                let all: Vec<f64> = value.split(';').map(|it| it.parse().expect("MiB")).collect();
                metrics.insert("rss_mb".to_owned(), json!(all));
            }
            "probe" => {
                let status = value.parse::<u32>().ok();
                probe = Some(
                    json!({ "kind": "http", "last_status": status, "last_latency_ms": 2000,
                    "consecutive_failures": if status == Some(200) { 0 } else { 5 },
                    "last_error": status.map_or(json!("timeout after 2000 ms"), |it| if it == 200 { Value::Null } else { json!(format!("http {it}")) }) }),
                );
            }
            "latency" => {
                probe.as_mut().expect("a probe comes before its latency")["last_latency_ms"] =
                    number();
            }
            "disk" => _ = metrics.insert("disk_pct".to_owned(), number()),
            "mem" => _ = metrics.insert("mem_pct".to_owned(), number()),
            "limit" => _ = metrics.insert("mem_limit_mb".to_owned(), number()),
            "oom" => _ = metrics.insert("oom_kill_events".to_owned(), number()),
            "cpu" => _ = metrics.insert("cpu_pct".to_owned(), number()),
            "fds" => _ = metrics.insert("open_fds".to_owned(), number()),
            "nofile" => _ = metrics.insert("nofile_limit".to_owned(), number()),
            "threads" => _ = metrics.insert("threads".to_owned(), number()),
            _ => panic!("{id}: `{word}` is no key"),
        }
    }
    if let Some(probe) = probe {
        metrics.insert("probe".to_owned(), probe);
    }
    evidence.insert("metrics".to_owned(), Value::Object(metrics));
    Case { id: id.to_owned(), causes, evidence, lines: Vec::new() }
}

/// Ordinary lines of services, with troubles that were overcome.
const COMPANY: [&[&str]; 5] = [
    &[],
    &[
        "2026-11-20 09:58:01,101 INFO  GET /clients/3595 200 12ms",
        "2026-11-20 09:58:02,101 INFO  POST /orders 201 41ms",
        "2026-11-20 09:58:03,101 INFO  job 88 done in 12 ms",
    ],
    &[
        "2026-11-20 09:57:01,101 WARN  cache: connect ECONNREFUSED 10.0.0.9:6379, retry in 1s",
        "2026-11-20 09:57:02,101 INFO  cache: reconnected",
        "2026-11-20 09:58:01,101 INFO  GET /clients/3595 200 12ms",
        "2026-11-20 09:58:02,101 INFO  GET /stock 200 3ms",
    ],
    &[
        r#"{"level":40,"time":1795469359010,"name":"api","msg":"telemetry: getaddrinfo ENOTFOUND otel.internal, going on without"}"#,
        r#"{"level":30,"time":1795469359510,"name":"api","req":{"method":"GET","url":"/login"},"res":{"statusCode":200},"msg":"request completed"}"#,
        r#"{"level":30,"time":1795469359610,"name":"api","msg":"delivered batch"}"#,
    ],
    &[
        "\u{1b}[2m2026-11-20T09:57:00Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m search: HTTP 429, sleeping 4s",
        "\u{1b}[2m2026-11-20T09:57:04Z\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m search: resumed",
        "\u{1b}[2m2026-11-20T09:57:05Z\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m worker: flushing 212 metrics",
        "\u{1b}[2m2026-11-20T09:57:06Z\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m GET /stock \u{1b}[32m200\u{1b}[0m",
    ],
];

/// Returns the evidence of a case in one of the companies.
pub fn evidence(case: &Case, company: usize) -> Value {
    let before = COMPANY[company % COMPANY.len()].iter().map(|line| (*line).to_owned());
    let tail: Vec<String> = before.chain(case.lines.iter().cloned()).collect();
    let mut evidence = case.evidence.clone();
    evidence.insert("log_tail".to_owned(), json!(tail));
    Value::Object(evidence)
}

/// How many companies there are.
pub const COMPANIES: usize = COMPANY.len();

//! Checks, endpoints, healing.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use zelador_testbed::home::{free_port, http_get, said, text, until, until_within};

use crate::{SERVER, zelador};

pub fn web(port: u16, more: &str) -> String {
    format!(
        "{{ name: 'web', script: 'server.js', env: {{ PORT: {port} }}, kill_timeout: 1000, health: {{ http: 'http://127.0.0.1:{port}/health', interval: '1s', timeout: '500ms', failure_threshold: 2, start_period: '1s', verify_within: '3s' }}, {more} }}"
    )
}

#[test]
fn a_hang_is_noticed_explained_and_healed() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.start(&web(port, ""));
    until("it to answer", || http_get(port, "/health").is_some_and(|(code, _)| code == 200));
    let before = zelador.pid("web");
    _ = TcpStream::connect(("127.0.0.1", port)).map(|mut stream| {
        use std::io::Write;
        stream.write_all(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
    });
    until("it to be healed", || {
        zelador.incidents().first().is_some_and(|it| it["stage"]["outcome"] == "healed")
    });
    assert_ne!(zelador.pid("web"), before);
    let story = zelador.ok(&["incidents", "1"]).out;
    for part in [
        "detected",
        "evidence gathered",
        "diagnosis: it hangs",
        "try 1: restart",
        "healed after",
        "listening",
    ] {
        assert!(story.contains(part), "{part}: {story}");
    }
}

#[test]
fn what_restarts_do_not_cure_is_escalated_after_three_retries() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", &SERVER.replace("sick = false;\nhttp", "sick = true;\nhttp"));
    zelador.start(&web(port, ""));
    until_within("a person to be called", std::time::Duration::from_secs(90), || {
        zelador.incidents().first().is_some_and(|it| it["stage"]["stage"] == "escalated")
    });
    let incident = &zelador.incidents()[0];
    assert_eq!(incident["attempts"], 4, "at once, and after 2, 4 and 8 s");
    let story = zelador.ok(&["incidents", "1"]).out;
    for part in ["next try in 2 s", "next try in 4 s", "next try in 8 s", "a person is needed"] {
        assert!(story.contains(part), "{part}: {story}");
    }
    assert_eq!(zelador.get("/healthz").0, 503);
}

#[test]
fn the_endpoints_answer_in_trpcs_format() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    until("the port to be open", || zelador.get("/healthz").0 == 200);
    let (code, body) = zelador.get("/api/trpc/health.check");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(code, 200);
    let data = &body["result"]["data"];
    let names: Vec<&str> = data["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["component"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["memory", "cpu", "disk", "app:a"]);
    assert!(
        data["uptime"].is_number() && data["timestamp"].is_string() && data["overall"].is_string()
    );
    for field in ["status", "responseTime", "message", "timestamp"] {
        assert!(!data["checks"][0][field].is_null(), "{field}");
    }
    let (code, body) = zelador.get("/api/trpc/health.simple,health.nope?batch=1&input=%7B%7D");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(code, 207);
    assert!(body[0]["result"]["data"]["status"].is_string());
    assert_eq!(body[1]["error"]["data"]["code"], "NOT_FOUND");
}

/// What an unmodified client sees, in both versions and with both links.
const CLIENT: &str = "
const c = require('@trpc/client');
const url = process.argv[2];
const make = c.createTRPCClient && !process.argv[3].startsWith('10') ? c.createTRPCClient : c.createTRPCProxyClient;
(async () => {
  for (const link of [c.httpLink, c.httpBatchLink]) {
    const client = make({ links: [link({ url })] });
    const [check, status, simple] = await Promise.all([client.health.check.query(), client.health.status.query(), client.health.simple.query()]);
    if (!check.checks.length || !status.overall || !['ok', 'degraded'].includes(simple.status)) throw new Error(JSON.stringify([check, status, simple]));
    try { await client.health.nope.query(); throw new Error('answered'); }
    catch (error) { if (error.data?.code !== 'NOT_FOUND') throw error; }
  }
  console.log('all well');
})().catch(error => { console.error(error); process.exit(1); });
";

#[test]
fn an_unmodified_trpc_client_of_both_versions_can_call() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    until("the port to be open", || zelador.get("/healthz").0 == 200);
    for version in ["10.45.2", "11.6.0"] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trpc-{version}"));
        if !folder.join("node_modules/@trpc/client/package.json").exists() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("package.json"), "{\"private\":true}").unwrap();
            let packages = [
                format!("@trpc/client@{version}"),
                format!("@trpc/server@{version}"),
                "typescript@5".to_owned(),
            ];
            let installed = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
                .args(packages)
                .current_dir(&folder)
                .output()
                .expect("npm is there: ./test installs it");
            assert!(installed.status.success(), "{}", said(&installed).err);
        }
        fs::write(folder.join("client.js"), CLIENT).unwrap();
        let output = Command::new("node")
            .args(["client.js", &format!("http://127.0.0.1:{}/api/trpc", zelador.port()), version])
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = said(&output);
        assert!(said.out.contains("all well"), "{version}: {}{}", said.out, said.err);
    }
}

#[test]
fn an_address_that_others_reach_needs_a_token_and_a_foreign_name_is_refused() {
    let zelador = zelador();
    // What is asked is who may ask: a busy host is no part of it.
    let off = "[checks]\ncpu = false\nmemory = false\ndisk = false\n";
    fs::write(zelador.settings(), off).unwrap();
    let port = zelador.port();
    let begin = |address: &str| {
        let mut command = zelador.command(&["start", "sleep", "--name", "app", "--", "1000"]);
        command.env("ZELADOR_HTTP", format!("{address}:{port}"));
        assert!(command.status().unwrap().success());
    };
    let ask = |path: &str, headers: &str| {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            write!(stream, "GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
        };
        ask().unwrap_or_default()
    };
    let status = "/api/trpc/health.status";
    begin("127.0.0.1");
    until("its endpoints", || ask("/healthz", "Host: localhost") == "200");
    assert_eq!(ask(status, &format!("Host: 127.0.0.1:{port}")), "200");
    assert_eq!(ask(status, "Host: evil.example"), "421", "a name that was made to point here");
    zelador.ok(&["kill"]);

    begin("0.0.0.0");
    let log = || text(zelador.home().join("zelador.log"));
    until("it to say why it does not listen", || log().contains("there is no token"));
    assert_eq!(ask("/healthz", "Host: x"), "");
    let token = zelador.ok(&["token"]).out.trim().to_owned();
    assert_eq!(zelador.ok(&["token"]).out.trim(), token, "it stays the same");
    until("its endpoints", || ask("/healthz", "Host: x") == "200");
    assert_eq!(ask(status, "Host: x"), "401");
    assert_eq!(ask(status, "Host: x\r\nAuthorization: Bearer wrong"), "401");
    assert_eq!(ask(status, &format!("Host: x\r\nAuthorization: Bearer {token}")), "200");
    // Changing: the token here too, and no page of another origin.
    let post = |path: &str, headers: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nConnection: close\r\nHost: x\r\n{headers}");
        write!(stream, "{head}Content-Length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(post(status, ""), "401");
    assert_eq!(post(status, &format!("{bearer}Origin: http://evil.example\r\n")), "403");
    assert_eq!(post(status, &format!("{bearer}Origin: http://x\r\n")), "405", "it is a query");
    assert!(!log().contains(&token));
}

#[test]
fn prometheus_reads_what_is_known() {
    let zelador = zelador();
    zelador.write(
        "app.js",
        "setInterval(() => process.send({ type: 'axm:monitor', data: { Users: { value: 7 }, Word: { value: 'x' } } }), 20)",
    );
    // A name that is no label as it is.
    zelador.start(
        r#"{ name: 'web "1"', script: 'app.js', namespace: 'shop' }, { name: 'down', script: 'sleep', autostart: false }"#,
    );
    zelador.ok(&["restart", "0"]);
    let mut text = String::new();
    until("all that is known", || {
        text = zelador.get("/metrics").1;
        text.contains("metric=\"Users\"")
    });
    let labels = r#"{app="web \"1\"",id="0",index="0",namespace="shop""#;
    let value = |name: &str, labels: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}{labels}}} ")));
        line.and_then(|value| value.parse().ok())
    };
    assert_eq!(value("zelador_app_up", labels), Some(1.0), "{text}");
    assert_eq!(value("zelador_app_restarts_total", labels), Some(1.0));
    assert!(value("zelador_app_memory_bytes", labels).is_some_and(|bytes| bytes > 1e6));
    assert!(value("zelador_app_cpu_cores", labels).is_some());
    let users = format!("{labels},metric=\"Users\"");
    assert_eq!(value("zelador_app_metric", &users), Some(7.0));
    assert!(!text.contains("Word"), "what is no number is no metric");
    let down = r#"{app="down",id="1",index="0",namespace="default""#;
    assert_eq!(
        (value("zelador_app_up", down), value("zelador_app_wanted", down)),
        (Some(0.0), Some(0.0))
    );
    assert!(value("zelador_check_status", r#"{component="memory""#).is_some());
    assert!(text.contains("\nzelador_incidents_open "), "{text}");
}

#[test]
fn health_is_watched_until_nobody_reads_any_more() {
    let zelador = zelador();
    zelador.write("ecosystem.config.js", "module.exports = { zelador: { checks: { cpu: false, memory: false, disk: false } }, apps: [{ name: 'api', script: '/bin/sleep', args: '1000' }] }");
    zelador.ok(&["start", "ecosystem.config.js"]);
    let mut command = zelador.command(&["health", "--watch", "1"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut tables = 0;
    while tables < 3 {
        let line = lines.next().expect("it goes on").unwrap();
        tables += usize::from(line.contains("engine up for"));
    }
    drop(lines);
    until("it to end with its reader", || child.try_wait().unwrap().is_some());
    let wrong = zelador.run(&["health", "--watch", "never"]);
    assert!(wrong.err.contains("never"), "{}", wrong.err);
}

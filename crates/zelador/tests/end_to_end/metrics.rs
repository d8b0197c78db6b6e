//! `/metrics` and what is made for it, by Prometheus' own tool.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use zelador_testbed::home::{Zelador, until};

use crate::zelador;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs `promtool` with this input; returns what it says where it is not content.
fn promtool(args: &[&str], input: &str) -> Result<(), String> {
    let mut tool = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed by ./test");
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = tool.wait_with_output().unwrap();
    let said = [done.stdout.as_slice(), &done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    // Lint findings are told with exit code 3.
    if done.status.success() { Ok(()) } else { Err(said) }
}

/// What only some kernels, hosts and file systems have.
const OF_SOME_HOSTS: [&str; 5] = [
    "zelador_host_inodes_used",
    "zelador_host_inodes_available",
    "zelador_host_pressure_ratio",
    "zelador_host_swap_used_ratio",
    "zelador_host_clock_error_seconds",
];

fn with_everything() -> Zelador {
    let zelador = zelador();
    zelador.write(
        "api.js",
        "setInterval(() => process.send({ type: 'axm:monitor', data: { Users: { value: 7 } } }), 50)",
    );
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'api', script: 'api.js', instances: 2 }, { name: 'off', script: 'api.js', autostart: false }],
          zelador: { checks: { name: { dns: 'localhost', interval: '1s' }, load: true, pressure: true, swap: true, descriptors: true, clock: true },
            notify: { channels: { ops: { slack: { url_env: 'NOT_SET' } } } } } }",
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("both to be sampled", || {
        let text = zelador.get("/metrics").1;
        text.matches("zelador_app_memory_bytes{").count() >= 2
            && text.contains("zelador_app_metric{")
            && text.contains("zelador_operations_total{")
            && ["cpu_used_cores", "disk_used_bytes{", "load_per_core", "descriptors_used_ratio"]
                .iter()
                .all(|it| text.contains(&format!("\nzelador_host_{it}")))
    });
    zelador
}

fn asked_for(zelador: &Zelador, accept: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", zelador.port())).unwrap();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn promtool_finds_nothing_wrong_and_everything_told_is_documented() {
    let zelador = with_everything();
    let (status, text) = zelador.get("/metrics");
    assert_eq!(status, 200);
    promtool(&["check", "metrics"], &text).unwrap_or_else(|said| panic!("{said}\n{text}"));
    assert!(text.contains("# TYPE zelador_app_restarts_total counter"), "{text}");
    let open = asked_for(&zelador, "application/openmetrics-text;version=1.0.0");
    assert!(open.contains("application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.trim_end().ends_with("# EOF"), "{open}");
    let documented = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let names: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for name in &names {
        assert!(documented.contains(&format!("`{name}`")), "{name} is not in docs/metrics.md");
    }
    for line in documented.lines().filter(|line| line.starts_with("| `zelador_")) {
        let name = line.split('`').nth(1).unwrap();
        let is_told = names.contains(name) || OF_SOME_HOSTS.contains(&name);
        assert!(is_told, "{name} is documented and not told");
    }
}

#[test]
fn what_is_told_of_the_host_is_what_the_kernel_says() {
    let zelador = zelador();
    zelador.start("{ name: 'calm', script: 'sleep', args: '1000' }");
    let told = |name: &str| {
        let text = zelador.get("/metrics").1;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
    };
    until("the host to be looked at", || told("zelador_host_cpu_used_cores ").is_some());
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let total: f64 = total.trim().trim_end_matches(" kB").parse().unwrap();
    assert_eq!(told("zelador_host_memory_size_bytes "), Some(total * 1024.0));
    let used = told("zelador_host_memory_used_bytes ").unwrap();
    assert!(used > 0.0 && used < total * 1024.0, "{used}");
    let cores = told("zelador_host_cpu_size_cores ").unwrap();
    assert!(told("zelador_host_cpu_used_cores ").unwrap() <= cores);
    let text = zelador.get("/metrics").1;
    let disk = text.lines().find_map(|it| it.strip_prefix("zelador_host_disk_used_bytes{mount=\""));
    let mount = disk.unwrap().split('"').next().unwrap();
    let disk = rustix::fs::statvfs(mount).unwrap();
    let size = ((disk.f_blocks - disk.f_bfree + disk.f_bavail) * disk.f_frsize) as f64;
    let of = |what: &str| told(&format!("zelador_host_disk_{what}_bytes{{mount=\"{mount}\"}} "));
    let all = of("used").unwrap() + of("available").unwrap();
    assert!((all / size - 1.0).abs() < 0.05, "{mount}: {all} of {size}");
    assert_eq!(told("zelador_host_load_per_core "), None, "nobody asked for it");
    assert_eq!(told("zelador_check_status{component=\"app:calm\"} "), Some(0.0));
    assert_eq!(told("zelador_check_duration_seconds{component=\"app:calm\"} "), None, "no look");
}

#[test]
fn an_app_cannot_make_more_series_than_fifty_of_its_own_and_none_outlives_it() {
    let zelador = zelador();
    zelador.write(
        "chatty.js",
        "let round = 0; setInterval(() => { round += 1; const data = {};
           for (let i = 0; i < 80; i += 1) data['user ' + round + ' ' + i] = { value: i };
           process.send({ type: 'axm:monitor', data }); }, 20)",
    );
    zelador.start(
        "{ name: 'chatty', script: 'chatty.js' }, { name: 'calm', script: 'sleep', args: '1000' }",
    );
    let series = |of: &str| {
        let text = zelador.get("/metrics").1;
        let of = format!("app=\"{of}\"");
        let lines = text.lines().filter(|it| it.contains(&of)).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    let own = |lines: &[String]| lines.iter().filter(|it| it.contains("_app_metric{")).count();
    until("fifty of its own", || own(&series("chatty")) == 50);
    for _ in 0..5 {
        let lines = series("chatty");
        assert_eq!(own(&lines), 50, "however many names it makes up");
        // What is told of every app, and of its check and its breaker.
        assert!(lines.len() - 50 <= 12, "{lines:#?}");
    }
    zelador.ok(&["delete", "chatty"]);
    assert_eq!(series("chatty"), Vec::<String>::new());
    assert!(!series("calm").is_empty());
}

#[test]
fn rules_and_dashboard_ask_for_what_there_is() {
    let rules = root().join("contrib/prometheus/alerts.yml");
    promtool(&["check", "rules", rules.to_str().unwrap()], "")
        .unwrap_or_else(|said| panic!("{said}"));
    let documented = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let dashboard = std::fs::read_to_string(root().join("contrib/grafana/zelador.json")).unwrap();
    let board: Value = serde_json::from_str(&dashboard).unwrap();
    let mut asked = std::fs::read_to_string(&rules).unwrap();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            asked.push_str(target["expr"].as_str().unwrap());
            asked.push('\n');
        }
    }
    let names = asked.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names: BTreeSet<&str> = names.filter(|it| it.starts_with("zelador_")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(documented.contains(&format!("`{name}`")), "{name} is asked for and not told");
    }
}

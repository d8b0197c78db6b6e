//! Measures what it costs that a zelador is looked at: its rest with the history, dashboards, metrics,
//! charts of a long past, and what whoever looks waits for.
//!
//! `watched BINARY [APPS] [rest page charts metrics]` prints a line for each. Costs are processor time of engine and guardian, which
//! other work on the machine does not change much; what the browser measures is wall-clock time.

mod charts;
mod page;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use zelador_testbed::home::Zelador;
use zelador_testbed::spent::{cpu, pss};

/// How many apps, unless told otherwise: those of the issue.
const APPS: usize = 100;

/// How many dashboards are open.
const CLIENTS: usize = 200;

/// How many apps `/metrics` tells of.
const MANY: usize = 1_000;

/// How long is watched: six samples of the history.
const WATCHED: Duration = Duration::from_mins(1);

/// After a start: the first samples are taken, and what it needed is given back.
const SETTLED: Duration = Duration::from_secs(15);

/// How often `/metrics` is asked for.
const ASKED: u32 = 40;

/// What is measured, unless some of it is named.
const ALL: [&str; 4] = ["rest", "page", "charts", "metrics"];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let binary = words.next().and_then(|it| fs::canonicalize(it).ok());
    let apps = words.next_if(|it| it.parse::<usize>().is_ok());
    let apps = apps.and_then(|it| it.parse().ok()).unwrap_or(APPS);
    let named: Vec<String> = words.collect();
    let unknown = named.iter().any(|it| !ALL.contains(&it.as_str()));
    let Some(binary) = binary.filter(|_| !unknown) else {
        eprintln!("usage: watched BINARY [APPS] [{}]", ALL.join(" "));
        return ExitCode::FAILURE;
    };
    let binary = binary.to_string_lossy().into_owned();
    for what in ALL.into_iter().filter(|it| named.is_empty() || named.iter().any(|name| name == it))
    {
        match what {
            "rest" => rest(&binary, apps),
            "page" => page::measure(&binary, apps),
            "charts" => charts::measure(&binary),
            _ => metrics(&binary),
        }
    }
    ExitCode::SUCCESS
}

/// What it uses with nobody there, and with many who look.
fn rest(binary: &str, apps: usize) {
    let zelador = started(binary, apps);
    let rest = spent(&zelador, WATCHED);
    println!(
        "{apps} apps, nobody looks: {:.2} % of a core, {:.1} MB (PSS)",
        rest,
        memory(&zelador)
    );
    let clients: Vec<_> = (0..CLIENTS).map(|_| watch(zelador.port())).collect();
    thread::sleep(SETTLED);
    let watched = spent(&zelador, WATCHED);
    println!(
        "{CLIENTS} dashboards open: {watched:.2} % of a core, {:.2} more, {:.1} MB",
        watched - rest,
        memory(&zelador)
    );
    zelador.ok(&["kill"]);
    let bytes: usize = clients.into_iter().map(|it| it.join().unwrap_or_default()).sum();
    println!("each of them got {} KiB", bytes / CLIENTS / 1024);
}

/// `/metrics` of many apps.
fn metrics(binary: &str) {
    let zelador = started(binary, MANY);
    let (engine, _) = zelador.roles();
    let (before, begun) = (cpu(engine), Instant::now());
    let mut size = 0;
    for _ in 0..ASKED {
        let (status, text) = zelador.get("/metrics");
        assert_eq!(status, 200);
        size = text.len();
    }
    println!(
        "`/metrics` of {MANY} apps: {:.1} ms of processor time, {:.1} ms until the answer is there, {} KiB",
        cpu(engine).saturating_sub(before).as_secs_f64() * 1e3 / f64::from(ASKED),
        begun.elapsed().as_secs_f64() * 1e3 / f64::from(ASKED),
        size / 1024
    );
    zelador.ok(&["kill"]);
}

/// That many apps, up, with nothing to do.
fn started(binary: &str, apps: usize) -> Zelador {
    let zelador = Zelador::new(binary);
    let app = |number| format!("{{ name: 's{number}', script: '/bin/sleep', args: '100000' }}");
    let apps: Vec<String> = (0..apps).map(app).collect();
    zelador.write(
        "ecosystem.config.js",
        &format!("module.exports = {{ apps: [{}] }}", apps.join(",")),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    thread::sleep(SETTLED);
    zelador
}

/// What engine and guardian use in that time, in percent of a core.
fn spent(zelador: &Zelador, span: Duration) -> f64 {
    let (engine, guardian) = zelador.roles();
    let used = || cpu(engine) + cpu(guardian);
    let (before, begun) = (used(), Instant::now());
    thread::sleep(span);
    100.0 * used().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64()
}

fn memory(zelador: &Zelador) -> f64 {
    let (engine, guardian) = zelador.roles();
    (pss(engine) + pss(guardian)) as f64 / 1024.0
}

/// An overview that somebody has open: reads its stream until it ends; returns how many bytes came.
fn watch(port: u16) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return 0 };
        let asked = "GET /health/live?page=overview HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
        if stream.write_all(asked.as_bytes()).is_err() {
            return 0;
        }
        let (mut all, mut buffer) = (0, [0; 16 << 10]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            all += count;
        }
        all
    })
}

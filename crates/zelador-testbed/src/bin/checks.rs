//! Measures what checks cost: `checks BINARY [CHECKS]`, 10,000 unless told otherwise.
//!
//! Five kinds of check in turn, each with real input and output on this host, every 10 s; a server in
//! this process answers them. Told are the processor time of the engine (which a busy host does not
//! change much), its memory, how late the latest look was, and how long `health.check` takes beyond
//! its slowest check.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use serde_json::Value;
use zelador_testbed::home::{Zelador, until_within};

/// How many checks, unless told otherwise.
const CHECKS: usize = 10_000;

/// The period of the issue.
const PERIOD: Duration = Duration::from_secs(10);

/// How long the engine is watched, and how many looks are compared.
const WATCHED: Duration = Duration::from_mins(1);
const LOOKS: u32 = 4;

/// The slowest of fifty checks answers after this.
const SLOW: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let binary = words.next().and_then(|it| fs::canonicalize(it).ok());
    let count = words.next().map_or(Ok(CHECKS), |it| it.parse());
    let (Some(binary), Ok(count)) = (binary, count) else {
        eprintln!("usage: checks BINARY [CHECKS]");
        return ExitCode::FAILURE;
    };
    println!("| measured | figure | of the issue |\n|---|---|---|");
    many(&binary, count);
    at_once(&binary);
    ExitCode::SUCCESS
}

/// What answers: HTTP after a delay in its path, TCP, UDP and a unix socket.
struct Target {
    http: u16,
    udp: u16,
    socket: String,
}

fn target(folder: &Path) -> Target {
    let http = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let path = folder.join("socket");
    let unix = UnixListener::bind(&path).expect("the folder is ours");
    let port = http.local_addr().expect("it is bound").port();
    let udp_port = udp.local_addr().expect("it is bound").port();
    thread::spawn(move || http.incoming().flatten().for_each(answer));
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            // Whoever asked may have gone.
            _ = udp.send_to(&buffer[..length], from);
        }
    });
    thread::spawn(move || unix.incoming().flatten().for_each(drop));
    Target { http: port, udp: udp_port, socket: path.display().to_string() }
}

/// Answers an HTTP request at once, and `/slow` after a while on a thread of its own.
fn answer(mut stream: std::net::TcpStream) {
    let mut buffer = [0; 1024];
    let length = match stream.set_read_timeout(Some(Duration::from_secs(5))) {
        Ok(()) => stream.read(&mut buffer).unwrap_or_default(),
        Err(_) => 0,
    };
    let respond = move |mut stream: std::net::TcpStream| {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
        // As above.
        _ = stream.write_all(text.as_bytes());
    };
    if buffer[..length].starts_with(b"GET /slow") {
        thread::spawn(move || {
            thread::sleep(SLOW);
            respond(stream);
        });
    } else {
        respond(stream);
    }
}

/// One check of each kind in turn.
fn check(number: usize, target: &Target) -> String {
    let Target { http, udp, socket } = target;
    let asked = match number % 5 {
        0 => format!("http: 'http://127.0.0.1:{http}/'"),
        1 => format!("tcp: '127.0.0.1:{http}'"),
        2 => format!("udp: '127.0.0.1:{udp}', send: 'x', expect: 'x'"),
        3 => format!("socket: '{socket}'"),
        _ => format!("file: '{socket}'"),
    };
    format!("c{number}: {{ {asked}, interval: '{}s' }}", PERIOD.as_secs())
}

fn many(binary: &Path, count: usize) {
    let zelador = Zelador::new(&binary.to_string_lossy());
    let target = target(&zelador.app());
    let checks: Vec<String> = (0..count).map(|number| check(number, &target)).collect();
    start(&zelador, &checks);
    let engine = zelador.roles().0;
    let looked_at = || -> BTreeMap<String, f64> {
        let (_, body) = zelador.get("/api/trpc/health.status");
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let all = body["result"]["data"]["checks"].as_array().cloned().unwrap_or_default();
        let at = |it: &Value| {
            Some((it["component"].as_str()?.to_owned(), seconds(it["timestamp"].as_str()?)?))
        };
        let looked = all.iter().filter(|it| it["message"] != "not looked at yet");
        looked.filter_map(at).filter(|(name, _)| name.starts_with('c')).collect()
    };
    until_within("every check to have been looked at", Duration::from_mins(3), || {
        looked_at().len() == count
    });
    let (before, begun) = (ticks(engine), Instant::now());
    thread::sleep(WATCHED);
    let used = (ticks(engine) - before) as f64 / clock_ticks_per_second() as f64;
    let share = used / begun.elapsed().as_secs_f64() * 100.0;
    let memory = zelador.own_memory() as f64 / 1024.0;
    // The looks of a check lie a period apart: what is more is late.
    let mut latest: f64 = 0.0;
    let mut seen = looked_at();
    for _ in 0..LOOKS {
        thread::sleep(PERIOD);
        let now = looked_at();
        for (name, at) in &now {
            let Some(before) = seen.get(name).filter(|before| **before < *at) else { continue };
            let periods = ((at - before) / PERIOD.as_secs_f64()).round().max(1.0);
            latest = latest.max(at - before - periods * PERIOD.as_secs_f64());
        }
        seen = now;
    }
    let unwell = zelador.run(&["health"]).out.lines().filter(|it| it.contains("unhealthy")).count();
    println!("| {count} checks every 10 s: of a core | {share:.0} % | 50 % |");
    println!("| their memory, engine and guardian (PSS) | {memory:.0} MB | 60 MB |");
    println!("| the latest look was late by | {latest:.2} s | 1 s |");
    println!("| of them unhealthy | {unwell} | 0 |");
    zelador.run(&["kill"]);
}

/// `health.check` with fifty checks, one of them slow.
fn at_once(binary: &Path) {
    let zelador = Zelador::new(&binary.to_string_lossy());
    let target = target(&zelador.app());
    let mut checks: Vec<String> = (0..49).map(|number| check(number, &target)).collect();
    checks
        .push(format!("slow: {{ http: 'http://127.0.0.1:{}/slow', interval: '1m' }}", target.http));
    start(&zelador, &checks);
    let mut beyond: Vec<f64> = (0..21)
        .map(|_| {
            let begun = Instant::now();
            let (_, body) = zelador.get("/api/trpc/health.check");
            let took = begun.elapsed().as_secs_f64() * 1e3;
            let body: Value = serde_json::from_str(&body).unwrap_or_default();
            let all = body["result"]["data"]["checks"].as_array().cloned().unwrap_or_default();
            let slowest =
                all.iter().filter_map(|it| it["responseTime"].as_f64()).fold(0.0, f64::max);
            took - slowest
        })
        .collect();
    beyond.sort_by(f64::total_cmp);
    let (median, worst) = (beyond[beyond.len() / 2], beyond[beyond.len() - 1]);
    println!("| `health.check` of 50, beyond its slowest: median | {median:.1} ms | 10 ms |");
    println!("| the same, the worst of {} | {worst:.1} ms | |", beyond.len());
    zelador.run(&["kill"]);
}

fn start(zelador: &Zelador, checks: &[String]) {
    let file = format!(
        "module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false, {} }} }},
         apps: [{{ name: 'rest', script: '/bin/sleep', args: '100000' }}] }}",
        checks.join(", ")
    );
    zelador.write("ecosystem.config.js", &file);
    zelador.ok(&["start", "ecosystem.config.js"]);
}

/// Processor time of a process so far, in clock ticks.
fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    let mut fields = fields.split(' ').skip(11).map(|it| it.parse::<u64>().unwrap_or_default());
    fields.next().unwrap_or_default() + fields.next().unwrap_or_default()
}

/// Seconds of the day of `2026-11-28T19:00:00.123Z`.
fn seconds(timestamp: &str) -> Option<f64> {
    let (_, time) = timestamp.trim_end_matches('Z').split_once('T')?;
    let mut parts = time.split(':').map(str::parse::<f64>);
    let (hours, minutes, seconds) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(hours * 3600.0 + minutes * 60.0 + seconds)
}

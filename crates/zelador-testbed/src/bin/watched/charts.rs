//! Charts of 90 days of 50 apps, asked for as the dashboard does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zelador_testbed::home::{LIMIT, Zelador, until};
use zelador_testbed::past::{Past, fill};

/// What an engine of 50 apps leaves in 90 days with the default settings.
const PAST: Past = Past { apps: 50, days: 90, minutes: 14, raw: 7 };

/// How often each chart is asked for.
const ASKED: usize = 15;

/// An hour, in seconds.
const HOUR: u64 = 3600;

/// Prints how long each range takes.
pub fn measure(binary: &str) {
    let zelador = Zelador::new(binary);
    let apps: Vec<String> = (0..PAST.apps)
        .map(|it| format!("{{ name: 'svc-{it}', script: '/bin/sleep', args: '100000' }}"))
        .collect();
    zelador.start(&apps.join(","));
    zelador.ok(&["kill"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let file = zelador.home().join("history.db");
    fill(&file, PAST, now);
    let size = std::fs::metadata(&file).map_or(0, |it| it.len());
    println!("{} days of {} apps: {:.0} MB", PAST.days, PAST.apps, size as f64 / 1e6);
    zelador.start(&apps.join(","));
    until("the endpoints", || zelador.get("/healthz").0 != 0);
    for (what, from, to) in [
        ("the last hour", HOUR, 0),
        ("a day", 24 * HOUR, 0),
        ("an hour of five days ago", 120 * HOUR, 119 * HOUR),
        ("a day of five days ago", 120 * HOUR, 96 * HOUR),
        ("two days", 48 * HOUR, 0),
        ("a week", 7 * 24 * HOUR, 0),
        ("30 days", 30 * 24 * HOUR, 0),
        ("90 days", 90 * 24 * HOUR, 0),
    ] {
        let (from, to) = (now - from, now - to);
        let path = format!(
            "/health/chart?of=app:svc-17&metrics=memory,cpu,restarts,latency&from={from}&to={to}"
        );
        print(what, &zelador, &path);
    }
    print("the overview with 90 days of each", &zelador, "/health");
    zelador.ok(&["kill"]);
}

/// What a browser gets: status and body.
fn get(port: u16, path: &str) -> (u16, String) {
    let asked = |mut stream: TcpStream| -> std::io::Result<String> {
        stream.set_read_timeout(Some(LIMIT))?;
        let head = "Host: localhost\r\nAccept: text/html\r\nConnection: close";
        stream.write_all(format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = TcpStream::connect(("127.0.0.1", port)).and_then(asked).unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.unwrap_or_default(), body.to_owned())
}

fn print(what: &str, zelador: &Zelador, path: &str) {
    let mut took = Vec::new();
    let mut size = 0;
    for _ in 0..ASKED {
        let begun = Instant::now();
        let (status, body) = get(zelador.port(), path);
        took.push(begun.elapsed());
        assert!(status == 200 && body.len() > 1000, "{path}: {status} {body}");
        size = body.len();
    }
    took.sort_unstable();
    let millis = |it: Duration| it.as_secs_f64() * 1e3;
    println!(
        "chart of {what}: {:.1} ms (best), {:.1} ms (median), {:.1} ms (worst), {} KiB",
        millis(took[0]),
        millis(took[ASKED / 2]),
        millis(took[ASKED - 1]),
        size / 1024
    );
}

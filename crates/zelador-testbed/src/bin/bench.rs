//! Measures a zelador: what its commands, its memory, its rest and its endpoint cost.
//!
//! `bench BINARY [SERVICES …]` prints a table a measurement; times stand beside those of `true` in
//! the same run, since the machine may be shared. `bench/run` calls it after the side-by-side
//! benchmark of supervisors.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use zelador_testbed::home::{Zelador, alive, until};
use zelador_testbed::spent::{cpu, pss};

/// How many services, unless told otherwise.
const SERVICES: [usize; 3] = [1, 100, 1000];

/// How often a command is run; the median is told.
const CALLS: usize = 20;

/// How long a zelador with nothing to do is watched.
const REST: Duration = Duration::from_secs(20);

/// Requests on one kept connection.
const REQUESTS: u32 = 40_000;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(binary) = words.next().and_then(|it| fs::canonicalize(it).ok()) else {
        eprintln!("usage: bench BINARY [SERVICES …]");
        return ExitCode::FAILURE;
    };
    let counts: Result<Vec<usize>, _> = words.map(|it| it.parse::<usize>()).collect();
    let counts = match counts {
        Ok(counts) if counts.is_empty() => SERVICES.to_vec(),
        Ok(counts) => counts,
        Err(error) => {
            eprintln!("error: a number of services: {error}");
            return ExitCode::FAILURE;
        }
    };
    let size = fs::metadata(&binary).map_or(0, |it| it.len());
    println!("size of the executable: {:.1} MB\n", size as f64 / 1e6);
    plain_commands(&binary);
    println!(
        "| services | start, s | stop, s | own PSS, MB | at rest, % of a core | `list`, ms | `jlist`, ms | `true`, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for count in counts {
        with_services(&binary, count);
    }
    requests(&binary);
    ExitCode::SUCCESS
}

/// What a command costs that asks nobody.
fn plain_commands(binary: &Path) {
    println!("| command | ms | of `true` |\n|---|---|---|");
    let nothing = median(|| Command::new("true"));
    for word in ["--version", "--help"] {
        let took = median(|| {
            let mut command = Command::new(binary);
            command.arg(word);
            command
        });
        println!("| `{word}` | {:.1} | {:.1} x |", millis(took), ratio(took, nothing));
    }
    println!();
}

/// Starts that many services, looks at what that costs, and stops them.
fn with_services(binary: &Path, count: usize) {
    let zelador = Zelador::new(&binary.to_string_lossy());
    let app = |number| format!("{{ name: 's{number}', script: '/bin/sleep', args: '100000' }}");
    let apps: Vec<String> = (0..count).map(app).collect();
    let file = format!("module.exports = {{ apps: [{}] }}", apps.join(","));
    zelador.write("ecosystem.config.js", &file);
    let begun = Instant::now();
    zelador.ok(&["start", "ecosystem.config.js"]);
    let start = begun.elapsed();
    assert!(zelador.jlist().iter().all(|it| it["pm2_env"]["status"] == "online"));
    let (engine, guardian) = zelador.roles();
    // The first samples are taken, and what the start needed is given back.
    std::thread::sleep(Duration::from_secs(5));
    let memory = pss(engine) + pss(guardian);
    let before = cpu(engine) + cpu(guardian);
    std::thread::sleep(REST);
    let rest = (cpu(engine) + cpu(guardian)).saturating_sub(before);
    let list = median(|| zelador.command(&["list"]));
    let jlist = median(|| zelador.command(&["jlist"]));
    let nothing = median(|| Command::new("true"));
    let begun = Instant::now();
    zelador.ok(&["stop", "all"]);
    let stop = begun.elapsed();
    println!(
        "| {count} | {:.2} | {:.2} | {:.1} | {:.2} | {:.1} | {:.1} | {:.1} |",
        start.as_secs_f64(),
        stop.as_secs_f64(),
        memory as f64 / 1024.0,
        100.0 * rest.as_secs_f64() / REST.as_secs_f64(),
        millis(list),
        millis(jlist),
        millis(nothing),
    );
    zelador.ok(&["kill"]);
    until("the guardian ends", || !alive(guardian));
}

/// How many requests for `health.simple` a second of the engine's processor time answers.
fn requests(binary: &Path) {
    let zelador = Zelador::new(&binary.to_string_lossy());
    zelador.start("{ name: 's', script: '/bin/sleep', args: '100000' }");
    let (engine, _) = zelador.roles();
    let mut stream = TcpStream::connect(("127.0.0.1", zelador.port())).expect("it listens");
    _ = stream.set_nodelay(true);
    let asked = b"GET /api/trpc/health.simple HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut answer = [0_u8; 4096];
    let before = cpu(engine);
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        stream.write_all(asked).expect("it listens");
        let length = stream.read(&mut answer).expect("it answers");
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "every request is answered");
    }
    let (spent, took) = (cpu(engine).saturating_sub(before), begun.elapsed());
    println!(
        "\n`health.simple`: {:.0} requests a second of the engine's processor time, {:.0} a second on one connection",
        f64::from(REQUESTS) / spent.as_secs_f64(),
        f64::from(REQUESTS) / took.as_secs_f64(),
    );
}

/// The median time of a command from spawn to exit.
fn median(command: impl Fn() -> Command) -> Duration {
    let mut times: Vec<Duration> = (0..CALLS)
        .map(|_| {
            let mut command = command();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let begun = Instant::now();
            let status = command.status().expect("it can be started");
            assert!(status.success(), "{command:?} ends well");
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[CALLS / 2]
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn ratio(span: Duration, of: Duration) -> f64 {
    span.as_secs_f64() / of.as_secs_f64()
}

//! How long a spawn takes; run only when asked for: `cargo test --release --test processes -- --ignored`.

use std::process::Command;
use std::time::{Duration, Instant};

use zelador_guardian::message::{Launch, Stream, ToGuardian};

use crate::processes::kill;
use crate::rig::{Engine, Rig, shell};

/// Spawns measured.
const COUNT: u64 = 400;

pub fn measure_spawn() {
    let rig = Rig::new();
    let engine = rig.engine();
    engine.greet();
    let launch = Launch {
        program: b"/bin/true".into(),
        argv: vec![b"true".into()],
        err: Stream::Pipe,
        ..shell("")
    };
    let (mut spawned, mut ended) = (Vec::new(), Vec::new());
    for run in 0..COUNT {
        let began = Instant::now();
        engine.say(&ToGuardian::Spawn { run, launch: launch.clone() });
        engine.spawned_quickly();
        spawned.push(began.elapsed());
        engine.ended(run);
        ended.push(began.elapsed());
        engine.say(&ToGuardian::Release { run });
    }
    let bare: Vec<_> = (0..COUNT).map(|_| bare()).collect();
    let replaced: Vec<_> = (0..COUNT).map(|round| replace(&engine, COUNT + 1 + round)).collect();
    show("bare spawn and wait, /bin/true", bare);
    show("SIGKILL of a service until its successor has executed", replaced);
    show("Spawn sent until Spawned received", spawned);
    show("Spawn sent until Ended received, /bin/true", ended);
}

/// What the standard library takes, from this small process.
fn bare() -> Duration {
    let began = Instant::now();
    Command::new("/bin/true").status().expect("it exists");
    began.elapsed()
}

/// Kills a service, learns of it as an engine does, and starts the next.
fn replace(engine: &Engine, run: u64) -> Duration {
    let launch = Launch {
        program: b"/bin/sleep".into(),
        argv: vec![b"sleep".into(), b"1000".into()],
        ..shell("")
    };
    let (first, second) = (run * 2, run * 2 + 1);
    engine.say(&ToGuardian::Spawn { run: first, launch: launch.clone() });
    let (pid, _) = engine.spawned(first);
    let began = Instant::now();
    kill(pid, libc::SIGKILL);
    engine.ended(first);
    engine.say(&ToGuardian::Spawn { run: second, launch });
    engine.spawned_quickly();
    let took = began.elapsed();
    engine.say(&ToGuardian::Signal { run: second, signal: 9, group: true });
    engine.ended(second);
    engine.say(&ToGuardian::Release { run: first });
    engine.say(&ToGuardian::Release { run: second });
    took
}

fn show(what: &str, mut spans: Vec<Duration>) {
    spans.sort();
    let at = |share: usize| spans[spans.len() * share / 100].as_micros();
    println!("{what}: p50 {} us, p90 {} us, p99 {} us", at(50), at(90), at(99));
}

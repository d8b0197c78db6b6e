//! How long a spawn takes; run only when named: `cargo test --release --test processes latency`.

use std::time::{Duration, Instant};

use zelador_guardian::message::{Launch, Stream, ToGuardian};

use crate::rig::{Rig, shell};

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
    show("Spawn sent until Spawned received", spawned);
    show("Spawn sent until Ended received, /bin/true", ended);
}

fn show(what: &str, mut spans: Vec<Duration>) {
    spans.sort();
    let at = |share: usize| spans[spans.len() * share / 100].as_micros();
    println!("{what}: p50 {} us, p90 {} us, p99 {} us", at(50), at(90), at(99));
}

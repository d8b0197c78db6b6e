//! The engine is killed at random moments, under load: nothing may be lost, doubled or forgotten.
//!
//! 50 ends (`SIGKILL`, `SIGSTOP` and then `SIGKILL`, `SIGABRT`, a panic) here; `ZELADOR_KILLS=1000 cargo test -p zelador --test
//! end_to_end torture -- --nocapture` is a long run, `ZELADOR_SEED` for the same moments again.

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::home::{Zelador, alive, kill, text, until, until_within};

use crate::zelador;

/// Writes numbered lines, in bursts.
const COUNTER: &str = "let n = 0; const more = () => { let s = ''; for (let i = 0; i < 40; i++) s += 'line ' + ++n + '\\n'; \
  process.stdout.write(s); setTimeout(more, 4) }; more();
process.on('SIGINT', () => process.stdout.write('last ' + n + '\\n', () => process.exit(0)))\n";

/// Lives for a moment, writes down how it will die, and dies so; whoever finds another of the same
/// name alive says so.
const MORTAL: &str = "exec 9>\"$NAME.lock\"; flock -n 9 || echo \"$NAME twice\" >> doubled
n=$(cat \"$NAME.n\" 2>/dev/null || echo 0); n=$((n + 1)); echo $n > \"$NAME.n\"
sleep 0.0$((n % 7 + 1)); code=$((n % 250 + 1)); echo $code >> \"$NAME.deaths\"; exit $code\n";

/// Numbers that look random and come again with the same seed (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn declare(zelador: &Zelador) {
    zelador.write("counter.js", COUNTER);
    zelador.write("mortal.sh", MORTAL);
    let mut apps = Vec::new();
    for index in 0..4 {
        apps.push(format!("{{ name: 'flood-{index}', script: 'counter.js' }}"));
    }
    for index in 0..6 {
        apps.push(format!(
            "{{ name: 'mortal-{index}', script: 'mortal.sh', min_uptime: 100, max_restarts: 1000000, restart_delay: {},
                env: {{ NAME: 'mortal-{index}' }} }}",
            100 * (index % 3)
        ));
    }
    for index in 0..8 {
        apps.push(format!("{{ name: 'idle-{index}', script: 'sleep', args: '100000' }}"));
    }
    for index in 0..2 {
        apps.push(format!("{{ name: 'busy-{index}', script: 'sleep', args: '100000' }}"));
    }
    // What is rotated away could not be counted: on a slow host the kills take long, and the logs grow.
    zelador.ok(&["set", "pm2-logrotate:max_size", "1G"]);
    zelador.start(&apps.join(", "));
}

/// Says a command until the engine that hears it answers; returns its exit code.
fn say(zelador: &Zelador, words: &[&str]) -> i32 {
    let end = Instant::now() + Duration::from_mins(5);
    loop {
        let said = zelador.run(words);
        let is_gone = said.err.contains("engine went away") || said.err.contains("did not answer");
        if said.code == 0 || !is_gone {
            return said.code;
        }
        assert!(Instant::now() < end, "{words:?}: {}", said.err);
    }
}

/// Has two apps stopped, started, restarted and scaled, and looks each time whether what was answered
/// is so.
fn command(zelador: &Zelador, stop: &AtomicBool) -> u32 {
    let (mut done, mut random) = (0, Random(0x5eed));
    while !stop.load(Ordering::Relaxed) {
        let name = ["busy-0", "busy-1"][random.below(2) as usize];
        let pids = |list: &[Value]| -> Vec<i32> {
            let mine = list.iter().filter(|it| it["name"] == name);
            mine.filter_map(|it| i32::try_from(it["pid"].as_i64()?).ok()).collect()
        };
        let before = pids(&list(zelador));
        match random.below(3) {
            0 => {
                assert_eq!(say(zelador, &["stop", name]), 0);
                assert!(before.iter().all(|pid| *pid == 0 || !alive(*pid)), "stopped is stopped");
                assert_eq!(say(zelador, &["start", name]), 0);
            }
            1 => assert_eq!(say(zelador, &["restart", name]), 0),
            _ => {
                let count = 1 + random.below(3);
                assert_eq!(say(zelador, &["scale", name, &count.to_string()]), 0);
                assert_eq!(pids(&list(zelador)).len() as u64, count, "as many as was answered");
            }
        }
        let after = pids(&list(zelador));
        assert!(after.iter().all(|pid| alive(*pid)), "what was started runs: {after:?}");
        done += 1;
    }
    done
}

/// The list, from whichever engine answers.
fn list(zelador: &Zelador) -> Vec<Value> {
    let mut found = None;
    until("a list", || {
        let said = zelador.run(&["jlist"]);
        found = serde_json::from_str(&said.out).ok().filter(|_| said.code == 0);
        found.is_some()
    });
    found.unwrap_or_default()
}

/// Ends the engine in one of several ways, and waits for the next one; returns how long nobody
/// answered.
fn murder(zelador: &Zelador, engine: i32, random: &mut Random) -> (i32, Duration) {
    match random.below(6) {
        // Hung first, as the guardian may find it.
        0 => {
            kill(engine, Signal::STOP);
            thread::sleep(Duration::from_millis(random.below(30)));
            kill(engine, Signal::KILL);
        }
        1 => kill(engine, Signal::ABORT),
        // A panic on purpose, in the driver or in the thread that moves lines.
        2 => _ = zelador.run(&["debug-panic", "driver"]),
        3 => _ = zelador.run(&["debug-panic", "logs"]),
        _ => kill(engine, Signal::KILL),
    }
    let begun = Instant::now();
    let mut next = 0;
    until("another engine", || {
        next = zelador.roles_now().map_or(0, |(engine, _)| engine);
        next != engine && next != 0
    });
    (next, begun.elapsed())
}

#[test]
fn an_engine_killed_at_random_under_load_loses_doubles_and_forgets_nothing() {
    let (kills, seed) = (number("ZELADOR_KILLS", 50), number("ZELADOR_SEED", 1));
    println!("{kills} kills, seed {seed}");
    let zelador = Arc::new(zelador());
    declare(&zelador);
    let steady = |zelador: &Zelador| -> BTreeMap<String, i64> {
        let list = list(zelador);
        let name = |it: &Value| it["name"].as_str().unwrap_or_default().to_owned();
        let steady =
            list.iter().filter(|it| name(it).starts_with("flood") || name(it).starts_with("idle"));
        steady.map(|it| (name(it), it["pid"].as_i64().unwrap_or_default())).collect()
    };
    let before = steady(&zelador);
    assert_eq!(before.len(), 12);
    let stop = Arc::new(AtomicBool::new(false));
    let commander = {
        let (zelador, stop) = (zelador.clone(), stop.clone());
        thread::spawn(move || command(&zelador, &stop))
    };
    let mut random = Random(seed.max(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut engine = zelador.roles_now().map_or(0, |(engine, _)| engine);
    let mut outages = Vec::new();
    for _ in 0..kills {
        thread::sleep(Duration::from_millis(random.below(300)));
        let (next, outage) = murder(&zelador, engine, &mut random);
        engine = next;
        outages.push(outage);
        if outages.len().is_multiple_of(100) {
            println!("{} of {kills}", outages.len());
        }
        assert!(!commander.is_finished(), "a command was answered and not done");
    }
    stop.store(true, Ordering::Relaxed);
    let commands = commander.join().expect("what was answered was done");
    assert!(commands > 0);
    assert_eq!(steady(&zelador), before, "no service was restarted by it");
    assert_eq!(text(zelador.app().join("doubled")), "", "none runs twice");

    // Every death was seen, with its exact status.
    until_within("the mortal ones to be up or waiting", Duration::from_secs(10), || {
        list(&zelador).iter().all(|it| it["pm2_env"]["status"] != "errored")
    });
    say(&zelador, &["stop", "/^mortal/"]);
    let view = zelador.view().expect("it is up");
    let mut deaths = 0;
    for instance in view["instances"].as_array().into_iter().flatten() {
        let name = instance["app"].as_str().unwrap_or_default();
        if !name.starts_with("mortal") {
            continue;
        }
        let ledger = text(zelador.app().join(format!("{name}.deaths")));
        let ledger: Vec<i64> = ledger.lines().map(|line| line.parse().unwrap()).collect();
        let seen = instance["deaths"].as_array().unwrap();
        // The stop may have come between the last word in the ledger and the exit.
        let codes: Vec<i64> = seen.iter().filter_map(|it| it["death"]["code"].as_i64()).collect();
        let last: Vec<i64> = ledger.iter().rev().take(codes.len()).copied().collect();
        let but_one: Vec<i64> = ledger.iter().rev().skip(1).take(codes.len()).copied().collect();
        assert!(codes == last || codes == but_one, "{name}: seen {codes:?}, died {last:?}");
        let restarts = instance["restarts"].as_u64().unwrap();
        assert!(
            ledger.len().abs_diff(restarts as usize) <= 1,
            "{name}: {} deaths, {restarts} restarts",
            ledger.len()
        );
        deaths += ledger.len();
    }
    assert!(deaths > 20, "{deaths} deaths");

    say(&zelador, &["stop", "/^flood/"]);
    let mut lines = 0;
    for index in 0..4 {
        let log = text(zelador.home().join(format!("logs/flood-{index}-out.log")));
        let (numbers, last) = log.split_once("last ").unwrap_or((&log, ""));
        let mut expected = 0_u64;
        for line in numbers.lines() {
            expected += 1;
            assert_eq!(line, format!("line {expected}"), "flood-{index}");
        }
        assert_eq!(last.trim().parse(), Ok(expected), "flood-{index} wrote so many");
        lines += expected;
    }
    outages.sort_unstable();
    println!(
        "{kills} kills: {deaths} deaths, {lines} lines, {commands} commands; nobody answered for {:?} in the median, {:?} at most",
        outages[outages.len() / 2],
        outages[outages.len() - 1]
    );
}

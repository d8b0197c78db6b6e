//! Has a whole zelador live with services that misbehave while things are killed at random, and checks
//! after each of them what must always hold: `cargo run -p zelador-testbed --bin soak -- --minutes 30`.
//!
//! Faults: the engine is killed, hung and killed, or panics; the guardian is killed; both are; services
//! are killed; commands are given. Checked: no instance has two processes; the steady ones and those that
//! write keep theirs; what a person stopped is down; every line of the log is there once, in order and whole
//! (but for what is on its way as both die together, which must be noted); memory stays below the bound. The
//! same seed plays the same faults. Exit code 0: every check held.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use zelador_testbed::fuzz::Random;
use zelador_testbed::home::{Zelador, alive, kill, text, until, until_within};

const USAGE: &str = "usage: soak [--minutes N] [--seconds N] [--seed N] [--binary FILE]
  --minutes N    how long (default: 30)
  --seconds N    the same, for a short one
  --seed N       which faults (default: 1)
  --binary FILE  zelador (default: the one beside this program)";

/// What engine and guardian may use together, in KiB (PSS), as docs/guarantees.md claims it.
const BOUND: u64 = 64 << 10;

/// A counter writes a hundred lines a second: so many may be on their way to the log.
const ON_THEIR_WAY: u64 = 50;

/// Tells when the shell of the run before still lives, with its line of `/proc/PID/stat`: a process is known
/// by number and start time, and one that has ended is in state `Z` or `X`. A lock that is held for the
/// whole life would not do: a killed child may hold it for a moment longer than its shell.
const ONCE: &str = r#"known() { # PID: prints state and start time, fields 3 and 22 of proc_pid_stat(5)
  local line; { read -r line < /proc/$1/stat; } 2>/dev/null || return 1
  set -- ${line##*) }; state=$1 began=${20}
}
exec 9>>$NAME.lock; flock 9
if read -r pid start run < $NAME.main && known $pid && [ $began = $start ] && [[ $state != [ZX] ]]; then
  echo "$NAME twice: $pid of run $run lives ($(cat /proc/$pid/stat)) and $$ of run $ZELADOR_RUN; end" >> doubled
fi 2>/dev/null
known $$ && echo "$$ $began $ZELADOR_RUN" > $NAME.main
exec 9>&-
"#;

/// Writes numbered lines, without an end.
const COUNTER: &str = ". ./once.sh
n=0
while :; do n=$((n+1)); echo \"line $n\"; sleep 0.01; done\n";

/// Dies again and again.
const MORTAL: &str = ". ./once.sh
sleep 0.$(( $$ % 9 )); exit $(( $$ % 200 ))\n";

/// Is quiet, and leaves a child in a session of its own.
const STEADY: &str = ". ./once.sh
setsid sleep 100000 & exec sleep 100000\n";

#[derive(Default)]
struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

struct Soak {
    zelador: Zelador,
    random: Random,
    counts: Counts,
    /// The main processes of steady apps, as they must stay.
    steady: BTreeMap<String, i32>,
    /// Whether each app of the commander is to be up.
    wanted: BTreeMap<String, bool>,
    most: u64,
    longest: Duration,
}

fn main() -> ExitCode {
    let (mut length, mut seed, mut binary) = (Duration::from_mins(30), 1, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next();
        let number = value.as_deref().and_then(|it| it.parse::<u64>().ok());
        match (word.as_str(), number, value) {
            ("--minutes", Some(number), _) => length = Duration::from_mins(number),
            ("--seconds", Some(number), _) => length = Duration::from_secs(number),
            ("--seed", Some(number), _) => seed = number,
            ("--binary", _, Some(path)) => binary = Some(PathBuf::from(path)),
            _ => {
                eprintln!("error: `{word}` is not understood\n{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("zelador"));
    let Some(binary) = binary.or_else(beside).filter(|binary| binary.is_file()) else {
        eprintln!(
            "error: there is no zelador beside this program: `cargo build`, or --binary FILE"
        );
        return ExitCode::FAILURE;
    };
    println!("soak: seed {seed}, {} s", length.as_secs());
    let mut soak = Soak {
        zelador: Zelador::new(&binary.to_string_lossy()),
        random: Random::new(seed),
        counts: Counts::default(),
        steady: BTreeMap::new(),
        wanted: BTreeMap::new(),
        most: 0,
        longest: Duration::ZERO,
    };
    soak.begin();
    let begun = Instant::now();
    let mut told = Instant::now();
    while begun.elapsed() < length {
        soak.fault();
        soak.check();
        if told.elapsed() > Duration::from_mins(1) {
            told = Instant::now();
            soak.tell(begun.elapsed());
        }
    }
    soak.finish();
    soak.tell(begun.elapsed());
    println!("soak: every check held (seed {seed})");
    ExitCode::SUCCESS
}

impl Soak {
    fn begin(&mut self) {
        let scripts = [
            ("once.sh", ONCE),
            ("counter.sh", COUNTER),
            ("mortal.sh", MORTAL),
            ("steady.sh", STEADY),
        ];
        for (name, body) in scripts {
            self.zelador.write(name, body);
        }
        let mut apps = Vec::new();
        let mut app = |name: String, script: &str| {
            apps.push(format!(
                "{{ name: '{name}', script: '{script}', interpreter: 'bash', env: {{ NAME: '{name}' }},
                   min_uptime: 100, max_restarts: 100000000, restart_delay: 50, kill_timeout: 2000 }}"
            ));
        };
        for index in 0..6 {
            app(format!("steady-{index}"), "steady.sh");
            app(format!("counter-{index}"), "counter.sh");
        }
        for index in 0..5 {
            app(format!("mortal-{index}"), "mortal.sh");
        }
        for index in 0..3 {
            app(format!("busy-{index}"), "steady.sh");
            self.wanted.insert(format!("busy-{index}"), true);
        }
        self.zelador.write(
            "ecosystem.config.js",
            &format!("module.exports = {{ apps: [{}] }}", apps.join(", ")),
        );
        self.zelador.ok(&["set", "pm2-logrotate:max_size", "1G"]);
        self.zelador.ok(&["start", "ecosystem.config.js"]);
        for index in 0..6 {
            for kind in ["steady", "counter"] {
                let name = format!("{kind}-{index}");
                self.steady.insert(name.clone(), self.pid(&name));
            }
        }
    }

    fn list(&self) -> Vec<Value> {
        let mut found = None;
        until("a list", || {
            let said = self.zelador.run(&["jlist"]);
            found = serde_json::from_str(&said.out).ok().filter(|_| said.code == 0);
            found.is_some()
        });
        found.unwrap_or_default()
    }

    fn pid(&self, name: &str) -> i32 {
        let list = self.list();
        let found = list.iter().find(|it| it["name"] == name);
        found.and_then(|it| i32::try_from(it["pid"].as_i64()?).ok()).unwrap_or_default()
    }

    /// Gives a command until an engine answers.
    fn say(&self, words: &[&str]) {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let said = self.zelador.run(words);
            if said.code == 0 {
                return;
            }
            let gone = ["went away", "did not answer", "not running"];
            let is_gone = gone.iter().any(|word| said.err.contains(word));
            assert!(is_gone && Instant::now() < end, "{words:?}: {}", said.err);
        }
    }

    /// Has `fault` done to the engine, and waits for another one.
    fn lose_engine(&mut self, fault: impl FnOnce(&Zelador, i32, i32)) {
        let Some((engine, guardian)) = self.zelador.roles_now() else { return };
        fault(&self.zelador, engine, guardian);
        let begun = Instant::now();
        until("another engine", || {
            self.zelador.roles_now().is_some_and(|(next, _)| next != engine)
        });
        self.longest = self.longest.max(begun.elapsed());
    }

    fn fault(&mut self) {
        std::thread::park_timeout(Duration::from_millis(self.random.below(400)));
        match self.random.below(20) {
            0..=4 => {
                self.counts.add("engine killed");
                self.lose_engine(|_, engine, _| kill(engine, Signal::KILL));
            }
            5 => {
                self.counts.add("engine hung and killed");
                let pause = Duration::from_millis(self.random.below(100));
                self.lose_engine(|_, engine, _| {
                    kill(engine, Signal::STOP);
                    std::thread::park_timeout(pause);
                    kill(engine, Signal::KILL);
                });
            }
            6 => {
                self.counts.add("panic");
                self.lose_engine(|zelador, _, _| _ = zelador.run(&["debug-panic", "driver"]));
            }
            7 => {
                self.counts.add("panic of the log thread");
                self.lose_engine(|zelador, _, _| _ = zelador.run(&["debug-panic", "logs"]));
            }
            8 | 9 => {
                self.counts.add("guardian killed");
                let Some((_, guardian)) = self.zelador.roles_now() else { return };
                kill(guardian, Signal::KILL);
                until("another guardian", || {
                    self.zelador.roles_now().is_some_and(|(_, next)| next != guardian)
                });
            }
            10 => self.lose_both(),
            11..=13 => {
                self.counts.add("service killed");
                let name = format!("mortal-{}", self.random.below(5));
                kill(self.pid(&name), Signal::KILL);
            }
            _ => self.command(),
        }
    }

    /// Guardian and engine die together; the next `start` brings another pair up.
    fn lose_both(&mut self) {
        let Some((engine, guardian)) = self.zelador.roles_now() else { return };
        self.counts.add("guardian and engine killed");
        for pid in [guardian, engine] {
            kill(pid, Signal::STOP);
        }
        for pid in [guardian, engine] {
            kill(pid, Signal::KILL);
        }
        until("both to be gone", || !alive(engine) && !alive(guardian));
        self.say(&["start", "ecosystem.config.js"]);
        // A start of the whole file brings up what a person had stopped.
        self.wanted.values_mut().for_each(|up| *up = true);
    }

    fn command(&mut self) {
        let name = format!("busy-{}", self.random.below(3));
        let before = self.pid(&name);
        let up = match self.random.below(3) {
            0 => {
                self.counts.add("stop");
                self.say(&["stop", &name]);
                assert!(before == 0 || !alive(before), "{name} is stopped");
                false
            }
            1 => {
                self.counts.add("start");
                self.say(&["start", &name]);
                true
            }
            _ => {
                self.counts.add("restart");
                self.say(&["restart", &name]);
                assert!(before == 0 || !alive(before), "{name} was restarted");
                true
            }
        };
        self.wanted.insert(name, up);
    }

    /// What must always hold.
    fn check(&mut self) {
        self.counts.add("checks");
        let doubled = || text(self.zelador.app().join("doubled"));
        if !doubled().is_empty() {
            until("what is doubled is told", || doubled().ends_with("end\n"));
            panic!("none runs twice, but\n{}\n{}", doubled(), self.last_words());
        }
        for (name, pid) in &self.steady {
            assert!(alive(*pid), "{name} (pid {pid}) lives on");
        }
        let list = self.list();
        let entry = |name: &str| {
            let found = list.iter().find(|it| it["name"] == name);
            found.unwrap_or_else(|| panic!("{name} is in the list"))
        };
        for (name, pid) in &self.steady {
            assert_eq!(
                entry(name)["pid"].as_i64(),
                Some(i64::from(*pid)),
                "{name} keeps its process"
            );
            assert_eq!(entry(name)["pm2_env"]["restart_time"], 0, "{name} is not restarted");
        }
        for (name, up) in &self.wanted {
            let status = &entry(name)["pm2_env"]["status"];
            assert_eq!(status == "online", *up, "{name} is {status}, and is to be up: {up}");
        }
        if let Some(used) = self.zelador.roles_now().map(|_| self.zelador.own_memory()) {
            self.most = self.most.max(used);
            assert!(used < BOUND, "zelador uses {used} KiB, {BOUND} are claimed");
        }
    }

    /// What zelador said of itself at last.
    fn last_words(&self) -> String {
        let log = text(self.zelador.home().join("zelador.log"));
        let begins = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
        let lines: Vec<&str> = log.lines().filter(begins).collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Ends the counters, and reads their logs.
    fn finish(&mut self) {
        self.say(&["stop", "/^counter/"]);
        let (mut lines, mut missing) = (0, 0);
        for index in 0..6 {
            let name = format!("counter-{index}");
            let log = text(self.zelador.home().join(format!("logs/{name}-out.log")));
            // The next line is of these.
            let mut expected = 1..=1;
            for line in log.lines() {
                if line.starts_with("zelador: ") {
                    expected = *expected.start()..=expected.end() + ON_THEIR_WAY;
                    continue;
                }
                let number: Option<u64> = line.strip_prefix("line ").and_then(|it| it.parse().ok());
                let number = number.unwrap_or_else(|| panic!("{name}: {line:?} is torn"));
                assert!(expected.contains(&number), "{name}: {number}, not of {expected:?}");
                missing += number - expected.start();
                expected = number + 1..=number + 1;
                lines += 1;
            }
        }
        self.counts.0.insert("lines, none doubled or torn", lines);
        self.counts.0.insert("lines that both took with them", missing);
        let names: Vec<String> = self.steady.keys().cloned().collect();
        for name in names {
            self.say(&["stop", &name]);
        }
        until_within("every process to be gone", Duration::from_secs(30), || {
            self.steady.values().all(|pid| !alive(*pid))
        });
    }

    fn tell(&self, after: Duration) {
        let counts: Vec<String> =
            self.counts.0.iter().map(|(what, count)| format!("{what}: {count}")).collect();
        println!(
            "after {} s: {}; at most {} KiB of memory; nobody answered for {:.0?} at most",
            after.as_secs(),
            counts.join(", "),
            self.most,
            self.longest
        );
    }
}

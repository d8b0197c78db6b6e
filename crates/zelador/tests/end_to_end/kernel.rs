//! What only a kernel of the tests' own shows: control groups v2, a clock that is set, a power that is cut.

use serde_json::Value;
use zelador_testbed::home::until;
use zelador_testbed::kernel::Kernel;

/// The home where it does not outlive the machine.
const HOME: &str = "/run/home/.zelador";

/// The home on its disk.
const DISK: &str = "/run/disk/.zelador";

/// A booted machine; `None`: none is possible here, and it was said why.
fn booted() -> Option<Kernel> {
    let mut kernel = Kernel::new()
        .inspect_err(|why| eprintln!("skipped, no kernel is possible here: {why}"))
        .ok()?;
    kernel.boot().inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
    let said = kernel.run(&format!("{} --version", env!("CARGO_BIN_EXE_zelador")));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    Some(kernel)
}

/// Runs zelador in it, with its home in this folder.
fn zelador(kernel: &mut Kernel, home: &str, words: &str) -> String {
    let program = env!("CARGO_BIN_EXE_zelador");
    kernel.ok(&format!("export ZELADOR_HOME={home}; cd /run; {program} {words}"))
}

fn instance(kernel: &mut Kernel, home: &str, app: &str) -> Value {
    let all: Vec<Value> = serde_json::from_str(&zelador(kernel, home, "jlist")).unwrap();
    all.into_iter().find(|it| it["name"] == app).unwrap_or_default()
}

#[test]
fn trees_are_held_to_their_limits_by_control_groups_v2() {
    let Some(mut kernel) = booted() else { return };
    kernel.ok(r#"cat >/run/eats.py <<'END'
import sys, time
kept = []
for _ in range(int(sys.argv[1])):
    kept.append(bytearray(b'x' * (1 << 20)))
print('has it', flush=True)
time.sleep(1000)
END
cat >/run/ecosystem.config.json <<'END'
{ "apps": [
  { "name": "eats", "script": "tail", "args": "/dev/zero", "autorestart": false, "limits": { "memory": "64M" } },
  { "name": "slowed", "script": "eats.py", "args": "40", "limits": { "memory_high": "32M" } },
  { "name": "busy", "script": "/bin/sh", "args": ["-c", "while :; do :; done"], "limits": { "cpu": 0.25 } },
  { "name": "forks", "script": "/bin/sh", "args": ["-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; wait"],
    "autorestart": false, "limits": { "pids": 5 } }
] }
END"#);
    zelador(&mut kernel, HOME, "start ecosystem.config.json");
    until("the kernel to end what eats", || {
        zelador(&mut kernel, HOME, "show eats").contains("was killed because memory ran out")
    });
    until("the one that forks to be refused", || {
        zelador(&mut kernel, HOME, "show forks").contains("exited with code 2")
    });
    assert!(zelador(&mut kernel, HOME, "logs forks --nostream").contains("Cannot fork"));
    let group_of = |kernel: &mut Kernel, app: &str| {
        let pid = instance(kernel, HOME, app)["pid"].to_string();
        let group = kernel.ok(&format!("cat /proc/{pid}/cgroup"));
        format!("/sys/fs/cgroup{}", group.trim().strip_prefix("0::").expect("it is in v2 only"))
    };
    let (busy, slowed) = (group_of(&mut kernel, "busy"), group_of(&mut kernel, "slowed"));
    assert_eq!(kernel.ok(&format!("cat {busy}/cpu.max")), "25000 100000\n");
    let counted = |kernel: &mut Kernel, file: &str, name: &str| -> u64 {
        let found = kernel.ok(&format!("sed -n 's/^{name} //p' {file}"));
        found.trim().parse().unwrap_or_default()
    };
    until("it to be throttled", || {
        counted(&mut kernel, &format!("{busy}/cpu.stat"), "nr_throttled") > 9
    });
    let used = counted(&mut kernel, &format!("{busy}/cpu.stat"), "usage_usec");
    let periods = counted(&mut kernel, &format!("{busy}/cpu.stat"), "nr_periods");
    assert!(used < (periods + 10) * 25_000, "{used} µs in {periods} periods of 100 ms");
    until("it to be slowed down", || {
        counted(&mut kernel, &format!("{slowed}/memory.events"), "high") > 0
    });
    assert_eq!(instance(&mut kernel, HOME, "slowed")["pm2_env"]["restart_time"], 0);
    let doctor =
        kernel.run(&format!("ZELADOR_HOME={HOME} {} doctor", env!("CARGO_BIN_EXE_zelador")));
    assert!(
        doctor.out.contains("`memory` (cgroup v2), `cpu` (cgroup v2), `pids` (cgroup v2)"),
        "{}",
        doctor.out
    );
    zelador(&mut kernel, HOME, "kill");
    assert_eq!(kernel.ok("find /sys/fs/cgroup -name 'zelador*'"), "");
}

/// The apps in its list, with what they are, by name: `api online, web stopped`.
fn list(kernel: &mut Kernel, home: &str) -> String {
    let all: Vec<Value> = serde_json::from_str(&zelador(kernel, home, "jlist")).unwrap();
    let mut all: Vec<String> = all
        .iter()
        .map(|it| {
            format!(
                "{} {}",
                it["name"].as_str().unwrap(),
                it["pm2_env"]["status"].as_str().unwrap()
            )
        })
        .collect();
    all.sort();
    all.join(", ")
}

/// Begins with the host, on its disk.
fn resurrect(kernel: &mut Kernel) {
    let program = env!("CARGO_BIN_EXE_zelador");
    let said = "/run/guardian 2>&1 &";
    kernel.ok(&format!("ZELADOR_HOME={DISK} setsid {program} guardian --resurrect >{said}"));
    until("zelador to be up again", || {
        kernel.run(&format!("ZELADOR_HOME={DISK} {program} ping")).code == 0
    });
}

#[test]
fn what_was_answered_survives_a_loss_of_power() {
    let Some(mut kernel) = booted() else { return };
    kernel.ok(r#"cat >/run/disk/ecosystem.config.json <<'END'
{ "apps": [
  { "name": "a", "script": "sleep", "args": "1000" }, { "name": "b", "script": "sleep", "args": "1000" },
  { "name": "c", "script": "sleep", "args": "1000" }
] }
END
sync"#);
    for (words, expected) in [
        ("start /run/disk/ecosystem.config.json", "a online, b online, c online"),
        ("stop a", "a stopped, b online, c online"),
        ("delete b", "a stopped, c online"),
        ("scale c 2", "a stopped, c online, c online"),
        ("start a", "a online, c online, c online"),
    ] {
        zelador(&mut kernel, DISK, words);
        kernel.cut_power();
        kernel.boot().unwrap();
        resurrect(&mut kernel);
        let mut found = String::new();
        until("what was up to be up again", || {
            found = list(&mut kernel, DISK);
            !found.contains("launching")
        });
        assert_eq!(found, expected, "{words}");
    }
    // Nothing was wrong with what ended with the host.
    assert_eq!(instance(&mut kernel, DISK, "c")["pm2_env"]["restart_time"], 0);
    assert!(zelador(&mut kernel, DISK, "show a").contains("the host was restarted"));

    // In the middle of commands that follow each other.
    let program = env!("CARGO_BIN_EXE_zelador");
    kernel.begin(&format!(
        "export ZELADOR_HOME={DISK}; for i in $(seq 1000); do
           {program} start sleep --name s$i -- 1000 >/dev/null && echo s$i; done"
    ));
    until("some of them to be answered", || kernel.said("out").lines().count() >= 7);
    kernel.cut_power();
    let answered = kernel.said("out");
    kernel.boot().unwrap();
    resurrect(&mut kernel);
    let found = list(&mut kernel, DISK);
    for name in answered.lines() {
        assert!(found.contains(&format!("{name} ")), "{name} of {answered} is not in {found}");
    }
}

#[test]
fn a_clock_that_is_set_moves_cron_and_nothing_else() {
    let Some(mut kernel) = booted() else { return };
    kernel.ok(r#"cat >/run/ecosystem.config.json <<'END'
{ "apps": [
  { "name": "idle", "script": "sleep", "args": "100000" },
  { "name": "hourly", "script": "sleep", "args": "100000", "cron_restart": "0 * * * *" },
  { "name": "waits", "script": "sh", "args": ["-c", "sleep 1; exit 1"], "restart_delay": 4000, "max_restarts": 1000 }
] }
END"#);
    zelador(&mut kernel, HOME, "start ecosystem.config.json");
    let idle = instance(&mut kernel, HOME, "idle")["pid"].clone();
    for (number, (clock, restarts)) in
        [("2031-05-06 10:59:57", 1), ("2031-05-06 03:30:00", 1), ("2031-05-06 03:59:57", 2)]
            .into_iter()
            .enumerate()
    {
        kernel.ok(&format!("date --utc --set '{clock}'"));
        until("the jump to be noticed", || {
            let log = kernel.ok(&format!("cat {HOME}/zelador.log"));
            log.matches("the wall clock was set").count() > number
        });
        until("the clock to restart what it is to restart", || {
            instance(&mut kernel, HOME, "hourly")["pm2_env"]["restart_time"] == restarts
        });
        // What another engine takes over is not to wait for the clock of the one before.
        until("it to wait for its next start", || {
            instance(&mut kernel, HOME, "waits")["pm2_env"]["status"] == "waiting restart"
        });
        let before = instance(&mut kernel, HOME, "waits")["pm2_env"]["restart_time"].as_u64();
        let pong = zelador(&mut kernel, HOME, "ping");
        let engine = pong.split("engine pid ").nth(1).and_then(|rest| rest.split(',').next());
        kernel.ok(&format!("kill -9 {}", engine.expect("it says so")));
        until("its next start", || {
            instance(&mut kernel, HOME, "waits")["pm2_env"]["restart_time"].as_u64() > before
        });
        let now = instance(&mut kernel, HOME, "idle");
        assert_eq!((&now["pid"], &now["pm2_env"]["restart_time"]), (&idle, &0.into()), "{clock}");
    }
}

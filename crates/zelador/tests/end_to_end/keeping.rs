//! What survives when zelador itself is killed.

use std::time::Duration;

use rustix::process::Signal;
use zelador_testbed::home::{alive, kill, text, until, until_within};

use crate::zelador;

/// Writes a numbered line every millisecond.
const COUNTER: &str = "
let n = 0, begin = Date.now();
setInterval(() => { const due = Date.now() - begin; while (n < due) console.log('line ' + ++n); }, 1);
";

#[test]
fn an_engine_killed_twenty_times_costs_no_service_no_line_and_no_status() {
    let zelador = zelador();
    zelador.write("counter.js", COUNTER);
    let flag = zelador.app().join("die");
    zelador.start(&format!(
        "{{ name: 'counter', script: 'counter.js' }}, {{ name: 'idle', script: 'sleep', args: '1000' }},
         {{ name: 'mortal', script: 'sh', args: ['-c', 'while [ ! -e {0} ]; do sleep 0.01; done; rm {0}; exit 7'] }}",
        flag.display()
    ));
    let pids = [zelador.pid("counter"), zelador.pid("idle")];
    let mut engine = zelador.roles().0;
    for round in 0..20 {
        if round == 10 {
            // A death while no engine is there: the flag is seen within 10 ms.
            std::fs::write(&flag, "").unwrap();
        }
        kill(engine, Signal::KILL);
        let mut next = engine;
        until("another engine", || {
            next = zelador.roles().0;
            next != engine && next != 0
        });
        engine = next;
    }
    until_within("the list to be right", Duration::from_secs(2), || {
        zelador.jlist().iter().all(|it| it["pm2_env"]["status"] == "online")
    });
    assert_eq!([zelador.pid("counter"), zelador.pid("idle")], pids, "the same processes");
    assert!(zelador.ok(&["show", "mortal"]).out.contains("exited with code 7"));
    assert_eq!(zelador.restarts("mortal"), 1);
    zelador.ok(&["stop", "counter"]);
    let log = zelador.home().join("logs/counter-out.log");
    let lines = text(&log);
    let numbers: Vec<u64> = lines
        .lines()
        .map(|line| line.strip_prefix("line ").and_then(|n| n.parse().ok()).expect("a whole line"))
        .collect();
    assert!(numbers.len() > 500, "it wrote all the time: {}", numbers.len());
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "none missing, none doubled");
    assert_eq!(numbers[0], 1);
}

#[test]
fn a_killed_guardian_is_replaced_and_no_service_notices() {
    let zelador = zelador();
    zelador.start("{ name: 'one', script: 'sleep', args: '1000' }, { name: 'two', script: 'sleep', args: '1001' }");
    let pids = [zelador.pid("one"), zelador.pid("two")];
    let guardian = zelador.roles().1;
    kill(guardian, Signal::KILL);
    until("another guardian", || {
        let said = zelador.run(&["ping"]);
        said.code == 0 && !said.out.contains(&format!("guardian pid {guardian},"))
    });
    assert_eq!([zelador.pid("one"), zelador.pid("two")], pids);
    kill(pids[0], Signal::KILL);
    until("a new process", || ![0, pids[0]].contains(&zelador.pid("one")));
    assert!(alive(pids[1]));
}

#[test]
fn ten_racing_starts_bring_up_one_guardian() {
    let zelador = zelador();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'a', script: 'sleep', args: '1000' }] }",
    );
    let children: Vec<_> = (0..10)
        .map(|_| {
            let mut command = zelador.command(&["start", "ecosystem.config.js"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(zelador.jlist().len(), 1, "one app, once");
    let home = zelador.home().display().to_string();
    let guardians = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let of = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let (line, env) = (of("cmdline"), of("environ"));
            String::from_utf8_lossy(&line).ends_with("guardian\0")
                && String::from_utf8_lossy(&env).contains(&format!("ZELADOR_HOME={home}\0"))
        })
        .count();
    assert_eq!(guardians, 1);
}

#[test]
fn two_zeladors_in_two_homes_do_not_meet() {
    let (one, two) = (zelador(), zelador());
    one.start("{ name: 'a', script: 'sleep', args: '1000' }");
    two.start("{ name: 'b', script: 'sleep', args: '1000' }");
    let pid = two.pid("b");
    assert_eq!(one.jlist().len(), 1);
    one.ok(&["kill"]);
    assert!(alive(pid));
    assert_eq!(two.status("b"), "online");
    assert_eq!(one.run(&["list"]).code, 1, "it is not running");
}

#[test]
fn what_was_saved_comes_back_as_it_was() {
    let zelador = zelador();
    zelador.start("{ name: 'up', script: 'sleep', args: '1000' }, { name: 'down', script: 'sleep', args: '1000' }");
    zelador.ok(&["stop", "down"]);
    zelador.ok(&["save"]);
    let pid = zelador.pid("up");
    zelador.ok(&["kill"]);
    until("the service to be gone", || !alive(pid));
    zelador.ok(&["resurrect"]);
    assert_eq!(
        (zelador.status("up").as_str(), zelador.status("down").as_str()),
        ("online", "stopped")
    );
}

#[test]
fn nobody_else_speaks_to_the_control_socket() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can be somebody else");
        return;
    }
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    let socket = zelador.home().join("zelador.sock");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&zelador.home()), mode(&socket)), (0o700, 0o600));
    // As open as it can be made by mistake.
    let folder = zelador.home().parent().unwrap().to_owned();
    for (path, mode) in [(&folder, 0o755), (&zelador.home(), 0o755), (&socket, 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let ask = |user: u32| {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-s", "-m", "5", "--unix-socket"]).arg(&socket).arg("http://z/v1/ping");
        curl.uid(user).output().unwrap()
    };
    assert!(String::from_utf8_lossy(&ask(0).stdout).contains("guardian_pid"));
    let foreign = ask(65534);
    assert!(!foreign.status.success() && foreign.stdout.is_empty(), "{foreign:?}");
    assert!(text(zelador.home().join("zelador.log")).contains("somebody else's call is refused"));
}

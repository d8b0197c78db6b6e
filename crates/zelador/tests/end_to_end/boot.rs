//! Starting with the host: what a service manager is told, real boots of systemd and `OpenRC`, and what
//! became of PM2's old pains with saved lists.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use zelador_testbed::home::{LIMIT, Said, Zelador, alive, kill, text, until};
use zelador_testbed::machine::{Init, Machine};

use crate::zelador;

/// A guardian in the foreground, as a service manager starts it, and what that is told.
struct Managed {
    guardian: Child,
    socket: UnixDatagram,
}

impl Managed {
    fn start(zelador: &Zelador) -> Self {
        let path = zelador.app().join("notify.sock");
        _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let mut command = zelador.command(&["guardian", "--resurrect"]);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000000");
        let guardian = command.stderr(Stdio::null()).spawn().unwrap();
        Self { guardian, socket }
    }

    /// Waits until it says something that begins so, and returns it.
    fn says(&self, begin: &str) -> String {
        let mut bytes = [0; 1024];
        loop {
            let length = self.socket.recv(&mut bytes).expect("it says so in time");
            let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if said.starts_with(begin) {
                return said;
            }
        }
    }

    fn code(mut self) -> Option<i32> {
        until("the guardian to end", || self.guardian.try_wait().unwrap().is_some());
        self.guardian.wait().unwrap().code()
    }
}

#[test]
fn a_guardian_that_begins_with_the_host_tells_the_service_manager_what_it_must_know() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'z-up', script: 'sleep', args: '1000' }, { name: 'down', script: 'sleep', args: '1000' },
         { name: 'later', script: 'sleep', args: '1000' }",
    );
    zelador.ok(&["stop", "down"]);
    zelador.ok(&["save"]);
    zelador.ok(&["kill"]);

    // An empty list gets what was saved, in the order in which it was.
    let managed = Managed::start(&zelador);
    managed.says("WATCHDOG=1");
    let ready = managed.says("READY=1");
    assert_eq!(ready, "READY=1\nSTATUS=3 instances: 2 online, 1 stopped");
    let names: Vec<String> =
        zelador.jlist().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["z-up", "down", "later"]);
    let pid = zelador.pid("z-up");

    // What is deleted after that stays deleted when only the guardian begins again.
    zelador.ok(&["delete", "later"]);
    kill(zelador.roles().1, Signal::TERM);
    managed.says("STOPPING=1");
    assert_eq!(managed.code(), Some(0), "a signal: to be started again");
    assert!(!alive(pid));
    let managed = Managed::start(&zelador);
    assert_eq!(managed.says("READY=1"), "READY=1\nSTATUS=2 instances: 1 online, 1 stopped");

    // Another boot of the host brings all of the saved list.
    std::fs::write(zelador.home().join("booted"), "another boot").unwrap();
    kill(zelador.roles().1, Signal::TERM);
    assert_eq!(managed.code(), Some(0));
    let managed = Managed::start(&zelador);
    assert_eq!(managed.says("READY=1"), "READY=1\nSTATUS=3 instances: 2 online, 1 stopped");

    // A second one on the same home changes nothing and says that it is useless to try again.
    let second = zelador.command(&["guardian", "--resurrect"]).output().unwrap();
    assert_eq!(second.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&second.stderr).contains("is taken by guardian"));

    zelador.ok(&["kill"]);
    managed.says("STOPPING=1");
    assert_eq!(managed.code(), Some(3), "`kill` is to last");
}

#[test]
fn an_engine_that_dies_while_the_list_comes_up_does_not_keep_the_host_waiting() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    zelador.ok(&["save"]);
    zelador.ok(&["kill"]);
    // A saved list that breaks the first reader's neck is not at hand: the engine is killed instead.
    let managed = Managed::start(&zelador);
    let mut engine = 0;
    until("an engine", || {
        engine = engine_of(managed.guardian.id());
        engine != 0
    });
    kill(engine, Signal::KILL);
    assert_eq!(managed.says("READY=1"), "READY=1\nSTATUS=1 instance: 1 online");
    assert_eq!(zelador.jlist().len(), 1);
}

/// The first child of a process; 0: it has none.
fn engine_of(guardian: u32) -> i32 {
    let children = text(format!("/proc/{guardian}/task/{guardian}/children"));
    children.split_whitespace().next().and_then(|pid| pid.parse().ok()).unwrap_or_default()
}

#[test]
fn the_script_for_init_d_starts_stops_and_tells() {
    let zelador = zelador();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    zelador.ok(&["save"]);
    let script = zelador.write("init", &zelador.ok(&["startup", "sysv", "--dry-run"]).out);
    let run = |verb: &str| {
        let mut command = Command::new("sh");
        command.arg(&script).arg(verb).env("ZELADOR_HTTP", "off").stdin(Stdio::null());
        command.output().unwrap().status.code()
    };
    let guardian = zelador.roles().1;
    assert_eq!(run("start"), Some(0));
    assert_eq!(zelador.roles().1, guardian, "it runs already");
    let pid = zelador.pid("a");
    assert_eq!(run("stop"), Some(0));
    assert!(!alive(guardian) && !alive(pid));
    assert_eq!(run("stop"), Some(0), "nothing to stop");
    assert_ne!(run("status"), Some(0));
    assert_eq!(run("start"), Some(0));
    until("the app", || zelador.status("a") == "online");
    assert_eq!(run("status"), Some(0));
    assert_eq!(run("nonsense"), Some(2));
}

#[test]
fn what_cannot_be_installed_is_refused_with_a_reason() {
    let zelador = zelador();
    for (words, holds) in [
        (&["startup", "launchd"][..], "no init system is called `launchd`"),
        (
            &["startup", "systemd", "-u", "no-such-user", "--dry-run"],
            "there is no user `no-such-user`",
        ),
        (&["startup", "systemd", "--service-name", "../x", "--dry-run"], "cannot be called `../x`"),
        (
            &["unstartup", "systemd", "--service-name", "no-such-zelador"],
            "there is no /etc/systemd",
        ),
    ] {
        if words[0] == "unstartup" && !rustix::process::geteuid().is_root() {
            continue;
        }
        let said = zelador.run(words);
        assert!(said.code == 1 && said.err.contains(holds), "{words:?}: {}{}", said.out, said.err);
    }
    assert!(zelador.is_untouched(), "nothing was brought up for it");
}

/// Writes a line at each start, and leaves a child in a session of its own.
const COUNTED: &str = "#!/bin/sh
echo $$ >>/home/ana/starts
setsid sleep 4321 &
exec sleep 1234
";

/// A machine that runs, with a user ana; `None`: none is possible here, and it was said why.
fn booted(init: Init) -> Option<Machine> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("boot-root");
    let mut machine = Machine::new(&root, env!("CARGO_BIN_EXE_zelador"), init)
        .inspect_err(|why| eprintln!("skipped, no boot is possible here: {why}"))
        .ok()?;
    machine.boot().inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
    let version = machine.run(&["zelador", "--version"]);
    if version.code != 0 {
        eprintln!("skipped, this build does not run on that Debian: {}", version.err);
        return None;
    }
    machine.ok(&["useradd", "--create-home", "ana"]);
    machine.shell(&format!("cat >/home/ana/counted.sh <<'END'\n{COUNTED}END\n"));
    Some(machine)
}

/// Runs a line as ana.
fn ana(machine: &Machine, line: &str) -> Said {
    machine.run(&["su", "-", "ana", "-c", &format!("PATH=$PATH:/usr/local/bin; {line}")])
}

/// How often the counted app has begun.
fn starts(machine: &Machine) -> usize {
    machine.text("/home/ana/starts").lines().count()
}

/// What runs as ana.
fn processes(machine: &Machine) -> String {
    machine.run(&["pgrep", "-u", "ana", "-a"]).out
}

#[test]
fn systemd_starts_keeps_and_stops_it_and_a_reboot_brings_the_list_back() {
    let Some(mut machine) = booted(Init::Systemd) else { return };
    let unit = |machine: &Machine, property: &str| {
        let name = format!("--property={property}");
        machine.ok(&["systemctl", "show", &name, "--value", "zelador-ana"]).trim().to_owned()
    };

    // By hand, as everybody begins.
    let begun = ana(
        &machine,
        "zelador start ./counted.sh --name counted && zelador start sleep --name down -- 1000 && \
         zelador stop down && zelador save",
    );
    assert_eq!(begun.code, 0, "{}", begun.err);
    let pasted = ana(&machine, "zelador startup");
    assert_eq!(pasted.code, 1, "root is needed");
    let line = pasted.out.lines().last().unwrap().to_owned();
    assert!(line.starts_with("sudo env PATH=") && line.contains("-u ana --hp /home/ana"), "{line}");

    // What was printed is what root runs; the apps are not touched.
    let line = line.strip_prefix("sudo ").unwrap();
    let installed = machine.shell(line);
    assert_eq!(installed.code, 0, "{}{}", installed.out, installed.err);
    assert!(installed.out.contains("was tried with an empty home, and works"), "{}", installed.out);
    assert_eq!((starts(&machine), unit(&machine, "ActiveState").as_str()), (1, "inactive"));
    assert_eq!(machine.run(&["systemctl", "is-enabled", "zelador-ana"]).out.trim(), "enabled");
    assert_eq!(machine.run(&["systemctl", "list-units", "*trial*", "--quiet", "--all"]).out, "");
    assert_eq!(machine.run(&["ls", "/home/ana/.zelador/trial"]).code, 2, "nothing is left of it");

    let moved = machine.shell(&format!("{line} --now"));
    assert_eq!(moved.code, 0, "{}{}", moved.out, moved.err);
    assert!(moved.out.contains("2 instances (1 up)"), "{}", moved.out);
    assert_eq!((starts(&machine), unit(&machine, "ActiveState").as_str()), (2, "active"));
    assert_eq!(unit(&machine, "StatusText"), "2 instances: 1 online, 1 stopped");

    // The guardian is killed: systemd begins anew, and every app runs once.
    let guardian = unit(&machine, "MainPID");
    machine.ok(&["kill", "-KILL", &guardian]);
    until("another guardian", || {
        unit(&machine, "ActiveState") == "active" && unit(&machine, "MainPID") != guardian
    });
    assert_eq!(unit(&machine, "NRestarts"), "1");
    assert_eq!(starts(&machine), 3);
    assert_eq!(machine.run(&["pgrep", "-c", "-f", "sleep 1234"]).out.trim(), "1");
    assert_eq!(machine.run(&["pgrep", "-c", "-f", "sleep 4321"]).out.trim(), "1");

    // A stop leaves nothing, and forgets nothing.
    machine.ok(&["systemctl", "stop", "zelador-ana"]);
    assert_eq!(processes(&machine), "");
    assert_eq!(unit(&machine, "Result"), "success");
    machine.ok(&["systemctl", "start", "zelador-ana"]);
    assert_eq!(starts(&machine), 4);

    // What is deleted and not saved comes back with the host, as with PM2; what is stopped stays.
    assert_eq!(ana(&machine, "zelador delete counted").code, 0);
    machine.power_off();
    machine.boot().unwrap();
    until("the list", || unit(&machine, "ActiveState") == "active");
    assert_eq!(starts(&machine), 5);
    assert_eq!(unit(&machine, "StatusText"), "2 instances: 1 online, 1 stopped");
    let list = ana(&machine, "zelador jlist").out;
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let status = |name: &str| {
        let found = list.iter().find(|it| it["name"] == name).unwrap();
        found["pm2_env"]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!((status("counted").as_str(), status("down").as_str()), ("online", "stopped"));

    // `kill` means it: systemd does not start it again.
    assert_eq!(ana(&machine, "zelador kill").code, 0);
    until("the unit to be down", || unit(&machine, "ActiveState") == "inactive");
    assert_eq!((unit(&machine, "Result").as_str(), processes(&machine).as_str()), ("success", ""));

    let gone = machine.run(&["zelador", "unstartup", "systemd", "-u", "ana"]);
    assert_eq!(gone.code, 0, "{}", gone.err);
    assert_ne!(machine.run(&["systemctl", "is-enabled", "zelador-ana"]).code, 0);
    machine.power_off();
}

#[test]
fn openrc_starts_and_stops_it_and_a_reboot_brings_the_list_back() {
    let Some(mut machine) = booted(Init::Openrc) else { return };
    let begun = ana(&machine, "zelador start ./counted.sh --name counted && zelador save");
    assert_eq!(begun.code, 0, "{}", begun.err);
    let pasted = ana(&machine, "zelador startup");
    let line = pasted.out.lines().last().unwrap().strip_prefix("sudo ").unwrap().to_owned();
    assert!(line.contains(" startup openrc -u ana --hp /home/ana"), "{line}");
    assert!(!pasted.err.contains("systemd"), "nothing that is of no use here: {}", pasted.err);

    // A service that cannot start leaves the apps up, as they were.
    machine.shell("mv /sbin/openrc-run /sbin/openrc-run.away");
    let refused = machine.shell(&format!("{line} --now"));
    assert_eq!(refused.code, 1, "{}", refused.out);
    assert!(refused.err.contains("rc-service zelador-ana start` failed"), "{}", refused.err);
    assert!(refused.err.contains("the apps are back"), "{}", refused.err);
    assert_eq!(ana(&machine, "zelador pid counted").code, 0);
    assert_eq!(starts(&machine), 2);
    machine.shell("mv /sbin/openrc-run.away /sbin/openrc-run");

    let moved = machine.shell(&format!("{line} --now"));
    assert_eq!(moved.code, 0, "{}{}", moved.out, moved.err);
    assert!(moved.out.contains("1 instance (1 up)"), "{}", moved.out);
    assert_eq!(starts(&machine), 3);
    assert_eq!(machine.run(&["rc-service", "zelador-ana", "status"]).code, 0);

    machine.ok(&["rc-service", "zelador-ana", "stop"]);
    assert_eq!(processes(&machine), "");
    assert_ne!(machine.run(&["rc-service", "zelador-ana", "status"]).code, 0);
    machine.power_off();
    machine.boot().unwrap();
    until("the list", || ana(&machine, "zelador ping").code == 0 && starts(&machine) == 4);
    assert_eq!(machine.run(&["rc-service", "zelador-ana", "status"]).code, 0);

    let gone = machine.run(&["zelador", "unstartup", "openrc", "-u", "ana"]);
    assert_eq!(gone.code, 0, "{}", gone.err);
    assert!(!machine.run(&["rc-update", "show"]).out.contains("zelador-ana"));
    machine.power_off();
}

#[test]
fn a_resurrected_app_keeps_to_its_limits_and_a_smaller_list_is_told() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'brief', script: 'false', max_restarts: 3, min_uptime: '5s' },
         { name: 'a', script: 'sleep', args: '1000' }",
    );
    let errored = || zelador.status("brief") == "errored";
    until("the limit", errored);
    let restarts = zelador.restarts("brief");
    zelador.ok(&["save"]);
    zelador.ok(&["kill"]);
    zelador.run(&["resurrect"]);
    until("the limit again", errored);
    assert_eq!(zelador.restarts("brief"), restarts);

    zelador.ok(&["delete", "a"]);
    let said = zelador.ok(&["save"]);
    assert!(said.err.contains("not in it any more: a; the list saved before is "), "{}", said.err);
    let dump = zelador.home().join("dump.json");
    assert!(text(dump.with_file_name("dump.json.1")).contains("\"a\""));

    // Nothing is not saved over something, and a broken file is no end.
    zelador.ok(&["delete", "brief"]);
    let said = zelador.ok(&["save"]);
    assert!(said.err.contains("nothing is saved"), "{}", said.err);
    std::fs::write(&dump, "{ \"version\": 1, ").unwrap();
    let said = zelador.run(&["resurrect"]);
    assert!(
        said.err.contains("dump.json is broken") && said.err.contains("dump.json.1"),
        "{}",
        said.err
    );
    assert_eq!(zelador.jlist().len(), 2, "the list before");
}

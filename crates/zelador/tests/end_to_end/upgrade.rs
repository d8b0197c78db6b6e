//! Another executable takes over, and nobody notices; one that is no good goes back.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, free_port, http_get, kill, said, text, until};

use crate::{SERVER, zelador};

/// A second executable of zelador.
fn copy(zelador: &Zelador) -> PathBuf {
    let path = zelador.app().join("zelador-next");
    fs::copy(env!("CARGO_BIN_EXE_zelador"), &path).unwrap();
    path
}

/// Something that calls itself zelador.
fn fake(zelador: &Zelador, rest: &str) -> String {
    let path = zelador.write(
        "fake",
        &format!("#!/bin/sh\ncase $1 in --version) echo 'zelador 9.9.9' ;; {rest} esac\n"),
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn executes(pid: i32, path: &Path) -> bool {
    let (exe, file) = (fs::metadata(format!("/proc/{pid}/exe")), fs::metadata(path));
    exe.is_ok_and(|exe| file.is_ok_and(|file| (exe.dev(), exe.ino()) == (file.dev(), file.ino())))
}

#[test]
fn an_upgrade_is_invisible_to_services_their_callers_and_their_logs() {
    let zelador = zelador();
    let port = free_port();
    zelador.write("server.js", SERVER);
    zelador.write(
        "count.js",
        "let n = 0; const more = () => { for (let i = 0; i < 200 && n < 60000; i++) console.log(++n); setTimeout(more, 5) }; more()",
    );
    zelador.start(&format!(
        "{{ name: 'web', script: 'server.js', env: {{ PORT: {port} }} }}, {{ name: 'count', script: 'count.js' }},
         {{ name: 'down', script: 'sleep', args: '1', autostart: false }}"
    ));
    until("the server", || http_get(port, "/").is_some());
    let (guardian, engine) = (zelador.roles().1, zelador.roles().0);
    let (web, count) = (zelador.pid("web"), zelador.pid("count"));
    let next = copy(&zelador);
    let said = zelador.ok(&["upgrade", next.to_str().unwrap()]);
    assert!(
        said.out.contains(" became ") && said.out.contains("2 services untouched"),
        "{}",
        said.out
    );
    let (new_engine, same) = zelador.roles();
    assert!(executes(same, &next) && executes(new_engine, &next));
    assert_eq!((same, new_engine != engine), (guardian, true));
    assert_eq!((zelador.pid("web"), zelador.pid("count")), (web, count));
    assert_eq!((zelador.status("down"), zelador.restarts("web")), ("stopped".to_owned(), 0));
    assert!(http_get(port, "/").is_some());
    let log = zelador.home().join("logs/count-out.log");
    until("every line", || text(&log).ends_with("\n60000\n"));
    let lines: Vec<u32> = text(&log).lines().map(|line| line.parse().unwrap()).collect();
    assert!(lines.iter().copied().eq(1..=60000), "no line is lost, doubled or torn");
    // What it is already is no upgrade.
    let again = zelador.ok(&["upgrade", next.to_str().unwrap()]);
    assert!(again.out.contains("already") && zelador.roles().0 == new_engine, "{}", again.out);
    // Supervision goes on.
    zelador.ok(&["restart", "web"]);
    assert_ne!(zelador.pid("web"), web);
}

#[test]
fn the_history_and_incidents_that_are_pending_are_kept() {
    let zelador = zelador();
    let port = free_port();
    let flag = "require('fs').existsSync('sick')";
    zelador.write("server.js", &SERVER.replace("&& sick", &format!("&& {flag}")));
    zelador.start(&format!(
        "{{ name: 'sick', script: 'server.js', env: {{ PORT: {port} }}, max_restarts: 100,
           health: {{ http: 'http://127.0.0.1:{port}/health', interval: '200ms', failure_threshold: 2,
             start_period: '0s', verify_within: '1h' }} }},
         {{ name: 'bad', script: 'sh', args: ['-c', 'exit 3'], max_restarts: 2, half_open_after: false }}"
    ));
    until("the server", || http_get(port, "/").is_some());
    until("one to be given up", || zelador.status("bad") == "errored");
    // No restart helps.
    zelador.write("sick", "");
    let pending = |zelador: &Zelador| {
        let mut all: Vec<(u64, String)> = zelador
            .incidents()
            .iter()
            .filter(|it| it["closed"].is_null() && it["closed_at"].is_null())
            .map(|it| (it["id"].as_u64().unwrap(), it["trouble"].as_str().unwrap().to_owned()))
            .collect();
        all.sort();
        all
    };
    until("two incidents", || pending(&zelador).len() == 2);
    let (before, engine) = (pending(&zelador), zelador.roles().0);
    let story = |id: u64| zelador.ok(&["incidents", &id.to_string()]).out;
    let told = story(before[1].0);
    let next = copy(&zelador);
    zelador.ok(&["upgrade", next.to_str().unwrap()]);
    assert_ne!(zelador.roles().0, engine);
    assert_eq!(pending(&zelador), before);
    let first = told.lines().find(|line| line.contains("detected: ")).unwrap();
    assert!(story(before[1].0).contains(first), "its story goes on: {first}");
    assert_eq!((zelador.status("bad").as_str(), zelador.restarts("bad")), ("errored", 1));
}

#[test]
fn what_is_no_good_touches_nothing_or_is_rolled_back() {
    let zelador = zelador();
    zelador.start("{ name: 'app', script: 'sleep', args: '1000' }");
    let (engine, guardian) = zelador.roles();
    let pid = zelador.pid("app");
    let wrong = zelador.run(&["upgrade", "/bin/true"]);
    assert!(wrong.code == 1 && wrong.err.contains("/bin/true is no zelador"), "{}", wrong.err);
    let missing = zelador.run(&["upgrade", "/no/such/file"]);
    assert!(missing.code == 1 && missing.err.contains("/no/such/file is not there"));
    let broken = fake(&zelador, "*) echo broken >&2; exit 1 ;;");
    let wrong = zelador.run(&["upgrade", &broken]);
    assert!(wrong.code == 1 && wrong.err.contains("was tried with an empty home"), "{}", wrong.err);
    assert_eq!(zelador.roles(), (engine, guardian), "neither was asked for anything");

    // What becomes another program is found out by what the guardian executes in the end.
    let binary = env!("CARGO_BIN_EXE_zelador");
    let spoilt = fake(&zelador, &format!("*) exec {binary} \"$@\" ;;"));
    let said = zelador.run(&["upgrade", &spoilt]);
    assert!(said.code == 1 && said.err.contains("no service was touched"), "{}", said.err);
    assert_eq!((zelador.pid("app"), zelador.roles().1), (pid, guardian));
    assert_eq!(zelador.restarts("app"), 0);
}

#[test]
fn what_does_not_answer_is_refused_and_nothing_is_left_of_it() {
    let zelador = zelador();
    zelador.start("{ name: 'app', script: 'sleep', args: '1000' }");
    let roles = zelador.roles();
    let silent = zelador.write("silent", "#!/bin/sh\nexec sleep 1000\n");
    fs::set_permissions(&silent, fs::Permissions::from_mode(0o755)).unwrap();
    let said = zelador.run(&["upgrade", "./silent"]);
    assert!(said.code == 1 && said.err.contains("silent is no zelador"), "{}", said.err);
    let pid = zelador.app().join("pid");
    let hangs = fake(&zelador, &format!("*) echo $$ > {}; exec sleep 1000 ;;", pid.display()));
    let said = zelador.run(&["upgrade", &hangs]);
    assert!(said.code == 1 && said.err.contains("did not answer within"), "{}", said.err);
    assert!(!alive(text(pid).trim().parse().unwrap()), "nothing of it is left");
    assert_eq!(zelador.roles(), roles);
}

#[test]
fn of_a_trial_that_does_not_end_nothing_is_left() {
    let zelador = zelador();
    zelador.start("{ name: 'app', script: 'sleep', args: '1000' }");
    let (roles, next) = (zelador.roles(), copy(&zelador));
    let mut upgrade = zelador.command(&["upgrade", next.to_str().unwrap()]);
    let upgrade = upgrade.env("TMPDIR", zelador.app()).stderr(Stdio::piped()).spawn().unwrap();
    let trial = zelador.app().join(format!("zelador-upgrade-{}", upgrade.id()));
    let guardian = || text(trial.join("guardian.lock")).trim().parse::<i32>().ok();
    until("the trial's guardian", || guardian().is_some());
    let guardian = guardian().unwrap();
    let engine =
        || text(format!("/proc/{guardian}/task/{guardian}/children")).trim().parse::<i32>();
    until("the trial's engine", || engine().is_ok());
    let engine = engine().unwrap();
    for process in [guardian, engine] {
        kill(process, Signal::STOP);
    }
    let said = said(&upgrade.wait_with_output().unwrap());
    assert!(said.code == 1 && said.err.contains("was tried with an empty home"), "{}", said.err);
    until("its processes to be gone", || !alive(guardian) && !alive(engine));
    assert!(!trial.exists());
    assert_eq!(zelador.roles(), roles);
}

#[test]
fn what_cannot_take_over_from_another_is_refused_by_its_trial() {
    let zelador = zelador();
    zelador.start("{ name: 'app', script: 'sleep', args: '1000' }");
    let roles = zelador.roles();
    let binary = env!("CARGO_BIN_EXE_zelador");
    let ends = format!("*) case \"$*\" in *--table*) exit 1 ;; esac; exec {binary} \"$@\" ;;");
    let said = zelador.run(&["upgrade", &fake(&zelador, &ends)]);
    assert!(said.code == 1 && said.err.contains("was tried with an empty home"), "{}", said.err);
    assert_eq!(zelador.roles(), roles);
}

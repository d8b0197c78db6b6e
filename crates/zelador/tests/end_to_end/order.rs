//! Apps that need each other: started and stopped in order, and held where that cannot be.

use rustix::process::Signal;
use zelador_testbed::home::{Zelador, alive, free_port, kill, text, until};

use crate::zelador;

/// Writes what happens to it into a file that all share; `WAIT`: ready only so many milliseconds after
/// its start; `LINGER`: ends so many after its signal.
const TOLD: &str = "
const fs = require('fs');
const told = (what) => fs.appendFileSync('told', process.env.name + ' ' + what + '\\n');
told('starts');
setTimeout(() => { told('ready'); process.send && process.send('ready'); }, +process.env.WAIT || 0);
process.on('SIGINT', () => {
  told('stops');
  setTimeout(() => { told('gone'); process.exit(0); }, +process.env.LINGER || 0);
});
setInterval(() => {}, 1000);
";

fn told(zelador: &Zelador) -> Vec<String> {
    text(zelador.app().join("told")).lines().map(str::to_owned).collect()
}

fn position(told: &[String], what: &str) -> usize {
    let found = told.iter().position(|line| line == what);
    found.unwrap_or_else(|| panic!("{what} is told: {told:?}"))
}

#[test]
fn what_an_app_needs_is_there_before_it_and_goes_after_it() {
    let zelador = zelador();
    zelador.write("told.js", TOLD);
    zelador.start(
        "{ name: 'web', script: 'told.js', depends_on: ['api'], env: { LINGER: 300 } },
         { name: 'api', script: 'told.js', wait_ready: true, depends_on: { base: 'ready', migrate: { condition: 'service_completed_successfully' } }, env: { LINGER: 300 } },
         { name: 'base', script: 'told.js', wait_ready: true, env: { WAIT: 600 } },
         { name: 'other', script: 'told.js' },
         { name: 'migrate', script: 'bash', args: ['-c', 'echo migrate starts >> told; sleep 0.3; echo migrate done >> told'], interpreter: 'none', autorestart: false }",
    );
    // A process that is up has not said anything yet.
    until("the last one to say so", || told(&zelador).contains(&"web ready".to_owned()));
    let up = told(&zelador);
    let (base, migrate) = (position(&up, "base ready"), position(&up, "migrate done"));
    let (api, web) = (position(&up, "api starts"), position(&up, "web starts"));
    assert!(base < api && migrate < api && api < web, "{up:?}");
    for first in ["other starts", "base starts", "migrate starts"] {
        assert!(position(&up, first) < base.min(migrate), "they begin together: {up:?}");
    }
    let shown = zelador.ok(&["show", "api"]).out;
    assert!(shown.contains("base (ready), migrate (completed)"), "{shown}");

    zelador.ok(&["stop", "all"]);
    let down = told(&zelador);
    let at = |what| position(&down, what);
    assert!(at("web gone") < at("api stops"), "{down:?}");
    assert!(at("api gone") < at("base stops"), "{down:?}");
    assert!(at("other stops") < at("web gone"), "nothing holds it: {down:?}");

    // What it needs comes up with it, and the job is done once more.
    let said = zelador.ok(&["start", "api"]);
    let said = format!("{}{}", said.out, said.err);
    assert!(said.contains("base is started too"), "{said}");
    assert_eq!(zelador.status("api"), "online");
    assert_eq!(zelador.status("base"), "online");
    assert_eq!(zelador.status("web"), "stopped");
}

/// Lives until it is told to die.
const MORTAL: &str = "until [ -e die-$name ]; do sleep 0.02; done; rm die-$name; exit 1";

#[test]
fn a_dependant_that_dies_while_its_dependency_is_down_waits_or_is_restarted_as_it_declares() {
    let zelador = zelador();
    zelador.write("mortal.sh", MORTAL);
    zelador.start(
        "{ name: 'base', script: 'mortal.sh', restart_delay: 600000 },
         { name: 'patient', script: 'mortal.sh', depends_on: { base: 'started' } },
         { name: 'eager', script: 'mortal.sh', depends_on: { base: 'started' }, on_dependency_down: 'restart' }",
    );
    zelador.write("die-base", "");
    until("the base to be down", || zelador.status("base") == "waiting restart");
    let before = zelador.pid("eager");
    for name in ["die-patient", "die-eager"] {
        zelador.write(name, "");
    }
    until("the eager one to be up again", || {
        let now = zelador.pid("eager");
        now != before && alive(now)
    });
    assert_eq!(zelador.restarts("eager"), 1);
    until("the patient one to wait", || zelador.ok(&["list"]).out.contains("waits for base"));
    assert_eq!(zelador.restarts("patient"), 0);
    assert!(!alive(zelador.pid("patient")));
    assert!(zelador.ok(&["show", "eager"]).out.contains("restart"));
    zelador.ok(&["restart", "base"]);
    until("the patient one to be up again", || alive(zelador.pid("patient")));
    assert_eq!(zelador.status("base"), "online");
}

#[test]
fn a_job_that_fails_holds_what_needs_it_and_says_so() {
    let zelador = zelador();
    zelador.write("told.js", TOLD);
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [
           { name: 'api', script: 'told.js', depends_on: { migrate: 'completed' } },
           { name: 'migrate', script: 'bash', args: ['-c', 'exit $(cat code)'], interpreter: 'none', autorestart: false }] }",
    );
    zelador.write("code", "3");
    let why = "waits for migrate to end well: the process exited with code 3";
    let said = zelador.run(&["start", "ecosystem.config.js"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(format!("{}{}", said.out, said.err).contains(why), "{}{}", said.out, said.err);
    assert!(zelador.run(&["list"]).out.contains(why), "{}", zelador.run(&["list"]).out);
    assert!(zelador.run(&["show", "api"]).out.contains("waits for migrate"));
    assert!(told(&zelador).is_empty(), "it was never started");

    // The engine may be killed: it is held all the same.
    let (engine, _) = zelador.roles();
    kill(engine, Signal::KILL);
    until("another engine", || zelador.roles_now().is_some_and(|(new, _)| new != engine));
    assert!(zelador.run(&["list"]).out.contains(why));
    assert!(told(&zelador).is_empty());

    zelador.write("code", "0");
    zelador.run(&["start", "migrate"]);
    until("the app to be up", || alive(zelador.pid("api")));
    assert_eq!(zelador.restarts("api"), 0, "a start that was held is no restart");
}

#[test]
fn a_circle_over_two_files_is_refused_with_all_its_names() {
    let zelador = zelador();
    zelador.write("told.js", TOLD);
    zelador.start("{ name: 'a', script: 'told.js' }");
    zelador.start("{ name: 'b', script: 'told.js', depends_on: ['a'] }");
    let pid = zelador.pid("a");
    zelador.write(
        "circle.config.js",
        "module.exports = { apps: [{ name: 'a', script: 'told.js', depends_on: ['b'] }] }",
    );
    let said = zelador.run(&["start", "circle.config.js"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("a needs b needs a"), "{}", said.err);
    assert_eq!(zelador.pid("a"), pid, "nothing was touched");
}

#[test]
fn who_waits_for_a_database_is_told_where_to_look_at_it() {
    let zelador = zelador();
    let closed = free_port();
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ zelador: {{ databases: {{ main: {{ url: 'redis://127.0.0.1:{closed}/0', timeout: '1s' }} }} }},
             apps: [{{ name: 'web', script: 'sleep', args: '1000', depends_on: {{ main: {{ condition: 'healthy' }} }} }},
                    {{ name: 'job', script: 'sleep', args: '1000', depends_on: {{ web: {{ condition: 'ready' }} }} }}] }}"
        ),
    );
    let said = zelador.run(&["start", "ecosystem.config.js"]);
    let all = format!("{}{}", said.out, said.err);
    assert!(all.contains("`zelador health` tells more"), "{all}");
    assert!(zelador.run(&["health"]).out.contains("database:main"), "and it does");
    assert!(!all.contains("show main"), "a database is no app: {all}");
}

//! Mistakes of people: one clear error each, and nothing is lost.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use zelador_testbed::home::{http_get, text, until};

use crate::{SERVER, zelador};

#[test]
fn a_file_that_cannot_be_used_is_named_and_starts_nothing() {
    let zelador = zelador();
    zelador.write("broken.config.js", "module.exports = {\n  apps: [ }\n");
    zelador.write("endless.config.js", "while (true) {}");
    zelador.write(
        "wrong.config.js",
        "module.exports = { apps: [{ script: 'a.js', max_restart: 'ten', instances: -1.5 }] }",
    );
    for (file, parts) in [
        ("missing.config.js", &["missing.config.js"][..]),
        ("broken.config.js", &["broken.config.js:2"]),
        ("endless.config.js", &["endless.config.js", "2 s"]),
        ("wrong.config.js", &["max_restart", "did you mean `max_restarts`", "instances"]),
    ] {
        let begin = Instant::now();
        let said = zelador.run(&["start", file]);
        assert_eq!(said.code, 1, "{file}");
        for part in parts {
            assert!(said.err.contains(part), "{file}: {part}: {}", said.err);
        }
        assert!(begin.elapsed() < Duration::from_secs(15), "{file}");
        assert!(!zelador.home().join("zelador.sock").exists(), "{file} brought something up");
    }
}

#[test]
fn what_pm2_does_and_nobody_does_here_says_what_to_do_instead() {
    let zelador = zelador();
    for (verb, does) in [("deploy", "rsync"), ("pull", "`zelador reload`"), ("link", "cloud")] {
        let said = zelador.run(&[verb, "production"]);
        assert_eq!(said.code, 1, "{verb}");
        assert!(said.err.contains(&format!("there is no `{verb}`")), "{}", said.err);
        assert!(said.err.contains(does) && !said.err.contains("tip"), "{}", said.err);
    }
    assert!(zelador.is_untouched(), "nothing is brought up for it");
}

#[test]
fn what_cannot_be_started_says_why() {
    let zelador = zelador();
    let plain = zelador.write("plain", "#!/bin/sh\nsleep 1\n");
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o644)).unwrap();
    zelador.write(
        "ecosystem.config.js",
        "module.exports = { apps: [
           { name: 'no-interpreter', script: './plain', interpreter: 'nodejs-of-mars' },
           { name: 'no-right', script: './plain', interpreter: 'none' },
           { name: 'no-folder', script: 'sleep', args: '1', cwd: './nowhere' },
           { name: 'fine', script: 'sleep', args: '1000' }] }",
    );
    let said = zelador.run(&["start", "ecosystem.config.js"]);
    assert_eq!(said.code, 1);
    let all = format!("{}{}", said.out, said.err);
    for part in [
        "`nodejs-of-mars` not found in PATH",
        "cannot be executed: permission denied",
        "cannot be entered: no such file or directory",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert_eq!(zelador.status("fine"), "online", "the others start");
    assert_eq!(zelador.status("no-interpreter"), "errored");
}

#[test]
fn a_port_that_is_taken_is_told_and_costs_no_service() {
    let zelador = zelador();
    let taken = std::net::TcpListener::bind(("127.0.0.1", zelador.port())).unwrap();
    zelador.start("{ name: 'a', script: 'sleep', args: '1000' }");
    until("it to be told", || {
        text(zelador.home().join("zelador.log")).contains("the health endpoints cannot listen")
    });
    assert_eq!(zelador.status("a"), "online");
    drop(taken);
    // A busy host may be unhealthy: any answer will do.
    until("the endpoints to come up", || zelador.get("/healthz").0 != 0);
    let tried = zelador.ok(&["retries", "listen"]).out;
    assert!(tried.contains("address already in") && tried.contains("127.0.0.1:"), "{tried}");
}

#[test]
fn a_service_whose_port_is_taken_is_given_up_with_its_reason_in_the_evidence() {
    let zelador = zelador();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    zelador.write("server.js", SERVER);
    zelador.start(&format!(
        "{{ name: 'web', script: 'server.js', env: {{ PORT: {port} }}, min_uptime: '5s', max_restarts: 2, half_open_after: '2s' }}"
    ));
    until("it to be given up", || zelador.status("web") == "errored");
    until("the evidence", || zelador.ok(&["incidents", "1"]).out.contains("EADDRINUSE"));
    drop(taken);
    until("the trial to hold", || http_get(port, "/").is_some());
}

/// Nobody reads the log as zelador comes up, and without its settings nobody is told of anything.
#[test]
fn settings_that_cannot_be_read_are_told_as_zelador_comes_up() {
    let zelador = zelador();
    std::fs::write(zelador.settings(), "[notify\nchannels = 1\n").unwrap();
    let said = zelador.ok(&["start", "sleep", "--", "1000"]);
    for part in ["zelador.toml:1:8: ", "until that is corrected the defaults count"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    let again = zelador.ok(&["start", "sleep"]);
    assert!(!again.err.contains("zelador.toml"), "once: {}", again.err);
}

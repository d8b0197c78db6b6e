//! `send` and `attach`: the standard input of apps.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use rustix::process::Signal;
use zelador_testbed::home::{kill, text, until};

use crate::zelador;

/// Says again what it reads.
const ECHO: &str = "require('readline').createInterface({ input: process.stdin }).on('line', line => console.log('got ' + line))\n";

#[test]
fn a_line_that_is_sent_is_read_also_after_the_engine_was_killed() {
    let zelador = zelador();
    zelador.write("echo.js", ECHO);
    zelador.start("{ name: 'echo', script: 'echo.js' }, { name: 'down', script: 'echo.js', autostart: false }");
    let log = || text(zelador.home().join("logs/echo-out.log"));
    let said = zelador.ok(&["send", "echo", "hello", "--there", "é"]);
    assert_eq!(said.out, "✓ echo (id 0): the line is in its standard input\n");
    until("the app to read it", || log() == "got hello --there é\n");
    let pid = zelador.pid("echo");
    kill(zelador.roles().0, Signal::KILL);
    until("the next engine to hand on a line", || zelador.run(&["send", "0", "again"]).code == 0);
    until("the app to read it", || log().ends_with("got again\n"));
    assert_eq!(zelador.pid("echo"), pid, "it is the same process");
    let down = zelador.run(&["send", "all", "x"]);
    assert_eq!(down.code, 1);
    assert_eq!(down.out, "✓ echo (id 0): the line is in its standard input\n", "the others get it");
    assert_eq!(down.err, "error: down (id 1): it is not running, and nobody reads\n");
    let nobody = zelador.run(&["send", "ecko", "x"]);
    assert!(nobody.code == 1 && nobody.err.contains("did you mean `echo`?"), "{}", nobody.err);
}

#[test]
fn an_app_that_does_not_read_says_so_and_hangs_nobody() {
    let zelador = zelador();
    zelador.start(
        "{ name: 'closed', script: 'sh', args: ['-c', 'exec <&-; echo closed; exec sleep 1000'] },
         { name: 'deaf', script: 'sleep', args: '1000' }",
    );
    until("it to close its input", || {
        text(zelador.home().join("logs/closed-out.log")) == "closed\n"
    });
    let closed = zelador.run(&["send", "closed", "x"]);
    assert_eq!(closed.code, 1);
    assert_eq!(closed.err, "error: closed (id 0): it has closed its standard input\n");
    let long = "x".repeat(100_000);
    let deaf = zelador.run(&["send", "deaf", &long]);
    assert_eq!(deaf.code, 1);
    let said = "error: deaf (id 1): it does not read its standard input: ";
    assert!(deaf.err.starts_with(said) && deaf.err.contains(" of 100001 bytes"), "{}", deaf.err);
    assert_eq!(zelador.status("deaf"), "online");
}

#[test]
fn attached_to_an_app_lines_go_in_and_its_output_comes_out() {
    let zelador = zelador();
    zelador.write("echo.js", ECHO);
    zelador.start("{ name: 'echo', script: 'echo.js', instances: 2, exec_mode: 'fork' }");
    let several = zelador.run(&["attach", "echo"]);
    assert!(several.code == 1 && several.err.contains("`echo` is several"), "{}", several.err);
    let mut attached = zelador
        .command(&["attach", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (attached.stdin.take().unwrap(), attached.stdout.take().unwrap());
    let mut shown = BufReader::new(output).lines();
    for word in ["one", "two"] {
        writeln!(input, "{word}").unwrap();
        assert_eq!(shown.next().unwrap().unwrap(), format!("got {word}"));
    }
    drop(input);
    assert_eq!(attached.wait().unwrap().code(), Some(0), "the end of what is typed is its end");
    assert_eq!(zelador.restarts("echo"), 0);
    assert!(!text(zelador.home().join("logs/echo-out-0.log")).contains("one"));
}

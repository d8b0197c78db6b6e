//! Whole sessions in both voices, tables and all, as a person sees them.

use std::process::{Command, Stdio};

use regex_lite::{Captures, Regex};
use zelador_testbed::home::{Said, Zelador, free_port, said};

use crate::{pm2_voice, zelador};

/// What differs from run to run, and what stands in its place. Tables are drawn for the text in their cells,
/// so their lines and the spaces in them go first.
const VOLATILE: [(&str, &str); 17] = [
    ("[─═]+", "─"),
    (" {2,}", " "),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "DATE"),
    (r"\(pid \d+\)", "(pid N)"),
    (r"guardian pid \d+", "guardian pid N"),
    (r"engine pid \d+", "engine pid N"),
    (r"│ pid │ \d+ │", "│ pid │ N │"),
    // Numbers of apps and counts of restarts have one digit here.
    (r"│ \d{2,} │", "│ N │"),
    (r"(?m)^(pid *:) \d+$", "$1 N"),
    (r"\d+(\.\d+)?%", "N%"),
    (r"(?m)\d+(\.\d+)?(b|kb|mb| B| KB| MB)( |$)", "SIZE$3"),
    (r"(?m)^uptime : \d+s$", "uptime : TIME"),
    (r"ZELADOR_RUN: \d+", "ZELADOR_RUN: N"),
    (r"unique_id: [0-9a-f-]+", "unique_id: ID"),
    (r"up for \d+(\.\d+)? m?s", "up for TIME"),
    (r"│ \d+(\.\d+)? ?(ms|s|m)\b", "│ TIME"),
    (r"zelador \d+\.\d+\.\d+", "zelador VERSION"),
];

fn masked(zelador: &Zelador, port: u16, text: &str) -> String {
    let mut text = text
        .replace(&*zelador.home().to_string_lossy(), "HOME")
        .replace(&*zelador.app().to_string_lossy(), "APP")
        .replace(&port.to_string(), "PORT")
        .replace(&zelador.port().to_string(), "HTTP");
    for (pattern, instead) in VOLATILE {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, instead).into_owned();
    }
    // Whole lines: what the host is at, and where programs are looked for.
    let host = Regex::new(r"(?m)^host [^\n]*\n").unwrap();
    let path = Regex::new(r"(?m)^(│ )?PATH(: | │ )[^\n]*\n").unwrap();
    let kept = |_: &Captures<'_>| String::new();
    path.replace_all(&host.replace_all(&text, kept), kept).into_owned()
}

/// The apps of a session, and the port of one of them.
fn prepared() -> (Zelador, u16) {
    let zelador = zelador();
    let port = free_port();
    zelador.write("job.sh", "echo working; exec sleep 1000");
    zelador.write(
        "web.js",
        "require('http').createServer((q, r) => r.end('ok')).listen(+process.env.PORT, '127.0.0.1')",
    );
    zelador.write(
        "eco.config.js",
        &format!(
            "module.exports = {{ zelador: {{ checks: {{ cpu: false, memory: false, disk: false }} }}, apps: [
               {{ name: 'web', script: 'web.js', instances: 2, exec_mode: 'cluster',
                  env: {{ PORT: {port}, API_KEY: 'hush' }} }},
               {{ name: 'job', script: 'job.sh', namespace: 'night', max_memory_restart: '200M' }}] }}"
        ),
    );
    (zelador, port)
}

/// What is said to each line that is typed. The environment is the same on every host.
fn transcript(
    program: &str,
    typed: &[&str],
    (zelador, port): (&Zelador, u16),
    command: impl Fn(&[&str]) -> Command,
) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut transcript = String::new();
    for line in typed {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = command(&words);
        let own: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command.env_clear().envs(own).env("PATH", &path).env("USER", "ana").env("TZ", "UTC");
        command.env("HOME", zelador.app()).stdin(Stdio::null());
        let Said { code, out, err } = said(&command.output().unwrap());
        let said = masked(zelador, port, &format!("{out}{err}"));
        transcript.push_str(&format!("$ {program} {line}\n{said}"));
        if !said.ends_with('\n') {
            transcript.push('\n');
        }
        if code != 0 {
            transcript.push_str(&format!("(exit code {code})\n"));
        }
        transcript.push('\n');
    }
    transcript
}

#[test]
fn a_session_in_zeladors_own_voice() {
    let (zelador, port) = prepared();
    let typed = [
        "list",
        "config check eco.config.js",
        "start eco.config.js",
        "start eco.config.js",
        "list --mini-list",
        "show job",
        "logs job --nostream --out",
        "restart job",
        "reload web",
        "scale web 3",
        "scale web 2",
        "stop job",
        "start job",
        "sendSignal CONT job",
        "reset all",
        "env job",
        "start nothere.sh",
        "stop nobody",
        "restart job --max-memory-restart 300M",
        "incidents",
        "save",
        "delete job",
        "resurrect",
        "set pm2-logrotate:max_size 5M",
        "get pm2-logrotate:max_size",
        "ping",
        "kill",
        "list",
    ];
    let told = transcript("zelador", &typed, (&zelador, port), |words| zelador.command(words));
    insta::assert_snapshot!(told);
}

#[test]
fn a_session_in_pm2s_voice() {
    let (zelador, port) = prepared();
    let typed = [
        "ls",
        "ping",
        "start eco.confg.js",
        "start eco.config.js",
        "start job.sh",
        "start job",
        "ls",
        "ls -m",
        "describe job",
        "logs job --nostream --out",
        "restart all",
        "reload web",
        "scale web 3",
        "scale web 2",
        "stop job",
        "start job",
        "sendSignal SIGCONT job",
        "reset all",
        "id web",
        "env 2",
        "start nothere.sh",
        "stop nobody",
        "restart job --max-memory-restart 300M",
        "start job.sh --name written --write --no-autostart",
        "save",
        "delete job",
        "resurrect",
        "set pm2-logrotate:max_size 5M",
        "get pm2-logrotate:max_size",
        "link a b",
        "kill",
        "ls",
    ];
    let told =
        transcript("pm2", &typed, (&zelador, port), |words| pm2_voice::command(&zelador, words));
    insta::assert_snapshot!(told);
    // What `--write` wrote is what `start` understands.
    let written = zelador_testbed::home::text(zelador.app().join("written-pm2.json"));
    assert!(written.contains("\"autostart\": false"), "{written}");
    assert_eq!(pm2_voice::pm2(&zelador, "start written-pm2.json").code, 0);
    assert_eq!(zelador.status("written"), "stopped");
}

//! The whole road through the real binary, with real servers.

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that fails")]

mod advised;
mod answer_link;
mod api;
mod bad_host;
mod bad_input;
mod bad_service;
mod boot;
mod brought_back;
mod channel;
mod common_cause;
mod dashboard;
mod dashboard_aside;
mod dashboard_charts;
mod dashboard_forecast;
mod dashboard_pace;
mod dashboard_reported;
mod dashboard_states;
mod databases;
mod dead_mount;
mod diagnose;
mod disks;
mod doctor;
mod era;
mod every_verb;

mod faults;
mod fields;
mod guardian;
mod healing;
mod health;
mod heartbeat;
mod history;
mod host;
mod hostile;
mod import;
mod input;
mod keeping;
mod kernel;
mod launching;
mod led_astray;
mod limits;
mod log_settings;
mod logs;
mod lost;
mod metrics;
mod modules;
mod monit;
mod notify;
mod notify_reach;
mod options;
mod order;
#[cfg(feature = "otlp")]
mod otlp;
mod pains;
mod pm2_library;
mod pm2_scripts;
mod pm2_voice;
mod portuguese;
mod probes;
mod protocol;
mod remedies;
mod reported;
mod runtime;
mod scarcity;
mod screens;
mod sd_notify;
mod serve;
mod strangers;
mod supervision;
mod torture;
mod transcripts;
mod typed_client;
mod unwritten;
mod upgrade;
mod verbs;
mod verdicts;
mod watch;

use zelador_testbed::home::Zelador;

/// A zelador of this build.
fn zelador() -> Zelador {
    Zelador::new(env!("CARGO_BIN_EXE_zelador"))
}

/// What the user is called that these tests are.
fn whoami() -> String {
    let told = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}

/// A Node server on `PORT` whose health can be broken: `/hang`, `/sick`, `/well`, `/crash`.
const SERVER: &str = "
const http = require('http'); let hung = false, sick = false;
http.createServer((q, r) => {
  if (q.url === '/hang') hung = true;
  if (hung) return;
  if (q.url === '/crash') process.exit(7);
  if (q.url === '/sick') sick = true;
  if (q.url === '/well') sick = false;
  console.log(q.url);
  r.statusCode = q.url === '/health' && sick ? 500 : 200;
  r.end('ok');
}).listen(+process.env.PORT, '127.0.0.1', () => console.log('listening'));
";

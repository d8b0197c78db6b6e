//! Foreign bytes before every parser of the core.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use zelador_core::config::{Context, Defaults, Value, script_app, shell_words};
use zelador_core::date::DateFormat;
use zelador_core::death::Death;
use zelador_core::diagnosis::Snapshot;
use zelador_core::effect::Effect;
use zelador_core::history::block;
use zelador_core::id::Ticket;
use zelador_core::input::{Command, Declaration, Fact, Input, Unchanged};
use zelador_core::instance::Goal;
use zelador_core::record::Record;
use zelador_core::sd_notify::{Notified, is_name};
use zelador_core::spec::{Cadence, CronPattern, Environment};
use zelador_core::supervisor::{Supervisor, Surroundings};
use zelador_core::unit::Moment;
use zelador_core::{diagnosis, dotenv, redact, select};
use zelador_testbed::fuzz::{fuzz, fuzz_text};

#[test]
fn fuzz_dotenv() {
    let good = [
        "A=1\nexport B='two words' # why\nC=\"a\\nb\"\nD=`x`\n\n# no more\n",
        "KEY=\"several\nlines\"\r\nLAST=${A}",
    ];
    fuzz_text("dotenv", &good, |text| {
        if let Ok(env) = dotenv::parse(text) {
            assert!(env.keys().all(|name| !name.is_empty() && !name.contains(['=', '\0', '\n'])));
        }
    });
}

#[test]
fn fuzz_redaction() {
    let good = [
        "mysql://ana:s3cr3t@db:3306/x?socket=/run/x",
        "password=hunter2 token: abc Authorization: Bearer eyJhbGciOi.x.y",
        "{\"apiKey\":\"sk-12345678901234567890\"}",
    ];
    fuzz_text("redaction", &good, |text| {
        _ = redact::url(text);
        _ = redact::variable("NAME", text);
        let once = redact::text(text);
        assert_eq!(redact::text(&once), once, "what is masked stays as it is");
    });
}

#[test]
fn fuzz_words_of_a_command_line() {
    let good = ["node app.js --port 1 'a b' \"c \\\" d\" e\\ f", "sh -c 'x=$(y); `z`'"];
    fuzz_text("words of a command line", &good, |text| {
        _ = shell_words(text);
        _ = select::select(text, &[]);
        _ = select::select(&format!("/{text}/"), &[]);
    });
}

#[test]
fn fuzz_dates_and_cron() {
    let good =
        ["YYYY-MM-DD HH:mm:ss.SSS Z", "[at] Do MMMM, h:mm A", "*/5 0-3 * * 1,2", "0 0 30 2 *"];
    fuzz_text("dates and cron", &good, |text| {
        let format = DateFormat::parse(text);
        let pattern = format.pattern();
        _ = pattern.split(text);
        _ = format.sorts_by_time();
        _ = CronPattern::new(text);
    });
}

#[test]
fn fuzz_evidence() {
    let good: [&[u8]; 2] = [
        b"{\"exit_code\":1,\"uptime_s\":2.5,\"restarts_last_hour\":9,\"log_tail\":[\"Error: connect ECONNREFUSED 127.0.0.1:3306\",\"    at TCP\"],\"metrics\":{\"rss_mb\":[1,2,3],\"cpu_pct\":99}}",
        b"{\"signal\":\"SIGKILL\",\"log_tail\":[\"FATAL ERROR: Reached heap limit\",\"EADDRINUSE: address already in use :::3000\"]}",
    ];
    fuzz("evidence", &good, |bytes| {
        if let Ok(snapshot) = serde_json::from_slice::<Snapshot>(bytes) {
            let answer = diagnosis::judge(&snapshot);
            assert!(answer.hypotheses.iter().all(|it| (0.0..=1.0).contains(&it.confidence)));
        }
    });
}

#[test]
fn fuzz_sd_notify() {
    let good: [&[u8]; 3] = [
        b"READY=1\nSTATUS=serving 3 users\nMAINPID=77\nX_MINE=1\n",
        b"WATCHDOG=1\nWATCHDOG_USEC=2500000\nEXTEND_TIMEOUT_USEC=99999999999999\nRELOADING=1",
        b"FDSTORE=1\nFDNAME=conn\nFDSTOREREMOVE=1\nSTOPPING=1\nWATCHDOG=trigger\nBARRIER=1",
    ];
    let longest = Duration::from_hours(1);
    fuzz("sd_notify", &good, |bytes| {
        let said = Notified::read(bytes);
        let status = said.status.unwrap_or_default();
        assert!(status.chars().count() <= 200 && !status.contains(char::is_control));
        assert!(said.extend.unwrap_or_default() <= longest);
        assert!(said.watchdog.is_none_or(|every| !every.is_zero() && every <= longest));
        assert!(said.main_pid.is_none_or(|pid| pid > 1));
        let names = said.store.into_iter().chain(said.unstore);
        assert!(names.into_iter().all(|name| is_name(&name)), "it stands in a list of names");
    });
}

/// Records as an engine left them, of an app with everything that keeps a moment or a span.
fn records() -> Vec<Vec<u8>> {
    let now = Moment::from_micros(1_700_000_000_000_000);
    let context = Context {
        file: "ecosystem.config.js".into(),
        folder: "/srv".into(),
        inherited_env: Arc::new(Environment::from([("PATH".to_owned(), "/bin".to_owned())])),
        env_name: None,
        cores: 2,
        only: None,
        known: None,
        is_file: |_| false,
        cadence: Cadence::default(),
        defaults: Defaults::default(),
    };
    let fields = vec![
        ("cron_restart", Value::from("0 3 * * *")),
        ("max_memory_restart", Value::from("1G")),
        ("restart_delay", Value::from("5s")),
        ("notify", Value::from(true)),
        ("watchdog", Value::from("3s")),
    ];
    let (spec, _) = script_app("/srv/a.js", &[], fields, &context).expect("it is right");
    let mut supervisor = Supervisor::new(surroundings(), now);
    let apps = vec![Declaration { spec, goal: Goal::Up, replace: true }];
    let declare = Command::Declare { apps, settings: None, unchanged: Unchanged::LeaveAlone };
    let mut inputs = VecDeque::from([Input::Command(Ticket::new(0), declare)]);
    while let Some(input) = inputs.pop_front() {
        for effect in supervisor.step(now, input) {
            if let Effect::Spawn { run, .. } = effect {
                let pid = i32::try_from(run.number()).expect("few") + 1000;
                inputs.push_back(Input::Fact(Fact::Spawned { run, pid }));
                if run.number() < 3 {
                    let death = Death::Exited { code: 1 };
                    inputs.push_back(Input::Fact(Fact::Exited { run, death }));
                }
            }
        }
    }
    let records = supervisor.durable();
    records.iter().map(|record| serde_json::to_vec(record).expect("it is plain")).collect()
}

fn surroundings() -> Surroundings {
    Surroundings {
        home: "/home/z".into(),
        zone: jiff::tz::TimeZone::UTC,
        seed: 7,
        boot: String::new(),
        last_up: None,
    }
}

/// A history that was damaged, or that somebody wrote into, costs what is not understood and no more.
#[test]
fn fuzz_records_of_the_history() {
    let good = records();
    assert!(good.len() >= 4, "an app, an instance, an incident and more");
    let now = Moment::from_micros(1_700_000_100_000_000);
    let read = |bytes: &[u8]| serde_json::from_slice::<Record>(bytes).ok();
    let sound: Vec<Record> = good.iter().filter_map(|bytes| read(bytes)).collect();
    assert_eq!(sound.len(), good.len());
    let good: Vec<&[u8]> = good.iter().map(Vec::as_slice).collect();
    fuzz("records of the history", &good, |bytes| {
        let Some(record) = read(bytes) else { return };
        let key = record.key();
        let others = sound.iter().filter(|it| it.key() != key).cloned();
        let records = others.chain([record]).collect();
        let mut supervisor = Supervisor::recover(surroundings(), now, records);
        _ = supervisor.step(now, Input::Fact(Fact::Inventory { runs: Vec::new() }));
        for _ in 0..8 {
            let Some((due, _)) = supervisor.next_deadline() else { break };
            _ = supervisor.step(due, Input::Tick);
        }
        _ = (supervisor.view(), supervisor.health(), supervisor.durable());
    });
}

#[test]
fn fuzz_blocks_of_the_history() {
    let good = [
        block::pack(&[(0, 5), (10, 5), (20, 5), (30, -7), (3599, i64::MAX)]),
        block::pack_row(&[(1, 2), (7, -9), (u32::MAX, i64::MIN)]),
    ];
    let good: Vec<&[u8]> = good.iter().map(Vec::as_slice).collect();
    fuzz("blocks of the history", &good, |bytes| {
        if let Some(points) = block::unpack(bytes) {
            assert!(points.len() <= block::MOST);
        }
        _ = block::unpack_row(bytes);
    });
}

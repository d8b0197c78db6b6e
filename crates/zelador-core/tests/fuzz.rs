//! Foreign bytes before every parser of the core.

use zelador_core::config::shell_words;
use zelador_core::date::DateFormat;
use zelador_core::diagnosis::Snapshot;
use zelador_core::spec::CronPattern;
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

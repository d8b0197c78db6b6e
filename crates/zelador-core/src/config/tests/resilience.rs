//! Retries and breakers as a file says them.

use super::*;
use crate::breaker::{BreakerPolicy, Window};
use crate::retry::{Jitter, RetryPolicy};
use crate::unit::Percent;

fn settings(block: &str) -> Settings {
    let declared = declared(&format!(r#"{{"apps":[],"zelador":{block}}}"#));
    Settings::resolve(&[&declared.settings])
}

#[test]
fn what_is_said_of_an_operation_lies_over_what_is_said_of_all() {
    let said = settings(
        r#"{ "retry": { "default": { "retries": 4, "jitter": "full", "max_delay": "10s" },
                        "heartbeat": { "jitter": "decorrelated", "totalTime": "2m" },
                        "send": { "firstDelay": "5s" } },
             "breaker": { "default": { "window": "60s", "slow": "2s", "slow_rate": 80 },
                          "query": { "window": 50, "minimum_calls": 20, "failures": false } } }"#,
    );
    let general = RetryPolicy::general();
    let of = |operation: &str| said.resilience.retry(operation, general);
    let all = RetryPolicy {
        retries: 4,
        jitter: Jitter::Full,
        cap: 10 * SECOND,
        ..RetryPolicy::general()
    };
    assert_eq!(of("ask"), all);
    let heartbeat = RetryPolicy { jitter: Jitter::Decorrelated, total: Some(120 * SECOND), ..all };
    assert_eq!(of("heartbeat"), heartbeat);
    let send = said.notify.retry;
    assert_eq!((send.first, send.cap), (5 * SECOND, 10 * SECOND));
    assert_eq!((send.retries, send.jitter), (u32::MAX, Jitter::None), "a message waits for a day");
    let of = |operation: &str| said.resilience.breaker(operation, BreakerPolicy::default());
    let all = BreakerPolicy {
        window: Window::Time(60 * SECOND),
        slow: Some(2 * SECOND),
        slow_rate: Percent::new(80.0).unwrap(),
        ..BreakerPolicy::default()
    };
    assert_eq!(of("ask"), all);
    let query = BreakerPolicy {
        window: Window::Count(50),
        minimum_calls: 20,
        failures_in_row: None,
        ..all
    };
    assert_eq!(of("query"), query);
    let kept = serde_json::to_string(&said).unwrap();
    let kept: Settings = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept, said, "also where it was kept");
}

#[test]
fn what_is_not_said_gives_way_to_what_is() {
    let said = settings(
        r#"{ "retry": { "ask": { "first_delay": "2m" }, "remedy": { "max_delay": "1s" } },
             "breaker": { "ask": { "max_open": "5s" }, "remedy": { "window": 2 } } }"#,
    );
    let ask = said.resilience.retry("ask", RetryPolicy::general());
    assert_eq!((ask.first, ask.cap), (120 * SECOND, 120 * SECOND));
    let remedy = said.resilience.retry("remedy", RetryPolicy::service_restart());
    assert_eq!((remedy.first, remedy.cap), (SECOND, SECOND));
    let ask = said.resilience.breaker("ask", BreakerPolicy::model());
    assert_eq!((ask.open_for, ask.open_cap), (5 * SECOND, 5 * SECOND));
    let remedy = said.resilience.breaker("remedy", BreakerPolicy::remedy());
    assert_eq!((remedy.window, remedy.minimum_calls), (Window::Count(2), 2));
}

#[test]
fn a_database_a_check_and_an_app_say_it_of_themselves() {
    let said = settings(
        r#"{ "databases": { "db": { "url": "redis://h", "breaker": { "open_for": "5s" } } },
             "checks": { "partner": { "http": "http://h/", "breaker": { "failures": 9 } } } }"#,
    );
    assert_eq!(said.databases["db"].breaker.open_for, Some(5 * SECOND));
    assert_eq!(said.named["partner"].breaker.failures_in_row, Some(Some(9)));
    let app = app(r#""heal": { "retry": { "retries": 1 }, "breaker": { "open_for": "1m" } }"#);
    assert_eq!(app.heal.retry.retries, Some(1));
    assert_eq!(app.heal.breaker.open_for, Some(60 * SECOND));
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let wrong = |block: &str| mistakes(&format!(r#"{{"apps":[],"zelador":{block}}}"#)).to_string();
    let said = [
        wrong(r#"{ "retry": { "query": {}, "hearbeat": {}, "send": { "retries": 3 } } }"#),
        wrong(
            r#"{ "retry": { "default": { "retries": -1, "factor": 0.5, "jitter": "some",
                 "first_delay": "10s", "max_delay": "5s" } } }"#,
        ),
        wrong(
            r#"{ "breaker": { "start": {}, "query": { "window": 5000, "failure_rate": 0,
                 "failures": 0, "open_for": "1m", "max_open": "30s" },
                 "ask": { "window": 5, "minimum_calls": 10 }, "send": { "window": "2h" } } }"#,
        ),
        mistakes(r#"{"script":"a.js","health":{"tcp":80,"breaker":{}}}"#).to_string(),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    ecosystem.config.js: zelador.retry.query: found an unknown field, allowed: the fields of `retry`: `default`, `answer`, `ask`, `export`, `heartbeat`, `listen`, `remedy`, `send` (a look is tried again by its own cadence)
    ecosystem.config.js: zelador.retry.hearbeat: found an unknown field, allowed: the fields of `retry`: `default`, `answer`, `ask`, `export`, `heartbeat`, `listen`, `remedy`, `send` (a look is tried again by its own cadence); did you mean `heartbeat`?
    ecosystem.config.js: zelador.retry.send.retries: found an unknown field, allowed: the fields of a retry
    ecosystem.config.js: zelador.retry.default.retries: found -1, allowed: a whole number from 0 to 1000000
    ecosystem.config.js: zelador.retry.default.factor: found 0.5, allowed: a number from 1 to 100
    ecosystem.config.js: zelador.retry.default.jitter: found "some", allowed: `none`, `full`, `equal` or `decorrelated`
    ecosystem.config.js: zelador.retry.default.max_delay: found "5s", allowed: at least `first_delay`, 10 s
    ecosystem.config.js: zelador.breaker.start: found an unknown field, allowed: the fields of `breaker`: `default`, `query`, `request`, `connect`, `call`, `open`, `resolve`, `handshake`, `send`, `ask`, `remedy`; did you mean `restart`?
    ecosystem.config.js: zelador.breaker.ask.minimum_calls: found 10, allowed: at most 5, as many calls as `window` holds
    ecosystem.config.js: zelador.breaker.query.failures: found 0, allowed: a whole number from 1 to 1000
    ecosystem.config.js: zelador.breaker.query.window: found 5000, allowed: a number of calls from 1 to 1000, or a time from `1s` to `3600s`
    ecosystem.config.js: zelador.breaker.query.failure_rate: found 0, allowed: a share above 0, up to 100
    ecosystem.config.js: zelador.breaker.query.max_open: found "30s", allowed: at least `open_for`, 1 min
    ecosystem.config.js: zelador.breaker.send.window: found "2h", allowed: a number of calls from 1 to 1000, or a time from `1s` to `3600s`
    ecosystem.config.js: health.breaker: found an object, allowed: this field only in a database or a check with a name: the breaker of an app is that of its starts, `max_restarts` and `half_open_after`
    "#);
}
